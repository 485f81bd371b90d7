// Pooling, forward and backward. A row of threads has a window, or backward a position and the windows that read it, so no two
// threads add to one number.
#include "windows.cuh"

// y = max over the taps of x; padding never wins, NaN always does
KERNEL max_pool_forward(const T *__restrict__ x, T *__restrict__ y, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row();
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A best[EACH];
        for (int j = 0; j < EACH; ++j) best[j] = -infinity();
        each_tap(w, o, [&](int, Int place) {
            if (place < 0) return;
            channels(c, C, [&](int j, Int d) {
                const A v = (A)x[place * C + d];
                best[j] = v > best[j] || v != v ? v : best[j];
            });
        });
        channels(c, C, [&](int j, Int d) { y[row * C + d] = (T)best[j]; });
    }
}

// dx_i = sum of dy over the windows whose maximum x_i is; of equal maxima the first in reading order gets it
KERNEL max_pool_backward(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ y, T *__restrict__ dx, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row();
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A v[EACH], total[EACH] = {};
        channels(c, C, [&](int j, Int d) { v[j] = (A)x[row * C + d]; });
        each_reading(w, i, [&](int k, Int window, const At &o) {
            channels(c, C, [&](int j, Int d) {
                if ((A)y[window * C + d] != v[j]) return;
                bool first = true;
                each_tap(w, o, [&](int earlier, Int place) {
                    if (earlier < k && place >= 0 && (A)x[place * C + d] == v[j]) first = false;
                });
                if (first) total[j] += (A)dy[window * C + d];
            });
        });
        channels(c, C, [&](int j, Int d) { dx[row * C + d] = (T)total[j]; });
    }
}

// y = sum over the taps of x / count, count (1, O.., 1) the taps that are no padding
KERNEL average_pool_forward(const T *__restrict__ x, T *__restrict__ y, T *__restrict__ count, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row();
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    int read = 0;
    each_tap(w, o, [&](int, Int place) { read += place >= 0; });
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A total[EACH] = {};
        each_tap(w, o, [&](int, Int place) {
            if (place >= 0) channels(c, C, [&](int j, Int d) { total[j] += (A)x[place * C + d]; });
        });
        channels(c, C, [&](int j, Int d) { y[row * C + d] = (T)(total[j] / read); });
    }
    if (o.b == 0 && threadIdx.x == 0) count[row] = (T)(A)read;
}

// dx_i = sum of dy / count over the windows that read i
KERNEL average_pool_backward(const T *__restrict__ dy, const T *__restrict__ count, T *__restrict__ dx, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row();
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A total[EACH] = {};
        each_reading(w, i, [&](int, Int window, const At &o) {
            const A read = (A)count[flatten(0, o.at, w.O)];
            channels(c, C, [&](int j, Int d) { total[j] += (A)dy[window * C + d] / read; });
        });
        channels(c, C, [&](int j, Int d) { dx[row * C + d] = (T)total[j]; });
    }
}
