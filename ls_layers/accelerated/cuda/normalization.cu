// Layer and RMS normalisation of rows. N rows, C numbers in each (the normalised axes, joined).
//
//     xhat = (x - mean) inverse,  inverse = 1 / sqrt(mean((x - mean)^2) + epsilon),  y = gamma xhat + beta
//
// RMS normalisation is the same without a mean. Forward keeps x, mean and inverse; xhat is made again. A null pointer
// stands for a gamma, beta or mean that is not there.
#include "common.cuh"

__device__ inline A normalized(const T *x, Int i, A mean, A inverse) { return ((A)x[i] - mean) * inverse; }

KERNEL layer_norm_forward(const T *__restrict__ x, const T *__restrict__ gamma, const T *__restrict__ beta, T *__restrict__ y,
                          T *__restrict__ mean, T *__restrict__ inverse, Int N, Int C, double epsilon) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const HeldRow of_x(C, [=](Int c) { return (A)x[c]; });
    A m = 0, squares = 0;
    if (mean) {
        of_x.each([&](Int, A v) { m += v; });
        m = team_sum(m) / C;
    }
    of_x.each([&](Int, A v) { squares += (v - m) * (v - m); });
    const A inv = 1 / sqrt(team_sum(squares) / C + (A)epsilon);
    of_x.each([&](Int c, A v) { y[c] = (T)((v - m) * inv * (gamma ? (A)gamma[c] : 1) + (beta ? (A)beta[c] : 0)); });
    if (threadIdx.x == 0) {
        if (mean) mean[row] = (T)m;
        inverse[row] = (T)inv;
    }
}

// dxhat = gamma dy,  dx = inverse (dxhat - mean(dxhat) - xhat mean(dxhat xhat)); without mean(dxhat) where there is no mean
KERNEL layer_norm_backward(const T *__restrict__ dy, const T *__restrict__ gamma, const T *__restrict__ x, const T *__restrict__ mean,
                           const T *__restrict__ inverse, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, x += row * C, dx += row * C;
    const A m = mean ? (A)mean[row] : 0, inv = (A)inverse[row];
    const HeldRow dxhat(C, [=](Int c) { return (A)dy[c] * (gamma ? (A)gamma[c] : 1); });
    const HeldRow xhat(C, [=](Int c) { return normalized(x, c, m, inv); });
    A common = 0, along = 0;
    dxhat.each_with(xhat, [&](Int, A g, A v) { common += g, along += g * v; });
    common = mean ? team_sum(common) / C : 0;
    along = team_sum(along) / C;
    dxhat.each_with(xhat, [&](Int c, A g, A v) { dx[c] = (T)(inv * (g - common - v * along)); });
}

// sums[k, 0, c] = sum_rows dy xhat (of gamma), sums[k, 1, c] = sum_rows dy (of beta), over the k-th chunk of rows
KERNEL layer_norm_sums(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse,
                       T *__restrict__ sums, Int N, Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    A of_gamma = 0, of_beta = 0;
    for (Int row = begin + threadIdx.y; c < C && row < end; row += 8) {
        const A g = (A)dy[row * C + c];
        of_gamma += g * normalized(x, row * C + c, mean ? (A)mean[row] : 0, (A)inverse[row]);
        of_beta += g;
    }
    of_gamma = column_sum(of_gamma);
    of_beta = column_sum(of_beta);
    if (threadIdx.y == 0 && c < C) {
        sums[(Int)blockIdx.y * 2 * C + c] = (T)of_gamma;
        sums[(Int)blockIdx.y * 2 * C + C + c] = (T)of_beta;
    }
}
