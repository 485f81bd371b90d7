"""Faster overrides of the kernels, one file per family and tier; importing this package registers them.

``FAMILY_numpy.py``: blocks that stay in the cache, spread over a pool of threads; always there. ``FAMILY_numba.py``: what
Numba compiles (the extra 'fast'), registered where it is installed and ``LS_ACCELERATOR`` is not 0. Such a file imports
the compiled code (``FAMILY_compiled.py``), and with it Numba, inside the override: at the first call, not when LS is
imported. Compiled code is kept on disk for the next process.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from . import activated_numpy as activated_numpy
from . import attention_numpy as attention_numpy
from . import batch_normalization_numpy as batch_normalization_numpy
from . import convolution_numpy as convolution_numpy
from . import cuda as cuda
from . import dense_numpy as dense_numpy
from . import gru_numpy as gru_numpy
from . import lstm_numpy as lstm_numpy
from . import pooling_numpy as pooling_numpy
from . import relu_numpy as relu_numpy

if os.environ.get("LS_ACCELERATOR", "1") != "0" and find_spec("numba") is not None:
    from . import attention_numba as attention_numba
    from . import batch_normalization_numba as batch_normalization_numba
    from . import convolution_numba as convolution_numba
    from . import dense_numba as dense_numba
    from . import depthwise_numba as depthwise_numba
    from . import gru_numba as gru_numba
    from . import layer_normalization_numba as layer_normalization_numba
    from . import lstm_numba as lstm_numba
    from . import pooling_numba as pooling_numba
    from . import relu_numba as relu_numba
    from . import reversible_embedding_numba as reversible_embedding_numba
    from . import simple_rnn_numba as simple_rnn_numba
