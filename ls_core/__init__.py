"""ls_core: the engine of LS. NumPy and CuPy, no autograd, every backward written by hand."""

from . import constraints, cuda, initializers, regularizers
from .accelerated import COMPILES as _COMPILES
from .activation import ActivationFunction
from .backend import current_backend, floatx, get_xp, set_floatx, synchronize, to_device, to_host, use_backend
from .checkpoint import load_model
from .errors import BackendError, CacheError, FileError, NonFiniteError, NotBuiltError, ShapeError
from .graph import Input
from .kernel import kernel, use_accelerator, use_deterministic, use_references
from .layer import Layer
from .matmul_precision import matmul_precision, use_matmul_precision
from .model import Model
from .parameter import Parameter, RowGradient
from .products import matmul
from .random import get_random_state, random_stream, set_random_state, set_seed
from .recompute import Recompute
from .registry import register, register_serializable
from .resume import assert_resumable
from .sequential import Sequential
from .version import __version__ as __version__

if _COMPILES:
    from .accelerated import rows_numba as _rows_numba  # noqa: F401

__all__ = [
    "ActivationFunction",
    "BackendError",
    "CacheError",
    "FileError",
    "Input",
    "Layer",
    "Model",
    "NonFiniteError",
    "NotBuiltError",
    "Parameter",
    "Recompute",
    "RowGradient",
    "Sequential",
    "ShapeError",
    "constraints",
    "cuda",
    "assert_resumable",
    "callbacks",
    "current_backend",
    "floatx",
    "get_random_state",
    "get_xp",
    "initializers",
    "kernel",
    "load_model",
    "matmul",
    "matmul_precision",
    "random_stream",
    "register_serializable",
    "regularizers",
    "set_floatx",
    "set_random_state",
    "set_seed",
    "synchronize",
    "to_device",
    "to_host",
    "use_accelerator",
    "use_backend",
    "use_deterministic",
    "use_matmul_precision",
    "use_references",
]

register("layer", "Sequential", Sequential)
register("layer", "Model", Model, aliases=["Functional"])
register("layer", "Recompute", Recompute)


def __getattr__(name: str) -> object:
    """losses, metrics, gradcheck, data, text, search and estimators are imported when they are first asked for."""
    if name in ("losses", "metrics", "gradcheck", "data", "text", "testing", "search", "estimators"):
        import importlib

        return importlib.import_module(f"ls_core.{name}")
    raise AttributeError(f"module 'ls_core' has no attribute {name!r}")
