"""Compression of daily files that were recorded dense; the original stays until all is proved."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hil.domain.compression import Compressor
from hil.domain.errors import HilError
from hil.history.read import TIME
from hil.history.recording_lines import RecordingLines, split_lines

if TYPE_CHECKING:
    import polars as pl

# 25 hours of rows every 0.1 s are 100 MB.
MAX_BYTES = 1_000_000_000
US_PER_S = 1_000_000
# Differences of decimals that binary fractions cannot hold; far below what a register can tell.
_NOISE = 1e-9
_PART = ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What may be left out: the tolerance of each signal in its unit, and the longest gap."""

    tolerances: Mapping[str, float]
    max_gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """What became of a file; `path` is where the new one is, None when nothing was written."""

    rows: int
    rows_kept: int
    bytes_before: int
    bytes_after: int
    path: Path | None = None

    @property
    def is_smaller(self) -> bool:
        """Whether there is a row to leave out."""
        return self.rows_kept < self.rows


def compress_file(
    path: Path, rules: Rules, *, target: Path | None, today_at: datetime
) -> Compressed:
    """Leave out the rows of a dense file that say nothing new; the kept ones stay byte for byte.

    The new file is written beside the target, brought to the disk, read again and compared with
    the original, and only then given its name. Killed at any point, both are whole.

    Args:
        target: Where the new file goes; the path itself replaces it, None only reckons.
        today_at: When the site's day begins; a file with rows from then on is still written to.

    Raises:
        HilError: The file is damaged, cannot be read, changes meanwhile, or the new one cannot be
            written or differs from it by more than a tolerance. The original is untouched.
    """
    try:
        before = path.stat()
        if before.st_size > MAX_BYTES:
            raise HilError(f"it is larger than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
        original = split_lines(data)
        if original.lines and original.frame[TIME][-1] >= today_at:
            raise HilError("it is today's and still being recorded; compress it tomorrow")
        places = kept(original, rules)
        new = b"".join([original.head, *map(original.lines.__getitem__, places)])
        facts = Compressed(
            rows=len(original.lines),
            rows_kept=len(places),
            bytes_before=len(data),
            bytes_after=len(new),
        )
        if target is None or not facts.is_smaller:
            return facts
        with _part_of(target) as (part, fd):
            _write(fd, new, like=before)
            check(original, places, rules)
            if part.read_bytes() != new:
                raise HilError("the disk does not give back what was written")
            after = path.stat()
            if (after.st_size, after.st_mtime_ns, after.st_ino) != (
                (before.st_size, before.st_mtime_ns, before.st_ino)
            ):
                raise HilError("it changed meanwhile; it is still being recorded")
            part.rename(target)
            _sync_folder(target)
    except OSError as error:
        raise HilError(f"{error.strerror or error}") from error
    return replace(facts, path=target)


def kept(original: RecordingLines, rules: Rules) -> list[int]:
    """The places of the lines to keep, in order."""
    frame = original.frame
    compressor: Compressor[int] = Compressor(
        [rules.tolerances.get(name, 0.0) for name in original.signals], max_gap_s=rules.max_gap_s
    )
    columns = [frame[name].to_list() for name in original.signals]
    times_s = (frame[TIME].to_physical() / US_PER_S).to_list()
    boundaries = _boundaries(frame).to_list()
    places: list[int] = []
    rows = zip(times_s, boundaries, zip(*columns, strict=True), strict=True)
    for place, (at_s, is_boundary, values) in enumerate(rows):
        places += compressor.add(at_s, None if is_boundary else values, place)
    places += compressor.end()
    return places


def check(original: RecordingLines, places: list[int], rules: Rules) -> None:
    """Whether these lines alone show the original; raises HilError where they do not.

    The edges of each session must be there, and held until the next line no value may be off by
    more than its tolerance.
    """
    import polars as pl  # noqa: PLC0415 - a quarter of a second, for who reads recordings alone

    height = original.frame.height
    is_kept = pl.zeros(height, pl.UInt32, eager=True).scatter(places, 1)
    if not height or not is_kept[0] or not is_kept[-1]:
        raise HilError("the new file does not begin and end as the original")
    boundaries = _boundaries(original.frame)
    changes = boundaries != boundaries.shift(1, fill_value=boundaries[0])
    edges = changes | changes.shift(-1, fill_value=False)
    if (edges & (is_kept == 0)).any():
        raise HilError("the new file lacks the first or last row of a session")
    held = original.frame[places][(is_kept.cum_sum() - 1)]
    for name in original.signals:
        tolerance = rules.tolerances.get(name, 0.0) + _NOISE
        values, shown = original.frame[name], held[name]
        differs = ((values - shown).abs() > tolerance).fill_null(value=False)
        if differs.any() or (values.is_null() != shown.is_null()).any():
            raise HilError(f"the new file does not show {name} within its tolerance")
    _check_gaps(original, places, rules)


def _check_gaps(original: RecordingLines, places: list[int], rules: Rules) -> None:
    import polars as pl  # noqa: PLC0415 - see above

    at = pl.Series(places, dtype=pl.Int64)
    times_s = original.frame[TIME].to_physical()[places] / US_PER_S
    is_value = ~_boundaries(original.frame)[places]
    wide = (times_s.diff() > rules.max_gap_s) & (at.diff() > 1) & is_value & is_value.shift(1)
    if wide.fill_null(value=False).any():
        raise HilError("the new file has a gap that is too long")


def _boundaries(frame: "pl.DataFrame") -> "pl.Series":
    import polars as pl  # noqa: PLC0415 - see above

    return frame.select(pl.all_horizontal(pl.exclude(TIME).is_null()).alias(TIME))[TIME]


@contextmanager
def _part_of(target: Path) -> Iterator[tuple[Path, int]]:
    """A new empty file beside the target, ours alone; gone afterwards if it was not renamed."""
    part = target.with_name(target.name + _PART)
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(fd), part.stat())
        except OSError:
            is_ours = False
        if not is_ours:
            raise HilError(f"{part.name} is being written by another process")
        os.ftruncate(fd, 0)  # what a process left that was killed
        try:
            yield part, fd
        finally:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), part.stat()):
                    part.unlink()
    finally:
        os.close(fd)


def _write(fd: int, data: bytes, *, like: os.stat_result) -> None:
    with suppress(PermissionError):  # only the administrator gives files away
        os.fchown(fd, like.st_uid, like.st_gid)
    os.fchmod(fd, like.st_mode & 0o7777)
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.fsync(fd)


def _sync_folder(path: Path) -> None:
    """A new name is safe only when the folder is on the disk."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
