// Looks at every read and write of a kernel, as compute-sanitizer and Nsight's memory tables do on a GPU.
//
// Faults: two threads touch one number, one of them writes and not both by an atomic, with no barrier between them (threads of
// different blocks: never one); an access outside all arrays, or not at a multiple of its size; shared memory read before its
// block wrote it; an index outside an array whose size the source says.
//
// Traffic: the accesses of a warp's threads by the same instruction, the same time each of them comes there, are one request. What
// counts is how many sectors of 32 bytes it touches, or in shared memory how many different words of one bank (32, 4 bytes wide).

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <vector>

typedef unsigned long long U64;

extern "C" Watched ls_watched = {};

namespace {

Watched &now = ls_watched;

// --- what Python gives and takes ----------------------------------------------------------------------------------------

struct Array { U64 begin, bytes, item, phase; };  // item: bytes of a number; phase: where it lies within 512 bytes on a device
struct Counts {
    U64 asked, sectors, least;  // bytes that a warp asks for (each once), sectors touched, the fewest that could hold them
    U64 touched;                // bytes of different numbers
};
struct SharedCounts { U64 requests, passes, least, worst; };  // a pass serves a word of each bank
enum Kind { RACE, OUTSIDE, MISALIGNED, UNWRITTEN, INDEX };
struct Fault {
    U64 kind, pc, other_pc, write, shared, array, offset, size, block, thread, other_block, other_thread;
};

// --- who touched a number last ------------------------------------------------------------------------------------------

struct Access {
    const void *pc;
    unsigned block, epoch;
    unsigned short thread;
    bool any, threads, blocks;  // threads: several of that block since its barrier; blocks: several

    bool conflicts() const {
        if (!any) return false;
        return blocks || block != now.block || (epoch == now.epoch && (threads || thread != now.thread));
    }
    void note(const void *by) {
        const bool same_block = any && block == now.block, same_epoch = same_block && epoch == now.epoch;
        blocks |= any && !same_block;
        threads = same_epoch && (threads || thread != now.thread);
        any = true, pc = by, block = (unsigned)now.block, epoch = now.epoch, thread = (unsigned short)now.thread;
    }
};
enum Way { READ, WRITE, ATOMIC };
struct Cell { Access of[3]; };  // by Way

std::vector<Array> arrays;
std::vector<Cell *> cells;  // of each array, one for a number
std::vector<Counts> counts; // of each array: read, written
std::vector<Cell> shared;   // one for a byte
std::vector<unsigned> shared_block;  // whose cells they are: + 1
SharedCounts of_shared;
std::vector<Fault> faults;

void report(Kind kind, const void *pc, const void *other, Way way, bool in_shared, U64 array, U64 offset, U64 size, const Access *before) {
    for (const Fault &f : faults)
        if (f.kind == kind && f.pc == (U64)pc) return;  // once for each instruction
    faults.push_back({kind, (U64)pc, (U64)other, way != READ, in_shared, array, offset, size, now.block, now.thread,
                      before ? before->block : 0, before ? before->thread : 0U});
}

void meet(Cell &cell, Way way, const void *pc, bool in_shared, U64 array, U64 offset, U64 size) {
    for (int other = READ; other <= ATOMIC; ++other)
        if ((other != READ || way != READ) && (other != ATOMIC || way != ATOMIC) && cell.of[other].conflicts())
            report(RACE, pc, cell.of[other].pc, way, in_shared, array, offset, size, &cell.of[other]);
    cell.of[way].note(pc);
}

// --- requests of a warp -------------------------------------------------------------------------------------------------

struct Request {
    unsigned lanes, size;
    int array;  // -1: shared memory
    bool write;
    U64 at[32];
};
struct Instruction {
    std::vector<Request> requests;  // by which time a thread comes here
    unsigned used, times[32];
};
std::unordered_map<const void *, Instruction> instructions;
std::vector<Instruction *> active;
const void *last_pc;
Instruction *last;  // that of last_pc

void count_access(const void *pc, Way way, int array, U64 at, U64 size) {
    if (pc != last_pc) last_pc = pc, last = &instructions[pc];
    if (!last->used) active.push_back(last);
    const unsigned lane = now.thread % 32, time = last->times[lane]++;
    if (time >= last->used) {
        last->used = time + 1;
        if (last->requests.size() < last->used) last->requests.resize(2 * last->used);
        last->requests[time] = {0, (unsigned)size, array, way != READ, {}};
    }
    Request &request = last->requests[time];
    request.at[request.lanes++] = at;
}

void finish_global(const Request &r) {
    const U64 *end = std::unique(const_cast<U64 *>(r.at), const_cast<U64 *>(r.at) + r.lanes);
    U64 sectors = 0, last = ~0ULL;
    for (const U64 *at = r.at; at < end; ++at)
        for (U64 s = *at / 32; s <= (*at + r.size - 1) / 32; ++s) sectors += s != last, last = s;
    Counts &of = counts[2 * r.array + r.write];
    const U64 bytes = (end - r.at) * r.size;
    of.asked += bytes, of.sectors += sectors, of.least += (bytes + 31) / 32;
}

// Numbers of 8 bytes go by half warps, those of 16 by quarters, so that no more than 32 words are asked for at a time.
void finish_shared(Request &r) {
    const unsigned together = std::min(32U, 128 / std::max(4U, r.size)), words = (r.size + 3) / 4;
    U64 passes = 0, least = 0;
    for (unsigned begin = 0; begin < r.lanes; begin += together) {
        U64 *first = r.at + begin, *end = std::min(first + together, r.at + r.lanes);
        for (U64 *at = first; at < end; ++at) *at /= 4;
        std::sort(first, end);
        end = std::unique(first, end);
        U64 of_bank[32] = {};
        for (U64 *at = first; at < end; ++at)
            for (unsigned w = 0; w < words; ++w) ++of_bank[(*at + w) % 32];
        const U64 ways = *std::max_element(of_bank, of_bank + 32);
        of_shared.worst = std::max(of_shared.worst, ways);
        passes += ways, ++least;
    }
    of_shared.requests += 1, of_shared.passes += passes, of_shared.least += least;
}

// --- one access ---------------------------------------------------------------------------------------------------------

void touch_shared(char *place, U64 size, Way way, const void *pc) {
    const U64 offset = place - now.shared, step = std::min<U64>(size, 4);
    shared.resize(now.shared_end - now.shared), shared_block.resize(shared.size());
    for (U64 i = offset; i < offset + size; i += step) {
        if (shared_block[i] != now.block + 1) shared[i] = {}, shared_block[i] = (unsigned)now.block + 1;
        if (way != WRITE && !shared[i].of[WRITE].any && !shared[i].of[ATOMIC].any)
            report(UNWRITTEN, pc, 0, way, true, 0, i, size, 0);
        meet(shared[i], way, pc, true, 0, i, size);
    }
    count_access(pc, way, -1, offset, size);
}

void touch(void *address, U64 size, Way way, const void *pc) {
    char *place = static_cast<char *>(address);
    if (!now.on || (place >= now.stack && place < now.stack_end) || (place >= now.places && place < now.places_end)) return;
    const bool in_shared = place >= now.shared && place + size <= now.shared_end;
    if (in_shared) touch_shared(place, size, way, pc);
    static U64 found;
    if (!in_shared) {
        auto within = [&](U64 i) { return (U64)place >= arrays[i].begin && (U64)place + size <= arrays[i].begin + arrays[i].bytes; };
        if (found >= arrays.size() || !within(found))
            for (found = 0; found < arrays.size() && !within(found);) ++found;
        if (found == arrays.size()) {
            U64 near = 0;  // the array to which it is nearest
            auto distance = [&](U64 i) {
                const U64 begin = arrays[i].begin, end = begin + arrays[i].bytes;
                return (U64)place < begin ? begin - (U64)place : (U64)place + size - end;
            };
            for (U64 i = 1; i < arrays.size(); ++i)
                if (distance(i) < distance(near)) near = i;
            report(OUTSIDE, pc, 0, way, false, near, arrays.empty() ? 0 : (U64)place - arrays[near].begin, size, 0);
            now.stop();
        }
        const Array &a = arrays[found];
        const U64 offset = (U64)place - a.begin;
        for (U64 i = offset / a.item; i <= (offset + size - 1) / a.item; ++i) meet(cells[found][i], way, pc, false, found, offset, size);
        count_access(pc, way, (int)found, a.phase + offset, size);
        if (size <= 16 && (a.phase + offset) % size) report(MISALIGNED, pc, 0, way, false, found, offset, size, 0);
    } else if (size <= 16 && (U64)place % size) {
        report(MISALIGNED, pc, 0, way, true, 0, place - now.shared, size, 0);
    }
}

}  // namespace

extern "C" {

void ls_watch_warp() {
    for (Instruction *instruction : active) {
        for (unsigned i = 0; i < instruction->used; ++i) {
            Request &r = instruction->requests[i];
            if (r.array < 0) { finish_shared(r); continue; }
            if (!std::is_sorted(r.at, r.at + r.lanes)) std::sort(r.at, r.at + r.lanes);
            finish_global(r);
        }
        instruction->used = 0;
        std::fill(instruction->times, instruction->times + 32, 0);
    }
    active.clear();
}

// Before a launch: the arrays that it may touch.
void ls_watch_begin(const Array *given, int n) {
    arrays.assign(given, given + n);
    for (const Array &a : arrays) cells.push_back(static_cast<Cell *>(calloc(a.bytes / a.item + 1, sizeof(Cell))));
    counts.assign(2 * n, {});
    shared.clear(), shared_block.clear();
    of_shared = {};
    faults.clear();
    instructions.clear(), active.clear(), last_pc = 0;
}

// After it: the counts of each array, read and written, and of shared memory; how many faults there are.
int ls_watch_end(Counts *of_arrays, SharedCounts *all_shared) {
    for (U64 i = 0; i < arrays.size(); ++i) {
        for (U64 k = 0; k < arrays[i].bytes / arrays[i].item; ++k) {
            const Access *of = cells[i][k].of;
            counts[2 * i].touched += of[READ].any * arrays[i].item;
            counts[2 * i + 1].touched += (of[WRITE].any || of[ATOMIC].any) * arrays[i].item;
        }
        free(cells[i]);
    }
    cells.clear();
    std::copy(counts.begin(), counts.end(), of_arrays);
    *all_shared = of_shared;
    return (int)faults.size();
}

const Fault *ls_watch_faults() { return faults.data(); }

void ls_watch_atomic(const void *place, U64 size) { touch(const_cast<void *>(place), size, ATOMIC, __builtin_return_address(0)); }

// --- what g++ calls -----------------------------------------------------------------------------------------------------

#define ACCESS(n)                                                                                          \
    void __tsan_read##n(void *p) { touch(p, n, READ, __builtin_return_address(0)); }                       \
    void __tsan_write##n(void *p) { touch(p, n, WRITE, __builtin_return_address(0)); }                     \
    void __tsan_unaligned_read##n(void *p) { touch(p, n, READ, __builtin_return_address(0)); }             \
    void __tsan_unaligned_write##n(void *p) { touch(p, n, WRITE, __builtin_return_address(0)); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *p, U64 size) { touch(p, size, READ, __builtin_return_address(0)); }
void __tsan_write_range(void *p, U64 size) { touch(p, size, WRITE, __builtin_return_address(0)); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __ubsan_handle_out_of_bounds(void *, void *index) {
    if (now.on) report(INDEX, __builtin_return_address(0), 0, READ, false, 0, (U64)index, 0, 0);
}
}
