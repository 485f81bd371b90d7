// Activation functions: y = value(x), and dx = dy * slope(s), where s is what the forward saved.

#define ACTIVATION(name, value, slope)                                                                                            \
    KERNEL name##_forward(const T *__restrict__ x_, T *__restrict__ y, Int n, double p_, double q_) {                             \
        const A p = (A)p_, q = (A)q_;                                                                                             \
        (void)p, (void)q;                                                                                                         \
        each(n, [=](Int i) {                                                                                                      \
            const A x = (A)x_[i];                                                                                                 \
            y[i] = (T)(A)(value);                                                                                                 \
        });                                                                                                                       \
    }                                                                                                                             \
    KERNEL name##_backward(const T *__restrict__ dy, const T *__restrict__ s_, T *__restrict__ dx, Int n, double p_, double q_) { \
        const A p = (A)p_, q = (A)q_;                                                                                             \
        (void)p, (void)q;                                                                                                         \
        each(n, [=](Int i) {                                                                                                      \
            const A s = (A)s_[i];                                                                                                 \
            dx[i] = (T)((A)dy[i] * (A)(slope));                                                                                   \
        });                                                                                                                       \
    }

#include "activations.cuh"
