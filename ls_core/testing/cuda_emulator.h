// A CUDA device in miniature, so that kernels run where there is no GPU: g++ compiles this before a kernel's own source.
//
// The threads of a block are fibers (ucontext): each has a stack of its own, runs until it comes to a barrier or to its end,
// and hands over to the next one. So __syncthreads and the exchange within a warp mean what they mean on a GPU, and the
// kernels' sources are the very same. Blocks run one after the other. The order in which threads and blocks get their turn
// can be changed: a kernel whose result depends on it lacks a barrier.

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <ucontext.h>
#include <utility>

using std::erfc, std::exp, std::expm1, std::fabs, std::fmax, std::fmin, std::hypot, std::log, std::log1p, std::pow, std::sqrt, std::tanh;

struct Place {
    unsigned x, y, z;
};
namespace emulator {
static struct { Place thread, block, block_size, grid_size; } here;
}
#define threadIdx emulator::here.thread
#define blockIdx emulator::here.block
#define blockDim emulator::here.block_size
#define gridDim emulator::here.grid_size

#ifndef LS_WATCH  // nobody watches (cuda_watch.h)
#define UNWATCHED
#define WATCH(...)
#else
#define WATCH(...) __VA_ARGS__
#endif
#ifndef __global__
#define __global__
#endif
#define __grid_constant__
#define __launch_bounds__(...)
#define __device__
#define __shared__ static  // one block at a time, so this is the block's
#define __restrict__ __restrict

// The upper half of a float, as __nv_bfloat16: what is put in is rounded to the nearest, ties to even.
struct BFloat16 {
    unsigned short bits;
    BFloat16() = default;
    BFloat16(float value) {
        unsigned whole;
        memcpy(&whole, &value, sizeof whole);
        bits = value == value ? (whole + 0x7fff + (whole >> 16 & 1)) >> 16 : 0x7fc0;
    }
    operator float() const {
        const unsigned whole = (unsigned)bits << 16;
        float value;
        memcpy(&value, &whole, sizeof value);
        return value;
    }
};

namespace emulator {

enum State { READY, AT_WARP_BARRIER, AT_BLOCK_BARRIER, ENDED };
enum Failure { NONE, DIVERGED, NO_PARTNER, OUTSIDE };

struct Fiber {
    ucontext_t context;
    State state;
    char *stack;
    long long exchanged;  // what it offers to its warp
};

const unsigned LARGEST_BLOCK = 1024, STACK = 64 * 1024;
static Fiber fibers[LARGEST_BLOCK];
static ucontext_t scheduler;
static unsigned current, threads;
static Failure failure;
static void (*body)();

static void place(unsigned thread) {
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
    WATCH(ls_watched.thread = thread, ls_watched.stack = fibers[thread].stack, ls_watched.stack_end = fibers[thread].stack + STACK;)
}

UNWATCHED static void enter() {
    WATCH(ls_watched.on = true;)
    body();
    WATCH(ls_watched.on = false;)
    fibers[current].state = ENDED;
}

UNWATCHED static void wait(State barrier) {
    WATCH(ls_watched.on = false;)
    fibers[current].state = barrier;
    swapcontext(&fibers[current].context, &scheduler);
    WATCH(ls_watched.on = true;)
}

WATCH(static void stop() { failure = OUTSIDE, wait(ENDED); })

// Let the threads of a warp go on once all that are left have arrived; false where they can't.
static bool release_warp(unsigned first, unsigned last) {
    bool any = false;
    for (unsigned t = first; t < last; ++t) {
        if (fibers[t].state == READY || fibers[t].state == AT_BLOCK_BARRIER) return false;
        any |= fibers[t].state == AT_WARP_BARRIER;
    }
    for (unsigned t = first; t < last; ++t)
        if (fibers[t].state == AT_WARP_BARRIER) fibers[t].state = READY;
    return any;
}

// The same for a block; where nobody can go on, some wait for others that have left, or that wait elsewhere.
static bool release_block() {
    bool all = true, any_left = false;
    for (unsigned t = 0; t < threads; ++t) {
        all &= fibers[t].state == AT_BLOCK_BARRIER;
        any_left |= fibers[t].state != ENDED;
    }
    for (unsigned t = 0; all && t < threads; ++t) fibers[t].state = READY;
    WATCH(ls_watched.epoch += all;)
    if (any_left && !all) failure = DIVERGED;
    return all;
}

// The i-th of n to get its turn: 0 in order, 1 backwards, 2 mixed up.
static unsigned long long turn(unsigned long long i, unsigned long long n, int order) {
    if (order == 0) return i;
    if (order == 1) return n - 1 - i;
    unsigned long long step = 2654435761ULL % n | 1;
    auto divides = [n](unsigned long long s) {
        unsigned long long a = n, b = s;
        while (b) { auto c = a % b; a = b; b = c; }
        return a != 1;
    };
    while (divides(step)) ++step;
    return (i * step + n / 3) % n;
}

static void run_block(int order) {
    for (unsigned t = 0; t < threads; ++t) {
        Fiber &fiber = fibers[t];
        if (!fiber.stack) fiber.stack = static_cast<char *>(malloc(STACK));
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, enter, 0);
        fiber.state = READY;
    }
    // A warp runs as far as it can, to a barrier of the block, before the next one gets its turn.
    const unsigned warps = (threads + 31) / 32;
    do {
        for (unsigned i = 0; i < warps && failure == NONE; ++i) {
            const unsigned first = 32 * static_cast<unsigned>(turn(i, warps, order));
            const unsigned last = first + 32 < threads ? first + 32 : threads;
            do {
                for (unsigned j = 0; j < last - first && failure == NONE; ++j) {
                    place(first + static_cast<unsigned>(turn(j, last - first, order)));
                    if (fibers[current].state == READY) swapcontext(&scheduler, &fibers[current].context);
                }
                WATCH(ls_watch_warp();)
            } while (failure == NONE && release_warp(first, last));
        }
    } while (failure == NONE && release_block());
}

static void *kernel;
static void **arguments;

template <class... P, size_t... I> UNWATCHED void call(std::index_sequence<I...>) {
    reinterpret_cast<void (*)(P...)>(kernel)(*static_cast<P *>(arguments[I])...);
}

template <class... P> int launch(void (*function)(P...), void **args, const unsigned *grid, const unsigned *block, int order) {
    kernel = reinterpret_cast<void *>(function);
    arguments = args;
    body = [] { call<P...>(std::index_sequence_for<P...>{}); };
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    threads = block[0] * block[1] * block[2];
    failure = NONE;
#ifdef LS_WATCH  // __shared__ and the emulator's own numbers are all that the library keeps in .bss
    ls_watched.shared = __bss_start, ls_watched.shared_end = _end, ls_watched.stop = stop;
    ls_watched.places = reinterpret_cast<char *>(&here), ls_watched.places_end = ls_watched.places + sizeof here;
#endif
    unsigned long long blocks = 1ULL * grid[0] * grid[1] * grid[2];
    for (unsigned long long i = 0; i < blocks && failure == NONE; ++i) {
        unsigned long long b = turn(i, blocks, order);
        blockIdx = {unsigned(b % grid[0]), unsigned(b / grid[0] % grid[1]), unsigned(b / grid[0] / grid[1])};
        WATCH(ls_watched.block = b, ls_watched.epoch = 0;)
        run_block(order);
    }
    return failure;
}

// The types of a kernel's parameters, as the compiler sees them: "const float32*;float32*;int64;float64;struct of 88;".
template <class X> std::string type_name() {
    if constexpr (std::is_pointer_v<X>) {
        using Target = std::remove_pointer_t<X>;
        return (std::is_const_v<Target> ? "const " : "") + type_name<std::remove_const_t<Target>>() + "*";
    } else if constexpr (std::is_same_v<X, bool>) {
        return "bool";
    } else if constexpr (std::is_same_v<X, BFloat16>) {
        return "bfloat16";
    } else if constexpr (std::is_class_v<X>) {
        return "struct of " + std::to_string(sizeof(X));
    } else {
        return (std::is_integral_v<X> ? "int" : "float") + std::to_string(8 * sizeof(X));
    }
}

template <class... P> const char *describe(void (*)(P...)) {
    static std::string text = (std::string() + ... + (type_name<P>() + ";"));
    return text.c_str();
}

}  // namespace emulator

UNWATCHED static inline void __syncthreads() { emulator::wait(emulator::AT_BLOCK_BARRIER); }

template <class V> UNWATCHED V __shfl_xor_sync(unsigned, V value, unsigned mask) {
    using namespace emulator;
    memcpy(&fibers[current].exchanged, &value, sizeof value);
    wait(AT_WARP_BARRIER);
    unsigned partner = current ^ mask;
    if (partner >= threads || fibers[partner].state == ENDED) failure = NO_PARTNER;
    memcpy(&value, &fibers[partner % threads].exchanged, sizeof value);
    wait(AT_WARP_BARRIER);
    return value;
}

// One thread at a time: whatever it does is atomic.
template <class V> UNWATCHED V atomicAdd(V *place, V value) {
    WATCH(ls_watch_atomic(place, sizeof *place);)
    V old = *place;
    *place = old + value;
    return old;
}

template <class V> UNWATCHED V atomicMin(V *place, V value) {
    WATCH(ls_watch_atomic(place, sizeof *place);)
    V old = *place;
    *place = value < old ? value : old;
    return old;
}

template <class V> UNWATCHED V atomicCAS(V *place, V compare, V value) {
    WATCH(ls_watch_atomic(place, sizeof *place);)
    V old = *place;
    if (old == compare) *place = value;
    return old;
}
