// Sliding windows over three spatial axes (fewer: the first ones have length 1). Channels are last. B batch, I positions of
// the large side, O windows, K taps of a window, C channels; tap k of window o reads position o stride + k dilation - before.
#include "common.cuh"

// Every kernel over windows begins with these parameters; WINDOWS_GIVEN packs them.
#define WINDOWS                                                                                                       \
    Int B, Int C, Int I0, Int I1, Int I2, Int O0, Int O1, Int O2, Int K0, Int K1, Int K2, Int S0, Int S1, Int S2, Int D0, \
        Int D1, Int D2, Int P0, Int P1, Int P2
#define WINDOWS_GIVEN \
    { {I0, I1, I2}, {O0, O1, O2}, {K0, K1, K2}, {S0, S1, S2}, {D0, D1, D2}, {P0, P1, P2} }

struct Windows {
    Int I[3], O[3], K[3], stride[3], dilation[3], before[3];
};

struct At {  // a place on three axes, of the batch's b-th example
    Int b, at[3];
};

__device__ inline At unflatten(Int place, const Int *sizes) {
    At p;
    p.at[2] = place % sizes[2];
    p.at[1] = place / sizes[2] % sizes[1];
    p.at[0] = place / (sizes[2] * sizes[1]) % sizes[0];
    p.b = place / (sizes[2] * sizes[1] * sizes[0]);
    return p;
}

__device__ inline Int flatten(Int b, const Int *at, const Int *sizes) {
    return ((b * sizes[0] + at[0]) * sizes[1] + at[1]) * sizes[2] + at[2];
}

// The position that tap k (of all K, in reading order) of window o reads: its place in (B, I..), or -1 for padding.
__device__ inline Int position_read(const Windows &w, const At &o, Int k) {
    const At tap = unflatten(k, w.K);
    Int at[3];
    for (int axis = 0; axis < 3; ++axis) {
        at[axis] = o.at[axis] * w.stride[axis] + tap.at[axis] * w.dilation[axis] - w.before[axis];
        if (at[axis] < 0 || at[axis] >= w.I[axis]) return -1;
    }
    return flatten(o.b, at, w.I);
}

// The window that reads position i with its tap k: its place in (B, O..), or -1 where there is none.
__device__ inline Int window_reading(const Windows &w, const At &i, Int k) {
    const At tap = unflatten(k, w.K);
    Int at[3];
    for (int axis = 0; axis < 3; ++axis) {
        const Int start = i.at[axis] + w.before[axis] - tap.at[axis] * w.dilation[axis];
        if (start < 0 || start % w.stride[axis]) return -1;
        at[axis] = start / w.stride[axis];
        if (at[axis] >= w.O[axis]) return -1;
    }
    return flatten(i.b, at, w.O);
}
