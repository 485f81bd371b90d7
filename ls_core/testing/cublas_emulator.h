// cuBLAS in miniature: the functions that ls_core/cuda/cublas.py calls, by plain loops, with what cuBLAS refuses.
//
// Columns first, as in the library: op(A) is m x k, op(B) k x n, C m x n, element (i, j) of a matrix stored with leading dimension
// ld at i + j ld. float32 products in a fast mode have their factors rounded to 10 or 7 bits of mantissa.

#include <algorithm>
#include <cstring>
#include <vector>

namespace cublas {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum Compute { C_32F = 68, C_64F = 70, C_32F_FAST_16BF = 75, C_32F_FAST_TF32 = 77 };

const unsigned ALIVE = 0xb1a5b1a5;
struct Handle {
    unsigned alive;
    void *stream, *workspace;
    size_t bytes;
    int pointer_mode, math_mode;
};

// The upper half of a float, rounded to the nearest, ties to even.
struct Half16B {
    unsigned short bits;
};

template <class S, class X> S read(X x) { return static_cast<S>(x); }
template <> float read<float, Half16B>(Half16B x) {
    unsigned whole = (unsigned)x.bits << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return value;
}

static float rounded(float value, int dropped) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == value) bits = (bits + (1u << (dropped - 1)) - 1 + (bits >> dropped & 1)) >> dropped << dropped;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <class X, class S> void write(X *to, S value) { *to = static_cast<X>(value); }
static void write(Half16B *to, float value) {
    value = rounded(value, 16);
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    to->bits = bits >> 16;
}

template <class X, class S>
void multiply(int opa, int opb, long long m, long long n, long long k, S alpha, const X *A, long long lda, const X *B, long long ldb,
              S beta, X *C, long long ldc, int dropped) {
    auto factor = [dropped](X x) {
        S value = read<S>(x);
        if constexpr (std::is_same_v<S, float>) return dropped ? rounded(value, dropped) : value;
        return value;
    };
    std::vector<S> a(m * k), column(m);  // op(A), each column's numbers one after the other
    for (long long p = 0; p < k; ++p)
        for (long long i = 0; i < m; ++i) a[i + p * m] = factor(opa ? A[p + i * lda] : A[i + p * lda]);
    for (long long j = 0; j < n; ++j) {
        std::fill(column.begin(), column.end(), S(0));
        for (long long p = 0; p < k; ++p) {
            const S b = factor(opb ? B[j + p * ldb] : B[p + j * ldb]);
            for (long long i = 0; i < m; ++i) column[i] += a[i + p * m] * b;
        }
        for (long long i = 0; i < m; ++i) {  // beta 0: C is not read
            const S before = beta == S(0) ? S(0) : beta * read<S>(C[i + j * ldc]);
            write(&C[i + j * ldc], alpha * column[i] + before);
        }
    }
}

static int gemm(const void *given, int opa, int opb, int m, int n, int k, const void *alpha, const void *A, int Atype, int lda,
                long long stepA, const void *B, int Btype, int ldb, long long stepB, const void *beta, void *C, int Ctype, int ldc,
                long long stepC, int count, int compute, int algorithm) {
    const Handle *handle = static_cast<const Handle *>(given);
    if (!handle || handle->alive != ALIVE) return NOT_INITIALIZED;
    if (!handle->workspace || handle->pointer_mode != 0) return ALLOC_FAILED;  // cuBLAS has a workspace of its own; LS wants its own
    if (opa < 0 || opa > 1 || opb < 0 || opb > 1 || m < 0 || n < 0 || k < 0 || count < 0 || algorithm != -1) return INVALID_VALUE;
    if (lda < std::max(1, opa ? k : m) || ldb < std::max(1, opb ? n : k) || ldc < std::max(1, m)) return INVALID_VALUE;
    if (!alpha || !beta || !A || !B || !C) return INVALID_VALUE;
    if (Atype != Btype || Atype != Ctype) return NOT_SUPPORTED;
    const int dropped = compute == C_32F_FAST_TF32 ? 13 : compute == C_32F_FAST_16BF ? 16 : 0;
    auto all = [&](auto number, auto sum) {
        using X = decltype(number);
        using S = decltype(sum);
        for (int i = 0; i < count; ++i)
            multiply<X, S>(opa, opb, m, n, k, *static_cast<const S *>(alpha), static_cast<const X *>(A) + i * stepA, lda,
                           static_cast<const X *>(B) + i * stepB, ldb, *static_cast<const S *>(beta), static_cast<X *>(C) + i * stepC,
                           ldc, dropped);
        return SUCCESS;
    };
    if (Atype == R_64F && compute == C_64F) return all(double(), double());
    if (Atype == R_32F && (compute == C_32F || dropped)) return all(float(), float());
    if (Atype == R_16F && compute == C_32F) return all(_Float16(), float());
    if (Atype == R_16BF && compute == C_32F) return all(Half16B(), float());
    return NOT_SUPPORTED;
}

}  // namespace cublas

extern "C" {

int cublasCreate_v2(void **handle) {
    *handle = new cublas::Handle{cublas::ALIVE, nullptr, nullptr, 0, 0, 0};
    return cublas::SUCCESS;
}

int cublasSetStream_v2(void *handle, void *stream) {
    auto *h = static_cast<cublas::Handle *>(handle);
    h->stream = stream;
    h->workspace = nullptr;  // as in cuBLAS: back to the default one
    return cublas::SUCCESS;
}

int cublasSetWorkspace_v2(void *handle, void *workspace, size_t bytes) {
    if (!workspace || reinterpret_cast<size_t>(workspace) % 256) return cublas::INVALID_VALUE;
    auto *h = static_cast<cublas::Handle *>(handle);
    h->workspace = workspace;
    h->bytes = bytes;
    return cublas::SUCCESS;
}

int cublasSetPointerMode_v2(void *handle, int mode) {
    static_cast<cublas::Handle *>(handle)->pointer_mode = mode;
    return mode == 0 || mode == 1 ? cublas::SUCCESS : cublas::INVALID_VALUE;
}

int cublasSetMathMode(void *handle, int mode) {
    static_cast<cublas::Handle *>(handle)->math_mode = mode;
    return cublas::SUCCESS;
}

int cublasGemmEx(void *handle, int opa, int opb, int m, int n, int k, const void *alpha, const void *A, int Atype, int lda, const void *B,
                 int Btype, int ldb, const void *beta, void *C, int Ctype, int ldc, int compute, int algorithm) {
    return cublas::gemm(handle, opa, opb, m, n, k, alpha, A, Atype, lda, 0, B, Btype, ldb, 0, beta, C, Ctype, ldc, 0, 1, compute,
                        algorithm);
}

int cublasGemmStridedBatchedEx(void *handle, int opa, int opb, int m, int n, int k, const void *alpha, const void *A, int Atype, int lda,
                               long long stepA, const void *B, int Btype, int ldb, long long stepB, const void *beta, void *C, int Ctype,
                               int ldc, long long stepC, int count, int compute, int algorithm) {
    return cublas::gemm(handle, opa, opb, m, n, k, alpha, A, Atype, lda, stepA, B, Btype, ldb, stepB, beta, C, Ctype, ldc, stepC, count,
                        compute, algorithm);
}

const char *cublasGetStatusString(int status) {
    switch (status) {
        case cublas::NOT_INITIALIZED: return "the library was not initialized";
        case cublas::ALLOC_FAILED: return "the resource allocation failed";
        case cublas::INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
        case cublas::NOT_SUPPORTED: return "the functionality requested is not supported";
        default: return "success";
    }
}
}
