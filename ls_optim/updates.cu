// One step of an optimiser for many arrays in one launch: each number of a value, its gradient and its state is read and written
// once. Decay, unscaling and clipping are done on the way. The arrays' addresses come by value, in a table among the kernel's
// arguments (4096 bytes at most), so nothing is gathered before and nothing is copied from the host.
#include "common.cuh"

struct Entry {
    T *w;             // the numbers to update
    const T *grad;
    T *state[3];      // like w; null: not there
    const Int *rows;  // the rows of w that grad has, each once, -1: none; null: grad is like w
    Int columns;      // of such a row
    Int size, whole;  // numbers of grad, of w
    Int first;        // the first block that works on it
    Int scale;        // its place among the scales
    double keep;      // w *= keep before: 1 - weight decay * rate
};
struct Table {
    Int count;
    Entry of[40];
};

// The entry that a block works on: the last one that begins at this block or before.
__device__ inline const Entry &entry_of(const Table &table, Int block) {
    Int low = 0, high = table.count - 1;
    while (low < high) {
        const Int middle = (low + high + 1) / 2;
        if (table.of[middle].first <= block) low = middle;
        else high = middle - 1;
    }
    return table.of[low];
}

// w = f(w, g, s, has) for every number, f changes the state s, has says which there is. g is the gradient times factor times its
// scale (if there are scales), brought between -limit and limit (0: no limit). A block has 1024 numbers, a thread four, all read
// before the first is written, so that the loads are in flight together.
template <class F> __device__ inline void update_all(const Table &table, const A *scales, double factor, double limit, F f) {
    const Entry &e = entry_of(table, blockIdx.x);
    const Int begin = ((Int)blockIdx.x - e.first) * 1024 + threadIdx.x;
    const A by = (A)factor * (scales ? scales[e.scale] : 1), most = (A)limit;
    const bool has[3] = {e.state[0] != 0, e.state[1] != 0, e.state[2] != 0};
    Int place[4];
    A w[4], g[4], s[4][3];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const Int i = begin + 256 * k;
        place[k] = i < e.size ? i : -1;
        if (e.rows && i < e.size) {
            const Int row = e.rows[quotient(i, e.columns)];
            place[k] = row < 0 ? -1 : row * e.columns + modulo(i, e.columns);
            if (place[k] >= e.whole) place[k] = -1;
        }
        if (place[k] < 0) continue;
        w[k] = (A)e.w[place[k]] * (A)e.keep;
        g[k] = (A)e.grad[i] * by;
        for (int j = 0; j < 3; ++j) s[k][j] = has[j] ? (A)e.state[j][place[k]] : 0;
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        if (place[k] < 0) continue;
        if (limit > 0) g[k] = g[k] > most ? most : g[k] < -most ? -most : g[k];  // NaN stays
        e.w[place[k]] = (T)f(w[k], g[k], s[k], has);
        for (int j = 0; j < 3; ++j)
            if (has[j]) e.state[j][place[k]] = (T)s[k][j];
    }
}

#define UPDATE(name, ...) KERNEL name(const TABLE table, const A *__restrict__ scales, double factor, double limit, __VA_ARGS__)
#define TABLE __grid_constant__ Table  // read where it is, not copied for each thread

// s = m, v, v_max:  m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,  w -= alpha m / (sqrt(v) + epsilon); with
// v_max (amsgrad) the largest v so far takes v's place. alpha holds the rate and the corrections for the first steps.
UPDATE(adam_update, double alpha, double beta_1, double beta_2, double epsilon) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *has) {
        s[0] = (A)beta_1 * s[0] + (A)(1 - beta_1) * g;
        s[1] = (A)beta_2 * s[1] + (A)(1 - beta_2) * g * g;
        s[2] = fmax(s[2], s[1]);
        return w - (A)alpha * s[0] / (sqrt(has[2] ? s[2] : s[1]) + (A)epsilon);
    });
}

// The same with the momentum of the step to come and the gradient of this one:
// w -= (of_m m + of_g g) / (sqrt(v / correction) + epsilon)
UPDATE(nadam_update, double beta_1, double beta_2, double epsilon, double correction, double of_m, double of_g) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        s[0] = (A)beta_1 * s[0] + (A)(1 - beta_1) * g;
        s[1] = (A)beta_2 * s[1] + (A)(1 - beta_2) * g * g;
        return w - ((A)of_m * s[0] + (A)of_g * g) / (sqrt(s[1] / (A)correction) + (A)epsilon);
    });
}

// s = m, u:  m = beta_1 m + (1 - beta_1) g,  u = max(beta_2 u, |g|),  w -= alpha m / (u + epsilon)
UPDATE(adamax_update, double alpha, double beta_1, double beta_2, double epsilon) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        s[0] = (A)beta_1 * s[0] + (A)(1 - beta_1) * g;
        s[1] = fmax((A)beta_2 * s[1], fabs(g));
        return w - (A)alpha * s[0] / (s[1] + (A)epsilon);
    });
}

// s = m:  d = -rate g,  m = momentum m + d,  w += m, or with nesterov w += momentum m + d, or without m w += d
UPDATE(sgd_update, double rate, double momentum, Int nesterov) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *has) {
        const A d = -(A)rate * g;
        s[0] = (A)momentum * s[0] + d;
        return w + (!has[0] ? d : nesterov ? d + (A)momentum * s[0] : s[0]);
    });
}

// s = v, mean, m:  v = rho v + (1 - rho) g^2,  d = rate g / sqrt(v + epsilon), with mean (centered) sqrt(v + epsilon - mean^2);
// w -= d, or with m  m = momentum m + d,  w -= m
UPDATE(rmsprop_update, double rate, double rho, double momentum, double epsilon) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *has) {
        s[0] = (A)rho * s[0] + (A)(1 - rho) * g * g;
        s[1] = (A)rho * s[1] + (A)(1 - rho) * g;
        const A d = (A)rate * g / sqrt(s[0] + (A)epsilon - (has[1] ? s[1] * s[1] : 0));
        s[2] = (A)momentum * s[2] + d;
        return w - (has[2] ? s[2] : d);
    });
}

// s = total:  total += g^2,  w -= rate g / sqrt(total + epsilon)
UPDATE(adagrad_update, double rate, double epsilon) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        s[0] += g * g;
        return w - (A)rate * g / sqrt(s[0] + (A)epsilon);
    });
}

// s = G, S, means of squares:  G = rho G + (1 - rho) g^2,  d = g sqrt((S + epsilon) / (G + epsilon)),
// S = rho S + (1 - rho) d^2,  w -= rate d
UPDATE(adadelta_update, double rate, double rho, double epsilon) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        s[0] = (A)rho * s[0] + (A)(1 - rho) * g * g;
        const A d = g * sqrt((s[1] + (A)epsilon) / (s[0] + (A)epsilon));
        s[1] = (A)rho * s[1] + (A)(1 - rho) * d * d;
        return w - (A)rate * d;
    });
}

// s = m:  w -= rate sign(beta_1 m + (1 - beta_1) g),  m = beta_2 m + (1 - beta_2) g
UPDATE(lion_update, double rate, double beta_1, double beta_2) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        const A mixed = (A)beta_1 * s[0] + (A)(1 - beta_1) * g;
        s[0] = (A)beta_2 * s[0] + (A)(1 - beta_2) * g;
        return w - (A)rate * (mixed > 0 ? 1 : mixed < 0 ? -1 : mixed);
    });
}

// s = total, z, with total' = total + g^2:  z += g + 2 shrinkage w - (total'^-power - total^-power) / rate * w,
// w = (clip(z, -l1, l1) - z) / (total'^-power / rate + l2), where l2 is 2 l2 + beta / rate of the formula
UPDATE(ftrl_update, double rate, double power, double l1, double l2, double shrinkage) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *s, const bool *) {
        const A before = pow(s[0], -(A)power);
        s[0] += g * g;
        const A after = pow(s[0], -(A)power), most = (A)l1;
        s[1] += g + 2 * (A)shrinkage * w - (after - before) / (A)rate * w;
        const A within = s[1] > most ? most : s[1] < -most ? -most : s[1];
        return (within - s[1]) / (after / (A)rate + (A)l2);
    });
}

// A moving average w of the numbers g: w += share (g - w)
UPDATE(average_update, double share) {
    update_all(table, scales, factor, limit, [=](A w, A g, A *, const bool *) { return w + (A)share * (g - w); });
}

// --- norms for clipping -------------------------------------------------------------------------------------------------

// sums[block] = the sum of the squares of this block's part of a gradient; a block has 16384 numbers
KERNEL square_sums(const TABLE table, A *__restrict__ sums) {
    const Entry &e = entry_of(table, blockIdx.x);
    const Int begin = ((Int)blockIdx.x - e.first) * 16384, end = begin + 16384 < e.size ? begin + 16384 : e.size;
    A sum = 0;
    for (Int i = begin + threadIdx.x; i < end; i += 256) sum += (A)e.grad[i] * (A)e.grad[i];
    sum = team_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// What brings a gradient of length factor * sqrt(its sums) to `limit` at most, as the scale of every entry: block k adds up the sums
// from the first block of entry k to that of the next, the last one to the end.
KERNEL norm_scales(const TABLE table, const A *__restrict__ sums, A *__restrict__ scales, Int end, double factor, double limit) {
    const Int k = blockIdx.x, stop = k + 1 < table.count ? table.of[k + 1].first : end;
    A sum = 0;
    for (Int i = table.of[k].first + threadIdx.x; i < stop; i += 256) sum += sums[i];
    const A norm = sqrt(team_sum(sum)) * (A)factor;
    if (threadIdx.x == 0) scales[table.of[k].scale] = norm <= (A)limit ? 1 : (A)limit / norm;  // NaN stays
}
