// The cells of LSTM, GRU and SimpleRNN: all that lies between the matrix products, for unit u of sample b at time step t.
// B batch, U units. Buffers stand time first; hs[t] and cs[t] stand before step t. mask (B, steps) is false where a step keeps the
// state. Gate k of unit u is column k U + u.
#include "common.cuh"

__device__ inline bool kept(const bool *mask, Int b, Int t, Int steps) { return !mask || mask[b * steps + t]; }

// A forward cell: `product` points to h_before U of the first gate, the next one lies U further. It returns h, as it is stored.
// A backward cell: `product` is dz U^T of the step after, and `keep(k, dz)` is told the gradient of gate k's part of that product.

// --- LSTM: i, f, g, o ------------------------------------------------------------------------------------------------------
//
//     i, f, o = sigmoid(z),  g = tanh(z),  c = f c_before + i g,  h = o tanh(c)
//
// gates[t] comes as x W, and becomes i, f, g, o.
struct LstmForward {
    static const int GATES = 4;
    T *gates;
    const T *bias;
    const bool *mask;
    T *hs, *cs, *tanh_c;
    Int B, U, steps;
    template <class P> __device__ A operator()(Int t, Int b, Int u, const P *product) const {
        const Int size = B * U, i_ = t * size + b * U + u;
        T *gate = gates + t * 4 * size + b * 4 * U + u;
        A z[4];
        for (int k = 0; k < 4; ++k) z[k] = (A)gate[k * U] + (A)product[k * U] + (bias ? (A)bias[k * U + u] : 0);
        const T h_old = hs[i_], c_old = cs[i_];
        const bool keep = kept(mask, b, t, steps);
        const A i = sigmoid(z[0]), f = sigmoid(z[1]), g = tanh(z[2]), o = sigmoid(z[3]);
        const A c = f * (A)c_old + i * g, a = tanh(c);
        const T h = keep ? (T)(o * a) : h_old;
        gate[0] = (T)i;
        gate[U] = (T)f;
        gate[2 * U] = (T)g;
        gate[3 * U] = (T)o;
        tanh_c[i_] = (T)a;
        cs[i_ + size] = keep ? (T)c : c_old;
        hs[i_ + size] = h;
        return (A)h;
    }
};

// The same backwards: dh = product + held + dhs[t].
//
//     do = dh tanh(c),  dc += dh o (1 - tanh(c)^2),  di = dc g,  df = dc c_before,  dg = dc i,  dc_before = dc f
//
// and dz is these times the slopes of sigmoid and tanh. A step that was skipped hands dh and dc on; `held` carries that dh
// past the product.
struct LstmBackward {
    static const int GATES = 4;
    const T *gates, *cs, *tanh_c;
    const bool *mask;
    const T *dhs;
    T *held, *dc, *dz;
    Int B, U, steps;
    template <class Keep> __device__ void operator()(Int t, Int b, Int u, A product, Keep keep) const {
        const Int size = B * U, state = b * U + u, i_ = t * size + state, at = t * 4 * size + b * 4 * U + u;
        const A dh = product + (A)held[state] + (dhs ? (A)dhs[i_] : 0);
        A of_gates[4] = {};
        if (kept(mask, b, t, steps)) {
            const A i = (A)gates[at], f = (A)gates[at + U], g = (A)gates[at + 2 * U], o = (A)gates[at + 3 * U];
            const A a = (A)tanh_c[i_], d = (A)dc[state] + dh * o * (1 - a * a);
            of_gates[0] = d * g * i * (1 - i);
            of_gates[1] = d * (A)cs[i_] * f * (1 - f);
            of_gates[2] = d * i * (1 - g * g);
            of_gates[3] = dh * a * o * (1 - o);
            dc[state] = (T)(d * f);
            held[state] = (T)(A)0;
        } else {
            held[state] = (T)dh;
        }
        for (int k = 0; k < 4; ++k) {
            dz[at + k * U] = (T)of_gates[k];
            keep(k, of_gates[k]);
        }
    }
    __device__ void forget(Int b, Int u) const { held[b * U + u] = dc[b * U + u] = (T)(A)0; }
};

// --- GRU, the reset gate after the product: z, r, g ------------------------------------------------------------------------
//
//     z, r = sigmoid(...),  q = h_before U_h + b'_h,  g = tanh(x part + r q),  h = z h_before + (1 - z) g
//
// gates[t] comes as x W, and becomes z, r, g; bias is (2, 3U), one row for each product.
struct GruForward {
    static const int GATES = 3;
    T *gates;
    const T *bias;
    const bool *mask;
    T *hs, *qs;
    Int B, U, steps;
    template <class P> __device__ A operator()(Int t, Int b, Int u, const P *product) const {
        const Int size = B * U, i_ = t * size + b * U + u;
        T *gate = gates + t * 3 * size + b * 3 * U + u;
        A ax[3], ah[3];
        for (int k = 0; k < 3; ++k) {
            ax[k] = (A)gate[k * U] + (bias ? (A)bias[k * U + u] : 0);
            ah[k] = (A)product[k * U] + (bias ? (A)bias[(3 + k) * U + u] : 0);
        }
        const T h_old = hs[i_];
        const A z = sigmoid(ax[0] + ah[0]), r = sigmoid(ax[1] + ah[1]), q = ah[2], g = tanh(ax[2] + r * q);
        const T h = kept(mask, b, t, steps) ? (T)(z * ((A)h_old - g) + g) : h_old;
        gate[0] = (T)z;
        gate[U] = (T)r;
        gate[2 * U] = (T)g;
        qs[i_] = (T)q;
        hs[i_ + size] = h;
        return (A)h;
    }
};

// The same backwards: dh = product + held + dhs[t].
//
//     dz = dh (h_before - g) z (1 - z),  dg = dh (1 - z) (1 - g^2),  dr = dg q r (1 - r),  dq = dg r,  dh_before = dh z + ...
//
// dax holds [dz dr dg], the gradient of x W, and dah [dz dr dq], that of h_before U; `held` carries dh z past the product.
struct GruBackward {
    static const int GATES = 3;
    const T *gates, *hs, *qs;
    const bool *mask;
    const T *dhs;
    T *held, *dax, *dah;
    Int B, U, steps;
    template <class Keep> __device__ void operator()(Int t, Int b, Int u, A product, Keep keep) const {
        const Int size = B * U, state = b * U + u, i_ = t * size + state, at = t * 3 * size + b * 3 * U + u;
        const A dh = product + (A)held[state] + (dhs ? (A)dhs[i_] : 0);
        const bool used = kept(mask, b, t, steps);
        const A z = (A)gates[at], r = (A)gates[at + U], g = (A)gates[at + 2 * U];
        held[state] = (T)(used ? dh * z : dh);
        const A d = used ? dh : 0, dz = d * ((A)hs[i_] - g) * z * (1 - z), dg = d * (1 - z) * (1 - g * g);
        const A dr = dg * (A)qs[i_] * r * (1 - r), dq = dg * r;
        dax[at] = dah[at] = (T)dz;
        dax[at + U] = dah[at + U] = (T)dr;
        dax[at + 2 * U] = (T)dg;
        dah[at + 2 * U] = (T)dq;
        keep(0, dz), keep(1, dr), keep(2, dq);
    }
    __device__ void forget(Int b, Int u) const { held[b * U + u] = (T)(A)0; }
};

// --- SimpleRNN: h = tanh(x W + h_before U + b); a[t] comes as x W ----------------------------------------------------------
struct SimpleForward {
    static const int GATES = 1;
    const T *a, *bias;
    const bool *mask;
    T *hs;
    Int B, U, steps;
    template <class P> __device__ A operator()(Int t, Int b, Int u, const P *product) const {
        const Int size = B * U, i_ = t * size + b * U + u;
        const A z = (A)a[i_] + (A)product[0] + (bias ? (A)bias[u] : 0);
        const T h = kept(mask, b, t, steps) ? (T)tanh(z) : hs[i_];
        hs[i_ + size] = h;
        return (A)h;
    }
};

// The same backwards: dh = product + held + dhs[t], and da = dh (1 - h^2).
struct SimpleBackward {
    static const int GATES = 1;
    const T *hs;
    const bool *mask;
    const T *dhs;
    T *held, *da;
    Int B, U, steps;
    template <class Keep> __device__ void operator()(Int t, Int b, Int u, A product, Keep keep) const {
        const Int size = B * U, state = b * U + u, i_ = t * size + state;
        const bool used = kept(mask, b, t, steps);
        const A dh = product + (A)held[state] + (dhs ? (A)dhs[i_] : 0), h = (A)hs[i_ + size], d = used ? dh * (1 - h * h) : 0;
        da[i_] = (T)d;
        held[state] = (T)(used ? 0 : dh);
        keep(0, d);
    }
    __device__ void forget(Int b, Int u) const { held[b * U + u] = (T)(A)0; }
};
