// One time step of LSTM, GRU and SimpleRNN in one launch; the products are cuBLAS'. The cells stand in recurrent.cuh.
#include "recurrent.cuh"

template <class Cell> __device__ inline void forward_step(const Cell cell, Int t, const T *product) {
    each(cell.B * cell.U, [=](Int i) {
        const Int b = quotient(i, cell.U), u = modulo(i, cell.U);
        cell(t, b, u, product + b * Cell::GATES * cell.U + u);
    });
}

template <class Cell> __device__ inline void backward_step(const Cell cell, Int t, const T *product) {
    each(cell.B * cell.U, [=](Int i) {
        cell(t, quotient(i, cell.U), modulo(i, cell.U), (A)product[i], [](int, A) {});
    });
}

KERNEL lstm_step_forward(T *__restrict__ gates, const T *__restrict__ product, const T *__restrict__ bias, const bool *__restrict__ mask,
                         T *__restrict__ hs, T *__restrict__ cs, T *__restrict__ tanh_c, Int t, Int B, Int U, Int steps) {
    forward_step(LstmForward{gates, bias, mask, hs, cs, tanh_c, B, U, steps}, t, product);
}

KERNEL lstm_step_backward(const T *__restrict__ gates, const T *__restrict__ cs, const T *__restrict__ tanh_c, const bool *__restrict__ mask,
                          const T *__restrict__ dhs, const T *__restrict__ product, T *__restrict__ held, T *__restrict__ dc,
                          T *__restrict__ dz, Int t, Int B, Int U, Int steps) {
    backward_step(LstmBackward{gates, cs, tanh_c, mask, dhs, held, dc, dz, B, U, steps}, t, product);
}

KERNEL gru_step_forward(T *__restrict__ gates, const T *__restrict__ product, const T *__restrict__ bias, const bool *__restrict__ mask,
                        T *__restrict__ hs, T *__restrict__ qs, Int t, Int B, Int U, Int steps) {
    forward_step(GruForward{gates, bias, mask, hs, qs, B, U, steps}, t, product);
}

KERNEL gru_step_backward(const T *__restrict__ gates, const T *__restrict__ hs, const T *__restrict__ qs, const bool *__restrict__ mask,
                         const T *__restrict__ dhs, const T *__restrict__ product, T *__restrict__ held, T *__restrict__ dax,
                         T *__restrict__ dah, Int t, Int B, Int U, Int steps) {
    backward_step(GruBackward{gates, hs, qs, mask, dhs, held, dax, dah, B, U, steps}, t, product);
}

KERNEL simple_rnn_step_forward(const T *__restrict__ a, const T *__restrict__ product, const T *__restrict__ bias,
                               const bool *__restrict__ mask, T *__restrict__ hs, Int t, Int B, Int U, Int steps) {
    forward_step(SimpleForward{a, bias, mask, hs, B, U, steps}, t, product);
}

KERNEL simple_rnn_step_backward(const T *__restrict__ hs, const bool *__restrict__ mask, const T *__restrict__ dhs,
                                const T *__restrict__ product, T *__restrict__ held, T *__restrict__ da, Int t, Int B, Int U,
                                Int steps) {
    backward_step(SimpleBackward{hs, mask, dhs, held, da, B, U, steps}, t, product);
}
