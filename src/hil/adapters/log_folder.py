"""The folder of the daily log files: whole lines in, the last lines out, old files away."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from hil.domain.log_line import (
    LogFile,
    LogLevel,
    LogLine,
    log_day,
    log_file_name,
    parse_line,
)

# Read at once, from the end of a file on. Far longer than a line can be.
CHUNK_BYTES = 256 * 1024
# What one search reads at most, a fraction of a second of one core; larger files are cut short.
SCANNED_BYTES_MAX = 32 * 1024 * 1024
# What one search gives at most: tracebacks are long, and the answer is encoded on the loop.
GIVEN_BYTES_MAX = 2 * 1024 * 1024


class LogFolder:
    """Log files by their day; every call looks at the disk anew and may raise OSError.

    Only files named like a day's log are ever read or removed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def append(self, day: date, lines: Sequence[str]) -> None:
        """Add whole lines (without newlines) to the file of a day.

        Raises:
            OSError: None of them is in the file, so that they can be tried again.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self.directory / log_file_name(day), flags, 0o644)
        try:
            length = os.fstat(fd).st_size
            # A crash or a full disk may have left part of a line: it becomes a line of its own.
            is_whole = length == 0 or os.pread(fd, 1, length - 1) == b"\n"
            data = ("" if is_whole else "\n") + "".join(f"{line}\n" for line in lines)
            left = memoryview(data.encode(errors="replace"))
            try:
                while left:
                    left = left[os.write(fd, left) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(fd, length)
                raise
        finally:
            os.close(fd)

    def files(self) -> tuple[LogFile, ...]:
        """The log files that there are, the newest first."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self.directory) as entries:
            for entry in entries:
                day = log_day(entry.name)
                if day is None:
                    continue
                with suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode):
                        found.append(LogFile(date=day, bytes=facts.st_size))
        return tuple(sorted(found, key=lambda file: file.date, reverse=True))

    def remove(self, day: date) -> None:
        """Remove the file of a day."""
        (self.directory / log_file_name(day)).unlink(missing_ok=True)

    def last_lines(
        self, day: date, *, tail: int, level: LogLevel | None, text: str
    ) -> tuple[tuple[LogLine, ...], bool]:
        """The last lines that match, the oldest first, and whether no older one was left unread.

        Reads a bounded part of the file, from its end.

        Args:
            tail: How many lines at most.
            level: This level and those above it; None: every line.
            text: What a line must contain, in whatever case.
        """
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self.directory / log_file_name(day), flags)
        try:
            return _matching(fd, tail=tail, level=level, wanted=text.casefold())
        finally:
            os.close(fd)


def _matching(
    fd: int, *, tail: int, level: LogLevel | None, wanted: str
) -> tuple[tuple[LogLine, ...], bool]:
    found: list[LogLine] = []
    given = 0
    size = os.fstat(fd).st_size
    levels = frozenset() if level is None else frozenset(level.and_above())
    for block in _blocks_backwards(fd, size):
        if not _may_match(block, levels, wanted):
            continue
        for raw in reversed(block.splitlines()):
            line = parse_line(raw.decode("utf-8", errors="replace"))
            if (levels and line.level not in levels) or wanted not in line.text.casefold():
                continue
            given += len(raw)
            if given > GIVEN_BYTES_MAX:
                return tuple(reversed(found)), False
            found.append(line)
            if len(found) == tail:
                return tuple(reversed(found)), True
    return tuple(reversed(found)), size <= SCANNED_BYTES_MAX


def _may_match(block: bytes, levels: frozenset[LogLevel], wanted: str) -> bool:
    """Whether a closer look at the lines is worth it; most blocks of a large file are not."""
    if levels and not any(f" {level} ".encode() in block for level in levels):
        return False
    # Where something is escaped the text is not what stands there.
    return b"\\" in block or wanted in block.decode("utf-8", errors="replace").casefold()


def _blocks_backwards(fd: int, size: int) -> Iterator[bytes]:
    """Whole lines in blocks, from the end of a file on, as far as one search may read.

    What follows the last newline is a line under way, or half of one, and is left out.
    """
    end, least = size, max(size - SCANNED_BYTES_MAX, 0)
    is_last = True
    while end > least:
        start = max(end - CHUNK_BYTES, 0)
        block = os.pread(fd, end - start, start)
        # The first line of a block began before it, unless the file does; it is read again.
        cut = 0 if start == 0 else block.find(b"\n") + 1
        if cut == len(block):
            cut = 0  # a line longer than a block: given in pieces
        if is_last:
            yield block[cut : block.rfind(b"\n") + 1]
        else:
            yield block[cut:]
        is_last = False
        end = start + cut
