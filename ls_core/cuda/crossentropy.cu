// Cross-entropy on logits: l = log(sum_c exp(z_c - m)) - (z_id - m), m = max z, of class ids; of distributions t over the classes
// l = sum_c t_c (log(sum_c exp(z_c - m)) - (z_c - m)); of independent yes/no targets t the mean of max(z, 0) - z t + log(1 + exp(-|z|)).
// N samples, C classes; a team has one sample.
#include "common.cuh"

// Keeps m and s = sum_c exp(z_c - m) in rows 0 and 1 of `kept` (2, N); an id outside 0 .. C - 1 gives a loss of NaN.
KERNEL crossentropy_forward(const Int *__restrict__ ids, const T *__restrict__ z, T *__restrict__ losses, T *__restrict__ kept, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    z += row * C;
    Exponentials e;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) e.add((A)z[c]);
    e = e.of_team();
    if (threadIdx.x == 0) {
        const Int id = ids[row];
        const bool inside = id >= 0 && id < C;
        losses[row] = (T)(inside ? log(e.sum) - ((A)z[id] - e.top) : infinity() - infinity());
        kept[row] = (T)e.top;
        kept[N + row] = (T)e.sum;
    }
}

// dz_c = w (exp(z_c - m) / s - [c == id])
KERNEL crossentropy_backward(const T *__restrict__ weights, const Int *__restrict__ ids, const T *__restrict__ z,
                             const T *__restrict__ kept, T *__restrict__ dz, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    const Int id = ids[row];
    const A w = (A)weights[row], m = (A)kept[row], s = (A)kept[N + row];
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        const A p = exp((A)z[row * C + c] - m) / s;
        dz[row * C + c] = (T)(w * (c == id ? p - 1 : p));
    }
}

// Keeps m, s and sum_c t_c in rows 0 to 2 of `kept` (3, N).
KERNEL distribution_crossentropy_forward(const T *__restrict__ t, const T *__restrict__ z, T *__restrict__ losses, T *__restrict__ kept,
                                         Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    t += row * C, z += row * C;
    const HeldRow of_z(C, [=](Int c) { return (A)z[c]; });
    Exponentials e;
    of_z.each([&](Int, A x) { e.add(x); });
    e = e.of_team();
    const A m = e.top, s = e.sum, log_s = log(s);
    A loss = 0, total = 0;
    of_z.each([&](Int c, A x) {
        const A of_t = (A)t[c];
        loss += of_t * (log_s - (x - m));
        total += of_t;
    });
    loss = team_sum(loss);
    total = team_sum(total);
    if (threadIdx.x == 0) {
        losses[row] = (T)loss;
        kept[row] = (T)m;
        kept[N + row] = (T)s;
        kept[2 * N + row] = (T)total;
    }
}

// dz_c = w (sum t exp(z_c - m) / s - t_c)
KERNEL distribution_crossentropy_backward(const T *__restrict__ weights, const T *__restrict__ t, const T *__restrict__ z,
                                          const T *__restrict__ kept, T *__restrict__ dz, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    const A w = (A)weights[row], m = (A)kept[row], share = (A)kept[2 * N + row] / (A)kept[N + row];
    for (Int c = threadIdx.x; c < C; c += blockDim.x)
        dz[row * C + c] = (T)(w * (share * exp((A)z[row * C + c] - m) - (A)t[row * C + c]));
}

KERNEL binary_crossentropy_forward(const T *__restrict__ t, const T *__restrict__ z, T *__restrict__ losses, Int N, Int C) {
    const Int row = team_row();
    if (row >= N) return;
    A sum = 0;
    for (Int i = row * C + threadIdx.x; i < (row + 1) * C; i += blockDim.x) {
        const A x = (A)z[i];
        sum += (x < 0 ? 0 : x) - x * (A)t[i] + log1p(exp(-fabs(x)));
    }
    sum = team_sum(sum);
    if (threadIdx.x == 0) losses[row] = (T)(sum / C);
}

// dz = w / C (sigmoid(z) - t)
KERNEL binary_crossentropy_backward(const T *__restrict__ weights, const T *__restrict__ t, const T *__restrict__ z, T *__restrict__ dz,
                                    Int N, Int C) {
    each(N * C, [=](Int i) {
        dz[i] = (T)((A)weights[quotient(i, C)] / C * (sigmoid((A)z[i]) - (A)t[i]));
    });
}
