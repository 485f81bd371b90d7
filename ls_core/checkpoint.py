"""One file for a whole model: safetensors with a JSON header.

The tensors are the Parameters (``weights/<path>``) and the optimiser's state (``optimizer/<path>/<name>``). The
header's entry ``ls`` is JSON: the configuration, the input shape, vocabularies, labels, how the model was compiled
and the library's version; checksums of all tensors; a probe (see probe.py). Nothing in it is code or an import path:
class names pick from the registry alone. A checkpoint of a training run (see run.py) is such a file with the run in it.

Writing goes to a file beside, which is read back and compared, flushed to the disk and renamed: a reader sees the
old file or the new one, whole. Reading checks the header against the file's size, and each Parameter's shape
against its tensor, before it takes memory; and each tensor against its checksum.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .backend import to_host
from .errors import FileError, NotBuiltError
from .layer import loading
from .parameter import Parameter
from .registry import deserialize, serialize
from .tensorfile import TensorFile, checked_json, sum_of, write_tensor_file
from .version import __version__

FORMAT = "ls-model-1"


def save_model(model: Any, path: Any, include_optimizer: bool = True) -> None:
    """Write ``model`` to ``path``; ``load_model`` gives it back.

    Raises
    ------
    NotBuiltError
        The model has not seen its input shape yet.
    FileNotFoundError, OSError
        The folder is missing, or the disk is full; an older file at ``path`` stays as it was.
    """
    from .probe import make_probe

    header = describe(model, include_optimizer)
    tensors = weight_tensors(model)
    if include_optimizer and model.optimizer is not None:
        tensors.update({f"optimizer/{name}": value for name, value in model.optimizer.get_state().items()})
    header["probe"] = make_probe(model, tensors)
    write_tensors(path, tensors, header)


def describe(model: Any, include_optimizer: bool = True) -> dict[str, Any]:
    """The header of a file with ``model``: all that ``load_model`` makes it from, without the numbers."""
    return {
        "format": FORMAT,
        "version": __version__,
        "model": serialize(model),
        "input_shape": _input_shape(model),
        "dtypes": _dtypes(model),
        "ties": find_ties(model),
        "vectorizations": {str(i): v.get_config() for i, v in (getattr(model, "vectorizations", None) or {}).items()},
        "labels": model.label_index.get_config() if getattr(model, "label_index", None) is not None else None,
        "compiled": _compiled(model) if include_optimizer else None,
    }


def weight_tensors(model: Any) -> dict[str, np.ndarray]:
    """The Parameters' values under their names in a file."""
    return {f"weights/{inner_path(p.path, model)}": to_host(p.value) for p in model.parameters()}


def load_model(path: Any, compile: bool = True) -> Any:
    """The model that ``model.save(path)`` wrote, ready for predict, evaluate and further fit.

    Its ``loaded_as`` tells how it repeats the outputs that it had when it was saved: 'identical' (the same bits),
    'within rounding', 'different' (with a warning that names the first layer that computes something else), or
    'not probed' for a model whose inputs can't be made up.

    Raises
    ------
    FileError
        The file is truncated, too large for its header, of another kind, or its parts don't fit together; or it names a
        class that is not registered (import your module with the custom class first).
    """
    with TensorFile(path) as file:
        header = read_header(file)
        try:
            return _make_model(file, header, compile)
        except FileError as problem:
            if str(path) in str(problem):
                raise
            raise FileError(f"{path}: {problem}") from problem
        except RecursionError as problem:
            raise FileError(f"{path}: its configuration is nested too deep") from problem
        except (ValueError, RuntimeError) as problem:
            raise FileError(f"{path}: its configuration makes no model: {problem}") from problem
        except (LookupError, TypeError, AttributeError, ArithmeticError) as problem:
            raise FileError(f"{path}: its configuration is not one of LS ({type(problem).__name__}: {problem})") from problem


def _make_model(file: TensorFile, header: dict[str, Any], compile: bool) -> Any:
    from .probe import run_probe, run_zeros

    with _weights_from(file, header):
        model = deserialize("layer", header["model"])
        _rename(model, header["model"])
        if not model.built:
            model.ensure_built(_shape(header["input_shape"]))
        if not getattr(model, "_symbols_in", None):
            model._seen_shape = _shape(header["input_shape"])
        if _unnamed(file, model):  # layers within a custom one are built by the data that reaches them
            run_zeros(model, file.path)
    tie(model, header.get("ties") or {}, file.path)
    _all_used(file, model, file.path)
    _restore_text(model, header)
    if compile and header.get("compiled"):
        model.compile(**header["compiled"])
        state = {n.removeprefix("optimizer/"): file.read(n) for n in file.names() if n.startswith("optimizer/")}
        if state:
            try:
                model.optimizer.set_state(state)
            except (KeyError, TypeError, ValueError) as problem:
                raise FileError(f"{file.path}: its optimiser state is not one of {model.optimizer}: {problem}") from problem
    model.loaded_as = run_probe(model, header.get("probe"), file)
    return model


def save_weights(model: Any, path: Any) -> None:
    """Write the Parameters alone; ``load_weights`` reads them into a model of the same structure."""
    write_tensors(path, weight_tensors(model), {"format": FORMAT, "version": __version__})


def load_weights(model: Any, path: Any) -> None:
    """Read the Parameters in ``path`` into ``model``; names and shapes must agree."""
    with TensorFile(path) as file:
        read_header(file)
        read_weights(model, file)


def read_weights(model: Any, file: TensorFile) -> None:
    """``load_weights`` from a file that is open."""
    wanted = {f"weights/{inner_path(p.path, model)}": p for p in model.parameters()}
    stored = {name for name in file.names() if name.startswith("weights/")}
    if set(wanted) != stored:
        missing, extra = sorted(set(wanted) - stored), sorted(stored - set(wanted))
        raise FileError(f"{file.path} holds other weights than {model}: missing {missing[:3]}, not wanted {extra[:3]}")
    for name, parameter in wanted.items():
        if file.shape(name) != tuple(parameter.shape):
            raise FileError(f"{file.path}: {name} has shape {file.shape(name)}, the model's has {tuple(parameter.shape)}")
    for name, parameter in wanted.items():
        parameter.assign(file.read(name))


# --- writing ---------------------------------------------------------------------------------------


def write_tensors(path: Any, tensors: dict[str, np.ndarray], header: dict[str, Any]) -> None:
    """Write arrays and a JSON header to ``path``: beside, read back, flushed, renamed."""
    from safetensors import safe_open

    path = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(f"{path} is a device or a pipe; a model needs a file that can be read back. Nothing was written.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; make it first (mkdir -p {path.parent}). Nothing was written.")
    tensors = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    header = {**header, "checksums": {name: sum_of(value) for name, value in tensors.items()}}
    metadata = {"ls": json.dumps(header, allow_nan=False)}
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as part:
            write_tensor_file(part, tensors, metadata)
            part.flush()
            os.fsync(part.fileno())
        with safe_open(temporary, framework="numpy") as file:  # the format's own library judges what was written
            for name, value in tensors.items():
                if file.get_tensor(name).tobytes() != value.tobytes():
                    raise OSError(f"{path}: what was read back of {name} differs from what was written")
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.is_file() else 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except Exception as problem:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(problem, OSError):
            old = "the older file there is as it was" if path.exists() else "no file was left there"
            raise OSError(f"could not write {path}: {problem}; {old}") from problem
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def inner_path(path: str, model: Any) -> str:
    """A Parameter's path without the model's own name."""
    return path.removeprefix(f"{model.path}/")


def _input_shape(model: Any) -> Any:
    if not model.built:
        raise NotBuiltError(f"{model} has not seen its input shape yet: fit it, or call it on data, before saving")
    seen = getattr(model, "_seen_shape", None)
    if seen is None and not getattr(model, "_symbols_in", None):
        raise NotBuiltError(f"{model} has not seen the one array that a file builds it on; call it on data, or use save_weights(path)")
    return seen


def _compiled(model: Any) -> Any:
    if getattr(model, "_compiled_with", None) is None:
        return None
    parts = dict(model._compiled_with, optimizer=model.optimizer)
    return {name: serialize(value) for name, value in parts.items()}


def _dtypes(model: Any) -> dict[str, str]:
    return {inner_path(p.path, model): str(p.dtype) for p in model.parameters()}


# --- reading ---------------------------------------------------------------------------------------


def read_header(file: TensorFile) -> dict[str, Any]:
    """The entry 'ls' of a file's header, after a check that this version of LS reads it."""
    path, text = file.path, file.metadata.get("ls")
    if text is None:
        raise FileError(f"{path} is a safetensors file, but not one that LS wrote (its header has no entry 'ls')")
    header = checked_json(text, f"{path}: the header's entry 'ls'")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else type(header).__name__
        raise FileError(f"{path} has format {found!r}; this version of LS ({__version__}) reads {FORMAT!r}")
    sums = header.get("checksums", {})
    if not isinstance(sums, dict) or not all(type(each) is int for each in sums.values()):
        raise FileError(f"{path}: its checksums are none")
    file.checksums = sums
    return header


@contextlib.contextmanager
def _weights_from(file: TensorFile, header: dict[str, Any]) -> Iterator[None]:
    """Within, add_weight takes each Parameter from the file after comparing shapes; nothing is drawn."""
    if not isinstance(header.get("model"), dict):
        raise FileError("the file holds weights without a model; use model.load_weights(path)")
    name = header["model"].get("config", {}).get("name")
    ties = header.get("ties") or {}

    def take(path: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        inner = path.removeprefix(f"{name}/")
        inner = ties.get(inner, inner)
        key = f"weights/{inner}"
        if key not in file.names():
            raise FileError(f"{file.path}: the configuration wants a weight {inner!r}, which the file does not hold")
        if file.shape(key) != shape:
            raise FileError(f"{file.path}: weight {inner!r} has shape {file.shape(key)}, the configuration wants {shape}")
        return file.read(key)

    previous, loading.source = loading.source, take
    try:
        yield
    finally:
        loading.source = previous


def find_ties(model: Any) -> dict[str, str]:
    """Parameters that a layer has from another one (``b.kernel = a.kernel``): where they stand -> where they belong."""
    return {
        inner_path(f"{layer.path}/{name}", model): inner_path(value.path, model)
        for layer in model._flatten()
        for name, value in vars(layer).items()
        if isinstance(value, Parameter) and value.path.rpartition("/")[0] != layer.path
    }


def tie(model: Any, ties: dict[str, str], path: Any) -> None:
    """Share the Parameters again that were shared when the file was written."""
    layers = {inner_path(layer.path, model): layer for layer in model._flatten()}
    parameters = {inner_path(p.path, model): p for p in model.parameters()}
    for place, owner in ties.items():
        where, _, name = place.rpartition("/")
        if not isinstance(getattr(layers.get(where), name, None), Parameter) or owner not in parameters:
            raise FileError(f"{path}: it ties {place!r} to {owner!r}, and the model has no such two weights")
        setattr(layers[where], name, parameters[owner])


def _rename(model: Any, spec: dict[str, Any]) -> None:
    name = spec.get("config", {}).get("name")
    if isinstance(name, str):
        model.name = name


def _shape(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [_shape(each) for each in value]
    if not isinstance(value, list) or not all(n is None or (isinstance(n, int) and 0 <= n < 2**31) for n in value):
        raise FileError(f"the file's input shape {value!r} is no shape")
    return tuple(value)


def _unnamed(file: TensorFile, model: Any) -> list[str]:
    used = {f"weights/{inner_path(p.path, model)}" for p in model.parameters()}
    return [name for name in file.names() if name.startswith("weights/") and name not in used]


def _all_used(file: TensorFile, model: Any, path: Any) -> None:
    extra = _unnamed(file, model)
    if extra:
        raise FileError(f"{path} holds weights that its configuration does not name: {extra[:3]}")


def _restore_text(model: Any, header: dict[str, Any]) -> None:
    from .text import LabelIndex, TextVectorization

    found = header.get("vectorizations") or {}
    model.vectorizations = {int(i): TextVectorization.from_config(config) for i, config in found.items()}
    model.label_index = LabelIndex.from_config(header["labels"]) if header.get("labels") else None
