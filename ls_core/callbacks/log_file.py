"""LogFile: a file that grows while a run goes on, and that a resumed run continues where its checkpoint saw it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class LogFile:
    """Bytes appended one piece at a time; each is handed to the system at once.

    ``append`` keeps what stands in the file already. After ``set_state`` all that was written behind the checkpoint's
    moment is cut off, since the resumed run writes it again.

    Raises
    ------
    FileNotFoundError
        ``begin``: the folder is missing.
    """

    def __init__(self, path: Any, append: bool = False) -> None:
        self.path = Path(os.fspath(path))
        self.append = append
        self._file: Any = None
        self._size: int | None = None  # what a resumed run keeps

    def begin(self) -> None:
        """A run begins; the file is opened with the first write, when it is known whether the run is resumed."""
        self.close()
        self._size = None
        require_folder(self.path)

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        if self._file is None:
            self._file = self._open()
        self._file.write(data)
        self._file.flush()

    def _open(self) -> Any:
        if self._size is not None and self.path.exists():
            file = open(self.path, "r+b")  # noqa: SIM115 - closed by close
            file.truncate(min(self._size, self.path.stat().st_size))
            file.seek(0, os.SEEK_END)
            return file
        return open(self.path, "ab" if self.append else "wb")

    def is_empty(self) -> bool:
        """Whether nothing stands in the file before the next write."""
        if self._file is None and self._size is None and not self.append:
            return True
        if self._file is None and self._size is not None:
            return self._size == 0
        return not self.path.exists() or self.path.stat().st_size == 0

    def close(self) -> None:
        """Close the file; the next write opens it again, behind what it holds."""
        if self._file is not None:
            self._size = self._file.tell()
            self._file.close()
            self._file = None

    def get_state(self) -> dict[str, Any]:
        return {"size": self._size if self._file is None else self._file.tell()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.close()
        self._size = state["size"]


def require_folder(path: Any) -> None:
    """Raise unless the folder that ``path`` lies in exists; called when a run begins, not hours later."""
    folder = Path(os.fspath(path)).parent
    if "{" not in str(folder) and not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} of {path} does not exist; make it first (mkdir -p {folder})")
