// What the emulator tells the watcher (cuda_watch_runtime.h), which is a library of its own: whose turn it is, and barriers.
// The reads and writes themselves come from g++, which calls __tsan_read4 and the like before each one (-fsanitize=thread).

#define LS_WATCH
#define UNWATCHED __attribute__((no_sanitize("thread", "bounds")))  // the emulator's own code is not the kernel's

struct Watched {
    bool on;  // a fiber runs a kernel's own code
    unsigned thread, epoch;  // epoch: how many barriers this block has passed
    unsigned long long block;
    char *stack, *stack_end;  // the thread's own
    char *shared, *shared_end;  // the block's
    char *places, *places_end;  // threadIdx and its like: registers on a GPU
    void (*stop)();  // ends the launch from within a kernel's code
};

extern "C" {
extern Watched ls_watched;
void ls_watch_warp();  // a warp has come to a barrier, or to its end
void ls_watch_atomic(const void *place, unsigned long long size);
extern char __bss_start[] __attribute__((visibility("hidden"))), _end[] __attribute__((visibility("hidden")));
}
