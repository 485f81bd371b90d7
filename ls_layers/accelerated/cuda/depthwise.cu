// Depthwise convolution, directly: z[b, o, c M + m] = bias[c M + m] + sum_k x[b, position of tap k, c] W[k, c, m].
// C here counts the channels of x, M the kernels of each; the channels of z are j = c M + m.
#include "windows.cuh"

KERNEL depthwise_forward(const T *__restrict__ x, const T *__restrict__ W, const T *__restrict__ bias, T *__restrict__ z, Int M, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    for (Int j = threadIdx.x; j < C * M; j += blockDim.x) {
        A total = bias ? (A)bias[j] : 0;
        for (Int k = 0; k < taps; ++k) {
            const Int place = position_read(w, o, k);
            if (place >= 0) total += (A)x[place * C + j / M] * (A)W[k * C * M + j];
        }
        z[row * C * M + j] = (T)total;
    }
}

// dx[b, i, c] = sum over k and m of dz[b, window that reads i with tap k, c M + m] W[k, c, m]
KERNEL depthwise_backward_x(const T *__restrict__ dz, const T *__restrict__ W, T *__restrict__ dx, Int M, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A total = 0;
        for (Int k = 0; k < taps; ++k) {
            const Int window = window_reading(w, i, k);
            for (Int m = 0; window >= 0 && m < M; ++m)
                total += (A)dz[(window * C + c) * M + m] * (A)W[(k * C + c) * M + m];
        }
        dx[row * C + c] = (T)total;
    }
}

// sums[n, k, j] = sum of x[position of tap k] dz[j] over the n-th chunk of windows; blocks are (tiles of 32 j, chunks, taps)
KERNEL depthwise_backward_W(const T *__restrict__ dz, const T *__restrict__ x, A *__restrict__ sums, Int M, Int chunk, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int j = (Int)blockIdx.x * 32 + threadIdx.x, k = blockIdx.z, windows = B * O0 * O1 * O2;
    const Int begin = (Int)blockIdx.y * chunk, end = begin + chunk < windows ? begin + chunk : windows;
    A total = 0;
    for (Int row = begin + threadIdx.y; j < C * M && row < end; row += 8) {
        const Int place = position_read(w, unflatten(row, w.O), k);
        if (place >= 0) total += (A)x[place * C + j / M] * (A)dz[row * C * M + j];
    }
    total = column_sum(total);
    if (threadIdx.y == 0 && j < C * M) sums[((Int)blockIdx.y * gridDim.z + k) * C * M + j] = total;
}
