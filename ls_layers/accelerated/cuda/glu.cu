// glu of rows: y = a sigmoid(b), a and b the halves of x; y has n numbers, H in each row.
#include "common.cuh"

KERNEL glu_forward(const T *__restrict__ x, T *__restrict__ y, Int n, Int H) {
    each(n, [=](Int i) {
        const Int at = i + quotient(i, H) * H;
        y[i] = (T)((A)x[at] * sigmoid((A)x[at + H]));
    });
}

// da = dy sigmoid(b),  db = dy a sigmoid(b) (1 - sigmoid(b))
KERNEL glu_backward(const T *__restrict__ dy, const T *__restrict__ x, T *__restrict__ dx, Int n, Int H) {
    each(n, [=](Int i) {
        const Int at = i + quotient(i, H) * H;
        const A gate = sigmoid((A)x[at + H]), da = (A)dy[i] * gate;
        const A a = (A)x[at];
        dx[at] = (T)da;
        dx[at + H] = (T)(da * a * (1 - gate));
    });
}
