// Columns for convolution (im2col), and their adjoint (col2im). No atomics: each number of the result is summed by one thread.
#include "windows.cuh"

// columns[b, o, k, c] = x[b, position that tap k of window o reads, c], 0 for padding; a team has one window
KERNEL gather_windows(const T *__restrict__ x, T *__restrict__ columns, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    for (Int j = threadIdx.x; j < taps * C; j += blockDim.x) {
        const Int place = position_read(w, o, j / C);
        columns[row * taps * C + j] = place < 0 ? (T)(A)0 : x[place * C + j % C];
    }
}

// x[b, i, c] = sum over all k of columns[b, window that reads i with tap k, k, c]; a team has one position
KERNEL scatter_windows(const T *__restrict__ columns, T *__restrict__ x, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A total = 0;
        for (Int k = 0; k < taps; ++k) {
            const Int window = window_reading(w, i, k);
            if (window >= 0) total += (A)columns[(window * taps + k) * C + c];
        }
        x[row * C + c] = (T)total;
    }
}
