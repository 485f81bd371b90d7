// Pooling, forward and backward. A team has one window, or backward one position, and its threads the channels; backward
// looks for the windows that read a position, so no two threads add to one number.
#include "windows.cuh"

// y = max over the taps of x; padding never wins, NaN always does
KERNEL max_pool_forward(const T *__restrict__ x, T *__restrict__ y, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A best = -infinity();
        for (Int k = 0; k < taps; ++k) {
            const Int place = position_read(w, o, k);
            if (place < 0) continue;
            const A v = (A)x[place * C + c];
            best = v > best || v != v ? v : best;
        }
        y[row * C + c] = (T)best;
    }
}

// dx_i = sum of dy over the windows whose maximum x_i is; of equal maxima the first in reading order gets it
KERNEL max_pool_backward(const T *__restrict__ dy, const T *__restrict__ x, const T *__restrict__ y, T *__restrict__ dx, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        const A v = (A)x[row * C + c];
        A total = 0;
        for (Int k = 0; k < taps; ++k) {
            const Int window = window_reading(w, i, k);
            if (window < 0 || (A)y[window * C + c] != v) continue;
            const At o = unflatten(window, w.O);
            bool first = true;
            for (Int earlier = 0; earlier < k && first; ++earlier) {
                const Int place = position_read(w, o, earlier);
                first = place < 0 || (A)x[place * C + c] != v;
            }
            if (first) total += (A)dy[window * C + c];
        }
        dx[row * C + c] = (T)total;
    }
}

// y = sum over the taps of x / count, count (1, O.., 1) the taps that are no padding
KERNEL average_pool_forward(const T *__restrict__ x, T *__restrict__ y, T *__restrict__ count, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * O0 * O1 * O2) return;
    const At o = unflatten(row, w.O);
    Int inside = 0;
    for (Int k = 0; k < taps; ++k) inside += position_read(w, o, k) >= 0;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A total = 0;
        for (Int k = 0; k < taps; ++k) {
            const Int place = position_read(w, o, k);
            if (place >= 0) total += (A)x[place * C + c];
        }
        y[row * C + c] = (T)(total / inside);
    }
    if (o.b == 0 && threadIdx.x == 0) count[row] = (T)(A)inside;
}

// dx_i = sum of dy / count over the windows that read i
KERNEL average_pool_backward(const T *__restrict__ dy, const T *__restrict__ count, T *__restrict__ dx, WINDOWS) {
    const Windows w = WINDOWS_GIVEN;
    const Int row = team_row(), taps = K0 * K1 * K2;
    if (row >= B * I0 * I1 * I2) return;
    const At i = unflatten(row, w.I);
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A total = 0;
        for (Int k = 0; k < taps; ++k) {
            const Int window = window_reading(w, i, k);
            if (window >= 0) total += (A)dy[window * C + c] / (A)count[window % (O0 * O1 * O2)];
        }
        dx[row * C + c] = (T)total;
    }
}
