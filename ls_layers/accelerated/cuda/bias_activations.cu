// A bias and the activation after it: y = value(z + b), and dz = dy * slope(s) with the sums of dz over all rows, which are
// the bias' gradient. N rows, C columns; b (C). z + b is rounded to T, as it would be on its way through memory.

#define ACTIVATION(name, value, slope)                                                                                            \
    KERNEL name##_bias_forward(const T *__restrict__ z, const T *__restrict__ b, T *__restrict__ y, Int n, Int C, double p_,      \
                               double q_) {                                                                                       \
        const A p = (A)p_, q = (A)q_;                                                                                             \
        (void)p, (void)q;                                                                                                         \
        each_column(n, C, [=](Int i, Int c) {                                                                                     \
            const A x = (A)(T)((A)z[i] + (A)b[c]);                                                                                \
            y[i] = (T)(A)(value);                                                                                                 \
        });                                                                                                                       \
    }                                                                                                                             \
    /* s = kept, or kept + b where there is a b; sums[k, c] = the sum of dz[., c] over the k-th chunk of rows */                  \
    KERNEL name##_bias_backward(const T *__restrict__ dy, const T *__restrict__ kept, const T *__restrict__ b,                    \
                                T *__restrict__ dz, A *__restrict__ sums, Int N, Int C, Int chunk, double p_, double q_) {        \
        const A p = (A)p_, q = (A)q_;                                                                                             \
        (void)p, (void)q;                                                                                                         \
        const Int c = (Int)blockIdx.x * 32 + threadIdx.x, begin = (Int)blockIdx.y * chunk;                                        \
        const Int end = begin + chunk < N ? begin + chunk : N;                                                                    \
        const A bias = b && c < C ? (A)b[c] : 0;                                                                                  \
        A sum = 0;                                                                                                                \
        if (c < C) {                                                                                                              \
            _Pragma("unroll 4")                                                                                                   \
            for (Int row = begin + threadIdx.y; row < end; row += 8) {                                                            \
                const Int i = row * C + c;                                                                                        \
                const A s = b ? (A)(T)((A)kept[i] + bias) : (A)kept[i];                                                           \
                const T g = (T)((A)dy[i] * (A)(slope));                                                                           \
                dz[i] = g;                                                                                                        \
                sum += (A)g;                                                                                                      \
            }                                                                                                                     \
        }                                                                                                                         \
        sum = column_sum(sum);                                                                                                    \
        if (threadIdx.y == 0 && c < C) sums[(Int)blockIdx.y * C + c] = sum;                                                       \
    }

#include "activations.cuh"
