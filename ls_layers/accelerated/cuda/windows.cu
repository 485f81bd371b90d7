// Columns for convolution (im2col), and their adjoint (col2im). No atomics: each number of the result is summed by one thread.
#include "windows.cuh"

// columns[b, o, k, c] = x[b, position that tap k of window o reads, c], 0 for padding
KERNEL gather_windows(const T *__restrict__ x, T *__restrict__ columns, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * O0 * O1 * O2) return;
    columns += row * taps * C;
    each_tap(w, unflatten(row, w.O), [=](int k, Int place) {
        for (Int c = threadIdx.x; c < C; c += blockDim.x) columns[k * C + c] = place < 0 ? (T)(A)0 : x[place * C + c];
    });
}

// x[b, i, c] = sum over all k of columns[b, window that reads i with tap k, k, c]
KERNEL scatter_windows(const T *__restrict__ columns, T *__restrict__ x, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A total[EACH] = {};
        each_reading(w, i, [&](int k, Int window, const At &) {
            const T *from = columns + (window * taps + k) * C;
            channels(c, C, [&](int j, Int d) { total[j] += (A)from[d]; });
        });
        channels(c, C, [&](int j, Int d) { x[row * C + d] = (T)total[j]; });
    }
}
