// Group normalisation. B examples, S places, G groups of K channels, C = G K; a team has one group of one example.
//
//     xhat = (x - mean) inverse,  inverse = 1 / sqrt(variance + epsilon),  y = gamma xhat + beta
//
// Forward keeps x, mean and inverse (B, G); xhat is made again. A null pointer stands for a gamma or beta that is not there.
#include "common.cuh"

// The i-th number of a group, whose first one is at x[0], and the channel of the group that it stands in.
struct Member { Int at, k; };
__device__ inline Member member(Int i, Int C, Int K) {
    const Int place = quotient(i, K), k = i - place * K;
    return {place * C + k, k};
}

KERNEL group_norm_forward(const T *__restrict__ x, const T *__restrict__ gamma, const T *__restrict__ beta, T *__restrict__ y,
                          T *__restrict__ mean, T *__restrict__ inverse, Int B, Int S, Int G, Int K, double epsilon) {
    const Int row = team_row(), C = G * K, first = row / G * S * C + row % G * K, channel = row % G * K;
    if (row >= B * G) return;
    x += first, y += first;
    const HeldRow of_x(S * K, [=](Int i) { return (A)x[member(i, C, K).at]; });
    A m = 0, squares = 0;
    of_x.each([&](Int, A v) { m += v; });
    m = team_sum(m) / (S * K);
    of_x.each([&](Int, A v) { squares += (v - m) * (v - m); });
    const A inv = 1 / sqrt(team_sum(squares) / (S * K) + (A)epsilon);
    of_x.each([&](Int i, A v) {
        const Member it = member(i, C, K);
        y[it.at] = (T)((v - m) * inv * (gamma ? (A)gamma[channel + it.k] : 1) + (beta ? (A)beta[channel + it.k] : 0));
    });
    if (threadIdx.x == 0) {
        mean[row] = (T)m;
        inverse[row] = (T)inv;
    }
}

// dxhat = gamma dy,  dx = inverse (dxhat - mean(dxhat) - xhat mean(dxhat xhat)), the means over the group
KERNEL group_norm_backward(const T *__restrict__ dy, const T *__restrict__ gamma, const T *__restrict__ x, const T *__restrict__ mean,
                           const T *__restrict__ inverse, T *__restrict__ dx, Int B, Int S, Int G, Int K) {
    const Int row = team_row(), C = G * K, first = row / G * S * C + row % G * K, channel = row % G * K;
    if (row >= B * G) return;
    dy += first, x += first, dx += first;
    const A m = (A)mean[row], inv = (A)inverse[row];
    const HeldRow dxhat(S * K, [=](Int i) {
        const Member it = member(i, C, K);
        return (A)dy[it.at] * (gamma ? (A)gamma[channel + it.k] : 1);
    });
    const HeldRow xhat(S * K, [=](Int i) { return ((A)x[member(i, C, K).at] - m) * inv; });
    A common = 0, along = 0;
    dxhat.each_with(xhat, [&](Int, A g, A v) { common += g, along += g * v; });
    common = team_sum(common) / (S * K);
    along = team_sum(along) / (S * K);
    dxhat.each_with(xhat, [&](Int i, A g, A v) { dx[member(i, C, K).at] = (T)(inv * (g - common - v * along)); });
}

// sums[n, 0, c] = sum_rows dy xhat (of gamma), sums[n, 1, c] = sum_rows dy (of beta), over the n-th chunk of the B S rows
KERNEL group_norm_sums(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse,
                       T *__restrict__ sums, Int B, Int S, Int G, Int K, Int chunk) {
    const Int C = G * K, N = B * S, c = (Int)blockIdx.x * 32 + threadIdx.x;
    const Int begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    A of_gamma = 0, of_beta = 0;
    for (Int row = begin + threadIdx.y; c < C && row < end; row += 8) {
        const Int group = quotient(row, S) * G + quotient(c, K);
        const A g = (A)dy[row * C + c];
        of_gamma += g * ((A)x[row * C + c] - (A)mean[group]) * (A)inverse[group];
        of_beta += g;
    }
    of_gamma = column_sum(of_gamma);
    of_beta = column_sum(of_beta);
    if (threadIdx.y == 0 && c < C) {
        sums[(Int)blockIdx.y * 2 * C + c] = (T)of_gamma;
        sums[(Int)blockIdx.y * 2 * C + C + c] = (T)of_beta;
    }
}
