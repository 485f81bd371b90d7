// softmax, log-softmax and sparsemax of rows, y and dx. N rows, C numbers in each; a team has one row.
#include "common.cuh"

__device__ inline A row_max(const T *x, Int C) {
    A m = -infinity();
    for (Int c = threadIdx.x; c < C; c += blockDim.x) m = fmax(m, (A)x[c]);
    return team_max(m);
}

__device__ inline A row_sum_of_exp(const T *x, A m, Int C) {
    A sum = 0;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) sum += exp((A)x[c] - m);
    return team_sum(sum);
}

// y_c = exp(x_c - m) / sum_j exp(x_j - m), m = max x
KERNEL softmax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const A m = row_max(x, C), sum = row_sum_of_exp(x, m, C);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) y[c] = (T)(exp((A)x[c] - m) / sum);
}

// dx = y (dy - sum_j dy_j y_j)
KERNEL softmax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    A along = 0;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) along += (A)dy[c] * (A)y[c];
    along = team_sum(along);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) dx[c] = (T)((A)y[c] * ((A)dy[c] - along));
}

// y_c = x_c - m - log(sum_j exp(x_j - m))
KERNEL log_softmax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const A m = row_max(x, C), log_sum = log(row_sum_of_exp(x, m, C));
    for (Int c = threadIdx.x; c < C; c += blockDim.x) y[c] = (T)((A)x[c] - m - log_sum);
}

// dx = dy - exp(y) sum_j dy_j
KERNEL log_softmax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    A sum = 0;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) sum += (A)dy[c];
    sum = team_sum(sum);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) dx[c] = (T)((A)dy[c] - exp((A)y[c]) * sum);
}

// max(x, least), and NaN of NaN
__device__ inline A from_above(A x, A least) { return x < least ? least : x; }

// y_c = max(z_c - tau, 0), z = max(x - max x, -1), tau such that y sums to 1. No sorting: tau of all numbers is too small, so those
// that are not above it are left out, and again, until none is (Michelot 1986); a number once below tau stays below.
KERNEL sparsemax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const A m = row_max(x, C);
    A tau = -infinity(), before, count = 0;
    do {
        before = count;
        A above = 0, sum = 0;
        for (Int c = threadIdx.x; c < C; c += blockDim.x) {
            const A z = from_above((A)x[c] - m, -1);
            if (!(z <= tau)) above += 1, sum += z;  // NaN too
        }
        count = team_sum(above);
        tau = (team_sum(sum) - 1) / count;
    } while (count != before && count > 0);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) y[c] = (T)from_above(from_above((A)x[c] - m, -1) - tau, 0);
}

// dx = dy - mean(dy where y > 0) there, 0 elsewhere
KERNEL sparsemax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    A sum = 0, count = 0;
    for (Int c = threadIdx.x; c < C; c += blockDim.x)
        if ((A)y[c] > 0) sum += (A)dy[c], count += 1;
    sum = team_sum(sum);
    const A mean = sum / team_sum(count);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) dx[c] = (T)((A)y[c] > 0 ? (A)dy[c] - mean : 0);
}
