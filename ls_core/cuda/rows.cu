// Rows of tables: an Embedding's lookup, and the sums of its gradient. n ids, D columns, V rows of the table.
//
// A device cannot tell the host how many different ids there are without making it wait, so sums have n rows: the sum of
// an id stands at the first place that holds the id, and the other places are unused: their row is -1, their values are 0.
#include "common.cuh"

// y[j, :] = table[ids[j], :], and `outside` where there is no such row
KERNEL gather_rows(const T *__restrict__ table, const Int *__restrict__ ids, T *__restrict__ y, Int n, Int D, Int V, double outside) {
    const Int j = team_row();
    if (j >= n) return;
    const Int id = ids[j];
    const bool inside = id >= 0 && id < V;
    for (Int d = threadIdx.x; d < D; d += blockDim.x) y[j * D + d] = inside ? table[id * D + d] : (T)(A)outside;
}

// table[rows[j], :] = values[j, :], each row at most once; rows of -1 are passed over
KERNEL put_rows(T *__restrict__ table, const Int *__restrict__ rows, const T *__restrict__ values, Int n, Int D, Int V) {
    const Int j = team_row();
    if (j >= n || rows[j] < 0 || rows[j] >= V) return;
    for (Int d = threadIdx.x; d < D; d += blockDim.x) table[rows[j] * D + d] = values[j * D + d];
}

// table[rows[j], :] += values[j, :], each row at most once; rows of -1 are passed over
KERNEL add_rows(T *__restrict__ table, const Int *__restrict__ rows, const T *__restrict__ values, Int n, Int D, Int V) {
    const Int j = team_row();
    if (j >= n || rows[j] < 0 || rows[j] >= V) return;
    for (Int d = threadIdx.x; d < D; d += blockDim.x) {
        const Int i = rows[j] * D + d;
        table[i] = (T)((A)table[i] + (A)values[j * D + d]);
    }
}

// --- which place stands for an id -----------------------------------------------------------------------------------

// A hash table with open addressing, of `size` (a power of 2, at least 2 n) slots: keys[slot] is an id (-1: free),
// first[slot] the first place that holds it, whichever thread came first.
KERNEL enter_ids(const Int *__restrict__ ids, Int *__restrict__ keys, Int *__restrict__ first, Int *__restrict__ slots, Int n, Int size) {
    each(n, [=](Int j) {
        const Int id = ids[j];
        Int slot = -1;
        if (id >= 0) {  // below 0: an unused place of sums that are summed up again
            unsigned long long mixed = (unsigned long long)id * 0x9E3779B97F4A7C15ULL;
            slot = (Int)((mixed >> 20) & (unsigned long long)(size - 1));
            for (;; slot = (slot + 1) & (size - 1)) {
                const unsigned long long free = ~0ULL;
                const unsigned long long found = atomicCAS((unsigned long long *)&keys[slot], free, (unsigned long long)id);
                if (found == free || found == (unsigned long long)id) break;
            }
            atomicMin(&first[slot], j);
        }
        slots[j] = slot;
    });
}

// owner[j] = the place that stands for ids[j] (-1 for an unused one), rows[j] = the id where that place is j, else -1
KERNEL find_owners(const Int *__restrict__ ids, const Int *__restrict__ first, const Int *__restrict__ slots, Int *__restrict__ owner,
                   Int *__restrict__ rows, Int n) {
    each(n, [=](Int j) {
        owner[j] = slots[j] < 0 ? -1 : first[slots[j]];
        rows[j] = owner[j] == j ? ids[j] : -1;
    });
}

// --- the sums -------------------------------------------------------------------------------------------------------

// sums[owner[j], :] += values[j, :], in whatever order the threads come: the last bits differ from run to run
KERNEL sum_rows_atomic(const T *__restrict__ values, const Int *__restrict__ owner, T *__restrict__ sums, Int n, Int D) {
    const Int j = team_row();
    if (j >= n || owner[j] < 0) return;
    for (Int d = threadIdx.x; d < D; d += blockDim.x) atomicAdd(&sums[owner[j] * D + d], values[j * D + d]);
}

// The same sums, always added in the order of the places: a block of 256 threads for each place looks through all later
// ones for its own id.
KERNEL sum_rows_ordered(const T *__restrict__ values, const Int *__restrict__ owner, T *__restrict__ sums, Int n, Int D) {
    const Int j = blockIdx.x;
    if (owner[j] != j) {
        for (Int d = threadIdx.x; d < D; d += blockDim.x) sums[j * D + d] = (T)(A)0;
        return;
    }
    __shared__ bool mine[256];
    for (Int d0 = 0; d0 < D; d0 += blockDim.x) {
        const Int d = d0 + threadIdx.x;
        A total = 0;
        for (Int k0 = j; k0 < n; k0 += blockDim.x) {
            __syncthreads();
            mine[threadIdx.x] = k0 + threadIdx.x < n && owner[k0 + threadIdx.x] == j;
            __syncthreads();
            for (int k = 0; k < (int)blockDim.x; ++k)
                if (mine[k] && d < D) total += (A)values[(k0 + k) * D + d];
        }
        if (d < D) sums[j * D + d] = (T)total;
    }
}
