// All time steps of LSTM, GRU and SimpleRNN in one launch, products included. The cells stand in recurrent.cuh.
//
// Samples need nothing of one another, so a block has ROWS of them from the first step to the last, and no two blocks wait for
// each other. A thread has a column of the recurrent weights (U, G U): it multiplies that with h of all its block's samples, which
// lies in shared memory, the samples' numbers of a unit side by side: they are read at once. The weights are read anew in every step,
// from the second-level cache.
#include "recurrent.cuh"

const int ROWS = 4, UNITS = 192;  // samples of a block; most units. recurrent.py has the same

// The compiler must leave registers for that many threads.
#define STEPS extern "C" __launch_bounds__(4 * UNITS, 1) __global__ void

// hs[0] holds the state before; weights (U, G U).
template <class Cell> __device__ inline void forward_steps(const Cell cell, const T *weights) {
    const int G = Cell::GATES, n = (int)cell.U, columns = G * n, column = threadIdx.x;
    alignas(16) __shared__ A h[UNITS][ROWS];
    __shared__ A product[ROWS][G * UNITS];
    const Int first = (Int)blockIdx.x * ROWS;
    const int rows = cell.B - first < ROWS ? (int)(cell.B - first) : ROWS;
    for (int i = threadIdx.x; i < ROWS * n; i += blockDim.x) h[i % n][i / n] = i < rows * n ? (A)cell.hs[first * n + i] : 0;
    for (Int t = 0; t < cell.steps; ++t) {
        __syncthreads();
        if (column < columns) {
            A sum[ROWS] = {};
#pragma unroll 8
            for (int k = 0; k < n; ++k) {
                const A weight = (A)weights[k * columns + column];
                for (int r = 0; r < ROWS; ++r) sum[r] += h[k][r] * weight;
            }
            for (int r = 0; r < ROWS; ++r) product[r][column] = sum[r];
        }
        __syncthreads();
        for (int i = threadIdx.x; i < rows * n; i += blockDim.x) h[i % n][i / n] = cell(t, first + i / n, i % n, product[i / n] + i % n);
    }
}

// of_h (B, U) comes as the gradient of the last h, and becomes that of the first but for what `held` carries. turned (G U, U) is the
// transpose of the weights: gate g's part of a product is the business of U threads, and a unit's G parts are added afterwards.
template <class Cell> __device__ inline void backward_steps(const Cell cell, const T *turned, T *of_h, Int truncate) {
    const int G = Cell::GATES, n = (int)cell.U, columns = G * n, column = threadIdx.x, gate = column / n, unit = column % n;
    alignas(16) __shared__ A dz[G * UNITS][ROWS];
    __shared__ A parts[ROWS][G * UNITS];
    const Int first = (Int)blockIdx.x * ROWS;
    const int rows = cell.B - first < ROWS ? (int)(cell.B - first) : ROWS;
    for (int r = 0; r < ROWS && column < columns; ++r) {
        dz[column][r] = 0;
        parts[r][column] = r < rows && gate == 0 ? (A)of_h[(first + r) * n + unit] : 0;
    }
    auto product = [&](int r, int u) {
        A sum = 0;
        for (int g = 0; g < G; ++g) sum += parts[r][g * n + u];
        return sum;
    };
    for (Int t = cell.steps - 1; t >= 0; --t) {
        __syncthreads();
        for (int i = threadIdx.x; i < rows * n; i += blockDim.x) {
            const int r = i / n, u = i % n;
            cell(t, first + r, u, product(r, u), [=](int k, A value) { dz[k * n + u][r] = value; });
        }
        __syncthreads();
        const bool forget = truncate && t && t % truncate == 0;
        if (column < columns) {
            A sum[ROWS] = {};
#pragma unroll 8
            for (int k = gate * n; k < gate * n + n; ++k) {
                const A weight = (A)turned[k * n + unit];
                for (int r = 0; r < ROWS; ++r) sum[r] += dz[k][r] * weight;
            }
            for (int r = 0; r < ROWS; ++r) parts[r][column] = forget ? 0 : sum[r];
        }
        for (int i = threadIdx.x; forget && i < rows * n; i += blockDim.x) cell.forget(first + i / n, i % n);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < rows * n; i += blockDim.x) of_h[first * n + i] = (T)product(i / n, i % n);
}

STEPS lstm_steps_forward(T *__restrict__ gates, const T *__restrict__ weights, const T *__restrict__ bias, const bool *__restrict__ mask,
                          T *__restrict__ hs, T *__restrict__ cs, T *__restrict__ tanh_c, Int B, Int U, Int steps) {
    forward_steps(LstmForward{gates, bias, mask, hs, cs, tanh_c, B, U, steps}, weights);
}

STEPS lstm_steps_backward(const T *__restrict__ gates, const T *__restrict__ cs, const T *__restrict__ tanh_c,
                           const bool *__restrict__ mask, const T *__restrict__ dhs, const T *__restrict__ turned, T *__restrict__ of_h,
                           T *__restrict__ held, T *__restrict__ dc, T *__restrict__ dz, Int truncate, Int B, Int U, Int steps) {
    backward_steps(LstmBackward{gates, cs, tanh_c, mask, dhs, held, dc, dz, B, U, steps}, turned, of_h, truncate);
}

STEPS gru_steps_forward(T *__restrict__ gates, const T *__restrict__ weights, const T *__restrict__ bias, const bool *__restrict__ mask,
                         T *__restrict__ hs, T *__restrict__ qs, Int B, Int U, Int steps) {
    forward_steps(GruForward{gates, bias, mask, hs, qs, B, U, steps}, weights);
}

STEPS gru_steps_backward(const T *__restrict__ gates, const T *__restrict__ hs, const T *__restrict__ qs, const bool *__restrict__ mask,
                          const T *__restrict__ dhs, const T *__restrict__ turned, T *__restrict__ of_h, T *__restrict__ held,
                          T *__restrict__ dax, T *__restrict__ dah, Int truncate, Int B, Int U, Int steps) {
    backward_steps(GruBackward{gates, hs, qs, mask, dhs, held, dax, dah, B, U, steps}, turned, of_h, truncate);
}

STEPS simple_rnn_steps_forward(const T *__restrict__ a, const T *__restrict__ weights, const T *__restrict__ bias,
                                const bool *__restrict__ mask, T *__restrict__ hs, Int B, Int U, Int steps) {
    forward_steps(SimpleForward{a, bias, mask, hs, B, U, steps}, weights);
}

STEPS simple_rnn_steps_backward(const T *__restrict__ hs, const bool *__restrict__ mask, const T *__restrict__ dhs,
                                 const T *__restrict__ turned, T *__restrict__ of_h, T *__restrict__ held, T *__restrict__ da, Int truncate,
                                 Int B, Int U, Int steps) {
    backward_steps(SimpleBackward{hs, mask, dhs, held, da, B, U, steps}, turned, of_h, truncate);
}
