"""TextVectorization lives in ls_core, where fit learns one by itself; here it stands among the layers."""

from ls_core.text.vectorization import TextVectorization

__all__ = ["TextVectorization"]
