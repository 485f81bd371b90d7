// Attention that stores no scores: y = (keep softmax(scale q k^T + bias)) v, tile by tile. L leading axes joined, H heads of the
// queries, G of keys and values (G divides H), Q queries, S keys, D features of queries and keys, V of values, both at most 128.
//
// A block of 32 x 8 threads has 32 queries (or 32 keys) of a head and goes through the tiles of 32 keys (or queries). Thread (x, y)
// has column x of the tile's rows y, y + 8, y + 16 and y + 24, so a warp has whole rows. Everything is added in a fixed order.
//
// Forward keeps m, the largest score so far, and the sum of exp(score - m); when m grows, what was summed shrinks by exp(old - new).
// It saves both for each query: backward has p = exp(score - m) / sum again. (m + log(sum) would lose the sum beside a huge bias.)
#include "common.cuh"

typedef A Row[33];  // of a tile: one more than 32, so that a column lies in different banks

// tile[i][j] = x[row + i, column + j] of x (rows, columns), 0 outside
__device__ inline void load(Row *tile, const T *x, Int row, Int rows, Int column, Int columns) {
    for (int i = threadIdx.y; i < 32; i += 8) {
        const bool inside = row + i < rows && column + threadIdx.x < columns;
        tile[i][threadIdx.x] = inside ? (A)x[(row + i) * columns + column + threadIdx.x] : 0;
    }
}

// s_yx += sum_d a[i + y, d] b[j + x, d], through the tiles at and bt
__device__ inline void products(A *s, Row *at, Row *bt, const T *a, Int i, Int a_rows, const T *b, Int j, Int b_rows, Int columns) {
    for (Int column = 0; column < columns; column += 32) {
        __syncthreads();  // the tiles may still be read
        load(at, a, i, a_rows, column, columns);
        load(bt, b, j, b_rows, column, columns);
        __syncthreads();
        for (int d = 0; d < 32; ++d)
            for (int r = 0; r < 4; ++r) s[r] += at[threadIdx.y + 8 * r][d] * bt[threadIdx.x][d];
    }
}

// out_yc += sum_j p_yj b[row + j, c] for every column c of b, which comes through the tile bt; out[k] are the columns 32 k + x
__device__ inline void add_products(A (*out)[4], const Row *p, Row *bt, const T *b, Int row, Int rows, Int columns) {
#pragma unroll
    for (int k = 0; k < 4; ++k)
        if (32 * k < columns) {
            __syncthreads();
            load(bt, b, row, rows, 32 * k, columns);
            __syncthreads();
            for (int j = 0; j < 32; ++j)
                for (int r = 0; r < 4; ++r) out[k][r] += p[threadIdx.y + 8 * r][j] * bt[j][threadIdx.x];
        }
}

// x[row + y, 32 k + x] = out[k]
__device__ inline void store(T *x, A (*out)[4], Int row, Int rows, Int columns) {
    for (int r = 0; r < 4; ++r)
        for (int k = 0; k < 4; ++k) {
            const Int i = row + threadIdx.y + 8 * r, c = 32 * k + threadIdx.x;
            if (i < rows && c < columns) x[i * columns + c] = (T)out[k][r];
        }
}

// What is added to the products of a head, and which there are: bias is read with its steps along queries and keys (0: broadcast).
struct Scores {
    const T *bias, *keep;
    Int bq, bs, Q, S;
    A scale;
    bool causal;
    __device__ A of(A product, Int query, Int key) const {
        if (key >= S || (causal && key > query)) return -infinity();
        return scale * product + (bias && query < Q ? (A)bias[query * bq + key * bs] : 0);
    }
    __device__ A kept(Int query, Int key) const { return keep && query < Q && key < S ? (A)keep[query * S + key] : 1; }
};

__device__ inline Scores scores_of(Int head, const T *bias, Int bl, Int bh, Int bq, Int bs, const T *keep, Int H, Int Q, Int S,
                                   double scale, Int causal) {
    return {bias ? bias + head / H * bl + head % H * bh : 0, keep ? keep + head * Q * S : 0, bq, bs, Q, S, (A)scale, causal != 0};
}

KERNEL fused_attention_forward(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ v, const T *__restrict__ bias,
                               Int bl, Int bh, Int bq, Int bs, const T *__restrict__ keep, T *__restrict__ y,
                               A *__restrict__ tops, A *__restrict__ sums, Int H, Int G, Int Q, Int S, Int D, Int V, double scale,
                               Int causal) {
    __shared__ Row at[32], bt[32], p[32];
    const Int tiles = (Q + 31) / 32, head = blockIdx.x / tiles, i = blockIdx.x % tiles * 32;
    const Int of_keys = head / H * G + head % H / (H / G), end = causal && i + 32 < S ? i + 32 : S;
    const Scores scores = scores_of(head, bias, bl, bh, bq, bs, keep, H, Q, S, scale, causal);
    q += head * Q * D, y += head * Q * V, tops += head * Q, sums += head * Q, k += of_keys * S * D, v += of_keys * S * V;
    A out[4][4] = {}, m[4], sum[4] = {};
    for (int r = 0; r < 4; ++r) m[r] = -infinity();
    for (Int j = 0; j < end; j += 32) {
        A s[4] = {};
        products(s, at, bt, q, i, Q, k, j, S, D);
        for (int r = 0; r < 4; ++r) {
            const int row = threadIdx.y + 8 * r;
            const Int query = i + row, key = j + threadIdx.x;
            const A before = m[r], score = scores.of(s[r], query, key);
            m[r] = fmax(before, team_max(score));
            const A e = exp(score - m[r]), shrink = exp(before - m[r]);
            sum[r] = sum[r] * shrink + team_sum(e);
            p[row][threadIdx.x] = e * scores.kept(query, key);
            for (int c = 0; c < 4; ++c) out[c][r] *= shrink;
        }
        add_products(out, p, bt, v, j, S, V);
    }
    for (int r = 0; r < 4; ++r) {
        const Int query = i + threadIdx.y + 8 * r;
        for (int c = 0; c < 4; ++c) out[c][r] /= sum[r];
        if (query < Q && threadIdx.x == 0) tops[query] = m[r], sums[query] = sum[r];
    }
    store(y, out, i, Q, V);
}

// With dp = keep (dy v^T):  ds = scale p (dp - along),  along = sum_j p_j dp_j = dy y,  dq = ds k
KERNEL fused_attention_backward_queries(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ v,
                                        const T *__restrict__ bias, Int bl, Int bh, Int bq, Int bs, const T *__restrict__ keep,
                                        const T *__restrict__ y, const T *__restrict__ dy, const A *__restrict__ tops,
                                        const A *__restrict__ sums, A *__restrict__ along, T *__restrict__ dq, Int H, Int G, Int Q,
                                        Int S, Int D, Int V, double scale, Int causal) {
    __shared__ Row at[32], bt[32], ds[32];
    const Int tiles = (Q + 31) / 32, head = blockIdx.x / tiles, i = blockIdx.x % tiles * 32;
    const Int of_keys = head / H * G + head % H / (H / G), end = causal && i + 32 < S ? i + 32 : S;
    const Scores scores = scores_of(head, bias, bl, bh, bq, bs, keep, H, Q, S, scale, causal);
    q += head * Q * D, dq += head * Q * D, y += head * Q * V, dy += head * Q * V;
    tops += head * Q, sums += head * Q, along += head * Q, k += of_keys * S * D, v += of_keys * S * V;
    A out[4][4] = {}, dot[4] = {};
    for (int r = 0; r < 4; ++r) {
        const Int query = i + threadIdx.y + 8 * r;
        for (Int c = threadIdx.x; query < Q && c < V; c += 32) dot[r] += (A)dy[query * V + c] * (A)y[query * V + c];
        dot[r] = team_sum(dot[r]);
        if (query < Q && threadIdx.x == 0) along[query] = dot[r];
    }
    for (Int j = 0; j < end; j += 32) {
        A s[4] = {}, dp[4] = {};
        products(s, at, bt, q, i, Q, k, j, S, D);
        products(dp, at, bt, dy, i, Q, v, j, S, V);
        for (int r = 0; r < 4; ++r) {
            const int row = threadIdx.y + 8 * r;
            const Int query = i + row, key = j + threadIdx.x;
            const A p = query < Q ? exp(scores.of(s[r], query, key) - tops[query]) / sums[query] : 0;
            ds[row][threadIdx.x] = scores.scale * p * (dp[r] * scores.kept(query, key) - dot[r]);
        }
        add_products(out, ds, bt, k, j, S, D);
    }
    store(dq, out, i, Q, D);
}

// dk = ds^T q,  dv = (keep p)^T dy, of 32 keys: rows are keys here, columns queries. Heads that share the keys come one after the other.
KERNEL fused_attention_backward_keys(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ v,
                                     const T *__restrict__ bias, Int bl, Int bh, Int bq, Int bs, const T *__restrict__ keep,
                                     const T *__restrict__ dy, const A *__restrict__ tops, const A *__restrict__ sums,
                                     const A *__restrict__ along, T *__restrict__ dk, T *__restrict__ dv, Int H, Int G, Int Q, Int S, Int D,
                                     Int V, double scale, Int causal) {
    __shared__ Row at[32], bt[32], kept[32], ds[32];
    const Int tiles = (S + 31) / 32, of_keys = blockIdx.x / tiles, j = blockIdx.x % tiles * 32;
    k += of_keys * S * D, dk += of_keys * S * D, v += of_keys * S * V, dv += of_keys * S * V;
    A of_k[4][4] = {}, of_v[4][4] = {};
    for (Int h = 0; h < H / G; ++h) {
        const Int head = of_keys / G * H + of_keys % G * (H / G) + h;
        const Scores scores = scores_of(head, bias, bl, bh, bq, bs, keep, H, Q, S, scale, causal);
        const T *q_ = q + head * Q * D, *dy_ = dy + head * Q * V;
        for (Int i = causal ? j : 0; i < Q; i += 32) {
            A s[4] = {}, dp[4] = {};
            products(s, at, bt, k, j, S, q_, i, Q, D);
            products(dp, at, bt, v, j, S, dy_, i, Q, V);
            const Int query = i + threadIdx.x;
            for (int r = 0; r < 4; ++r) {
                const int row = threadIdx.y + 8 * r;
                const Int key = j + row, at_query = head * Q + query;
                const A p = query < Q ? exp(scores.of(s[r], query, key) - tops[at_query]) / sums[at_query] : 0;
                const A by = scores.kept(query, key);
                kept[row][threadIdx.x] = p * by;
                ds[row][threadIdx.x] = query < Q ? scores.scale * p * (dp[r] * by - along[at_query]) : 0;
            }
            add_products(of_v, kept, bt, dy_, i, Q, V);
            add_products(of_k, ds, bt, q_, i, Q, D);
        }
    }
    store(dk, of_k, j, S, D);
    store(dv, of_v, j, S, V);
}
