// Batch normalisation. N rows, C channels; statistics over the rows of each channel. Rows are cut into chunks, so that
// many blocks work on few channels; the chunks' results are put together in a fixed order.
//
//     xhat = (x - mean) inverse,  inverse = 1 / sqrt(variance + epsilon),  y = gamma xhat + beta
//
// A null pointer stands for a gamma or beta that is not there.
#include "common.cuh"

// What rows count for: weights are 0 where a row is masked, of a row (wc = 0) or of each of its channels (wc = 1). No weights: 1.
__device__ inline A weight(const T *weights, Int row, Int c, Int C, Int wc) {
    return !weights ? 1 : (A)weights[wc ? row * C + c : row];
}

// of[k, 0, c] = the mean of the k-th chunk, of[k, 1, c] = its sum of w (x - that mean)^2, of[k, 2, c] = its sum of w. A sum of squares
// without a mean taken out would lose its digits: so a thread takes eight numbers at a time, which it reads once, and joins their mean
// and squares with those before, (d = the difference of the means) squares += squares_8 + d^2 n n_8 / (n + n_8) (Chan, Golub, LeVeque).
KERNEL batch_norm_chunks(const T *__restrict__ x, const T *__restrict__ weights, Int wc, T *__restrict__ of, Int N, Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    A own = 0, squares = 0, n = 0;  // this thread's mean, squares and count
    for (Int first = begin + threadIdx.y; c < C && first < end; first += 64) {
        A v[8], w[8], sum = 0, more = 0;
#pragma unroll
        for (int k = 0; k < 8; ++k) {
            const Int row = first + 8 * k;
            w[k] = row < end ? weight(weights, row, c, C, wc) : 0;
            v[k] = row < end ? (A)x[row * C + c] : 0;
            sum += w[k] * v[k];
            more += w[k];
        }
        const A m = sum / (more > 0 ? more : 1), off = m - own;
#pragma unroll
        for (int k = 0; k < 8; ++k) squares += w[k] * (v[k] - m) * (v[k] - m);
        const A share = n + more > 0 ? more / (n + more) : 0;
        own += off * share;
        squares += off * off * n * share;
        n += more;
    }
    const A count = column_sum(n), mean = column_sum(n * own) / (count > 0 ? count : 1);
    squares = column_sum(squares + n * (own - mean) * (own - mean));
    if (threadIdx.y == 0 && c < C) {
        of += (Int)blockIdx.y * 3 * C + c;
        of[0] = (T)mean;
        of[C] = (T)squares;
        of[2 * C] = (T)count;
    }
}

// total = sum_k n_k (+ 1e-7 where there are weights, as Keras has it, so that nothing is divided by 0), n_k what chunk k counts for;
// mean = sum_k n_k mean_k / total,  variance = sum_k (squares_k + n_k (mean_k - mean)^2) / total
KERNEL batch_norm_statistics(const T *__restrict__ of, T *__restrict__ mean, T *__restrict__ variance, T *__restrict__ inverse,
                             T *__restrict__ total, Int C, Int chunks, double epsilon, double added) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x;
    A count = 0, sum = 0, squares = 0;
    for (Int k = threadIdx.y; c < C && k < chunks; k += 8) {
        const A n = (A)of[k * 3 * C + 2 * C + c];
        count += n;
        sum += n * (A)of[k * 3 * C + c];
    }
    const A all = column_sum(count) + (A)added, m = column_sum(sum) / all;
    for (Int k = threadIdx.y; c < C && k < chunks; k += 8) {
        const A off = (A)of[k * 3 * C + c] - m;
        squares += (A)of[k * 3 * C + C + c] + (A)of[k * 3 * C + 2 * C + c] * off * off;
    }
    const A v = column_sum(squares) / all;
    if (threadIdx.y == 0 && c < C) {
        mean[c] = (T)m;
        variance[c] = (T)v;
        inverse[c] = (T)(1 / sqrt(v + (A)epsilon));
        total[c] = (T)all;
    }
}

// y = (x - mean) inverse gamma + beta; a thread has a column of a chunk of rows, so what belongs to the column is read once
KERNEL batch_norm_forward(const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse, const T *__restrict__ gamma,
                          const T *__restrict__ beta, T *__restrict__ y, Int N, Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    if (c >= C) return;
    const A m = (A)mean[c], scale = (A)inverse[c] * (gamma ? (A)gamma[c] : 1), shift = beta ? (A)beta[c] : 0;
    for (Int row = begin + threadIdx.y; row < end; row += 8) y[row * C + c] = (T)(((A)x[row * C + c] - m) * scale + shift);
}

// sums[k, 0, c] = sum_rows dy xhat (of gamma), sums[k, 1, c] = sum_rows dy (of beta), over the k-th chunk of rows
KERNEL batch_norm_sums(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse,
                       T *__restrict__ sums, Int N, Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    A of_gamma = 0, of_beta = 0;
    for (Int row = begin + threadIdx.y; c < C && row < end; row += 8) {
        const A g = (A)dy[row * C + c];
        of_gamma += g * ((A)x[row * C + c] - (A)mean[c]) * (A)inverse[c];
        of_beta += g;
    }
    of_gamma = column_sum(of_gamma);
    of_beta = column_sum(of_beta);
    if (threadIdx.y == 0 && c < C) {
        sums[(Int)blockIdx.y * 2 * C + c] = (T)of_gamma;
        sums[(Int)blockIdx.y * 2 * C + C + c] = (T)of_beta;
    }
}

// dx = gamma inverse (dy - share (dbeta + (xhat - off) dgamma)), share = w / total; off, the mean of xhat, is 0 but for what was added
// to total: inverse mean added / total. dx = gamma inverse dy where the statistics are constants (no sums).
KERNEL batch_norm_backward(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse,
                           const T *__restrict__ gamma, const T *__restrict__ dgamma, const T *__restrict__ dbeta,
                           const T *__restrict__ weights, Int wc, const T *__restrict__ total, double added, T *__restrict__ dx, Int N,
                           Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    if (c >= C) return;
    const A inv = (A)inverse[c], scale = inv * (gamma ? (A)gamma[c] : 1);
    if (!dgamma) {
        for (Int row = begin + threadIdx.y; row < end; row += 8) dx[row * C + c] = (T)(scale * (A)dy[row * C + c]);
        return;
    }
    const A all = (A)total[c], m = (A)mean[c], zero = m + m * (A)added / all, slope = inv * (A)dgamma[c] / all, common = (A)dbeta[c] / all;
    for (Int row = begin + threadIdx.y; row < end; row += 8) {
        const Int i = row * C + c;
        dx[i] = (T)(scale * ((A)dy[i] - (common + ((A)x[i] - zero) * slope) * weight(weights, row, c, C, wc)));
    }
}
