// The transforms of Winograd's convolution F(4 x 4, 3 x 3); ls_layers/accelerated/winograd.py explains it and has the matrices. Between
// them stand 36 products of matrices. Images (B, H, W, C); a tile is 4 x 4 outputs; a row of threads has a tile, and each thread
// some of its channels, whose 36 numbers stay in registers. V[p, tile, c] for the p-th of the 36, so that a warp reads and writes rows.
#include "common.cuh"

// Two blocks of 256 threads at once on a multiprocessor: so many registers has each.
#define TRANSFORM extern "C" __launch_bounds__(256, 2) __global__ void

__device__ const A ROOT_HALF = 0.70710678118654752440, ROOT_2 = 1.41421356237309504880;

struct Tile {
    Int b;
    int top, left;  // of the outputs
};

__device__ inline Tile tile_at(Int tile, Int rows, Int columns) {
    const Int row = quotient(tile, columns), b = quotient(row, rows);
    return {b, (int)(4 * (row - b * rows)), (int)(4 * (tile - row * columns))};
}

// d = B' d along one axis
__device__ inline void input(A &d0, A &d1, A &d2, A &d3, A &d4, A &d5) {
    const A even1 = d4 - 2 * d2, odd1 = ROOT_HALF * d3 - ROOT_2 * d1, even2 = d4 - d2 / 2, odd2 = ROOT_2 * d3 - ROOT_HALF * d1;
    d0 += d4 - (A)2.5 * d2;
    d5 += d1 - (A)2.5 * d3;
    d1 = even1 + odd1, d2 = even1 - odd1, d3 = even2 + odd2, d4 = even2 - odd2;
}

// y = A' m along one axis; y stands in m0 .. m3
__device__ inline void output(A &m0, A &m1, A &m2, A &m3, A m4, A m5) {
    const A sum1 = m1 + m2, difference1 = ROOT_HALF * (m1 - m2), sum2 = m3 + m4, difference2 = ROOT_2 * (m3 - m4);
    m0 += sum1 + sum2;
    m1 = difference1 + difference2;
    m2 = sum1 / 2 + 2 * sum2;
    m3 = difference1 / 2 + 2 * difference2 + m5;
}

// z = A y along one axis; y stands in z0 .. z3
__device__ inline void gradient(A &z0, A &z1, A &z2, A &z3, A &z4, A &z5) {
    const A even1 = z0 + z2 / 2, odd1 = ROOT_HALF * (z1 + z3 / 2), even2 = z0 + 2 * z2, odd2 = ROOT_2 * (z1 + 2 * z3);
    z5 = z3;
    z1 = even1 + odd1, z2 = even1 - odd1, z3 = even2 + odd2, z4 = even2 - odd2;
}

// V = B' d B, d the 6 x 6 inputs that a tile reads; zeros lie around the image, `above` rows of them first and `before` columns
TRANSFORM winograd_input(const T *__restrict__ x, T *__restrict__ V, Int H, Int W, Int C, Int rows, Int columns, Int above, Int before,
                      Int tiles) {
    const Int row = team_row();
    if (row >= tiles) return;
    const Tile tile = tile_at(row, rows, columns);
    const int top = tile.top - (int)above, left = tile.left - (int)before;
    for (Int c = threadIdx.x; c < C; c += blockDim.x) {
        A d[6][6];
        Int at = ((tile.b * H + top) * W + left) * C + c;  // of the row's first number, which may lie outside
#pragma unroll
        for (int i = 0; i < 6; ++i, at += W * C)
#pragma unroll
            for (int j = 0; j < 6; ++j) {
                const bool in = top + i >= 0 && top + i < H && left + j >= 0 && left + j < W;
                d[i][j] = in ? (A)x[at + j * C] : 0;
            }
#pragma unroll
        for (int j = 0; j < 6; ++j) input(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
#pragma unroll
        for (int i = 0; i < 6; ++i) input(d[i][0], d[i][1], d[i][2], d[i][3], d[i][4], d[i][5]);
#pragma unroll
        for (int p = 0; p < 36; ++p) V[(p * tiles + row) * C + c] = (T)d[p / 6][p % 6];
    }
}

// y = A' M A + bias, of images (B, P, Q, F)
TRANSFORM winograd_output(const T *__restrict__ M, const T *__restrict__ bias, T *__restrict__ y, Int P, Int Q, Int F, Int rows, Int columns,
                       Int tiles) {
    const Int row = team_row();
    if (row >= tiles) return;
    const Tile tile = tile_at(row, rows, columns);
    for (Int f = threadIdx.x; f < F; f += blockDim.x) {
        A m[6][6];
#pragma unroll
        for (int p = 0; p < 36; ++p) m[p / 6][p % 6] = (A)M[(p * tiles + row) * F + f];
#pragma unroll
        for (int j = 0; j < 6; ++j) output(m[0][j], m[1][j], m[2][j], m[3][j], m[4][j], m[5][j]);
        const A b = bias ? (A)bias[f] : 0;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            output(m[i][0], m[i][1], m[i][2], m[i][3], m[i][4], m[i][5]);
#pragma unroll
            for (int j = 0; j < 4; ++j)
                if (tile.top + i < P && tile.left + j < Q) y[((tile.b * P + tile.top + i) * Q + tile.left + j) * F + f] = (T)(m[i][j] + b);
        }
    }
}

// Z = A dy A' of images (B, P, Q, F); what a tile has beyond the image counts as zeros
TRANSFORM winograd_gradient(const T *__restrict__ dy, T *__restrict__ Z, Int P, Int Q, Int F, Int rows, Int columns, Int tiles) {
    const Int row = team_row();
    if (row >= tiles) return;
    const Tile tile = tile_at(row, rows, columns);
    for (Int f = threadIdx.x; f < F; f += blockDim.x) {
        A z[6][6];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const bool in = tile.top + i < P && tile.left + j < Q;
                z[i][j] = in ? (A)dy[((tile.b * P + tile.top + i) * Q + tile.left + j) * F + f] : 0;
            }
            gradient(z[i][0], z[i][1], z[i][2], z[i][3], z[i][4], z[i][5]);
        }
#pragma unroll
        for (int j = 0; j < 6; ++j) gradient(z[0][j], z[1][j], z[2][j], z[3][j], z[4][j], z[5][j]);
#pragma unroll
        for (int p = 0; p < 36; ++p) Z[(p * tiles + row) * F + f] = (T)z[p / 6][p % 6];
    }
}
