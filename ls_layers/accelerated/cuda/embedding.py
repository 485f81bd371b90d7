"""Embedding on CUDA: rows of the table, and the sums of their gradient (see ``ls_core.cuda.rows``).

An id outside the table can't stop the host without making it wait: its row is NaN, which the loss then shows.
"""

from __future__ import annotations

import math

from ls_core.cuda import override
from ls_core.cuda.rows import gather_rows
from ls_core.types import Array

from ...embedding import embedding_forward


@override(embedding_forward)
def embedding_forward_cuda(table: Array, ids: Array) -> Array:
    return gather_rows(table, ids, math.nan).reshape(*ids.shape, table.shape[1])  # (..., D)
