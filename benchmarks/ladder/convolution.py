"""Conv2D, forward: 3 x 3, stride 1, 'same' padding, channels last. B images of H x W, C channels, F filters.

y[b, i, j, f] = bias[f] + sum over k, l, c of x[b, i + k - 1, j + l - 1, c] W[k, l, c, f]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ls_core.threads import run_blocks
from ls_layers.convolution import conv_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, rung


def loops(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Seven nested loops, the definition itself. For every output the window is read again, number by number."""
    (B, H, width, C), F = x.shape, W.shape[-1]
    image, kernel, bias = x.tolist(), W.tolist(), b.tolist()
    y = [[[list(bias) for _ in range(width)] for _ in range(H)] for _ in range(B)]
    for n in range(B):
        for i in range(H):
            for j in range(width):
                for k in range(max(0, 1 - i), min(3, H + 1 - i)):
                    for l in range(max(0, 1 - j), min(3, width + 1 - j)):
                        for c in range(C):
                            for f in range(F):
                                y[n][i][j][f] += image[n][i + k - 1][j + l - 1][c] * kernel[k][l][c][f]
    return np.array(y, dtype=x.dtype)


def _padded(x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def vectorised(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Nine matrix products, one for each tap of the kernel, of the whole batch shifted by that tap. The output is read and written
    nine times."""
    H, width = x.shape[1:3]
    padded = _padded(x)
    y = np.zeros((*x.shape[:3], W.shape[-1]), dtype=x.dtype)
    for k in range(3):
        for l in range(3):
            y += padded[:, k : k + H, l : l + width] @ W[k, l]
    return y + b


def columns(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every window is copied into a row of a large matrix (im2col), which one product multiplies with the kernel. The product runs
    at the peak, but the matrix is nine times the input and goes to memory and back."""
    windows = sliding_window_view(_padded(x), (3, 3), axis=(1, 2))  # (B, H, W, C, 3, 3)
    matrix = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * x.shape[3])  # (B H W, 9 C), copied here
    y = matrix @ W.reshape(-1, W.shape[-1]) + b
    return y.reshape(*x.shape[:3], -1)


def _image(padded: np.ndarray, W: np.ndarray, b: np.ndarray, matrix: np.ndarray, y: np.ndarray) -> None:
    """One image: padded (H + 2, W + 2, C), matrix (H, W, 9, C) and y (H W, F) are written."""
    H, width, _, C = matrix.shape
    for tap in range(9):
        k, l = divmod(tap, 3)
        matrix[:, :, tap] = padded[k : k + H, l : l + width]
    np.matmul(matrix.reshape(H * width, 9 * C), W.reshape(9 * C, -1), out=y)
    y += b


def _images(x: np.ndarray, W: np.ndarray, b: np.ndarray, shared: bool) -> tuple[np.ndarray, Callable[[int, int], None]]:
    B, H, width, C = x.shape
    padded = _padded(x)
    y = np.empty((B, H * width, W.shape[-1]), dtype=x.dtype)

    def part(begin: int, end: int) -> None:
        matrix = np.empty((H, width, 9, C), dtype=x.dtype)
        for n in range(begin, end):
            _image(padded[n], W, b, matrix if shared else np.empty_like(matrix), y[n])

    return y, part


def blocked(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix of windows for one image at a time. It fits into the cache, so it is read from there."""
    y, part = _images(x, W, b, shared=False)
    part(0, len(x))
    return y.reshape(*x.shape[:3], -1)


def in_place(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All images use one matrix of windows, and the products write straight into the output. Fresh memory would have to be
    cleared by the system for every image."""
    y, part = _images(x, W, b, shared=True)
    part(0, len(x))
    return y.reshape(*x.shape[:3], -1)


def threads(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each thread has its share of the images and a matrix of its own, and its products run on one core. Copies and products of
    different images then overlap."""
    y, part = _images(x, W, b, shared=True)
    run_blocks(part, parts(len(x), x[0].size))
    return y.reshape(*x.shape[:3], -1)


def fused(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Numba compiles the seven loops with the filters innermost, as vector instructions, so that no window is ever copied. Each
    number loaded takes part in one multiplication per vector, where a product of matrices uses it many times."""
    from .compiled import convolve_images

    y = np.empty((*x.shape[:3], W.shape[-1]), dtype=x.dtype)
    padded = _padded(x)
    run_blocks(lambda begin, end: convolve_images(padded, W, b, y, begin, end), parts(len(x), x[0].size))
    return y


SHAPES = {"tiny": (2, 4, 5, 3, 4), "small": (1, 8, 8, 4, 8), "large": (32, 28, 28, 32, 32)}


def arguments(size: str) -> tuple[np.ndarray, ...]:
    B, H, width, C, F = SHAPES[size]
    return normal((B, H, width, C), 1), normal((3, 3, C, F), 2), normal((F,), 3)


def _given(function: Callable[..., Any], x: Any, W: Any, b: Any) -> tuple[Any, ...]:
    return x, W, b, (1, 1), (1, 1), ((1, 1), (1, 1)), 1  # strides, dilation, padding, groups


LADDER = Ladder(
    "Conv2D",
    "y = bias + sum over the 3 x 3 windows of x W",
    {size: f"{B} x {H} x {width} x {C} -> {F}" for size, (B, H, width, C, F) in SHAPES.items()},
    arguments,
    conv_forward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("columns", columns),
        rung("blocked", blocked),
        rung("in place", in_place),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            conv_forward,
            "ls_layers/accelerated/cuda/windows.cu",
            "One launch gathers the windows of all images, a warp or a block of threads for each; the product is cuBLAS. The matrix of "
            "windows goes through the card's memory, which is where a kernel without it would win.",
            _given,
        ),
    ],
    shortcut=4.0,  # Winograd's F(4 x 4, 3 x 3)
)
