// Sliding windows over three spatial axes (fewer: the first ones have length 1). Channels are last. B batch, I positions of
// the large side, O windows, K taps of a window, C channels; tap k of window o reads position o stride + k dilation - before.
//
// A row of threads has a window (or a position), and each thread up to EACH channels at a time: divisions are slow on a GPU, so
// where a window lies is worked out once for all of them, and its taps are walked through, not divided up.
#include "common.cuh"

// Every kernel over windows begins with these parameters; WINDOWS_GIVEN packs them.
#define WINDOWS                                                                                                       \
    Int B, Int C, Int I0, Int I1, Int I2, Int O0, Int O1, Int O2, Int K0, Int K1, Int K2, Int S0, Int S1, Int S2, Int D0, \
        Int D1, Int D2, Int P0, Int P1, Int P2
#define THREE(X) {(int)X##0, (int)X##1, (int)X##2}
#define WINDOWS_GIVEN { THREE(I), THREE(O), THREE(K), THREE(S), THREE(D), THREE(P) }

const int EACH = 4;  // channels of a thread; windows.py has the same

struct Windows {
    int I[3], O[3], K[3], stride[3], dilation[3], before[3];
};

struct At {  // a place on three axes, of the batch's b-th example
    Int b;
    int at[3];
};

__device__ inline At unflatten(Int place, const int *sizes) {
    At p;
    for (int axis = 2; axis >= 0; --axis) {
        const Int rows = quotient(place, sizes[axis]);
        p.at[axis] = (int)(place - rows * sizes[axis]);
        place = rows;
    }
    p.b = place;
    return p;
}

__device__ inline Int flatten(Int b, const int *at, const int *sizes) {
    return ((b * sizes[0] + at[0]) * sizes[1] + at[1]) * sizes[2] + at[2];
}

// p becomes the place that lies `step` further on in reading order; it is divided only where an axis ends.
__device__ inline void advance(At &p, int step, const int *sizes) {
    for (int axis = 2; axis >= 0 && step; --axis) {
        p.at[axis] += step;
        if (p.at[axis] < sizes[axis]) return;
        step = p.at[axis] / sizes[axis];
        p.at[axis] -= step * sizes[axis];
    }
    p.b += step;
}

__device__ inline bool inside(int at, int size) { return (unsigned)at < (unsigned)size; }

// The place in (B, I..) that a tap, itself a place among (K..), of window o reads, or -1 for padding.
__device__ inline Int position_read(const Windows &w, const At &o, const int *tap) {
    int at[3];
    bool in = true;
    for (int axis = 0; axis < 3; ++axis) {
        at[axis] = o.at[axis] * w.stride[axis] + tap[axis] * w.dilation[axis] - w.before[axis];
        in = in && inside(at[axis], w.I[axis]);
    }
    return in ? flatten(o.b, at, w.I) : -1;
}

// f(k, place) for every tap of window o, in reading order; place is the one in (B, I..), or -1 for padding.
template <class F> __device__ inline void each_tap(const Windows &w, const At &o, F f) {
    int k = 0, tap[3];
    for (tap[0] = 0; tap[0] < w.K[0]; ++tap[0])
        for (tap[1] = 0; tap[1] < w.K[1]; ++tap[1])
            for (tap[2] = 0; tap[2] < w.K[2]; ++tap[2]) f(k++, position_read(w, o, tap));
}

// Which window along one axis begins at `start`, or -1 where none does.
__device__ inline int beginning(int start, int stride, int windows) {
    if (start < 0) return -1;
    const int window = stride == 1 ? start : start / stride;
    return window * stride == start && window < windows ? window : -1;
}

// f(k, place, o) for every window o that reads position i with its tap k, in the order of the taps; place is the one in (B, O..).
template <class F> __device__ inline void each_reading(const Windows &w, const At &i, F f) {
    int k = 0, start[3];
    At o = {i.b, {0, 0, 0}};
    for (int axis = 0; axis < 3; ++axis) start[axis] = i.at[axis] + w.before[axis];
    for (int t0 = 0; t0 < w.K[0]; ++t0) {
        o.at[0] = beginning(start[0] - t0 * w.dilation[0], w.stride[0], w.O[0]);
        for (int t1 = 0; t1 < w.K[1]; ++t1) {
            o.at[1] = beginning(start[1] - t1 * w.dilation[1], w.stride[1], w.O[1]);
            for (int t2 = 0; t2 < w.K[2]; ++t2, ++k) {
                if (o.at[0] < 0 || o.at[1] < 0) continue;
                o.at[2] = beginning(start[2] - t2 * w.dilation[2], w.stride[2], w.O[2]);
                if (o.at[2] >= 0) f(k, flatten(o.b, o.at, w.O), o);
            }
        }
    }
}

// f(j, d) for this thread's channels d from c on, j = 0 .. EACH - 1
template <class F> __device__ inline void channels(Int c, Int C, F f) {
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
        const Int d = c + j * blockDim.x;
        if (d < C) f(j, d);
    }
}
