"""One append-only CSV file that holds whole rows, whatever happens while it is written."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
# Damaged parts are kept for a person to look at; more than this is a folder nobody looks at.
DAMAGED_MAX = 1000


class RowFile:
    """A CSV file, open for appending; the header is written with the first rows.

    A part of a row at the end, as a crash leaves it, is set aside in `NAME.damaged-<n>` and cut
    off; a file without the wanted columns is set aside as a whole. Both are said in the log.

    Args:
        columns: The wanted columns. A file that has more, fewer optional ones, or another order
            keeps its own.
        required: Those without which the file cannot be added to.
        is_durable: False leaves it to the operating system when the data reach the disk.

    Raises:
        OSError: The file cannot be opened or repaired.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], *, required: frozenset[str], is_durable: bool
    ) -> None:
        self.path = path
        self._is_durable = is_durable
        self._fd = _opened(path)
        try:
            if not required <= set(_header(self._fd) or required):
                _set_aside(path)
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
            _write_all(self._fd, data)
            if self._is_durable:
                os.fdatasync(self._fd)
                if head:
                    _sync_directory(self.path.parent)
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
    """The descriptor of a file that ends with a whole line, after what follows it was cut off."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(fd).st_size
        whole = _end_of_last_line(fd, size)
        if whole < size:
            aside = _damaged_name(path)
            _copy(fd, whole, aside)
            os.ftruncate(fd, whole)
            os.fsync(fd)
            log.warning(
                "file=%s ended within a row: its last %d bytes are now in %s",
                path.name,
                size - whole,
                aside.name,
            )
    except OSError:
        os.close(fd)
        raise
    return fd


def _header(fd: int) -> tuple[str, ...]:
    """The columns of a file; none when it is empty."""
    line, newline, _ = os.pread(fd, CHUNK_BYTES, 0).partition(b"\n")
    if not newline:
        return ()
    return tuple(line.decode("utf-8-sig", errors="replace").rstrip("\r").split(","))


def _set_aside(path: Path) -> None:
    aside = _damaged_name(path)
    path.rename(aside)
    log.warning(
        "file=%s does not have the columns of a recording and is now %s", path.name, aside.name
    )


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _end_of_last_line(fd: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(end - CHUNK_BYTES, 0)
        at = os.pread(fd, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _last_line(fd: int, length: int) -> bytes:
    tail = os.pread(fd, CHUNK_BYTES, max(length - CHUNK_BYTES, 0))[:length]
    lines = tail.splitlines(keepends=True)
    return lines[-1] if lines else b""


def _damaged_name(path: Path) -> Path:
    for n in range(1, DAMAGED_MAX + 1):
        aside = path.with_name(f"{path.name}.damaged-{n}")
        if not aside.exists():
            return aside
    raise OSError(f"{path.name} is damaged and {DAMAGED_MAX} damaged parts of it are here already")


def _copy(fd: int, start: int, aside: Path) -> None:
    copy = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        while data := os.pread(fd, CHUNK_BYTES, start):
            _write_all(copy, data)
            start += len(data)
        os.fsync(copy)
    finally:
        os.close(copy)


def _sync_directory(path: Path) -> None:
    """A new file is safe only when its entry in the folder is."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
