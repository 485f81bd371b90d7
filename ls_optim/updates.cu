// One step of an optimiser, each in one launch: every number of the value, its gradient and its state is read and written
// once, and all are read before the first is written, so that the loads are in flight together. n numbers; a null pointer
// stands for a state that is not there.
#include "common.cuh"

// m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,  w -= alpha m / (sqrt(v) + epsilon); with v_max (amsgrad)
// the largest v so far takes v's place. alpha holds the rate and the corrections for the first steps.
KERNEL adam_update(T *__restrict__ w, const T *__restrict__ grad, T *__restrict__ m, T *__restrict__ v, T *__restrict__ v_max, Int n,
                   double alpha, double beta_1, double beta_2, double epsilon) {
    const A rest_1 = (A)(1 - beta_1), rest_2 = (A)(1 - beta_2);
    each(n, [=](Int i) {
        const A g = (A)grad[i], before = (A)w[i], mean = (A)beta_1 * (A)m[i] + rest_1 * g;
        A square = (A)beta_2 * (A)v[i] + rest_2 * g * g;
        m[i] = (T)mean;
        v[i] = (T)square;
        if (v_max) {
            square = fmax((A)v_max[i], square);
            v_max[i] = (T)square;
        }
        w[i] = (T)(before - (A)alpha * mean / (sqrt(square) + (A)epsilon));
    });
}

// s = -rate g,  m = momentum m + s,  w += m, or with nesterov w += momentum m + s, or without m w += s
KERNEL sgd_update(T *__restrict__ w, const T *__restrict__ grad, T *__restrict__ m, Int n, double rate, double momentum, Int nesterov) {
    each(n, [=](Int i) {
        const A before = (A)w[i];
        A step = -(A)rate * (A)grad[i];
        if (m) {
            const A moved = (A)momentum * (A)m[i] + step;
            m[i] = (T)moved;
            step = nesterov ? step + (A)momentum * moved : moved;
        }
        w[i] = (T)(before + step);
    });
}

// v = rho v + (1 - rho) g^2,  s = rate g / sqrt(v + epsilon), with mean (centered) sqrt(v + epsilon - mean^2);
// w -= s, or with m  m = momentum m + s,  w -= m
KERNEL rmsprop_update(T *__restrict__ w, const T *__restrict__ grad, T *__restrict__ v, T *__restrict__ mean, T *__restrict__ m, Int n,
                      double rate, double rho, double momentum, double epsilon) {
    const A rest = (A)(1 - rho);
    each(n, [=](Int i) {
        const A g = (A)grad[i], before = (A)w[i], square = (A)rho * (A)v[i] + rest * g * g;
        v[i] = (T)square;
        A spread = square + (A)epsilon;
        if (mean) {
            const A average = (A)rho * (A)mean[i] + rest * g;
            mean[i] = (T)average;
            spread -= average * average;
        }
        A step = (A)rate * g / sqrt(spread);
        if (m) {
            step = (A)momentum * (A)m[i] + step;
            m[i] = (T)step;
        }
        w[i] = (T)(before - step);
    });
}
