"""Feeding: whatever fit, evaluate and predict are given, as batches of arrays on the model's backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .backend import floatx, to_device, to_host
from .data import DataLoader, Dataset, IterableDataset, as_array, as_arrays, count_rows, is_texts, map_tree, split_validation
from .errors import ShapeError
from .feeds import ArrayFeed, Batch, Feed, StreamFeed, backend_of_model
from .layer import Layer
from .objective import closing_layer
from .text import LabelIndex, learn_vectorization
from .text.texts import is_pandas
from .types import Array

# --- entry points of training.py ---------------------------------------------------------------------


def feed(model: Any, x: Any, y: Any, weights: Any, batch_size: int, steps: int | None = None) -> Feed:
    """What evaluate and predict read."""
    x = in_batches(x, batch_size, False)
    if is_stream(x):
        return stream_batches(model, x, steps)
    return feed_arrays(model, x, y, weights, None, batch_size, False, steps, learn=False)


def feed_fit(
    model: Any,
    x: Any,
    y: Any,
    weights: Any,
    class_weight: Any,
    batch_size: int | None,
    shuffle: bool,
    steps: int | None,
    validation_split: float,
    validation_data: Any,
    validation_batch_size: int,
    validation_steps: int | None,
) -> tuple[Feed, Feed | None]:
    """What fit reads: (training part, validation part or None). Vocabulary and labels are learned here."""
    x, validation_data = in_batches(x, batch_size, shuffle), in_batches(validation_data, validation_batch_size, False)
    if is_stream(x):
        if y is not None or validation_split:
            raise ValueError(
                "a generator or loader brings its own targets; leave out y, and pass validation_data instead of validation_split"
            )
        train: Feed = stream_batches(model, x, steps, class_weight)
        held_out: Any = None
    else:
        parts = (
            as_arrays(x, "x"),
            y if y is None else as_arrays(y, "y"),
            weights if weights is None else as_arrays(weights, "sample_weight"),
        )
        count_rows(x=parts[0], y=parts[1], sample_weight=parts[2])
        one_class(model, y)
        held_out = None
        if validation_split:
            parts, held_out = split_validation(parts, validation_split)
        train = feed_arrays(model, parts[0], parts[1], parts[2], class_weight, batch_size, shuffle, steps, learn=True)
    if validation_data is not None:
        if is_stream(validation_data):
            return train, stream_batches(model, validation_data, validation_steps)
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError("validation_data is (x, y) or (x, y, sample_weight), a dataset, a loader or a generator")
        held_out = (*validation_data, None)[:3]
    if held_out is None:
        return train, None
    held_x, held_y, held_w = held_out
    return train, feed_arrays(model, held_x, held_y, held_w, None, validation_batch_size, False, validation_steps, learn=False)


def in_batches(data: Any, batch_size: int | None, shuffle: bool) -> Any:
    """A dataset gives samples: behind a loader it gives batches. Everything else as it is."""
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size or 32)
    return DataLoader(data, batch_size or 32, shuffle) if isinstance(data, Dataset) else data


def rows_per_batch(batch_size: Any) -> int:
    """``batch_size`` checked; 32 for None."""
    check_counts(batch_size=batch_size)
    return 32 if batch_size is None else int(batch_size)


def check_counts(least: int = 1, **counts: Any) -> None:
    """Raise unless each of these is an integer from ``least`` on, or None."""
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least):
            raise ValueError(f"{name} is {'a positive integer' if least else 'an integer from 0 on'}, not {count!r}")


def is_stream(x: Any) -> bool:
    """Whether ``x`` gives batches itself: a generator, an iterator or a loader."""
    if isinstance(x, (set, frozenset)):
        raise TypeError("a set has no order, so its rows belong to no target; give a list")
    return not isinstance(x, (list, tuple, dict, str)) and not hasattr(x, "shape") and hasattr(x, "__iter__")


def stream_batches(model: Any, batches: Iterable[Any], steps: int | None, class_weight: Any = None) -> StreamFeed:
    """A feed of what gives batches of x, (x, y) or (x, y, sample_weight) itself."""

    def convert(batch: Any) -> Batch:
        parts = list(batch) if isinstance(batch, tuple) else [batch]
        x, y, weights = [*parts, None, None][:3]
        return feed_arrays(model, x, y, weights, class_weight, None, False, None, learn=False).first_batch()

    return StreamFeed(batches, convert, steps)


def feed_arrays(
    model: Any, x: Any, y: Any, weights: Any, class_weight: Any, batch_size: int | None, shuffle: bool, steps: int | None, learn: bool
) -> ArrayFeed:
    """Arrays, lists, dicts or pandas objects as a feed. ``learn``: vocabulary and labels may be learned from them."""
    inputs = input_columns(model, x)
    encoded = [encode_input(model, i, column, learn) for i, column in enumerate(inputs)]
    targets = None if y is None else encode_targets(model, y, learn)
    sample = None if weights is None else map_tree(_floats, as_arrays(weights, "sample_weight"))
    if isinstance(sample, dict):
        sample = [sample.get(name) for name in model.output_names]
    rows = count_rows(x=encoded if len(encoded) > 1 else encoded[0], y=targets, sample_weight=sample)
    if rows == 0:
        raise ValueError("the data has no rows")
    if class_weight:
        sample = weigh_classes(model, targets, class_weight, sample)
    return ArrayFeed(encoded, targets, sample, batch_size, model, shuffle, steps)


# --- inputs ----------------------------------------------------------------------------------------


def input_columns(model: Any, x: Any) -> list[Any]:
    """``x`` as one column for each input of the model."""
    names = model.input_names if getattr(model, "_symbols_in", None) else ["x"]
    if isinstance(x, dict):
        missing = [name for name in names if name not in x]
        if missing:
            raise ValueError(f"{model} has inputs {', '.join(names)}; x has no {missing[0]!r}, it holds {', '.join(map(str, x))}")
        return [as_array(x[name], f"x[{name!r}]") for name in names]
    columns = as_arrays(x, "x")
    columns = columns if isinstance(columns, list) else [columns]
    if len(columns) != len(names) and len(names) == 1:
        columns = [as_array(x, "x")]  # a list of arrays that are rows
    if len(columns) != len(names):
        raise ValueError(f"{model} takes {len(names)} inputs ({', '.join(names)}), {len(columns)} came; pass a list, or a dict by name")
    return columns


def encode_input(model: Any, i: int, column: Any, learn: bool) -> Any:
    """A column as the array that input ``i`` wants: ids for texts, floats of the model's type for numbers."""
    reader = first_reader(model, i)
    if is_texts(column):
        if reader is not None and reader.input_kind == "ids":
            known = getattr(model, "vectorizations", None) or {}
            if i not in known:
                if not learn:
                    raise ValueError(
                        f"{model} has learned no vocabulary: fit it on texts first, or put a TextVectorization layer before {reader}"
                    )
                known[i] = learn_vectorization(column, reader.input_dim)  # type: ignore[attr-defined]
                model.vectorizations = known
            return to_host(known[i](column))
        if reader is not None and reader.input_kind == "any":
            return column
        raise ValueError(f"{model} got texts, but its first layer is {reader}; begin with an Embedding or a TextVectorization")
    if reader is not None and reader.input_kind != "floats":
        if reader.input_kind == "ids" and backend_of_model(model).name != "numpy":
            reader.check_ids(to_host(column))  # type: ignore[attr-defined]  # on the host: a device would have to be waited for
        return column
    if column.dtype.kind == "c":
        raise TypeError(f"input {i} of {model} holds complex numbers; give real and imaginary part as two features")
    return as_feature(model, i, column).astype(model_dtype(model), copy=False)


def as_feature(model: Any, i: int, column: Any) -> Any:
    """A column of numbers (B,) as the one feature (B, 1) that a model of such rows takes."""
    if column.ndim != 1:
        return column
    wanted = model._symbols_in[i].shape if getattr(model, "_symbols_in", None) else known_shape(model)
    if wanted is None or tuple(wanted[1:]) in ((1,), (None,)):
        return column.reshape(-1, 1)
    if len(wanted) == 1:
        return column
    raise ShapeError(f"{model} takes rows of shape {tuple(wanted[1:])}, and x has one axis, shape {column.shape}. A single row is x[None].")


def known_shape(model: Any) -> Any:
    """The shape of a Sequential's input: declared, or that of the data it was built on; None before."""
    declared = getattr(model, "_input", None)
    return getattr(model, "_seen_shape", None) if declared is None else declared.shape


def first_reader(model: Any, i: int) -> Layer | None:
    """The layer that input ``i`` meets first."""
    if hasattr(model, "_layers"):
        return first_reader(model._layers[0], 0) if model._layers else None
    if getattr(model, "_symbols_in", None):
        symbol = model._symbols_in[i]
        for node in model._nodes:
            if symbol in node.inputs:
                return first_reader(node.layer, node.inputs.index(symbol))
        return None
    if isinstance(getattr(model, "layer", None), Layer):  # a wrapper
        return first_reader(model.layer, i)
    return model if isinstance(model, Layer) else None


def model_dtype(model: Any) -> str:
    """The float type that the model computes in: that of its Parameters, else floatx()."""
    for parameter in model.parameters() if model.built else ():
        if parameter.dtype.kind == "f":
            return str(parameter.dtype)
    return floatx()


# --- targets ---------------------------------------------------------------------------------------

REGRESSIONS = (
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "Huber",
    "LogCosh",
    "Poisson",
)


def encode_targets(model: Any, y: Any, learn: bool) -> Any:
    """Targets as arrays: labels become class numbers (or one-hot rows, where the loss wants these)."""
    objective = model._objective
    if objective is not None and objective.several:
        return map_tree(_numbers, _targets_by_output(model, as_arrays(y, "y")))
    if isinstance(y, dict) and len(y) == 1:
        y = next(iter(y.values()))
    column = as_array(y[0] if isinstance(y, list) and len(y) == 1 and hasattr(y[0], "shape") else y, "y")
    index = getattr(model, "label_index", None)
    if is_texts(column) and objective is not None and type(objective.outputs[0].loss).__name__ in REGRESSIONS:
        raise TypeError(
            f"{objective.outputs[0].loss} measures distances between numbers, and y holds texts, such as {column.flat[0]!r}. "
            "For classes use sparse_categorical_crossentropy; for numbers that were read as texts y.astype(float)."
        )
    if not is_texts(column) and not (index is not None and column.dtype.kind == "b"):
        return _numbers(column)
    if index is None:
        if not learn:
            raise ValueError(f"the targets are texts, but {model} has learned no labels from fit")
        index = LabelIndex().fit(column)
        check_units(closing_layer(model), len(index))
        model.label_index = index
    ids = index.encode(column)
    loss = objective.outputs[0].loss if objective is not None else None
    if type(loss).__name__ == "CategoricalCrossentropy":
        return np.eye(len(index), dtype=model_dtype(model))[ids]
    return ids


def _targets_by_output(model: Any, tree: Any) -> list[Any]:
    """The targets of a model with several outputs, in their order."""
    names = model.output_names
    if isinstance(tree, dict):
        tree = [tree.get(name) for name in names]
    elif not isinstance(tree, list):
        raise ValueError(
            f"{model} has outputs {', '.join(names)}, and y is one array; give a list with targets for each, or a dict by name"
        )
    for name, target, output in zip(names, tree, model._objective.outputs, strict=False):
        if target is None and output.loss is not None:
            raise ValueError(f"{model}: output '{name}' has a loss and no targets; give y[{name!r}], or compile with a loss of None for it")
    return list(tree)


def check_units(layer: Any, classes: int) -> None:
    """Refuse a last layer that has fewer units than there are labels."""
    units = getattr(layer, "units", None)
    if units is not None and units < classes and not (units == 1 and classes == 2):
        raise ValueError(
            f"the labels are {classes} classes, but {layer} has {units} unit{'s' * (units > 1)}; give it {classes}, with softmax"
        )


def one_class(model: Any, y: Any) -> None:
    """Refuse a label column in which every row says the same."""
    loss = model._objective.outputs[0].loss
    if is_pandas(y, "Series") and len(y) > 1 and type(loss).__name__ == "SparseCategoricalCrossentropy" and y.nunique() == 1:
        raise ValueError(f"classification needs two classes or more; column {y.name!r} is {y.iloc[0]!r} everywhere")


def weigh_classes(model: Any, targets: Any, class_weight: dict[Any, float], sample: Any) -> np.ndarray:
    """Sample weights with each row's class weight in them."""
    if isinstance(targets, list) or targets is None:
        raise ValueError("class_weight needs one output with class targets; use sample_weight instead")
    if not isinstance(class_weight, dict):
        raise TypeError(f"class_weight is a dict, {{class: weight}}, not a {type(class_weight).__name__}")
    ids = targets.argmax(axis=-1) if targets.ndim == 2 and targets.shape[1] > 1 else targets.reshape(len(targets)).astype(int)
    index = getattr(model, "label_index", None)
    by_id = {
        (index.encode([key])[0] if index is not None and isinstance(key, str) else int(key)): value for key, value in class_weight.items()
    }
    weights = np.array([by_id.get(i, 1.0) for i in range(int(ids.max()) + 1)], dtype=model_dtype(model))[ids]
    return weights if sample is None else weights * sample


def _numbers(column: Any) -> Any:
    if is_texts(column):
        raise ValueError("labels of several outputs must be numbers; encode them with ls_core.text.LabelIndex first")
    return _floats(column) if column.dtype.kind == "f" else column


def _floats(column: Any) -> Any:
    return column.astype(floatx(), copy=False)


def example_rows(model: Any) -> tuple[Array, ...] | None:
    """One row of zeros for every input, for summary(); None where the shapes are not known."""
    if getattr(model, "_symbols_in", None):
        shapes = [s.shape for s in model._symbols_in]
    else:
        seen = getattr(model, "_seen_shape", None)
        if seen is None:
            return None
        shapes = [tuple(seen)]
    rows = []
    for i, shape in enumerate(shapes):
        reader = first_reader(model, i)
        kind = reader.input_kind if reader is not None else "floats"
        if kind == "any":
            return None
        dtype = np.int64 if kind == "ids" else model_dtype(model)
        rows.append(to_device(np.zeros((1, *(1 if n is None else n for n in shape[1:])), dtype), backend_of_model(model)))
    return tuple(rows)
