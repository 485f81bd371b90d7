"""Feeds: the batches of an epoch one after the other, with a position from which a resumed run goes on.

A feed counts the batches that it has given out in this epoch (``step``). Iterating goes on at that place; ``end_epoch`` begins
the next epoch, as in Keras with the data that ``steps_per_epoch`` left over. ``get_state`` says where it stands, and
``set_state`` of a new feed over the same data brings it there: the order is drawn again from the random state before it, and
batches that were given out are passed over.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from .backend import backend_of, current_backend, to_device
from .data import is_texts, map_tree
from .random import get_random_state, random_stream, set_random_state
from .types import Array

Batch = tuple[tuple[Array, ...], Any, Any]  # inputs, targets, sample weights


class ArrayFeed:
    """Rows of host arrays in batches, shuffled anew each epoch if asked."""

    exhausted = False

    def __init__(self, x: list[Any], y: Any, weights: Any, batch_size: int | None, model: Any, shuffle: bool, steps: int | None) -> None:
        self.x, self.y, self.weights, self.model, self.shuffle, self.limit = x, y, weights, model, shuffle, steps
        self.rows = len(x[0])
        self.batch_size = max(1, min(batch_size or self.rows, self.rows))
        self._given_size = self.batch_size
        self._drawn_from: Any = None  # the state of the shuffle's stream before this epoch's order
        self._order: Any = None
        self.rewind()

    @property
    def steps(self) -> int:
        """Batches in an epoch, at this batch size."""
        whole = math.ceil(self.rows / self.batch_size)
        return whole if self.limit is None else min(self.limit, whole)

    def rewind(self) -> None:
        """Stand before the first batch."""
        self.step = self.row = 0

    def end_epoch(self) -> None:
        """Stand before the next epoch, which goes on with the rows that a limit of steps has left over."""
        if self.limit is None or self.row >= self.rows:
            self.row = 0
        self.step = 0

    def __iter__(self) -> Iterator[Batch]:
        if self.row == 0 and self.shuffle:
            self._draw_order()
        while self.row < self.rows and (self.limit is None or self.step < self.limit):
            part = slice(self.row, min(self.row + self.batch_size, self.rows))
            self.row, self.step = part.stop, self.step + 1
            yield self._take(part if self._order is None else self._order[part])
        self.end_epoch()

    def close(self) -> None:
        """The run is over."""

    def _draw_order(self) -> None:
        generator = random_stream(f"{self.model.path}/shuffle").generator
        self._drawn_from = generator.bit_generator.state
        self._order = generator.permutation(self.rows)

    def first_rows(self) -> tuple[Array, ...]:
        """One row of every input, to build the model on."""
        return self._take(slice(0, 1))[0]

    def first_batch(self) -> Batch:
        """The first rows, as many as a batch has, in their own order."""
        return self._take(slice(0, self.batch_size))

    def _take(self, rows: Any) -> Batch:
        backend = backend_of_model(self.model)

        def take(column: Any) -> Any:
            part = column[rows]
            return part if is_texts(part) else to_device(part, backend)

        x, y, weights = (map_tree(take, tree) for tree in (self.x, self.y, self.weights))
        return tuple(x), y, weights

    def get_state(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "given_size": self._given_size,
            "batch_size": self.batch_size,
            "step": self.step,
            "row": self.row,
            "drawn_from": self._drawn_from if self.row else None,
        }

    def set_state(self, state: dict[str, Any]) -> Collection[str]:
        """Stand where ``get_state`` stood; returns the random streams that must be left as they are now: none."""
        for name, ours in (("rows", self.rows), ("given_size", self._given_size)):
            if state.get(name) != ours:
                raise ValueError(
                    f"the checkpoint's run had {state.get('rows')} rows in batches of {state.get('given_size')}, "
                    f"this one has {self.rows} in batches of {self._given_size}; it can't be continued on other data"
                )
        self.batch_size, self.step, self.row = state["batch_size"], state["step"], state["row"]
        if state["drawn_from"] is not None:
            random_stream(f"{self.model.path}/shuffle").generator.bit_generator.state = state["drawn_from"]
            self._draw_order()
        return ()


class StreamFeed:
    """Batches from a generator, a DataLoader or any iterable of batches; ``convert`` makes a Batch of one."""

    batch_size = None  # the batches come as they are
    exhausted = False  # a generator has ended before an epoch was complete, and begins no other

    def __init__(self, batches: Iterable[Any], convert: Callable[[Any], Batch], steps: int | None) -> None:
        self.batches, self.convert = batches, convert
        self.endless = iter(batches) is batches  # a generator goes on where it stopped; a loader begins anew each epoch
        self.step = 0
        self._made_at = get_random_state()
        self._begin()
        try:
            self._length: int | None = len(batches)  # type: ignore[arg-type]
        except TypeError:
            self._length = None
        self.limit = steps
        self.steps = self._length if steps is None else steps

    def _begin(self) -> None:
        self._iterator, self._ended = iter(self.batches), False
        self._began: dict[str, Any] | None = None  # what the data's random numbers stood on before the first batch
        self._first: list[Batch] = []  # looked at, not given out yet
        self.taken = 0  # given out since the iterator began

    def _next(self) -> Batch:
        if self._first:
            return self._first.pop()
        if self._began is None:  # a loader draws its order with its first batch
            self._began = {"random": get_random_state(), "loader": self._loader_state()}
        return self.convert(next(self._iterator))

    def _loader_state(self) -> Any:
        return self.batches.get_state() if hasattr(self.batches, "get_state") else None

    def first_batch(self) -> Batch:
        """The next batch, which stays the next."""
        if not self._first:
            try:
                self._first.append(self._next())
            except StopIteration:
                raise ValueError("the data gave no batch at all") from None
        return self._first[0]

    def first_rows(self) -> tuple[Array, ...]:
        """One row of every input, to build the model on."""
        return tuple(x[:1] for x in self.first_batch()[0])

    def rewind(self) -> None:
        """Stand before the first batch; a generator can't go back."""
        if self.taken and not self.endless:
            self._begin()
        self.step = 0

    def end_epoch(self) -> None:
        """Stand before the next epoch, which goes on with the batches that a limit of steps has left over."""
        if self.limit is None or self._ended or self.taken == self._length:
            self.rewind()
        self.step = 0

    def __iter__(self) -> Iterator[Batch]:
        while self.steps is None or self.step < self.steps:
            try:
                batch = self._next()
            except StopIteration:
                if self.taken and not self.step and not self.endless:  # the epoch before ended with the data
                    self._begin()
                    continue
                self._ended = True
                self._note_end()
                break
            self.step, self.taken = self.step + 1, self.taken + 1
            yield batch
        self.end_epoch()

    def close(self) -> None:
        """The run is over: a loader's thread ends. A generator may be read further."""
        if not self.endless and hasattr(self._iterator, "close"):
            self._iterator.close()

    def _note_end(self) -> None:
        if self.endless and (self.step == 0 or self.steps is not None):
            self.exhausted = True
            wanted = f"{self.steps} batches an epoch were asked for" if self.steps is not None else "another epoch was asked for"
            warnings.warn(
                f"the generator ended after {self.taken} batches, and {wanted}: it ends here. A generator can't begin anew; "
                "give a DataLoader, a list of batches, or one that goes on.",
                UserWarning,
                stacklevel=4,
            )

    def get_state(self) -> dict[str, Any]:
        return {"step": self.step, "taken": self.taken, "began": self._began, "loader": self._loader_state()}

    def set_state(self, state: dict[str, Any]) -> Collection[str]:
        """Stand where ``get_state`` stood; returns the random streams that the data draws from.

        They are to be left as they are now: a thread may be drawing from them ahead of the batches in use.
        """
        self.step = state["step"]
        began = state["began"]
        before = self._made_at["streams"]
        if not self.endless:
            loader = began["loader"] if began else state["loader"]
            if loader is not None:
                self.batches.set_state(loader)  # type: ignore[attr-defined]
            self._begin()
            if not began:
                return ()
            set_random_state(began["random"])
            before = began["random"]["streams"]
            self.first_batch()
        self._pass_over(state["taken"])
        return [name for name, inner in get_random_state()["streams"].items() if before.get(name) != inner]

    def _pass_over(self, count: int) -> None:
        if self.taken > count:
            raise ValueError("a generator can't go back; give fit a DataLoader, or the generator from its beginning")
        while self.taken < count:
            if self._first:
                self._first.pop()
            elif next(self._iterator, None) is None:
                raise ValueError(f"the checkpoint's run had taken {count} batches, this data ends after {self.taken}; it is other data")
            self.taken += 1


Feed = ArrayFeed | StreamFeed


def backend_of_model(model: Any) -> Any:
    """Where the model's Parameters live; the current backend before there are any."""
    for layer in model._flatten() if model.built else ():  # asked for each batch: no list of all Parameters for the sake of one
        for parameter in layer._weights:
            return backend_of(parameter.value)
    return current_backend()
