// The scores of additive attention, s_ij = sum_d w_d tanh(q_id + k_jd), and their gradients; no tanh is stored. L leading axes joined,
// Q queries, S keys, D features.
#include "common.cuh"

// A team has one score.
KERNEL additive_scores(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ w, T *__restrict__ s, Int scores, Int Q,
                       Int S, Int D) {
    const Int at = team_row();
    if (at >= scores) return;
    q += at / S * D, k += (at / (Q * S) * S + at % S) * D;
    A sum = 0;
    for (Int d = threadIdx.x; d < D; d += blockDim.x) sum += (A)w[d] * tanh((A)q[d] + (A)k[d]);
    sum = team_sum(sum);
    if (threadIdx.x == 0) s[at] = (T)sum;
}

// dx_ad = w_d sum_b ds_ab (1 - tanh(x_ad + y_bd)^2), and of_w_ad = sum_b ds_ab tanh(x_ad + y_bd) where it is wanted. x are the na
// queries and y the nb keys or the other way round: ds lies with steps sa, sb.
KERNEL additive_backward(const T *__restrict__ ds, const T *__restrict__ x, const T *__restrict__ y, const T *__restrict__ w,
                         T *__restrict__ dx, T *__restrict__ of_w, Int n, Int na, Int nb, Int D, Int sa, Int sb) {
    each(n, [=](Int i) {
        const Int d = modulo(i, D), row = quotient(i, D), l = quotient(row, na);
        const T *of_row = ds + l * na * nb + modulo(row, na) * sa;
        A slopes = 0, values = 0;
        for (Int b = 0; b < nb; ++b) {
            const A t = tanh((A)x[i] + (A)y[(l * nb + b) * D + d]), g = (A)of_row[b * sb];
            slopes += g * (1 - t * t);
            values += g * t;
        }
        dx[i] = (T)((A)w[d] * slopes);
        if (of_w) of_w[i] = (T)values;
    });
}
