// Depthwise convolution, directly: z[b, o, c M + m] = bias[c M + m] + sum_k x[b, position of tap k, c] W[k, c, m].
// C here counts the channels of x, M the kernels of each; the channels of z are j = c M + m.
#include "windows.cuh"

KERNEL depthwise_forward(const T *__restrict__ x, const T *__restrict__ W, const T *__restrict__ bias, T *__restrict__ z, Int M, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), J = C * M;
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    for (Int j = threadIdx.x; j < J; j += EACH * blockDim.x) {
        A total[EACH];
        Int channel[EACH];  // of x
        channels(j, J, [&](int i, Int d) {
            total[i] = bias ? (A)bias[d] : 0;
            channel[i] = M == 1 ? d : quotient(d, M);
        });
        each_tap(w, o, [&](int k, Int place) {
            if (place >= 0) channels(j, J, [&](int i, Int d) { total[i] += (A)x[place * C + channel[i]] * (A)W[k * J + d]; });
        });
        channels(j, J, [&](int i, Int d) { z[row * J + d] = (T)total[i]; });
    }
}

// dx[b, i, c] = sum over k and m of dz[b, window that reads i with tap k, c M + m] W[k, c, m]
KERNEL depthwise_backward_x(const T *__restrict__ dz, const T *__restrict__ W, T *__restrict__ dx, Int M, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row();
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += EACH * blockDim.x) {
        A total[EACH] = {};
        each_reading(w, i, [&](int k, Int window, const At &) {
            channels(c, C, [&](int j, Int d) {
                for (Int m = 0; m < M; ++m) total[j] += (A)dz[(window * C + d) * M + m] * (A)W[(k * C + d) * M + m];
            });
        });
        channels(c, C, [&](int j, Int d) { dx[row * C + d] = (T)total[j]; });
    }
}

// sums[n, k, j] = sum of x[position of tap k] dz[j] over the n-th chunk of windows; blocks are (tiles of 32 j, chunks, taps)
KERNEL depthwise_backward_W(const T *__restrict__ dz, const T *__restrict__ x, A *__restrict__ sums, Int M, Int chunk, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int J = C * M, j = (Int)blockIdx.x * 32 + threadIdx.x, c = M == 1 ? j : quotient(j, M), windows = B * O0 * O1 * O2;
    const Int begin = (Int)blockIdx.y * chunk, end = begin + chunk < windows ? begin + chunk : windows;
    const At tap = unflatten(blockIdx.z, w.K);
    A total = 0;
    At o = unflatten(begin + threadIdx.y, w.O);
    for (Int row = begin + threadIdx.y; j < J && row < end; row += 8) {
        const Int place = position_read(w, o, tap.at);
        if (place >= 0) total += (A)x[place * C + c] * (A)dz[row * J + j];
        advance(o, 8, w.O);
    }
    total = column_sum(total);
    if (threadIdx.y == 0 && j < J) sums[((Int)blockIdx.y * gridDim.z + blockIdx.z) * J + j] = total;
}
