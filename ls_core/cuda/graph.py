"""A training step captured as a CUDA graph: ``compile(jit_compile=True)``. See docs/cuda.md.

Forward, loss and backward (``Trainer.find_gradients``) are captured once for each shape of batch, after steps that warm up, and launched
from then on. The batch is copied into arrays that stay; draws take keys that lie on the device; what the step gave lies
in the graph's memory, which the next launch overwrites. Where a step can't be captured, or not any more, it runs as it would have.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import operator
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from ..backend import backend_of
from ..data import map_tree
from ..evaluation import Evaluator
from ..layer import Layer
from ..parameter import RowGradient
from ..random import KeyedDraws, drawing_by_keys
from ..types import Array
from .watch import Watch

WARM_UP = 2  # steps of a shape before it is captured: the first compiles kernels and lets the optimiser join Parameters
SHAPES = 2  # of batches that are captured: the whole batch, and the last one of an epoch
CHANGES = 10  # captures that something changed made worthless, before it is given up


class CapturedSteps:
    """The captured steps of one compiled model."""

    def __init__(self) -> None:
        self.given_up = False
        self._steps: dict[Any, Step] = {}
        self._changes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return CapturedSteps, ()  # a copy of the model captures for itself

    def find_gradients(self, model: Any, x: tuple[Array, ...], y: Any, weights: Any) -> Any:
        """``model.find_gradients(x, y, weights)``, as a graph's launch where there is one."""
        batch = (x, y, weights)
        xp = backend_of(x[0]).xp
        form = None if self.given_up or not hasattr(xp, "cuda") else _form(batch, type(x[0]))
        step = self._steps.get(form)
        if form is None or (step is None and len(self._steps) == SHAPES) or not _fresh(model, type(x[0])):
            return model.find_gradients(*batch)
        if step is not None and step.graph is not None and not step.watch.unchanged(model):
            self._changes += 1
            if self._changes == CHANGES:
                self._give_up(model, f"{step.watch.changes()} changes again and again, which makes a graph worthless")
                return model.find_gradients(*batch)
            step = None
        if step is None:
            step = self._steps[form] = Step(xp)
        if step.graph is None:
            if step.warm < WARM_UP:
                return step.warm_up(model, batch)
            try:
                step.capture(model, batch)
            except Exception as problem:  # of CUDA's, of CuPy's, of a layer's: the step itself will say what is wrong with it
                self._give_up(model, _told(problem))
                return model.find_gradients(*batch)
        elif step.somebody_keeps_what_it_gave():
            step = self._steps[form] = step.with_copies()
            return step.warm_up(model, batch)
        return step.launch(model, batch)

    def _give_up(self, model: Any, cause: str) -> None:
        self.given_up = True
        self._steps.clear()
        warnings.warn(
            f"{model}: its training step is not captured in a CUDA graph and runs as without jit_compile=True, since {cause}",
            UserWarning,
            stacklevel=5,
        )


class Step:
    """The step for one shape of batch."""

    def __init__(self, xp: Any) -> None:
        self.xp, self.cuda = xp, xp.cuda
        self.warm = 0  # steps that warmed up
        self.graph: Any = None
        self.copies = False  # of all that it gives
        self._stream, self._pool = _stream(self.cuda), self.cuda.MemoryPool()
        self._draws = KeyedDraws()

    def warm_up(self, model: Any, batch: Any) -> Any:
        """The step, not captured, but on the stream and with the memory that will be."""
        self.warm += 1
        self._draws = KeyedDraws()
        with self._beside(), drawing_by_keys(self._draws):
            return model.find_gradients(*batch)

    def capture(self, model: Any, batch: Any) -> None:
        """Capture the step without running it.

        Raises
        ------
        Exception
            Whatever kept it from being captured; then nothing has changed.
        """
        count = len(self._draws.draws)
        self._batch = map_tree(lambda array: array.copy(order="C"), batch)
        self._draws = KeyedDraws(self.xp.zeros(count, dtype="int64"))
        self.watch = Watch(model)
        collects = gc.isenabled()
        gc.disable()  # what is collected may free memory, streams or graphs in the middle of the capture
        try:
            with self._beside(), drawing_by_keys(self._draws), _no_copies_from_the_host(self.xp):
                self._stream.begin_capture()
                try:
                    found = model.find_gradients(*self._batch)
                except BaseException:
                    with contextlib.suppress(Exception):
                        self._stream.end_capture()
                    raise
                graph = self._stream.end_capture()
            if not self.watch.unchanged(model):
                raise RuntimeError(f"{self.watch.changes()} changes within the step, on the host")
        except BaseException:
            self.watch.put_back()
            raise
        finally:
            gradients = [(p, p.grad) for p in model._all_parameters if p.grad is not None]
            for parameter in model._all_parameters:
                parameter.drop_grad()
            if collects:
                gc.enable()
        self.graph, self._found, self._gradients = graph, found, gradients
        del found, gradients
        gc.collect()  # so that references are counted right
        found_arrays = [*_arrays(self._found), *itertools.chain.from_iterable(_parts(g) for _, g in self._gradients)]
        self._given = [each for array in found_arrays for each in (array, array.data.mem)]
        del found_arrays
        self._references = self._count_references()

    def launch(self, model: Any, batch: Any) -> Any:
        """The step: what ``find_gradients`` returns, and the gradients in the Parameters."""
        for target, source in zip(_arrays(self._batch), _arrays(batch), strict=True):
            target[...] = source
        self._draws.fill()
        self.graph.launch()
        copies = self.copies or getattr(model.optimizer, "gradient_accumulation_steps", None)  # the optimiser keeps them
        for parameter, gradient in self._gradients:
            parameter.grad = _copy(gradient) if copies else _same(gradient)
        return map_tree(_copy if self.copies else _same, self._found)  # in lists and tuples of their own

    def somebody_keeps_what_it_gave(self) -> bool:
        """Whether anybody but this step holds an array that the next launch would overwrite (a metric, a watcher, an optimiser)."""
        now = self._count_references()
        if now == self._references:
            return False
        self._references, before = list(map(min, now, self._references)), self._references  # somebody may have let go since the capture
        return any(map(operator.gt, now, before))

    def _count_references(self) -> list[int]:
        return list(map(sys.getrefcount, self._given))

    def with_copies(self) -> Step:
        """A new one, whose arrays may be kept. The memory of this one's is never written to again."""
        step = Step(self.xp)
        step.copies = True
        return step

    @contextlib.contextmanager
    def _beside(self) -> Iterator[None]:
        """On this step's stream and in its memory, after all that the current stream has been given; which goes on after it."""
        current, stream = self.cuda.get_current_stream(), self._stream
        stream.wait_event(current.record(self.cuda.Event(disable_timing=True)))
        try:
            with stream, self.cuda.using_allocator(self._pool.malloc):
                yield
        finally:
            current.wait_event(stream.record(self.cuda.Event(disable_timing=True)))


_streams: dict[tuple[int, int, int], Any] = {}


def _stream(cuda: Any) -> Any:
    """This thread's stream that captures: one for all steps, since cuBLAS has memory for each stream."""
    key = id(cuda), threading.get_ident(), cuda.runtime.getDevice()
    if key not in _streams:
        _streams[key] = cuda.Stream(non_blocking=True)
    return _streams[key]


def _fresh(model: Any, kind: type) -> bool:
    """Whether all Parameters are on the batch's device, and none has a gradient that this step's would be added to."""
    return all(p.grad is None and type(p.value) is kind for p in model._all_parameters)


def _form(tree: Any, kind: Any) -> Any:
    """The types and shapes of a batch; None if not all of it are arrays of that kind."""
    if tree is None:
        return ()
    if isinstance(tree, (list, tuple)):
        forms = tuple(_form(each, kind) for each in tree)
        return None if None in forms else forms
    if isinstance(tree, dict):
        form = _form(list(tree.values()), kind)
        return None if form is None else (*tree, form)
    return (tree.shape, tree.dtype) if type(tree) is kind else None


def _arrays(tree: Any) -> Iterator[Any]:
    """The arrays of a tree, in order."""
    if isinstance(tree, (list, tuple, dict)):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _arrays(each)
    elif tree is not None:
        yield tree


def _parts(gradient: Any) -> tuple[Any, ...]:
    return (gradient.rows, gradient.values) if isinstance(gradient, RowGradient) else (gradient,)


def _same(array: Any) -> Any:
    return RowGradient(array.rows, array.values, array.shape) if isinstance(array, RowGradient) else array


def _copy(array: Any) -> Any:
    if isinstance(array, RowGradient):
        return RowGradient(array.rows.copy(), array.values.copy(), array.shape)
    return array.copy()


@contextlib.contextmanager
def _no_copies_from_the_host(xp: Any) -> Iterator[None]:
    """Inside, a copy of this thread's from the host is an error: CUDA would note an address where something else lies later.

    CuPy copies by way of pinned memory.
    """
    thread, pool = threading.get_ident(), xp.get_default_pinned_memory_pool()

    def refuse(size: int) -> Any:
        if threading.get_ident() != thread:
            return pool.malloc(size)
        raise RuntimeError(
            f"{size} bytes are copied from the host in each step: a constant that is no array of the device "
            "(a Parameter with trainable=False is one), or a list of nine arrays or more that are joined"
        )

    xp.cuda.set_pinned_memory_allocator(refuse)
    try:
        yield
    finally:
        xp.cuda.set_pinned_memory_allocator(pool.malloc)


def _told(problem: Exception) -> str:
    """The layer in which an error came up, what it was, and what helps."""
    layer, trace = None, problem.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_locals.get("self")
        if isinstance(found, Layer) and not (layer is not None and isinstance(found, Evaluator)):
            layer = found
        trace = trace.tb_next
    cause = f"{type(problem).__name__}: {problem}"
    if isinstance(problem, NotImplementedError) and "cuBLAS" in cause:
        cause += "; multiply by ls_core.matmul(a, b) in place of CuPy's products (@, matmul, dot, einsum ...)"
    return cause if layer is None else f"in {layer}: {cause}"


__all__ = ["CapturedSteps"]
