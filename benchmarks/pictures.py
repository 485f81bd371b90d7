"""Pictures of measurements: the roofline with the kernels under it, and times by size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ls_core.plots import new_figure, save_figure

from .report import Report
from .roofline import Roofline


def _folder(path: str) -> Path:
    os.makedirs(path, exist_ok=True)
    return Path(path)


def draw_roofline(report: Report, folder: str) -> list[Path]:
    """``roofline_cpu.png`` (and ``roofline_cuda.png``): GFLOP/s over FLOPs per byte, one point for each figure."""
    written = []
    for name, roofline in report.rooflines.items():
        points = [
            (f.work.flops / f.work.nbytes, f.work.flops / (f.device or f.median) * 1e-9, str(f.labels.get("variant", f.name)))
            for f in report.figures
            if f.work is not None and f.work.flops and f.work.nbytes and (f.device is None) == (name == "cpu")
        ]
        if points:
            path = _folder(folder) / f"roofline_{name}.png"
            _draw_roofline(roofline, points, path)
            written.append(path)
    return written


def _draw_roofline(roofline: Roofline, points: Sequence[tuple[float, float, str]], path: Path) -> None:
    figure, (axis,) = new_figure(7.5, 5.0)
    intensity = np.logspace(-3, 3, 200)
    for dtype, peak in roofline.peak.items():
        fastest, slowest = max(roofline.bandwidths.values()), roofline.copy
        axis.plot(intensity, np.minimum(peak, intensity * slowest) * 1e-9, color="black", linewidth=1.2)
        axis.plot(intensity, np.minimum(peak, intensity * fastest) * 1e-9, color="black", linewidth=0.7, linestyle="--")
        axis.annotate(f"products, {dtype}: {peak * 1e-9:.0f} GFLOP/s", (intensity[-1], peak * 1e-9), ha="right", va="bottom", fontsize=8)
    axis.annotate(f"memory: {roofline.copy * 1e-9:.0f} GB/s", (4e-3, 2e-3 * roofline.copy * 1e-9), va="top", fontsize=8)
    for variant in dict.fromkeys(point[2] for point in points):
        x, y = zip(*((a, b) for a, b, v in points if v == variant), strict=True)
        axis.scatter(x, y, s=14, label=variant, alpha=0.8)
    axis.set(xscale="log", yscale="log", xlabel="operations per byte that must move", ylabel="GFLOP/s")
    axis.set_title(f"{roofline.device}, {roofline.threads} threads (dashed: what the fastest cache allows)", fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save_figure(figure, path)


def draw_sizes(figures: Sequence[dict[str, Any]], folder: str) -> list[Path]:
    """``sizes_KERNEL.png`` for each kernel that was measured at several sizes: milliseconds over numbers, one line for each variant.

    Where a CUDA device was measured, its line is there twice: with its arrays there already, and with moving them.
    """
    kernels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for f in figures:
        if "kernel" in f:
            direction = "" if f["kernel"].endswith(f["direction"]) else f" {f['direction']}"
            lines = kernels.setdefault(f"{f['layer']} {f['kernel']}{direction}", {})
            lines.setdefault(f["variant"], []).append((f["elements"], f["median_ms"]))
            if f["backend"] != "numpy":
                lines.setdefault(f"{f['variant']}, moved", []).append((f["elements"], f["median_ms"] + f["transfer_ms"]))
    written = []
    for name, lines in kernels.items():
        if max(len(points) for points in lines.values()) > 1:
            path = _folder(folder) / f"sizes_{name.replace(',', '').replace(' ', '_')}.png"
            draw_lines(lines, path, name, "numbers in the input", "ms")
            written.append(path)
    return written


def draw_lines(lines: dict[str, list[tuple[int, float]]], path: Path, title: str, x_label: str, y_label: str) -> None:
    """Both axes logarithmic, one line for each name."""
    figure, (axis,) = new_figure(5.5, 4.0)
    for name, points in lines.items():
        x, y = zip(*sorted(points), strict=True)
        axis.plot(x, y, marker="o", markersize=4, label=name, linestyle="--" if name.endswith("moved") else "-")
    axis.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save_figure(figure, path)
