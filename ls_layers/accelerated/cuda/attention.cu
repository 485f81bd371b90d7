// The softmax inside attention: p = softmax(scale s + bias) over the keys. L leading axes joined, H heads, Q queries, S keys;
// a team has one query's row of S scores.
#include "common.cuh"

// s comes as q k^T and becomes p; kept = p keep (dropout). bias is read with the strides bl, bh, bq, bs of its axes (L, H, Q, S);
// causal: query i looks at keys 0 .. i alone.
KERNEL attention_softmax_forward(T *__restrict__ s, const T *__restrict__ bias, Int bl, Int bh, Int bq, Int bs, const T *__restrict__ keep,
                                 T *__restrict__ kept, Int rows, Int H, Int Q, Int S, double scale, Int causal) {
    const Int row = team_row();
    if (row >= rows) return;
    const Int query = row % Q, keys = causal && query + 1 < S ? query + 1 : S;
    s += row * S;
    if (bias) bias += row / (H * Q) * bl + row / Q % H * bh + query * bq;
    const HeldRow scores(keys, [=](Int j) { return (A)s[j] * (A)scale + (bias ? (A)bias[j * bs] : 0); });
    Exponentials e;
    scores.each([&](Int, A score) { e.add(score); });
    e = e.of_team();
    auto write = [=](Int j, A p) {
        s[j] = (T)p;
        if (keep) kept[row * S + j] = (T)(p * (A)keep[row * S + j]);
    };
    scores.each([&](Int j, A score) { write(j, exp(score - e.top) / e.sum); });
    for (Int j = keys / 32 * 32 + threadIdx.x; j < S; j += blockDim.x)
        if (j >= keys) write(j, 0);
}

// dp = dkept keep + dscores,  ds = scale p (dp - sum_j dp_j p_j); d comes as dkept and becomes ds
KERNEL attention_softmax_backward(T *__restrict__ d, const T *__restrict__ p, const T *__restrict__ keep, const T *__restrict__ dscores,
                                  Int rows, Int S, double scale) {
    const Int row = team_row();
    if (row >= rows) return;
    const Int first = row * S;
    const HeldRow dp(S, [=](Int j) { return (A)d[first + j] * (keep ? (A)keep[first + j] : 1) + (dscores ? (A)dscores[first + j] : 0); });
    const HeldRow of_p(S, [=](Int j) { return (A)p[first + j]; });
    A along = 0;
    dp.each_with(of_p, [&](Int, A g, A v) { along += g * v; });
    along = team_sum(along);
    dp.each_with(of_p, [&](Int j, A g, A v) { d[first + j] = (T)((A)scale * v * (g - along)); });
}
