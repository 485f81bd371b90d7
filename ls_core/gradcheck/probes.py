"""The probes behind check_layer: directional derivatives of a Subject against its hand-written gradient."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..backend import to_device, to_host
from ..types import Array
from .report import GradientError, Report, Row
from .subject import OWNERSHIP, Subject

EPS = 2.0**-52
TINY_STEP = 1e-30  # of the complex step; nothing is subtracted, so nothing is lost
PROBES = 2  # random cotangents, each with a random direction for every target
ELEMENTS = 24  # arrays up to this size are checked element by element as well
RESAMPLES = 10
CAPS = {"central": 1e-7, "complex": 1e-12}
# A wrong gradient is off by 1e-2 or so; derivatives that differ by more than this mean that the forward is not analytic.
ANALYTIC = 1e-6


def derived_tolerance(mode: str, step: float, length: int) -> float:
    """What rounding (and, for central differences, truncation) can do, a hundredfold, but never above the cap.

    ``length`` counts the numbers that the directional derivative adds up.
    """
    root = math.sqrt(max(length, 1))
    if mode == "complex":
        return min(CAPS[mode], 1000 * EPS * root)
    return min(CAPS[mode], 100 * (step * step + EPS / step * root))


def _times(analytic: float, number: float) -> str:
    """'(2 times as much)' where one is a small multiple of the other: a sign, a factor, a 1/N that was forgotten.

    >>> _times(-3.0, 3.0), _times(3.0, 12.0), _times(3.1, 3.0)
    (' (-1 times as much)', ' (1/4 as much)', '')
    """
    for top, bottom, text in ((analytic, number, " ({} times as much)"), (number, analytic, " (1/{} as much)")):
        ratio = top / bottom if bottom else 0.0
        if 1 <= abs(round(ratio)) <= 1000 and round(ratio) != 1 and abs(ratio / round(ratio) - 1) < 1e-6:
            return text.format(round(ratio))
    return ""


class _Kink(Exception):
    """The forward is not differentiable near these inputs."""


class _Dead(Exception):
    """A Parameter's gradient is zero at these inputs."""


def run_check(subject: Subject, seed: int, step: float, tolerance: float | None, mode: str, dead: frozenset[str]) -> Report:
    """All targets, all modes; other inputs where these lie on a kink."""
    if mode not in ("auto", "central", "complex"):
        raise ValueError(f"mode is 'auto', 'central' or 'complex', not {mode!r}")
    for attempt in range(RESAMPLES + 1):
        rng = np.random.default_rng([seed, attempt])
        if attempt:
            subject.renew(rng, attempt)
        try:
            return _Check(subject, seed, step, tolerance, mode, dead, attempt, rng).report()
        except (_Kink, _Dead) as found:
            problem = found
        except GradientError as error:
            raise GradientError(f"{error} (seed {seed})") from None
    raise GradientError(f"{subject.name}: {problem}, and so it was at {RESAMPLES} other inputs (seed {seed})") from problem


class _Check:
    """One try at one set of inputs."""

    def __init__(
        self,
        subject: Subject,
        seed: int,
        step: float,
        tolerance: float | None,
        mode: str,
        dead: frozenset[str],
        attempt: int,
        rng: np.random.Generator,
    ) -> None:
        self.subject, self.seed, self.step, self.tolerance = subject, seed, step, tolerance
        self.mode, self.dead, self.attempt, self.rng = mode, dead, attempt, rng
        self.worst: dict[tuple[str, str], tuple[float, float]] = {}
        self.notes: dict[str, str] = {}
        self.alive: set[str] = set()

    def report(self) -> Report:
        subject = self.subject
        self._deterministic()
        for probe in range(PROBES if subject.names else 0):
            self.cotangents, gradients = subject.gradients(lambda shape: self.rng.normal(size=shape))
            self.size = sum(float(np.abs(c * to_host(y)).sum()) for c, y in zip(self.cotangents, self.base, strict=True))
            for target, gradient in enumerate(gradients):
                self._target(target, gradient, each_element=probe == 0)
        self._dead()
        rows = [Row(target, mode, error, bound, self.attempt) for (target, mode), (error, bound) in self.worst.items()]
        order = {name: i for i, name in enumerate(subject.names)}
        return Report(subject.name, self.seed, sorted(rows, key=lambda row: (order[row.target], row.mode)), self.notes)

    def _deterministic(self) -> None:
        before = [to_host(v).tobytes() for v in self.subject.values]
        self.base = self.subject.outputs(self.subject.values)
        for name, value, then in zip(self.subject.names, self.subject.values, before, strict=False):
            if to_host(value).tobytes() != then:
                raise GradientError(f"{self.subject.name}: forward writes to {name}. {OWNERSHIP}")
        again = self.subject.outputs(self.subject.values)
        for first, second in zip(self.base, again, strict=True):
            if self.subject.keeps_double and to_host(first).dtype.itemsize < 8:
                raise GradientError(
                    f"{self.subject.name}: forward gives {first.dtype} for float64 inputs, which is too coarse for a check; a result has "
                    "its input's dtype (look for astype, np.float32(...) and arrays made without dtype=x.dtype)"
                )
            if not np.isfinite(to_host(first)).all():
                raise GradientError(f"{self.subject.name}: the forward's output is not finite")
            if to_host(first).tobytes() != to_host(second).tobytes():
                raise GradientError(f"{self.subject.name}: two forwards on the same inputs differ; draw from the layer's stream")

    def _target(self, target: int, gradient: np.ndarray, each_element: bool) -> None:
        name = self.subject.names[target]
        if gradient.size == 0:
            return
        if not np.isfinite(gradient).all():
            raise GradientError(f"{self.subject.name}: the gradient of {name} is not finite")
        if np.abs(gradient).max() > 64 * EPS * self.size:
            self.alive.add(name)
        self._direction(target, gradient, self.rng.normal(size=gradient.shape))
        if each_element and gradient.size <= ELEMENTS:
            for i in range(gradient.size):
                unit = np.zeros(gradient.size)
                unit[i] = 1.0
                self._direction(
                    target, gradient, unit.reshape(gradient.shape), f"{name}{list(map(int, np.unravel_index(i, gradient.shape)))}"
                )

    def _direction(self, target: int, gradient: np.ndarray, v: np.ndarray, place: str = "") -> None:
        name = self.subject.names[target]
        analytic = float((gradient * v).sum())
        # A random direction may be nearly at right angles to the gradient, so its length counts too.
        scale = max(abs(analytic), float(np.sqrt((gradient * gradient).sum() * (v * v).mean())))
        central = None
        if self.mode != "complex" and not (place and name not in self.notes and (name, "complex") in self.worst):
            central = self._central(target, v, analytic, scale, place or name)
        if self.mode == "central" or name in self.notes:
            return
        found = self._complex(target, v)
        if isinstance(found, str):
            if self.mode == "complex":
                raise GradientError(f"{self.subject.name}: no complex step for {name}: {found}")
            self.notes[name] = found
            return
        if (
            self.mode == "auto"
            and central is not None
            and abs(found - central) > ANALYTIC * max(scale, abs(central)) + self._noise("central", self.step)
        ):
            self.notes[name] = "the forward is not analytic (abs, max, real part ...): on complex numbers its derivative is another"
            self.worst.pop((name, "complex"), None)
            return
        self._judge("complex", name, place or name, found, analytic, scale)

    def _judge(self, mode: str, name: str, place: str, number: float, analytic: float, scale: float, step: float | None = None) -> None:
        error, bound = self._error(mode, number, analytic, scale, step)
        if error > bound:
            raise GradientError(
                f"{self.subject.name}: the gradient of {place} is wrong: {mode} derivative {number:.12g}, "
                f"backward {analytic:.12g}{_times(analytic, number)}, relative error {error:.1e} above {bound:.1e}"
            )
        before = self.worst.get((name, mode), (0.0, bound))
        self.worst[name, mode] = max(before, (error, bound))

    def _error(self, mode: str, number: float, analytic: float, scale: float, step: float | None = None) -> tuple[float, float]:
        length = sum(c.size for c in self.cotangents) + max(v.size for v in self.subject.values)
        bound = self.tolerance or derived_tolerance(mode, self.step, length)
        floor = self._noise(mode, step or self.step) / bound  # below this, rounding is all there is to see
        return abs(number - analytic) / max(scale, abs(number), floor, 1e-300), bound

    def _noise(self, mode: str, step: float) -> float:
        """Absolute rounding error of a derivative of L."""
        return 16 * EPS * self.size / (step if mode == "central" else 1.0)

    def _moved(self, target: int, change: Array, kind: Any = np.float64) -> list[np.ndarray]:
        backend = self.subject.backend
        values = list(self.subject.values)
        if kind is np.complex128:
            values = [v.astype(kind) for v in values]
        values[target] = values[target] + to_device(change, backend)
        return [to_host(y) for y in self.subject.outputs(values)]

    def _central(self, target: int, v: np.ndarray, analytic: float, scale: float, place: str) -> float:
        name = self.subject.names[target]
        base = [to_host(y) for y in self.base]
        before = 0.0  # how rough it was at the step before
        for h in (self.step, self.step / 10):
            ahead, behind = self._moved(target, h * v), self._moved(target, -h * v)
            number = self._along(ahead, behind) / (2 * h)
            error, bound = self._error("central", number, analytic, scale, h)
            if error <= bound / 10:
                break
            # Wrong, or is it the place? Look twice as far, and at either side.
            far, back = self._moved(target, 2 * h * v), self._moved(target, -2 * h * v)
            wide = self._along(far, back) / (4 * h)
            bend = self._along(ahead, base) / h - self._along(base, behind) / h  # h L''
            wide_bend = (self._along(far, base) - self._along(base, back)) / (2 * h)  # 2 h L''
            rough = abs(number - wide) + abs(wide_bend - 2 * bend)  # 0 for a parabola; a jump of the slope shows wherever it lies
            better = (4 * number - wide) / 3  # without the term in h^2
            refined, _ = self._error("central", better, analytic, scale, h)
            if min(error, refined) <= bound or rough < before / 20:  # curved: a jump would not have shrunk with the step
                number = better if refined < error else number
                break
            if rough <= bound * max(scale, abs(number)) + 8 * self._noise("central", h):
                break
            before = rough
        else:
            raise _Kink(f"{place} lies near a kink or a tie (slopes {number:.6g} and {wide:.6g} from steps {h:g} and {2 * h:g})")
        self._judge("central", name, place, number, analytic, scale, h)
        return number

    def _complex(self, target: int, v: np.ndarray) -> float | str:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                outputs = self._moved(target, 1j * TINY_STEP * v, np.complex128)
            except Exception as problem:
                return f"the forward does not run on complex numbers ({type(problem).__name__}: {problem})"
        if all(y.dtype.kind != "c" for y in outputs):
            return "the forward turns complex numbers into real ones"
        return sum(float((c * y.imag).sum()) for c, y in zip(self.cotangents, outputs, strict=True)) / TINY_STEP

    def _along(self, ahead: list[np.ndarray], behind: list[np.ndarray]) -> float:
        """L(ahead) - L(behind), subtracted before it is summed so that the sum's rounding stays small."""
        return sum(float((c * (a - b)).sum()) for c, a, b in zip(self.cotangents, ahead, behind, strict=True))

    def _dead(self) -> None:
        for name in self.subject.parameters:
            if name in self.dead and name in self.alive:
                raise GradientError(f"{self.subject.name}: {name} was said to be dead, but it has a gradient")
            empty = self.subject.values[self.subject.names.index(name)].size == 0
            if name not in self.dead and name not in self.alive and not empty:
                raise _Dead(
                    f"the gradient of {name} is zero in {PROBES} random probes, so the check sees nothing there; "
                    "give other inputs, or name it in dead=(...) if mathematics makes it zero"
                )
