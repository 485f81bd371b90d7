"""CUDA overrides of the layers' kernels, one family a file: a ``.cu`` source and the Python that launches it.

They are imported and registered when the backend 'cupy' is loaded. docs/cuda.md tells how; ``ls_core.cuda`` does it.
"""

from ls_core.cuda import when_cupy_loads

FAMILIES = ["activations", "additive_attention", "attention", "batch_normalization", "bias_activations", "depthwise", "embedding"]
FAMILIES += ["glu", "group_normalization", "normalization", "pooling", "recurrent", "recurrent_cells", "softmax"]
FAMILIES += ["windows", "winograd"]

when_cupy_loads(*(f"{__name__}.{family}" for family in FAMILIES))
