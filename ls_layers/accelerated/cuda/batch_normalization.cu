// Batch normalisation. N rows, C channels; statistics over the rows of each channel. Rows are cut into chunks, so that
// many blocks work on few channels; the chunks' results are put together in a fixed order.
//
//     xhat = (x - mean) inverse,  inverse = 1 / sqrt(variance + epsilon),  y = gamma xhat + beta
//
// A null pointer stands for a gamma or beta that is not there.
#include "common.cuh"

// of[k, 0, c] = the mean of the k-th chunk, of[k, 1, c] = its sum of (x - that mean)^2. The second pass finds the chunk in
// the cache; a sum of squares without a mean taken out would lose its digits.
KERNEL batch_norm_chunks(const T *__restrict__ x, T *__restrict__ of, Int N, Int C, Int chunk) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk, end = begin + chunk < N ? begin + chunk : N;
    A sum = 0, squares = 0;
    for (Int row = begin + threadIdx.y; c < C && row < end; row += 8) sum += (A)x[row * C + c];
    const A mean = column_sum(sum) / (end - begin);
    for (Int row = begin + threadIdx.y; c < C && row < end; row += 8) squares += ((A)x[row * C + c] - mean) * ((A)x[row * C + c] - mean);
    squares = column_sum(squares);
    if (threadIdx.y == 0 && c < C) {
        of[(Int)blockIdx.y * 2 * C + c] = (T)mean;
        of[(Int)blockIdx.y * 2 * C + C + c] = (T)squares;
    }
}

// mean = sum_k n_k mean_k / N,  variance = sum_k (squares_k + n_k (mean_k - mean)^2) / N, n_k the rows of chunk k
KERNEL batch_norm_statistics(const T *__restrict__ of, T *__restrict__ mean, T *__restrict__ variance, T *__restrict__ inverse, Int N,
                             Int C, Int chunk, double epsilon) {
    const Int c = (Int)blockIdx.x * 32 + threadIdx.x, chunks = (N + chunk - 1) / chunk;
    A sum = 0, squares = 0;
    for (Int k = threadIdx.y; c < C && k < chunks; k += 8) {
        const Int n = k < chunks - 1 ? chunk : N - k * chunk;
        sum += n * (A)of[k * 2 * C + c];
    }
    const A m = column_sum(sum) / N;
    for (Int k = threadIdx.y; c < C && k < chunks; k += 8) {
        const Int n = k < chunks - 1 ? chunk : N - k * chunk;
        const A off = (A)of[k * 2 * C + c] - m;
        squares += (A)of[k * 2 * C + C + c] + n * off * off;
    }
    const A v = column_sum(squares) / N;
    if (threadIdx.y == 0 && c < C) {
        mean[c] = (T)m;
        variance[c] = (T)v;
        inverse[c] = (T)(1 / sqrt(v + (A)epsilon));
    }
}

KERNEL batch_norm_forward(const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse, const T *__restrict__ gamma,
                          const T *__restrict__ beta, T *__restrict__ y, Int N, Int C) {
    each(N * C, [=](Int i) {
        const Int c = modulo(i, C);
        y[i] = (T)(((A)x[i] - (A)mean[c]) * (A)inverse[c] * (gamma ? (A)gamma[c] : 1) + (beta ? (A)beta[c] : 0));
    });
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

// dx = gamma inverse (dy - dbeta / N - xhat dgamma / N); dx = gamma inverse dy where the statistics are constants (no sums)
KERNEL batch_norm_backward(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ mean, const T *__restrict__ inverse,
                           const T *__restrict__ gamma, const T *__restrict__ dgamma, const T *__restrict__ dbeta, T *__restrict__ dx,
                           Int N, Int C) {
    const A share = (A)1 / N;
    each(N * C, [=](Int i) {
        const Int c = modulo(i, C);
        A g = (A)dy[i];
        if (dgamma) g -= ((A)dbeta[c] + ((A)x[i] - (A)mean[c]) * (A)inverse[c] * (A)dgamma[c]) * share;
        dx[i] = (T)((gamma ? (A)gamma[c] : 1) * (A)inverse[c] * g);
    });
}
