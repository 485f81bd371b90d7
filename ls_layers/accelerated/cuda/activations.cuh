// The formulas of the activation functions, one line each: y = value(x) and dx = dy * slope(s), where s is y or x.
// p and q are the function's own parameters (alpha, a threshold ...). Whoever includes this says what ACTIVATION makes of a line.
#include "common.cuh"

// --- s is y -------------------------------------------------------------------------------------------------------------
// Comparisons are written such that NaN gives NaN.

#define SELU_ALPHA (A)1.6732632423543772
#define SELU_SCALE (A)1.0507009873554805

ACTIVATION(relu, x < 0 ? 0 : x, s > 0)
ACTIVATION(relu6, x < 0 ? 0 : x > 6 ? 6 : x, s > 0 && s < 6)
ACTIVATION(leaky_relu, x > 0 ? x : p * x, s > 0 ? 1 : p)
ACTIVATION(elu, x > 0 ? x : p * expm1(x), s > 0 ? 1 : s + p)
ACTIVATION(selu, SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x)), s > 0 ? SELU_SCALE : s + SELU_SCALE * SELU_ALPHA)
ACTIVATION(celu, x > 0 ? x : p * expm1(x / p), s > 0 ? 1 : s / p + 1)
ACTIVATION(exponential, exp(x), s)
ACTIVATION(sigmoid, (tanh(x / 2) + 1) / 2, s * (1 - s))
ACTIVATION(tanh, tanh(x), 1 - s * s)
ACTIVATION(softplus, log1p(exp(-fabs(x))) + (x > 0 ? x : 0), -expm1(-s))
ACTIVATION(log_sigmoid, (x < 0 ? x : 0) - log1p(exp(-fabs(x))), -expm1(s))
ACTIVATION(softsign, x / (1 + fabs(x)), (1 - fabs(s)) * (1 - fabs(s)))
ACTIVATION(hard_sigmoid, x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6, s > 0 && s < 1 ? 1 / (A)6 : 0)
ACTIVATION(hard_tanh, x < -1 ? -1 : x > 1 ? 1 : x, s > -1 && s < 1)
ACTIVATION(soft_shrink, x > p ? x - p : x < -p ? x + p : x - x, s != 0)
ACTIVATION(hard_shrink, fabs(x) > p ? x : x * 0, s != 0)
ACTIVATION(sparse_sigmoid, x <= -1 ? 0 : x >= 1 ? 1 : (x + 1) / 2, s > 0 && s < 1 ? (A)0.5 : 0)

// --- s is x: what else backward needs is made again, which costs less than to store and load it ---------------------------

__device__ inline A softplus(A x) { return log1p(exp(-fabs(x))) + (x > 0 ? x : 0); }

// Phi, the normal distribution function, and its density
__device__ inline A normal_below(A x) { return erfc(x * (A)-0.7071067811865476) / 2; }
__device__ inline A normal_density(A x) { return (A)0.3989422804014327 * exp(x * x / -2); }

// gelu_tanh: t = tanh(u), u = sqrt(2 / pi) (x + 0.044715 x^3), x between -10 and 10, beyond which t is -1 or 1
#define SQRT_2_OVER_PI (A)0.7978845608028654
__device__ inline A gelu_t(A x) {
    x = x < -10 ? -10 : x > 10 ? 10 : x;
    return tanh(SQRT_2_OVER_PI * x * (1 + (A)0.044715 * x * x));
}
__device__ inline A gelu_tanh_slope(A x) {
    const A t = gelu_t(x), du = fabs(x) > 10 ? 0 : SQRT_2_OVER_PI * (1 + 3 * (A)0.044715 * x * x);
    return (1 + t) / 2 + (du == 0 ? 0 : x * (1 - t * t) * du / 2);
}
__device__ inline A mish_slope(A x) {
    const A t = tanh(softplus(x));
    return t + x * (1 - t * t) * sigmoid(x);
}
__device__ inline A squareplus(A x, A b) {
    return (x > 0 ? x : 0) + b / 2 / (hypot(x, sqrt(b)) + fabs(x));
}

ACTIVATION(silu, x * sigmoid(x), sigmoid(s) * (1 + s * (1 - sigmoid(s))))
ACTIVATION(gelu, x * normal_below(x), normal_below(s) + s * normal_density(s))
ACTIVATION(gelu_tanh, x * (1 + gelu_t(x)) / 2, gelu_tanh_slope(s))
ACTIVATION(mish, x * tanh(softplus(x)), mish_slope(s))
ACTIVATION(hard_silu, x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6, s <= -3 ? 0 : s >= 3 ? 1 : s / 3 + (A)0.5)
ACTIVATION(sparse_plus, x <= -1 ? 0 : x >= 1 ? x : (x + 1) * (x + 1) / 4, s <= -1 ? 0 : s >= 1 ? 1 : (s + 1) / 2)
ACTIVATION(squareplus, squareplus(x, p), squareplus(s, p) / hypot(s, sqrt(p)))
ACTIVATION(tanh_shrink, x - tanh(x), tanh(s) * tanh(s))
ACTIVATION(threshold, x > p ? x : q, s > p)
