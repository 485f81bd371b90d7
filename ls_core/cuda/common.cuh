// What every kernel of LS uses. A source is compiled once for each float type: T is the type of the numbers in memory
// (float, double, __half or __nv_bfloat16), A the type that they are computed in, at least float.

#ifdef LS_INCLUDE
#include LS_INCLUDE
#endif

#define KERNEL extern "C" __global__ void

typedef LS_T T;
typedef long long Int;  // sizes and places; Python's integers arrive as these, its floats as double

template <class X> struct Wide { typedef float type; };
template <> struct Wide<double> { typedef double type; };
typedef Wide<T>::type A;

__device__ inline A infinity() { return -log((A)0); }
__device__ inline A sigmoid(A x) { return (tanh(x / 2) + 1) / 2; }

// --- one number after the other -------------------------------------------------------------------------------------

// f(i) for every i < n, shared among all threads. Neighbouring threads take neighbouring i, so a warp reads and writes
// whole cache lines; four i of a thread are independent, so that their loads are in flight together.
template <class F> __device__ inline void each(Int n, F f) {
    const Int step = (Int)gridDim.x * blockDim.x;
    Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i + 3 * step < n; i += 4 * step) {
        f(i);
        f(i + step);
        f(i + 2 * step);
        f(i + 3 * step);
    }
    for (; i < n; i += step) f(i);
}

// i % n and i / n; division of 64 bits is slow on a GPU, and most sizes fit into 32.
__device__ inline Int modulo(Int i, Int n) {
    return (i >> 32) == 0 ? (Int)((unsigned)i % (unsigned)n) : i % n;
}
__device__ inline Int quotient(Int i, Int n) {
    return (i >> 32) == 0 ? (Int)((unsigned)i / (unsigned)n) : i / n;
}

// f(i, i % C) for every i < n, likewise. Each i lies as much further on as the one before: one division for them all.
template <class F> __device__ inline void each_column(Int n, Int C, F f) {
    const Int step = (Int)gridDim.x * blockDim.x, further = modulo(step, C);
    Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x, c = modulo(i, C);
    auto next = [&] {
        f(i, c);
        i += step, c += further;
        if (c >= C) c -= C;
    };
    while (i + 3 * step < n) next(), next(), next(), next();
    while (i < n) next();
}

// --- rows: a team of blockDim.x threads has one row -----------------------------------------------------------------

// A team is a warp (blockDim.x == 32; a block then holds blockDim.y teams) or a whole block (blockDim.y == 1).
__device__ inline Int team_row() { return (Int)blockIdx.x * blockDim.y + threadIdx.y; }

struct Sum { static __device__ A of(A a, A b) { return a + b; } };
struct Max { static __device__ A of(A a, A b) { return fmax(a, b); } };

// Every thread of the team brings a number, and every one gets the result; the order of the operations is fixed.
template <class Op> __device__ inline A team_reduce(A v) {
    for (int distance = 16; distance > 0; distance /= 2) v = Op::of(v, __shfl_xor_sync(0xffffffff, v, distance));
    if (blockDim.x == 32) return v;
    __shared__ A of_warp[32];
    __syncthreads();  // the call before may still be read
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = v;
    __syncthreads();
    v = of_warp[0];
    for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) v = Op::of(v, of_warp[warp]);
    return v;
}

__device__ inline A team_sum(A v) { return team_reduce<Sum>(v); }
__device__ inline A team_max(A v) { return team_reduce<Max>(v); }

// The numbers of a row, a thread's being c = threadIdx.x, threadIdx.x + blockDim.x, ...; load(c) reads one. The first HELD of a thread
// stay in registers, so that a row that is gone through several times comes from memory once: up to 1024 numbers of a warp's, 8192 of
// a block's (half as many in double). Longer ones are read again each time.
const int HELD = sizeof(A) == 4 ? 32 : 16;
template <class Load> struct HeldRow {
    Int C;
    Load load;
    A of[HELD];

    __device__ HeldRow(Int C, Load load) : C(C), load(load) {
        if (C > HELD * (Int)blockDim.x) return;
#pragma unroll
        for (int k = 0; k < HELD; ++k) {
            const Int c = threadIdx.x + k * (Int)blockDim.x;
            if (c >= C) break;
            of[k] = load(c);
        }
    }
    // f(c, the c-th number) for each of this thread's
    template <class F> __device__ void each(F f) const {
        if (C > HELD * (Int)blockDim.x) {
            for (Int c = threadIdx.x; c < C; c += blockDim.x) f(c, load(c));
            return;
        }
#pragma unroll
        for (int k = 0; k < HELD; ++k) {
            const Int c = threadIdx.x + k * (Int)blockDim.x;
            if (c >= C) break;
            f(c, of[k]);
        }
    }
    // f(c, the c-th number, that of another row of the same length)
    template <class Other, class F> __device__ void each_with(const HeldRow<Other> &other, F f) const {
        if (C > HELD * (Int)blockDim.x) {
            for (Int c = threadIdx.x; c < C; c += blockDim.x) f(c, load(c), other.load(c));
            return;
        }
#pragma unroll
        for (int k = 0; k < HELD; ++k) {
            const Int c = threadIdx.x + k * (Int)blockDim.x;
            if (c >= C) break;
            f(c, of[k], other.of[k]);
        }
    }
};

// top = max x, sum = sum exp(x - top), in one pass: where a larger x comes, what was summed shrinks by exp(old - new)
// (Milakov and Gimelshein 2018). -inf alone, inf and NaN make the sum NaN, as in two passes.
struct Exponentials {
    A top = -infinity(), sum = 0;
    __device__ void add(A x) {
        if (x == -infinity()) return;
        const A e = exp(-fabs(x - top));
        sum = x > top ? sum * e + 1 + (x - x) : sum + e;
        top = x > top ? x : top;
    }
    __device__ Exponentials of_team() const {
        Exponentials all;
        all.top = team_max(top);
        all.sum = team_sum(sum * exp(top - all.top));
        return all;
    }
};

// --- columns: a block of 32 x 8 threads has 32 columns --------------------------------------------------------------

// The sum of v over the eight threads of one column; each of them gets it.
__device__ inline A column_sum(A v) {
    __shared__ A part[8][33];  // 33, so that a column lies in different banks
    __syncthreads();
    part[threadIdx.y][threadIdx.x] = v;
    __syncthreads();
    A total = 0;
    for (int y = 0; y < 8; ++y) total += part[y][threadIdx.x];
    return total;
}
