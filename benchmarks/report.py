"""What the commands share: their options, the table that they print, and the file that they write."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .figure import Figure, Refused
from .instructions import AVX2, CHOICES, environment, evenly
from .machine import cores, has_cuda, installed, load, machine, no_numba, start_with
from .roofline import Roofline, cuda_roofline, host_roofline

FORMAT = "ls-benchmarks 1"
MODULES = {"PyTorch": "torch", "Keras": "keras", "JAX": "jax", "Thinc": "thinc"}


def options_of(description: str | None, seconds: float = 0.3) -> argparse.ArgumentParser:
    """A parser with the options that every command has."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--only", metavar="TEXT", help="what has this in its name, whatever the case")
    parser.add_argument("--threads", type=int, default=min(2, cores()), help="for BLAS, LS and peers alike (default: %(default)s)")
    parser.add_argument(
        "--instructions",
        choices=CHOICES,
        help="best: lift what holds a library's vector instructions back; avx2: hold all (default: as the environment has it)",
    )
    parser.add_argument("--seconds", type=float, default=seconds, help="for each figure (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--quick", action="store_true", help="small sizes and few samples: shows that it runs, measures nothing")
    return parser


def add_pages(parser: argparse.ArgumentParser, part: str) -> None:
    """The option ``--write``, for pages with a place for ``part`` between markers."""
    parser.add_argument("--write", metavar="PAGE", nargs="+", default=[], help=f"Markdown pages whose part {part!r} is replaced")
    parser.set_defaults(part=part)


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; as a program, start again where the threads are not the wanted ones."""
    options = parser.parse_args(arguments)
    problem = _unready(options)
    if problem:
        parser.error(problem)
    if arguments is None:
        start_with(options.threads, options.instructions)
    if options.quick:
        options.seconds = min(options.seconds, 0.02)
    return options


def _unready(options: argparse.Namespace) -> str | None:
    """What would fail after everything was measured, or is no measurement."""
    if options.threads < 1 or not options.seconds > 0:
        return "--threads and --seconds want positive numbers"
    if options.threads > cores():
        return f"--threads {options.threads}: this process may use {cores()} cores, on which more threads wait for one another"
    try:
        environment(getattr(options, "instructions", None))
    except ValueError as problem:
        return str(problem)
    if "numba" in (getattr(options, "tier", None) or ()) and no_numba():
        return f"--tier numba {no_numba()}"
    absent = [name for name in getattr(options, "peers", None) or () if not installed(MODULES.get(name, name))]
    if absent:
        return f"--peers: {', '.join(absent)} not installed here; leave --peers out for those that are"
    if options.json and Path(options.json).is_dir():
        return f"--json: {options.json} is a folder"
    if options.json and not os.access(Path(options.json).resolve().parent, os.W_OK):
        return f"--json: there is no folder {Path(options.json).resolve().parent} that may be written to"
    for page in getattr(options, "write", ()):
        try:
            replace_between(Path(page), options.part, None)
        except (OSError, ValueError) as problem:
            return f"--write: {problem}"
    folder = getattr(options, "pictures", None)
    if folder:
        if not installed("matplotlib"):
            return "--pictures needs matplotlib: pip install 'ls-engine[plots]'"
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            return f"--pictures: {problem}"
    return None


def wanted(only: str | None, *names: str) -> bool:
    """Whether one of the names has ``only`` in it."""
    return not only or any(only.lower() in name.lower() for name in names)


class Report:
    """Prints figures as they come, keeps them, and writes the file."""

    def __init__(self, command: str, threads: int, quick: bool, columns: Sequence[tuple[str, int]], rooflines: bool = True) -> None:
        self.columns = columns
        self.figures: list[Figure] = []
        self.refused: list[dict[str, Any]] = []
        self.rooflines: dict[str, Roofline] = {}
        self.threads = threads
        self.head: dict[str, Any] = {
            "format": FORMAT,
            "command": " ".join([f"python -m benchmarks.{command}", *sys.argv[1:]]),
            "machine": machine(threads),
        }
        m = self.head["machine"]
        blas = m["blas"]
        print(f"{m['processor']}, {m['cores']} cores, {threads} threads; {blas['name']}, {blas['kernels'] or 'unknown'} kernels")
        if not evenly():
            print(f"unequal: {_variables(m['held'])} holds some libraries back, others not; see --instructions")
        busy = load()
        if busy is not None and busy > 0.5 * m["cores"]:
            print(f"this machine is busy (load {busy:.1f} on {m['cores']} cores): the figures are too")
        if rooflines:
            self.measure_rooflines(quick)

    def measure_rooflines(self, quick: bool) -> None:
        """The processor's, and the device's where one answers."""
        self.rooflines["cpu"] = host_roofline(self.threads, quick)
        if has_cuda():
            from .clock import cuda_clock

            self.rooflines["cuda"] = cuda_roofline(cuda_clock(), quick)
        for roofline in self.rooflines.values():
            peaks = ", ".join(f"{v * 1e-9:.0f} GFLOP/s {k}" for k, v in roofline.peak.items())
            print(f"roofline of {roofline.device}, {roofline.threads} threads: {peaks}; copies {roofline.copy * 1e-9:.1f} GB/s")

    def heading(self) -> None:
        """The line above the table."""
        print("".join(name.ljust(width) if i == 0 else name.rjust(width) for i, (name, width) in enumerate(self.columns)), flush=True)

    def row(self, *cells: Any) -> None:
        """A line of the table; numbers with three digits, None as nothing."""
        texts = [_text(cell) for cell in cells]
        line = "".join(t.ljust(w) if i == 0 else t.rjust(w) for i, (t, (_, w)) in enumerate(zip(texts, self.columns, strict=False)))
        print(line.rstrip(), flush=True)

    def add(self, name: str, found: Figure | Refused, *cells: Any, **labels: Any) -> None:
        """Keep a figure and print its row, or print why there is none."""
        if isinstance(found, Refused):
            self.refused.append({"name": name, **labels, "reason": found.reason, "why": str(found)})
            print(f"{name}: refused, {found}", flush=True)
        else:
            self.figures.append(found)
            if cells:
                self.row(*cells)

    def where(self) -> str:
        """The machine, the day and the command, for a page."""
        m = self.head["machine"]
        blas = m["blas"]["name"] + (f" with kernels for {m['blas']['kernels']}" if m["blas"]["kernels"] else "")
        setting = ""
        if m["held"]:
            setting = " (all libraries held to AVX2)" if evenly() else f" (held back unequally: {_variables(m['held'])})"
        versions = "".join(
            f", {name} {m['versions'][name]}" for name in ("numpy", "numba", "cupy", "torch", "jax") if name in m["versions"]
        )
        text = (
            f"{m['processor']}, {m['cores']} cores, {m['threads']} threads, {m['device']['name'] if m['device'] else 'no GPU'}; "
            f"{blas}{setting}; Python {m['python']}{versions}; {m['time'][:10]}{', commit ' + m['commit'] if m['commit'] else ''}."
        )
        for roof in self.rooflines.values():
            text += f" {roof.device}: products {roof.peak['float32'] * 1e-9:.0f} GFLOP/s in float32, copies {roof.copy * 1e-9:.1f} GB/s."
        if m["load"] is not None and m["load"] > 0.5 * m["cores"]:
            text += f" The machine was busy (load {m['load']:.1f}): these figures are provisional."
        return f"`{self.head['command']}`: {text}"

    def write(self, pages: Sequence[str], part: str, text: str) -> None:
        """Put ``text`` on pages, between their markers for ``part``."""
        for page in pages:
            replace_between(Path(page), part, f"{self.where()}\n\n{text}")

    def finish(self, path: str | None, **more: Any) -> int:
        """Write the file; the exit status is 1 where something was refused, 2 where nothing was measured."""
        for figure in self.figures:  # a roofline may have been measured again since
            roofline = self.rooflines.get("cpu" if figure.device is None else "cuda")
            if roofline is not None and figure.work is not None:
                figure.share = roofline.seconds(figure.work) / (figure.device or figure.median)
        if path and (self.figures or self.refused):
            content = {
                **self.head,
                "load_at_the_end": load(),
                "rooflines": {name: r.as_json() for name, r in self.rooflines.items()},
                "figures": [figure.as_json() for figure in self.figures],
                "refused": self.refused,
                **more,
            }
            write_whole(Path(path), json.dumps(content, indent=1) + "\n")
        if self.refused:
            print(f"{len(self.refused)} figures were refused")
        elif not self.figures:
            print("nothing was measured: --only fits no name")
            return 2
        return 1 if self.refused else 0


def replace_between(path: Path, name: str, text: str | None) -> None:
    """Replace what a page has between ``<!-- benchmarks: name -->`` and ``<!-- end: name -->``; None only looks for them.

    Raises
    ------
    ValueError
        The page lacks them.
    """
    begin, end = f"<!-- benchmarks: {name} -->", f"<!-- end: {name} -->"
    page = path.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        raise ValueError(f"{path} lacks the markers {begin} and {end}")
    if text is not None:
        write_whole(path, f"{page.partition(begin)[0]}{begin}\n\n{text.strip()}\n\n{end}{page.partition(end)[2]}")


def write_whole(path: Path, text: str) -> None:
    """Write a file beside and rename it, so that whoever reads it finds the old one or the new one, whole."""
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; numbers at the right."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows)]) + "\n"


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:#.3g}".rstrip(".") if isinstance(cell, float) else str(cell)


def _variables(held: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in held.items() if name in AVX2)


def spread(figure: Figure) -> str:
    """Half of p10 to p90, relative to the median."""
    return f"±{(figure.p90 - figure.p10) / 2 / figure.median:.0%}"


def milliseconds(seconds: float | None) -> float | None:
    """For a cell."""
    return None if seconds is None else seconds * 1e3


def percent(share: float | None) -> str | None:
    """For a cell."""
    return None if share is None else f"{share:.0%}"
