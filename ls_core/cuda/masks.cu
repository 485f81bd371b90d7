// Random numbers by keys that lie on the device, and a dropout mask from n uniform numbers: one launch each.
#include "common.cuh"

// keys[first ...] = up to eight numbers that come as arguments: nothing is copied from the host
KERNEL set_keys(Int *keys, Int first, Int count, Int a, Int b, Int c, Int d, Int e, Int f, Int g, Int h) {
    const Int given[8] = {a, b, c, d, e, f, g, h};
    const Int i = threadIdx.x;
    if (i < count) keys[first + i] = given[i];
}

// SplitMix64 of (key + place): the 24 or 53 highest of its bits are a number in [0, 1). As in ls_core/backend.py.
KERNEL uniform_by_key(const Int *__restrict__ keys, Int place, T *__restrict__ drawn, Int n) {
    const unsigned long long key = (unsigned long long)keys[place];
    each(n, [=](Int i) {
        unsigned long long z = key + (unsigned long long)(i + 1) * 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        z = z ^ (z >> 31);
        drawn[i] = sizeof(T) == 8 ? (T)((A)(z >> 11) * (A)1.1102230246251565e-16) : (T)((A)(z >> 40) * (A)5.9604644775390625e-8);
    });
}

// mask = factor where drawn >= rate, else 0
KERNEL keep_scaled(const float *__restrict__ drawn, T *__restrict__ mask, Int n, double rate, double factor) {
    each(n, [=](Int i) { mask[i] = (T)(A)(drawn[i] >= (float)rate ? factor : 0); });
}
