"""The probe in a model file: inputs made up when it is saved, and what every layer made of them.

Loading runs the probe again. The weights are compared by their checksums before, so what still differs is what computes:
another version of the code or of a library, another processor or number of threads, or a custom class that changed.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .backend import to_host
from .data import as_array
from .errors import FileError
from .feeding import example_rows, first_reader, model_dtype
from .feeds import backend_of_model
from .graph import shape_options
from .random import Stream
from .tensorfile import TensorFile, sum_of
from .text import TextVectorization
from .tracking import layer_outputs, memory_kept
from .types import Array

KEPT = 16  # numbers of each layer's output that the file holds, to tell rounding from a difference
ROWS = 2
MEMORY = 2**28  # numbers in one layer's output of the probe; a hostile configuration may ask for any amount


def make_probe(model: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Run a few made-up rows through ``model``; its layers' outputs go into ``tensors``. None where rows can't be made."""
    texts = _texts(model)
    inputs = _made_up(model, texts)
    if inputs is None:
        return None
    try:
        found = _run(model, inputs, texts)
    except (ValueError, TypeError, IndexError):  # the model wants inputs of a kind that can't be guessed
        return None
    tensors.update({f"probe/input/{i}": x for i, x in enumerate(inputs)})
    tensors.update({f"probe/output/{i}": sample for i, (_, sample, _) in enumerate(found)})
    return {"texts": texts, "layers": [[name, crc] for name, _, crc in found]}


def run_probe(model: Any, probe: Any, file: TensorFile) -> str:
    """Compare ``model`` with what ``make_probe`` saw: 'identical', 'within rounding', 'different' or 'not probed'."""
    if probe is None:
        return "not probed"
    try:
        texts, layers = dict(probe["texts"]), [(str(name), int(crc)) for name, crc in probe["layers"]]
        count = sum(name.startswith("probe/input/") for name in file.names())
        stored = tuple(file.read(f"probe/input/{i}") for i in range(count))
        wanted = [file.read(f"probe/output/{i}") for i in range(len(layers))]
    except (KeyError, TypeError, ValueError) as problem:
        raise FileError(f"{file.path}: its probe is none of LS ({type(problem).__name__}: {problem})") from problem
    try:
        largest = _largest_output(model, [(ROWS, *x.shape[1:]) for x in stored])
    except (ValueError, TypeError, IndexError, NotImplementedError):  # shapes that don't fit: the run below says so
        largest = 0.0
    if largest > MEMORY:
        raise FileError(f"{file.path}: a layer of its configuration makes {largest:.1e} numbers of {ROWS} rows; such a file is refused")
    try:
        for i, vectorization in (getattr(model, "vectorizations", None) or {}).items():
            if not np.array_equal(to_host(vectorization(texts[str(i)])), stored[i]):
                return _differs(file, f"the vectorization of input {i} makes other ids of the same text")
        found = _run(model, stored, texts)
    except (ValueError, TypeError, IndexError, KeyError, MemoryError) as problem:
        return _differs(file, f"the model no longer takes the rows that it took when it was saved ({problem})")
    if [name for name, _, _ in found] != [name for name, _ in layers]:
        return _differs(file, "its layers run in another order than when it was saved")
    result = "identical"
    for (name, now, crc), (_, saved_crc), then in zip(found, layers, wanted, strict=True):
        if crc == saved_crc and now.dtype == then.dtype:
            continue
        if now.shape != then.shape or now.dtype != then.dtype or not _close(now, then):
            return _differs(file, f"the first layer whose output differs is '{name}'")
        result = "within rounding"
    return result


def run_zeros(model: Any, path: str) -> None:
    """Run a row of zeros through ``model``, which builds what is not built yet; never a row that takes much memory.

    Raises
    ------
    FileError
        A layer would make more than ``MEMORY`` numbers of it.
    """
    seen = tuple(getattr(model, "_seen_shape", None) or ())[1:]
    if math.prod(float(n or 1) for n in seen) > MEMORY:
        raise FileError(f"{path}: rows of shape {seen} are too large to build its layers on; such a file is refused")
    rows = example_rows(model)
    if rows is not None:
        try:
            largest = _largest_output(model, [x.shape for x in rows])
        except NotImplementedError:  # a class derived from Model that tells no shape: code of the user's, not of the file
            largest = 0.0
        if largest > MEMORY:
            raise FileError(f"{path}: a layer of its configuration makes {largest:.1e} numbers of a row; such a file is refused")
        with memory_kept(model):
            model(*rows)


def _differs(file: TensorFile, what: str) -> str:
    warnings.warn(
        f"{file.path}: the weights are those that were saved, but the model computes something else than it did then: {what}. "
        "A custom class or a version of LS has changed; compare with the ones that wrote the file.",
        stacklevel=4,
    )
    return "different"


def _run(model: Any, inputs: tuple[Array, ...], texts: dict[str, list[str]]) -> list[tuple[str, np.ndarray, int]]:
    """(layer's path, first numbers of its output, checksum of all) for each layer, in the order in which they run."""
    backend = backend_of_model(model)
    rows = tuple(as_array(texts[str(i)]) if x.size == 0 else backend.to_device(x) for i, x in enumerate(inputs))
    found = []
    for layer, y in layer_outputs(model, rows, training=False):
        if y is not None and hasattr(y, "dtype"):
            host = to_host(y)
            found.append((layer.path.partition("/")[2], np.array(host.ravel()[:KEPT]), sum_of(host)))
    return found


def _largest_output(model: Any, shapes: list[Any]) -> float:
    """The size of the largest output of any layer for inputs of these shapes, by output_shape alone."""
    largest = 0.0
    if hasattr(model, "_layers"):
        for layer in model._layers:
            largest = max(largest, _largest_output(layer, shapes))
            shapes = _listed(layer.output_shape(shapes[0] if len(shapes) == 1 else shapes))
    elif getattr(model, "_symbols_in", None):
        known = dict(zip(model._in_slots, shapes, strict=True))
        for layer, sources, options, _, outs in model._steps:
            given = [known[s] for s in sources]
            largest = max(largest, _largest_output(layer, given))
            result = layer.output_shape(given[0] if len(given) == 1 else given, **shape_options(layer, options))
            known.update(zip(outs, _listed(result), strict=True))
    else:
        for shape in _listed(model.output_shape(shapes[0] if len(shapes) == 1 else shapes)):
            largest = max(largest, math.prod(float(n or 1) for n in shape))
    return largest


def _listed(shapes: Any) -> list[Any]:
    return shapes if isinstance(shapes, list) else [shapes]


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two samples of an output agree as far as rounding in another order lets them."""
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    a, b, eps = a.astype(np.float64), b.astype(np.float64), float(np.finfo(a.dtype).eps)
    return bool(np.allclose(a, b, rtol=0, atol=min(1000 * eps, 0.05) * max(1.0, float(np.abs(b).max(initial=0))), equal_nan=True))


def _texts(model: Any) -> dict[str, list[str]]:
    """A text for every input that takes texts: a few words of the vocabulary, and one that can't be in it."""
    readers = {i: first_reader(model, i) for i in range(len(getattr(model, "_symbols_in", None) or "x"))}
    readers.update(getattr(model, "vectorizations", None) or {})
    known = {i: reader for i, reader in readers.items() if isinstance(reader, TextVectorization)}
    return {str(i): [" ".join([*reader.get_vocabulary()[2:10], "\u2047"])] * ROWS for i, reader in known.items()}


def _made_up(model: Any, texts: dict[str, list[str]]) -> tuple[np.ndarray, ...] | None:
    """Rows for every input: ids of texts, ids below the first layer's input_dim, or floats; None where that isn't known.

    An input that takes texts itself gets an empty array: its texts stand in the header.
    """
    shapes = [s.shape for s in model._symbols_in] if getattr(model, "_symbols_in", None) else [getattr(model, "_seen_shape", None)]
    generator = Stream("probe", 0).generator  # its own numbers: saving moves no stream
    rows = []
    for i, shape in enumerate(shapes):
        reader = first_reader(model, i)
        kind = reader.input_kind if reader is not None else "floats"
        if str(i) in texts:
            own = (getattr(model, "vectorizations", None) or {}).get(i)
            rows.append(np.zeros(0) if own is None else to_host(own(texts[str(i)])))
        elif shape is None or kind == "any":
            return None
        else:
            full = (ROWS, *(1 if n is None else n for n in shape[1:]))
            limit = getattr(reader, "input_dim", None) or 1
            ids = kind == "ids"
            rows.append(generator.integers(0, limit, full) if ids else generator.standard_normal(full).astype(model_dtype(model)))
    return tuple(rows)
