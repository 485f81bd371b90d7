"""What LS adds to bare NumPy: the protocol around a layer, and finding a kernel's override.

    python -m benchmarks.overhead                    # --tier references numpy numba --json out.json

Forward and backward of a two-layer Dense model at batch 8, against the same arithmetic written down in NumPy, in turn; the
difference is given per layer. Then what it costs to ask for an array's namespace, and to call a kernel by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import ls_core
from ls_core import Input, Sequential
from ls_core.backend import get_xp
from ls_core.kernel import KERNELS, Kernel, kernel
from ls_layers import Dense

from .figure import Figure, Refused, matches
from .machine import TIERS, tier, tiers
from .measure import Subject, measure_in_turn
from .report import Report, add_pages, options_of, parse, spread, table

BATCH, INPUTS, HIDDEN, OUTPUTS = 8, 16, 32, 10
LAYERS = 2
COLUMNS = (("", 46), ("us", 10), ("", 7), ("us for each layer above bare NumPy", 38))


def data() -> tuple[np.ndarray, np.ndarray]:
    """x (B, I) and dy (B, O)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, INPUTS)).astype(np.float32), rng.normal(size=(BATCH, OUTPUTS)).astype(np.float32)


def bare_step(weights: list[np.ndarray], x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    """y = relu(x W1 + b1) W2 + b2 and all gradients: the operations that the layers' kernels do, and nothing else."""
    W1, b1, W2, b2 = weights
    z = x @ W1  # (B, H)
    z += b1
    h = np.maximum(z, 0)
    y = h @ W2  # (B, O)
    y += b2
    db2 = dy.sum(axis=0)
    dW2 = h.T @ dy
    dz = (dy @ W2.T) * (h > 0)  # (B, H)
    return [y, dz @ W1.T, x.T @ dz, dz.sum(axis=0), dW2, db2]


def model_of() -> Sequential:
    """The same in LS, built."""
    ls_core.set_seed(0)
    model = Sequential([Input((INPUTS,)), Dense(HIDDEN, activation="relu", bias_initializer="normal"), Dense(OUTPUTS)])
    model.forward(data()[0])
    return model


def ls_step(model: Sequential, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    """Forward and backward through the protocol; the gradients are taken, as an optimiser does."""
    y, cache = model.forward(x, training=True)
    dx = model.backward(dy, cache)
    result = [y, dx]
    for parameter in model.parameters():
        result.append(parameter.grad)
        parameter.drop_grad()
    return result


def protocol(wanted_tiers: Sequence[str], seconds: float) -> list[tuple[str, Figure | Refused]]:
    """Bare NumPy first, then each tier."""
    x, dy = data()
    model = model_of()
    weights = model.get_weights()
    truth = [a.astype(np.float64) for a in bare_step([w.astype(np.float64) for w in weights], x.astype(np.float64), dy.astype(np.float64))]
    verify = matches(truth, dtypes=["float32"] * len(truth))
    subjects = [Subject("bare NumPy", lambda: bare_step(weights, x, dy), verify)]
    for name in wanted_tiers:
        around: Any = lambda name=name: tier(name)  # noqa: E731
        subjects.append(Subject(f"LS {name}", lambda: ls_step(model, x, dy), verify, around=around))
    return list(zip([s.name for s in subjects], measure_in_turn(subjects, seconds=seconds), strict=True))


def _echo(x: Any) -> Any:
    return x


def dispatch(seconds: float) -> list[tuple[str, Figure | Refused]]:
    """A function that does nothing: called directly, and as a kernel with an override; and get_xp."""
    named: Kernel = kernel(_echo)
    named.override("numpy")(_echo)
    del KERNELS[f"{named.__module__}.{named.__qualname__}"]
    x = np.zeros(1, dtype=np.float32)

    def repeated(function: Any) -> Any:
        def run() -> Any:
            for _ in range(1000):
                function(x)
            return x

        return run

    calls = {"a function, 1000 calls": _echo, "a kernel, 1000 calls": named, "get_xp, 1000 calls": get_xp}
    subjects = [Subject(name, repeated(function), matches([x])) for name, function in calls.items()]
    return list(zip(calls, measure_in_turn(subjects, seconds=seconds), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__, seconds=2.0)
    parser.add_argument("--tier", nargs="+", choices=TIERS, help="default: all that are there")
    add_pages(parser, "overhead")
    options = parse(parser, arguments)
    report = Report("overhead", options.threads, options.quick, COLUMNS, rooflines=False)
    report.heading()
    rows = protocol(options.tier or tiers(), options.seconds)
    bare = rows[0][1]
    for name, found in rows:
        above = None
        if isinstance(found, Figure):
            above = (found.median - bare.median) * 1e6 / LAYERS if isinstance(bare, Figure) and found is not bare else None
            found.labels["us_per_layer_above_bare"] = above
            report.add(name, found, name, found.median * 1e6, spread(found), above)
        else:
            report.add(name, found)
    for name, found in dispatch(options.seconds / 4):
        report.add(name, found, *((name, found.median * 1e6, spread(found)) if isinstance(found, Figure) else ()))
    cells = [(f.name, f.median * 1e6, spread(f), f.labels.get("us_per_layer_above_bare")) for f in report.figures]
    report.write(options.write, "overhead", table(["", "us", "spread", "us for each layer above bare NumPy"], cells))
    return report.finish(options.json)


if __name__ == "__main__":
    raise SystemExit(main())
