"""LogFile: a file that grows while a run goes on, and that a resumed run continues where its checkpoint saw it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class LogFile:
    """A file to which bytes are appended; it is open only while they are written, so a crash leaves it whole.

    ``append`` keeps what stands in the file already. After ``set_state`` all that was written behind the checkpoint's
    moment is cut off, since the resumed run writes it again.

    >>> import tempfile
    >>> log = LogFile(Path(tempfile.mkdtemp()) / 'log')
    >>> log.write(b'one '); state = log.get_state(); log.write(b'two ')
    >>> log.set_state(state); log.write(b'three'); log.path.read_bytes()
    b'one three'
    """

    def __init__(self, path: Any, append: bool = False) -> None:
        self.path = Path(os.fspath(path))
        self.append = append
        self.size: int | None = None  # after what this run has written; None before that

    def begin(self) -> None:
        """A run begins.

        Raises
        ------
        FileNotFoundError
            The folder is missing.
        """
        self.size = None
        require_folder(self.path)

    def is_empty(self) -> bool:
        """Whether nothing will stand before the next write."""
        if self.size is None:
            return not self.append or not self.path.exists() or self.path.stat().st_size == 0
        return self.size == 0

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        if self.size is None or not self.path.exists():
            mode = "ab" if self.append else "wb"
        else:
            mode = "r+b"
        with open(self.path, mode) as file:
            if mode == "r+b":
                file.truncate(min(self.size or 0, self.path.stat().st_size))
            file.seek(0, os.SEEK_END)
            file.write(data)
            self.size = file.tell()

    def get_state(self) -> dict[str, Any]:
        return {"size": self.size}

    def set_state(self, state: dict[str, Any]) -> None:
        self.size = state["size"]


def require_folder(path: Any) -> None:
    """Raise unless the folder that ``path`` lies in exists; called when a run begins, not hours later."""
    folder = Path(os.fspath(path)).parent
    if "{" not in str(folder) and not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} of {path} does not exist; make it first (mkdir -p {folder})")
