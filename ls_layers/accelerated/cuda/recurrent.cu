// One time step of LSTM, GRU and SimpleRNN: what lies between the matrix products, in one launch. B batch, T time steps, U units.
// Buffers stand time first; hs[t] and cs[t] stand before step t. mask (B, steps) is false where a step keeps the state.
#include "common.cuh"

__device__ inline A sigmoid(A x) { return (tanh(x / 2) + 1) / 2; }
__device__ inline bool kept(const bool *mask, Int b, Int t, Int steps) { return !mask || mask[b * steps + t]; }

// --- LSTM: the 4 U columns of gates hold i, f, g, o -----------------------------------------------------------------------
//
//     i, f, o = sigmoid(z),  g = tanh(z),  c = f c_before + i g,  h = o tanh(c)
//
// gates[t] comes as x W, and becomes i, f, g, o; product is h_before U.
KERNEL lstm_step_forward(T *__restrict__ gates, const T *__restrict__ product, const T *__restrict__ bias, const bool *__restrict__ mask,
                         T *__restrict__ hs, T *__restrict__ cs, T *__restrict__ tanh_c, Int t, Int B, Int U, Int steps) {
    const Int size = B * U;
    T *gate_of_step = gates + t * 4 * size;
    const T *h_before = hs + t * size, *c_before = cs + t * size;
    each(size, [=](Int i_) {
        const Int b = i_ / U, u = i_ % U, at = b * 4 * U + u;
        A z[4];
        for (int k = 0; k < 4; ++k) z[k] = (A)gate_of_step[at + k * U] + (A)product[at + k * U] + (bias ? (A)bias[k * U + u] : 0);
        const T h_old = h_before[i_], c_old = c_before[i_];
        const bool keep = kept(mask, b, t, steps);
        const A i = sigmoid(z[0]), f = sigmoid(z[1]), g = tanh(z[2]), o = sigmoid(z[3]);
        const A c = f * (A)c_old + i * g, a = tanh(c);
        gate_of_step[at] = (T)i;
        gate_of_step[at + U] = (T)f;
        gate_of_step[at + 2 * U] = (T)g;
        gate_of_step[at + 3 * U] = (T)o;
        tanh_c[t * size + i_] = (T)a;
        cs[(t + 1) * size + i_] = keep ? (T)c : c_old;
        hs[(t + 1) * size + i_] = keep ? (T)(o * a) : h_old;
    });
}

// The same backwards: dh = product (dz U^T of the step after) + held + dhs[t].
//
//     do = dh tanh(c),  dc += dh o (1 - tanh(c)^2),  di = dc g,  df = dc c_before,  dg = dc i,  dc_before = dc f
//
// and dz is these times the slopes of sigmoid and tanh. A step that was skipped hands dh and dc on; `held` carries that dh
// past the product.
KERNEL lstm_step_backward(const T *__restrict__ gates, const T *__restrict__ cs, const T *__restrict__ tanh_c, const bool *__restrict__ mask,
                          const T *__restrict__ dhs, const T *__restrict__ product, T *__restrict__ held, T *__restrict__ dc,
                          T *__restrict__ dz, Int t, Int B, Int U, Int steps) {
    const Int size = B * U;
    each(size, [=](Int i_) {
        const Int b = i_ / U, u = i_ % U, at = t * 4 * size + b * 4 * U + u;
        const A dh = (A)product[i_] + (A)held[i_] + (dhs ? (A)dhs[t * size + i_] : 0);
        if (!kept(mask, b, t, steps)) {
            held[i_] = (T)dh;
            for (int k = 0; k < 4; ++k) dz[at + k * U] = (T)(A)0;
            return;
        }
        held[i_] = (T)(A)0;
        const A i = (A)gates[at], f = (A)gates[at + U], g = (A)gates[at + 2 * U], o = (A)gates[at + 3 * U];
        const A a = (A)tanh_c[t * size + i_], d = (A)dc[i_] + dh * o * (1 - a * a);
        dz[at] = (T)(d * g * i * (1 - i));
        dz[at + U] = (T)(d * (A)cs[t * size + i_] * f * (1 - f));
        dz[at + 2 * U] = (T)(d * i * (1 - g * g));
        dz[at + 3 * U] = (T)(dh * a * o * (1 - o));
        dc[i_] = (T)(d * f);
    });
}

// --- GRU, the reset gate after the product: the 3 U columns of gates hold z, r, g ----------------------------------------
//
//     z, r = sigmoid(...),  q = h_before U_h + b'_h,  g = tanh(x part + r q),  h = z h_before + (1 - z) g
//
// gates[t] comes as x W, and becomes z, r, g; product is h_before U; bias is (2, 3U), one row for each product.
KERNEL gru_step_forward(T *__restrict__ gates, const T *__restrict__ product, const T *__restrict__ bias, const bool *__restrict__ mask,
                        T *__restrict__ hs, T *__restrict__ qs, Int t, Int B, Int U, Int steps) {
    const Int size = B * U;
    T *gate_of_step = gates + t * 3 * size;
    const T *h_before = hs + t * size;
    each(size, [=](Int i_) {
        const Int b = i_ / U, u = i_ % U, at = b * 3 * U + u;
        A ax[3], ah[3];
        for (int k = 0; k < 3; ++k) {
            ax[k] = (A)gate_of_step[at + k * U] + (bias ? (A)bias[k * U + u] : 0);
            ah[k] = (A)product[at + k * U] + (bias ? (A)bias[(3 + k) * U + u] : 0);
        }
        const A z = sigmoid(ax[0] + ah[0]), r = sigmoid(ax[1] + ah[1]), q = ah[2], g = tanh(ax[2] + r * q), h = (A)h_before[i_];
        gate_of_step[at] = (T)z;
        gate_of_step[at + U] = (T)r;
        gate_of_step[at + 2 * U] = (T)g;
        qs[t * size + i_] = (T)q;
        hs[(t + 1) * size + i_] = kept(mask, b, t, steps) ? (T)(z * (h - g) + g) : h_before[i_];
    });
}

// The same backwards: dh = product (dah U^T of the step after) + held + dhs[t].
//
//     dz = dh (h_before - g) z (1 - z),  dg = dh (1 - z) (1 - g^2),  dr = dg q r (1 - r),  dq = dg r,  dh_before = dh z + ...
//
// dax holds [dz dr dg], the gradient of x W, and dah [dz dr dq], that of h_before U; `held` carries dh z past the product.
KERNEL gru_step_backward(const T *__restrict__ gates, const T *__restrict__ hs, const T *__restrict__ qs, const bool *__restrict__ mask,
                         const T *__restrict__ dhs, const T *__restrict__ product, T *__restrict__ held, T *__restrict__ dax,
                         T *__restrict__ dah, Int t, Int B, Int U, Int steps) {
    const Int size = B * U;
    each(size, [=](Int i_) {
        const Int b = i_ / U, u = i_ % U, at = t * 3 * size + b * 3 * U + u;
        const A dh = (A)product[i_] + (A)held[i_] + (dhs ? (A)dhs[t * size + i_] : 0);
        const bool keep = kept(mask, b, t, steps);
        const A z = (A)gates[at], r = (A)gates[at + U], g = (A)gates[at + 2 * U];
        held[i_] = (T)(keep ? dh * z : dh);
        const A d = keep ? dh : 0, dz = d * ((A)hs[t * size + i_] - g) * z * (1 - z), dg = d * (1 - z) * (1 - g * g);
        const A dr = dg * (A)qs[t * size + i_] * r * (1 - r);
        dax[at] = dah[at] = (T)dz;
        dax[at + U] = dah[at + U] = (T)dr;
        dax[at + 2 * U] = (T)dg;
        dah[at + 2 * U] = (T)(dg * r);
    });
}

// --- SimpleRNN ------------------------------------------------------------------------------------------------------------
//
//     h = tanh(x W + h_before U + b)
//
// a[t] comes as x W; product is h_before U.
KERNEL simple_rnn_step_forward(const T *__restrict__ a, const T *__restrict__ product, const T *__restrict__ bias,
                               const bool *__restrict__ mask, T *__restrict__ hs, Int t, Int B, Int U, Int steps) {
    const Int size = B * U;
    const T *h_before = hs + t * size;
    each(size, [=](Int i_) {
        const Int b = i_ / U, u = i_ % U;
        const A h = tanh((A)a[t * size + i_] + (A)product[i_] + (bias ? (A)bias[u] : 0));
        hs[(t + 1) * size + i_] = kept(mask, b, t, steps) ? (T)h : h_before[i_];
    });
}

// The same backwards: dh = product (da U^T of the step after) + held + dhs[t], and da = dh (1 - h^2).
KERNEL simple_rnn_step_backward(const T *__restrict__ hs, const bool *__restrict__ mask, const T *__restrict__ dhs,
                                const T *__restrict__ product, T *__restrict__ held, T *__restrict__ da, Int t, Int B, Int U,
                                Int steps) {
    const Int size = B * U;
    each(size, [=](Int i_) {
        const bool keep = kept(mask, i_ / U, t, steps);
        const A dh = (A)product[i_] + (A)held[i_] + (dhs ? (A)dhs[t * size + i_] : 0), h = (A)hs[(t + 1) * size + i_];
        da[t * size + i_] = (T)(keep ? dh * (1 - h * h) : 0);
        held[i_] = (T)(keep ? 0 : dh);
    });
}
