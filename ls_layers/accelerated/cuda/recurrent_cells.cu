// One time step of LSTMCell and GRUCell, which RNN runs one after the other: what lies between the matrix products. n = B U numbers,
// B batch, U units; ax (B, G U) is x W and ah is h U for the G gates. A null pointer stands for a bias that is not there.
#include "common.cuh"

__device__ inline A plus(A x, const T *bias, Int at) { return x + (bias ? (A)bias[at] : 0); }

// --- LSTM: the 4 U columns hold i, f, g, o ----------------------------------------------------------------------------------
//
//     i, f, o = sigmoid(z),  g = tanh(z),  c = f c_before + i g,  a = tanh(c),  h = o a
KERNEL lstm_cell_forward(const T *__restrict__ ax, const T *__restrict__ ah, const T *__restrict__ bias, const T *__restrict__ c_before,
                         T *__restrict__ i, T *__restrict__ f, T *__restrict__ g, T *__restrict__ o, T *__restrict__ a,
                         T *__restrict__ c, T *__restrict__ h, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 4 + u;
        A z[4];
        for (int k = 0; k < 4; ++k) z[k] = plus((A)ax[row + k * U] + (A)ah[row + k * U], bias, k * U + u);
        const A i_ = sigmoid(z[0]), f_ = sigmoid(z[1]), g_ = tanh(z[2]), o_ = sigmoid(z[3]);
        const A c_ = f_ * (A)c_before[at] + i_ * g_, a_ = tanh(c_);
        i[at] = (T)i_, f[at] = (T)f_, g[at] = (T)g_, o[at] = (T)o_;
        a[at] = (T)a_, c[at] = (T)c_, h[at] = (T)(o_ * a_);
    });
}

// do = dh a,  dc += dh o (1 - a^2),  di = dc g,  df = dc c_before,  dg = dc i,  dc_before = dc f; dz is these times the gates' slopes
KERNEL lstm_cell_backward(const T *__restrict__ dh, const T *__restrict__ dc, const T *__restrict__ c_before, const T *__restrict__ i,
                          const T *__restrict__ f, const T *__restrict__ g, const T *__restrict__ o, const T *__restrict__ a,
                          T *__restrict__ dz, T *__restrict__ dc_before, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 4 + u;
        const A i_ = (A)i[at], f_ = (A)f[at], g_ = (A)g[at], o_ = (A)o[at], a_ = (A)a[at];
        const A of_h = (A)dh[at], d = (A)dc[at] + of_h * o_ * (1 - a_ * a_);
        dz[row] = (T)(d * g_ * i_ * (1 - i_));
        dz[row + U] = (T)(d * (A)c_before[at] * f_ * (1 - f_));
        dz[row + 2 * U] = (T)(d * i_ * (1 - g_ * g_));
        dz[row + 3 * U] = (T)(of_h * a_ * o_ * (1 - o_));
        dc_before[at] = (T)(d * f_);
    });
}

// --- GRU: the 3 U columns hold z, r, g; h = z h_before + (1 - z) g ------------------------------------------------------------
//
// The reset gate after the product: q = h_before U_h + b'_h,  g = tanh(x part + r q); bias is (2, 3U), one row for each product.
KERNEL gru_cell_forward(const T *__restrict__ ax, const T *__restrict__ ah, const T *__restrict__ bias, const T *__restrict__ h_before,
                        T *__restrict__ z, T *__restrict__ r, T *__restrict__ q, T *__restrict__ g, T *__restrict__ h, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 3 + u;
        A x[3], s[3];
        for (int k = 0; k < 3; ++k) {
            x[k] = plus((A)ax[row + k * U], bias, k * U + u);
            s[k] = plus((A)ah[row + k * U], bias, (3 + k) * U + u);
        }
        const A z_ = sigmoid(x[0] + s[0]), r_ = sigmoid(x[1] + s[1]), g_ = tanh(x[2] + r_ * s[2]);
        z[at] = (T)z_, r[at] = (T)r_, q[at] = (T)s[2], g[at] = (T)g_;
        h[at] = (T)(z_ * ((A)h_before[at] - g_) + g_);
    });
}

// dz = dh (h_before - g) z (1 - z),  dg = dh (1 - z) (1 - g^2),  dr = dg q r (1 - r),  dq = dg r;  dax holds [dz dr dg], dah [dz dr dq],
// and kept = dh z is what reaches h_before past the product
KERNEL gru_cell_backward(const T *__restrict__ dh, const T *__restrict__ h_before, const T *__restrict__ z, const T *__restrict__ r,
                         const T *__restrict__ q, const T *__restrict__ g, T *__restrict__ dax, T *__restrict__ dah,
                         T *__restrict__ kept, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 3 + u;
        const A d = (A)dh[at], z_ = (A)z[at], r_ = (A)r[at], g_ = (A)g[at];
        const A dz = d * ((A)h_before[at] - g_) * z_ * (1 - z_), dg = d * (1 - z_) * (1 - g_ * g_);
        const A dr = dg * (A)q[at] * r_ * (1 - r_);
        dax[row] = dah[row] = (T)dz;
        dax[row + U] = dah[row + U] = (T)dr;
        dax[row + 2 * U] = (T)dg;
        dah[row + 2 * U] = (T)(dg * r_);
        kept[at] = (T)(d * z_);
    });
}

// The reset gate before the product: q = r h_before,  g = tanh(x part + q U_h); bias is (3U,). Here what comes before that product; ah is
// (B, 2U).
KERNEL gru_cell_reset_forward(const T *__restrict__ ax, const T *__restrict__ ah, const T *__restrict__ bias,
                              const T *__restrict__ h_before, T *__restrict__ z, T *__restrict__ r, T *__restrict__ q, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 3 + u, beside = (at - u) * 2 + u;
        const A r_ = sigmoid(plus((A)ax[row + U] + (A)ah[beside + U], bias, U + u));
        z[at] = (T)sigmoid(plus((A)ax[row] + (A)ah[beside], bias, u));
        r[at] = (T)r_;
        q[at] = (T)(r_ * (A)h_before[at]);
    });
}

// And what comes after it; product is q U_h.
KERNEL gru_cell_candidate_forward(const T *__restrict__ ax, const T *__restrict__ product, const T *__restrict__ bias,
                                  const T *__restrict__ h_before, const T *__restrict__ z, T *__restrict__ g, T *__restrict__ h, Int n,
                                  Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U);
        const A g_ = tanh(plus((A)ax[(at - u) * 3 + 2 * U + u] + (A)product[at], bias, 2 * U + u));
        g[at] = (T)g_;
        h[at] = (T)((A)z[at] * ((A)h_before[at] - g_) + g_);
    });
}

// dax's columns of z and g, and kept = dh z
KERNEL gru_cell_candidate_backward(const T *__restrict__ dh, const T *__restrict__ h_before, const T *__restrict__ z,
                                   const T *__restrict__ g, T *__restrict__ dax, T *__restrict__ kept, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U), row = (at - u) * 3 + u;
        const A d = (A)dh[at], z_ = (A)z[at], g_ = (A)g[at];
        dax[row] = (T)(d * ((A)h_before[at] - g_) * z_ * (1 - z_));
        dax[row + 2 * U] = (T)(d * (1 - z_) * (1 - g_ * g_));
        kept[at] = (T)(d * z_);
    });
}

// With dq = dg U_h^T: dax's column of r, dr = dq h_before r (1 - r), and kept += dq r
KERNEL gru_cell_reset_backward(const T *__restrict__ dq, const T *__restrict__ h_before, const T *__restrict__ r, T *__restrict__ dax,
                               T *__restrict__ kept, Int n, Int U) {
    each(n, [=](Int at) {
        const Int u = modulo(at, U);
        const A d = (A)dq[at], r_ = (A)r[at];
        dax[(at - u) * 3 + U + u] = (T)(d * (A)h_before[at] * r_ * (1 - r_));
        kept[at] = (T)((A)kept[at] + d * r_);
    });
}
