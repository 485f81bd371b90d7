"""Updates on CUDA: one launch for up to 40 arrays of whatever size, with their decay, unscaling and clipping.

The launch holds the arrays' addresses, so nothing is gathered; rows of a table (an Embedding's gradient) are an array among the others.
Imported when the backend 'cupy' is loaded; see docs/cuda.md.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from ls_core.backend import get_xp
from ls_core.cuda import FLOATS, Source, contiguous, override
from ls_core.cuda.launch import Struct
from ls_core.cuda.rows import as_ids, columns
from ls_core.parameter import Parameter, RowGradient, dense_gradient
from ls_core.types import Array

from .adadelta import Adadelta, adadelta_update
from .adagrad import Adagrad, adagrad_update
from .adam import Adam, adam_update
from .adamax import Adamax, adamax_update
from .clipping import Gradient, clip_factors
from .ftrl import Ftrl, ftrl_update
from .lion import Lion, lion_update
from .memory import State
from .nadam import Nadam, nadam_update
from .optimizer import Optimizer
from .rmsprop import RMSprop, rmsprop_update
from .sgd import SGD, sgd_update
from .together import move_averages, update_together

SOURCE = Source(__file__, "updates.cu")
MOST, MEMBERS = 40, 12  # entries of a Table, and members of an Entry, in updates.cu
UPDATE_CHUNK, NORM_CHUNK = 1024, 16384  # numbers of a block there

# Whose ``update`` is one call of a kernel below and no more.
OPTIMIZERS = (Adadelta, Adagrad, Adam, Adamax, Ftrl, Lion, Nadam, RMSprop, SGD)


class Entry(NamedTuple):
    """One array of a Table."""

    value: Array  # None where only the gradient is read
    grad: Array
    state: tuple[Array, ...] = ()
    rows: Array = None
    keep: float = 1.0
    scale: int = 0


def _table(entries: list[Entry], chunk: int) -> tuple[Struct, int]:
    """A Table of at most ``MOST`` entries whose blocks have ``chunk`` numbers, and how many blocks there are."""
    members: list[Any] = [len(entries)]
    first = 0
    for value, grad, state, rows, keep, scale in entries:
        whole = grad.size if value is None else value.size
        members += [value, grad, *state, *[None] * (3 - len(state)), rows]
        members += [1 if rows is None else columns(grad), grad.size, whole, first, scale, keep]
        first += -(-grad.size // chunk)
    constant = {place for i in range(len(entries)) for place in (MEMBERS * i + 2, MEMBERS * i + 6)}  # grad, rows
    kinds = "q" + ("q" * (MEMBERS - 1) + "d") * len(entries)
    return Struct(type(entries[0].grad), members, kinds, 1 + MEMBERS * MOST, constant), first


def _parts(entries: list[Entry], chunk: int) -> Iterator[tuple[Struct, int]]:
    for i in range(0, len(entries), MOST):
        yield _table(entries[i : i + MOST], chunk)


def _launch(name: str, dtype: Any, entries: list[Entry], how: tuple[float, ...], *clip: Any) -> None:
    """One update of all entries; ``clip``: their scales, a factor, a limit."""
    for table, blocks in _parts(entries, UPDATE_CHUNK):
        SOURCE.run(name, dtype, (blocks,), (256,), table, *(clip or (None, 1.0, 0.0)), *how)


# --- the updates of one array ------------------------------------------------------------------------------------------

_asked = threading.local()


def _run(name: str, value: Array, grad: Array | RowGradient, state: tuple[Array | None, ...], *how: float) -> bool:
    """Launch the update of one array, or note it where ``_launch_of`` asks; False where an array is not contiguous."""
    if not all(a is None or a.flags.c_contiguous for a in (value, *state)):
        return False
    notes = getattr(_asked, "notes", None)
    if notes is not None:
        notes.append((name, state, how))
    else:
        (grad,) = contiguous(get_xp(value), dense_gradient(grad))
        _launch(name, value.dtype, [Entry(value, grad, state)], how)
    return True


def _launch_of(optimizer: Optimizer, value: Array, state: State, rate: float) -> tuple[str, list[Any], tuple[float, ...]] | None:
    """The kernel that the optimiser's ``update`` launches, the names of the state that it takes, and its numbers; None: none."""
    notes: list[tuple[str, tuple[Array | None, ...], tuple[float, ...]]] = []
    _asked.notes = notes
    try:
        optimizer.update(value, value, state, rate)  # only noted, so the gradient may be anything
    finally:
        _asked.notes = None
    if not notes:
        return None
    name, arrays, how = notes[0]
    return name, [next((key for key, array in state.items() if array is each), None) for each in arrays], how


@override(adam_update)
def adam_update_cuda(
    value: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
) -> None:
    alpha = rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)
    if not _run("adam_update", value, grad, (m, v, v_max), float(alpha), float(beta_1), float(beta_2), float(epsilon)):
        adam_update.reference(value, grad, m, v, v_max, rate, beta_1, beta_2, epsilon, step)


@override(nadam_update)
def nadam_update_cuda(
    value: Array,
    grad: Array,
    m: Array,
    v: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    momentum: float,
    next_momentum: float,
    product: float,
) -> None:
    of_m, of_g = rate * next_momentum / (1.0 - product * next_momentum), rate * (1.0 - momentum) / (1.0 - product)
    how = float(beta_1), float(beta_2), float(epsilon), float(1.0 - beta_2**step), float(of_m), float(of_g)
    if not _run("nadam_update", value, grad, (m, v), *how):
        nadam_update.reference(value, grad, m, v, rate, beta_1, beta_2, epsilon, step, momentum, next_momentum, product)


@override(adamax_update)
def adamax_update_cuda(
    value: Array, grad: Array, m: Array, u: Array, rate: float, beta_1: float, beta_2: float, epsilon: float, step: int
) -> None:
    alpha = rate / (1.0 - beta_1**step)
    if not _run("adamax_update", value, grad, (m, u), float(alpha), float(beta_1), float(beta_2), float(epsilon)):
        adamax_update.reference(value, grad, m, u, rate, beta_1, beta_2, epsilon, step)


@override(sgd_update)
def sgd_update_cuda(value: Array, grad: Array, m: Array | None, rate: float, momentum: float, nesterov: bool) -> None:
    if not _run("sgd_update", value, grad, (m,), float(rate), float(momentum), int(nesterov)):
        sgd_update.reference(value, grad, m, rate, momentum, nesterov)


@override(rmsprop_update)
def rmsprop_update_cuda(
    value: Array,
    grad: Array,
    v: Array,
    mean: Array | None,
    m: Array | None,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    if not _run("rmsprop_update", value, grad, (v, mean, m), float(rate), float(rho), float(momentum), float(epsilon)):
        rmsprop_update.reference(value, grad, v, mean, m, rate, rho, momentum, epsilon)


@override(adagrad_update)
def adagrad_update_cuda(value: Array, grad: Array, total: Array, rate: float, epsilon: float) -> None:
    if not _run("adagrad_update", value, grad, (total,), float(rate), float(epsilon)):
        adagrad_update.reference(value, grad, total, rate, epsilon)


@override(adadelta_update)
def adadelta_update_cuda(value: Array, grad: Array, grad_mean: Array, step_mean: Array, rate: float, rho: float, epsilon: float) -> None:
    if not _run("adadelta_update", value, grad, (grad_mean, step_mean), float(rate), float(rho), float(epsilon)):
        adadelta_update.reference(value, grad, grad_mean, step_mean, rate, rho, epsilon)


@override(lion_update)
def lion_update_cuda(value: Array, grad: Array, m: Array, rate: float, beta_1: float, beta_2: float) -> None:
    if not _run("lion_update", value, grad, (m,), float(rate), float(beta_1), float(beta_2)):
        lion_update.reference(value, grad, m, rate, beta_1, beta_2)


@override(ftrl_update)
def ftrl_update_cuda(
    value: Array,
    grad: Array,
    total: Array,
    linear: Array,
    rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> None:
    how = float(rate), float(power), float(l1), float(2.0 * l2 + beta / rate), float(shrinkage)
    if not _run("ftrl_update", value, grad, (total, linear), *how):
        ftrl_update.reference(value, grad, total, linear, rate, power, l1, l2, shrinkage, beta)


# --- all Parameters at once --------------------------------------------------------------------------------------------


@override(update_together, types=None)
def update_together_cuda(
    value: Array, optimizer: Optimizer, work: dict[Parameter, Gradient], factor: float, rate: float
) -> dict[Parameter, Any]:
    """The norms that are to be clipped, in a few launches; then one launch for up to ``MOST`` arrays of a type, a rate and a state."""
    scales, scale_of = None, dict.fromkeys(work, 0)
    if optimizer.clipnorm or optimizer.global_clipnorm:
        scales = _scales(type(value), list(work.values()), factor, optimizer.clipnorm, optimizer.global_clipnorm)
        if scales is None:
            return clip_factors(work, factor, optimizer.clipnorm, optimizer.global_clipnorm)
        if optimizer.clipnorm:
            scale_of = {p: i for i, p in enumerate(work)}
    if _is_known(optimizer):
        groups: dict[Any, list[tuple[Parameter, Array, Array, State]]] = {}
        for p, gradient in work.items():
            state = optimizer.state(p)
            if _fits(type(value), p.value, gradient, state):
                kind = p.dtype, rate * optimizer.rate_multiplier(p), tuple(state)
                groups.setdefault(kind, []).append((p, *_gradient(optimizer, p, gradient), state))
        for (dtype, rate_here, _), members in groups.items():
            launch = _launch_of(optimizer, members[0][0].value, members[0][-1], rate_here)
            entries = []
            for p, grad, rows, state in members:
                del work[p]
                if launch is not None:
                    arrays = tuple([None if name is None else state[name] for name in launch[1]])
                    entries.append(Entry(p.value, grad, arrays, rows, 1.0 - optimizer.decay_of(p) * rate_here, scale_of[p]))
            if launch is not None:
                _launch(launch[0], dtype, entries, launch[2], scales, float(factor), float(optimizer.clipvalue or 0.0))
    if scales is not None:
        return {p: scales[scale_of[p]] * factor for p in work}
    return {} if factor == 1.0 else dict.fromkeys(work, factor)


def _is_known(optimizer: Optimizer) -> bool:
    """Whether nobody has written another update, in a class or on the optimiser itself."""
    update, update_arrays = optimizer.update, optimizer.update_arrays
    known = {kind.update for kind in OPTIMIZERS}
    return getattr(update, "__func__", None) in known and getattr(update_arrays, "__func__", None) is Optimizer.update_arrays


@functools.cache
def _computes(dtype: Any) -> bool:
    """Whether there are kernels for this type of numbers."""
    return dtype.name in FLOATS


def _fits(kind: Any, value: Array, gradient: Gradient, state: State) -> bool:
    """Whether the kernels can take these."""
    given = gradient.values if isinstance(gradient, RowGradient) else gradient
    if type(value) is not kind or type(given) is not kind or not _computes(value.dtype) or given.dtype.kind == "c":
        return False
    shape, dtype = value.shape, value.dtype
    for a in state.values():
        if type(a) is not kind or a.shape != shape or a.dtype != dtype or not a.flags.c_contiguous:
            return False
    return bool(value.flags.c_contiguous)


def _gradient(optimizer: Optimizer, p: Parameter, gradient: Gradient) -> tuple[Array, Array]:
    """The gradient's numbers, and the rows that they are of; None: they are all."""
    rows = None
    if isinstance(gradient, RowGradient):
        if optimizer.lazy_rows and optimizer.is_elementwise(p):
            rows, gradient = as_ids(gradient.rows), gradient.values
        else:
            gradient = gradient.to_dense()
    if gradient.dtype != p.dtype:
        gradient = gradient.astype(p.dtype)
    return (gradient if gradient.flags.c_contiguous else get_xp(gradient).ascontiguousarray(gradient)), rows


def _scales(kind: Any, gradients: list[Gradient], factor: float, clipnorm: float | None, global_clipnorm: float | None) -> Array:
    """What clips each gradient's norm, or (one number) that of all; None where the kernels can't."""
    given = [g.values if isinstance(g, RowGradient) else g for g in gradients]
    dtype = given[0].dtype
    if not _computes(dtype) or any(type(a) is not kind or a.dtype != dtype for a in given):
        return None
    xp = get_xp(given[0])
    entries = [Entry(None, a, scale=i) for i, a in enumerate(contiguous(xp, *given))]
    parts = list(_parts(entries, NORM_CHUNK))
    wide = "float64" if dtype == "float64" else "float32"
    total = sum(blocks for _, blocks in parts)
    sums, scales = xp.empty(total, dtype=wide), xp.empty(len(entries) if clipnorm else 1, dtype=wide)
    begin = 0
    for table, blocks in parts:
        part = sums[begin : begin + blocks]
        SOURCE.run("square_sums", dtype, (blocks,), (256,), table, part)
        if clipnorm:
            SOURCE.run("norm_scales", dtype, (table.members[0],), (256,), table, part, scales, blocks, float(factor), float(clipnorm))
        begin += blocks
    if global_clipnorm:
        table, _ = _table(entries[:1], NORM_CHUNK)
        SOURCE.run("norm_scales", dtype, (1,), (256,), table, sums, scales, total, float(factor), float(global_clipnorm))
    return scales


@override(move_averages, types=None)
def move_averages_cuda(value: Array, averages: list[Array], values: list[Array], share: float) -> None:
    by_type: dict[Any, list[Entry]] = {}
    for average, each in zip(averages, values, strict=True):
        if _fits(type(value), average, each, {}) and average.dtype == each.dtype:
            by_type.setdefault(each.dtype, []).append(Entry(average, contiguous(get_xp(each), each)[0]))
        else:
            move_averages.reference(each, [average], [each], share)
    for dtype, entries in by_type.items():
        _launch("average_update", dtype, entries, (float(share),))
