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
    A m = -infinity(), sum = 0;
    for (Int j = threadIdx.x; j < keys; j += blockDim.x) {
        const A score = (A)s[j] * (A)scale + (bias ? (A)bias[j * bs] : 0);
        s[j] = (T)score;
        m = fmax(m, score);
    }
    m = team_max(m);
    for (Int j = threadIdx.x; j < keys; j += blockDim.x) sum += exp((A)s[j] - m);
    sum = team_sum(sum);
    for (Int j = threadIdx.x; j < S; j += blockDim.x) {
        const A p = j < keys ? exp((A)s[j] - m) / sum : 0;
        s[j] = (T)p;
        if (keep) kept[row * S + j] = (T)(p * (A)keep[row * S + j]);
    }
}

// dp = dkept keep + dscores,  ds = scale p (dp - sum_j dp_j p_j); d comes as dkept and becomes ds
KERNEL attention_softmax_backward(T *__restrict__ d, const T *__restrict__ p, const T *__restrict__ keep, const T *__restrict__ dscores,
                                  Int rows, Int S, double scale) {
    const Int row = team_row();
    if (row >= rows) return;
    A along = 0;
    for (Int j = threadIdx.x; j < S; j += blockDim.x) {
        const Int i = row * S + j;
        const A dp = (A)d[i] * (keep ? (A)keep[i] : 1) + (dscores ? (A)dscores[i] : 0);
        d[i] = (T)dp;
        along += dp * (A)p[i];
    }
    along = team_sum(along);
    for (Int j = threadIdx.x; j < S; j += blockDim.x) {
        const Int i = row * S + j;
        d[i] = (T)((A)scale * (A)p[i] * ((A)d[i] - along));
    }
}
