// A dropout mask from n uniform numbers, in one launch.
#include "common.cuh"

// mask = factor where drawn >= rate, else 0
KERNEL keep_scaled(const float *__restrict__ drawn, T *__restrict__ mask, Int n, double rate, double factor) {
    each(n, [=](Int i) { mask[i] = (T)(A)(drawn[i] >= (float)rate ? factor : 0); });
}
