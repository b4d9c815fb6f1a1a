"""One append-only CSV file that holds whole rows, whatever happens while it is written."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from hil.adapters.row_repair import mend, set_aside, sync_directory, write_all

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024


class RowFile:
    """A CSV file, open for appending; the header is written with the first rows.

    What a crash has left of rows is mended when it is opened, see `mend`; a file without the wanted
    columns is set aside as a whole, which is said in the log.

    Args:
        columns: The wanted columns. A file that has more, fewer optional ones, or another order
            keeps its own.
        required: Those without which the file cannot be added to.

    Raises:
        OSError: The file cannot be opened or repaired.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, required: frozenset[str]) -> None:
        self.path = path
        self._fd = _opened(path)
        try:
            if not required <= set(_header(self._fd) or required):
                aside = set_aside(path)
                log.warning(
                    "file=%s does not have the columns of a recording and is now %s",
                    path.name,
                    aside.name,
                )
                os.close(self._fd)
                self._fd = _opened(path)
            self._length = os.fstat(self._fd).st_size
            self.columns = _header(self._fd) or tuple(columns)
            self.last_line = _last_line(self._fd, self._length)
        except OSError:
            os.close(self._fd)
            raise
        self._is_dirty = False

    def append(self, lines: Sequence[bytes]) -> None:
        """Add whole lines, each with its newline, in one write, and bring them to the disk.

        Raises:
            OSError: Not all is on the disk; the file is as it was before, or will be at the next
                attempt, so that the same lines can be tried again.
        """
        head = b"" if self._length else ",".join(self.columns).encode() + b"\n"
        data = head + b"".join(lines)
        if self._is_dirty:
            os.ftruncate(self._fd, self._length)
        self._is_dirty = True
        try:
            write_all(self._fd, data)
            os.fdatasync(self._fd)
            if head:
                sync_directory(self.path.parent)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._length)
            raise
        self._is_dirty = False
        self._length += len(data)
        self.last_line = lines[-1]

    def is_in_place(self) -> bool:
        """Whether the open file is still the one of that name: nobody moved or removed it."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._fd))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The whole lines of a file from the last to the first, without their newlines."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        rest = b""
        is_last = True
        while end > 0:
            start = max(end - CHUNK_BYTES, 0)
            file.seek(start)
            parts = (file.read(end - start) + rest).split(b"\n")
            end, rest = start, parts[0]
            for line in reversed(parts[1:]):
                if not is_last:  # after the last newline there is nothing, or part of a row
                    yield line
                is_last = False
        if not is_last:
            yield rest


def _opened(path: Path) -> int:
    """The descriptor of a file that has whole rows only, after it was mended."""
    mend(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _header(fd: int) -> tuple[str, ...]:
    """The columns of a file; none when it is empty."""
    line, newline, _ = os.pread(fd, CHUNK_BYTES, 0).partition(b"\n")
    if not newline:
        return ()
    return tuple(line.decode("utf-8-sig", errors="replace").rstrip("\r").split(","))


def _last_line(fd: int, length: int) -> bytes:
    tail = os.pread(fd, CHUNK_BYTES, max(length - CHUNK_BYTES, 0))[:length]
    lines = tail.splitlines(keepends=True)
    return lines[-1] if lines else b""
