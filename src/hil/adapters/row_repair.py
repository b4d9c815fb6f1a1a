"""Mends the end of a CSV file as a crash may leave it: whole rows stay, nothing is thrown away."""

import logging
import os
from codecs import BOM_UTF8
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from hil.domain.recording_file import TIMESTAMP

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
# Damaged parts are kept for a person to look at; more than this is a folder nobody looks at.
DAMAGED_MAX = 1000
NUL = b"\0"


def mend(path: Path) -> None:
    """Leave only whole rows in a file that is written by nobody now; a missing one is left alone.

    A part of a row at the end is cut off and kept as `NAME.damaged-<n>`. Where lines before the
    end are no rows (blocks of zeros that a power failure left, with what they have cut in two),
    the whole original is kept by that name and replaced by its whole rows. Looked at is the end:
    rows further back were durable long before. Both are said in the log.

    Raises:
        OSError: It cannot be mended.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _mend_end(fd, path)
        size = os.fstat(fd).st_size
        header = os.pread(fd, CHUNK_BYTES, 0).partition(b"\n")[0]
        if NUL in header or not header.removeprefix(BOM_UTF8).startswith(TIMESTAMP.encode()):
            return  # no recording, as far as can be seen
        commas = header.count(b",")
        start = _damaged_from(fd, size, head=len(header) + 1, commas=commas)
        if start < size:
            _replace_with_whole_rows(fd, path, start, size, commas=commas)
    finally:
        os.close(fd)


def set_aside(path: Path) -> Path:
    """Rename a file to `NAME.damaged-<n>`, which is returned."""
    aside = _damaged_name(path)
    path.rename(aside)
    return aside


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of it, in as many writes as that takes; raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def sync_directory(path: Path) -> None:
    """A new file is safe only when its entry in the folder is."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mend_end(fd: int, path: Path) -> None:
    """Cut off what follows the last newline."""
    size = os.fstat(fd).st_size
    whole = _end_of_last_line(fd, size)
    if whole == size:
        return
    aside = _damaged_name(path)
    _write_new(aside, _chunks(fd, whole))
    os.ftruncate(fd, whole)
    os.fsync(fd)
    log.warning(
        "file=%s ended within a row: its last %d bytes are now in %s",
        path.name,
        size - whole,
        aside.name,
    )


def _damaged_from(fd: int, size: int, *, head: int, commas: int) -> int:
    """Where the damaged end begins; `size`: it is not damaged.

    Pieces are looked at from the end until one has only whole rows.

    Args:
        head: Where the rows begin.
    """
    damaged, end = size, size
    while end > head:
        start = max(head, _end_of_last_line(fd, max(end - CHUNK_BYTES, 0)))
        lines = os.pread(fd, end - start, start).splitlines(keepends=True)
        if all(_is_whole(line, commas) for line in lines):
            break
        damaged = end = start
    return damaged


def _is_whole(line: bytes, commas: int) -> bool:
    """Whether it is a row: a time with an offset, and as many cells as the header has."""
    if NUL in line or line.count(b",") != commas:
        return False
    try:
        return datetime.fromisoformat(line.partition(b",")[0].decode()).tzinfo is not None
    except ValueError:
        return False


def _replace_with_whole_rows(fd: int, path: Path, start: int, size: int, *, commas: int) -> None:
    aside = _damaged_name(path)
    _write_new(aside, _chunks(fd, 0))
    lines = os.pread(fd, size - start, start).splitlines(keepends=True)
    whole = [line for line in lines if _is_whole(line, commas)]
    mended = path.with_name(f"{path.name}.mended")
    mended.unlink(missing_ok=True)
    _write_new(mended, (os.pread(fd, start, 0), *whole))
    mended.replace(path)
    sync_directory(path.parent)
    log.warning(
        "file=%s had %d lines near its end that are no rows: it is now %s, its whole rows stay",
        path.name,
        len(lines) - len(whole),
        aside.name,
    )


def _end_of_last_line(fd: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(end - CHUNK_BYTES, 0)
        at = os.pread(fd, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _damaged_name(path: Path) -> Path:
    for n in range(1, DAMAGED_MAX + 1):
        aside = path.with_name(f"{path.name}.damaged-{n}")
        if not aside.exists():
            return aside
    raise OSError(f"{path.name} is damaged and {DAMAGED_MAX} damaged parts of it are here already")


def _chunks(fd: int, start: int) -> Iterable[bytes]:
    while data := os.pread(fd, CHUNK_BYTES, start):
        yield data
        start += len(data)


def _write_new(path: Path, parts: Iterable[bytes]) -> None:
    """A durable new file of these parts."""
    copy = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        for part in parts:
            write_all(copy, part)
        os.fsync(copy)
    finally:
        os.close(copy)
    sync_directory(path.parent)
