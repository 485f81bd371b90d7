// softmax, log-softmax and sparsemax of rows, y and dx. N rows, C numbers in each; a team has one row.
#include "common.cuh"

template <class Load> __device__ inline Exponentials exponentials(const HeldRow<Load> &row) {
    Exponentials e;
    row.each([&](Int, A x) { e.add(x); });
    return e.of_team();
}

// y_c = exp(x_c - m) / sum_j exp(x_j - m), m = max x
KERNEL softmax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const HeldRow of_x(C, [=](Int c) { return (A)x[c]; });
    const Exponentials e = exponentials(of_x);
    of_x.each([&](Int c, A v) { y[c] = (T)(exp(v - e.top) / e.sum); });
}

// dx = y (dy - sum_j dy_j y_j)
KERNEL softmax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    const HeldRow of_dy(C, [=](Int c) { return (A)dy[c]; });
    const HeldRow of_y(C, [=](Int c) { return (A)y[c]; });
    A along = 0;
    of_dy.each_with(of_y, [&](Int, A g, A v) { along += g * v; });
    along = team_sum(along);
    of_dy.each_with(of_y, [&](Int c, A g, A v) { dx[c] = (T)(v * (g - along)); });
}

// y_c = x_c - m - log(sum_j exp(x_j - m))
KERNEL log_softmax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const HeldRow of_x(C, [=](Int c) { return (A)x[c]; });
    const Exponentials e = exponentials(of_x);
    const A log_sum = log(e.sum);
    of_x.each([&](Int c, A v) { y[c] = (T)(v - e.top - log_sum); });
}

// dx = dy - exp(y) sum_j dy_j
KERNEL log_softmax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    const HeldRow of_dy(C, [=](Int c) { return (A)dy[c]; });
    A sum = 0;
    of_dy.each([&](Int, A g) { sum += g; });
    sum = team_sum(sum);
    of_dy.each([&](Int c, A g) { dx[c] = (T)(g - exp((A)y[c]) * sum); });
}

// max(x, least), and NaN of NaN
__device__ inline A from_above(A x, A least) { return x < least ? least : x; }

// y_c = max(z_c - tau, 0), z = max(x - max x, -1), tau such that y sums to 1. No sorting: tau of all numbers is too small, so those
// that are not above it are left out, and again, until none is (Michelot 1986); a number once below tau stays below.
KERNEL sparsemax_forward(const T *__restrict__ x, T *__restrict__ y, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    x += row * C, y += row * C;
    const HeldRow of_x(C, [=](Int c) { return (A)x[c]; });
    A m = -infinity();
    of_x.each([&](Int, A v) { m = fmax(m, v); });
    m = team_max(m);
    A tau = -infinity(), before, count = 0;
    do {
        before = count;
        A above = 0, sum = 0;
        of_x.each([&](Int, A v) {
            const A z = from_above(v - m, -1);
            if (!(z <= tau)) above += 1, sum += z;  // NaN too
        });
        count = team_sum(above);
        tau = (team_sum(sum) - 1) / count;
    } while (count != before && count > 0);
    of_x.each([&](Int c, A v) { y[c] = (T)from_above(from_above(v - m, -1) - tau, 0); });
}

// dx = dy - mean(dy where y > 0) there, 0 elsewhere
KERNEL sparsemax_backward(const T *__restrict__ dy, const T *__restrict__ y, T *__restrict__ dx, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    dy += row * C, y += row * C, dx += row * C;
    const HeldRow of_dy(C, [=](Int c) { return (A)dy[c]; });
    const HeldRow of_y(C, [=](Int c) { return (A)y[c]; });
    A sum = 0, count = 0;
    of_dy.each_with(of_y, [&](Int, A g, A v) { sum += v > 0 ? g : 0, count += v > 0; });
    sum = team_sum(sum);
    const A mean = sum / team_sum(count);
    of_dy.each_with(of_y, [&](Int c, A g, A v) { dx[c] = (T)(v > 0 ? g - mean : 0); });
}
