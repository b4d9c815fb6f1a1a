"""What is wrong with a daily file, line by line, and what to do about it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hil.domain.recording_file import DECIMALS, TIMESTAMP, VOLTAGE_PU
from hil.domain.signals import COLUMNS
from hil.domain.site_day import day_range

# Of one kind of flaw so many are told line by line, then their number.
TOLD_MAX = 5
_CELL = rb"(?:-?[0-9]+(?:\.[0-9]{1,%d})?)?" % DECIMALS
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STAMP = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    rb"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_DELETE = "delete the line"
_COPY = "take the line from a copy, or delete it"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at a line (the header is line 1), and what to do; `kind` is one word."""

    line: int
    kind: str
    text: str
    cure: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}; {self.cure}"


def flaws_in(
    data: bytes, *, day: date | None, zone: ZoneInfo, max_gap_s: float, is_over: bool
) -> list[Flaw]:
    """Every flaw of a file's content, of each kind the first few and how many more.

    Args:
        day: The site day of the file's name; None: the name says none.
        max_gap_s: Longer without a row and without a boundary is a gap.
        is_over: The day is over, so that the last session should be closed.
    """
    found: list[Flaw] = []
    counts: Counter[str] = Counter()
    for flaw in _Check(day, zone, max_gap_s=max_gap_s, is_over=is_over).flaws(data):
        counts[flaw.kind] += 1
        if counts[flaw.kind] <= TOLD_MAX:
            found.append(flaw)
    told = {flaw.kind: flaw for flaw in found}
    for kind, count in counts.items():
        if count > TOLD_MAX:
            last = told[kind]
            text = f"{last.text}, and {count - TOLD_MAX:,} more lines like it"
            found[found.index(last)] = Flaw(last.line, kind, text, last.cure)
    return found


class _Check:
    """One pass over the lines of a file."""

    def __init__(
        self, day: date | None, zone: ZoneInfo, *, max_gap_s: float, is_over: bool
    ) -> None:
        self._range = None if day is None else day_range(day, zone)
        self._gap = timedelta(seconds=max_gap_s)
        self._is_over = is_over
        # The last row: its time, whether it was a boundary, its line.
        self._at: datetime | None = None
        self._is_boundary = False
        self._line = 1

    def flaws(self, data: bytes) -> Iterator[Flaw]:
        lines = data.split(b"\n")
        rest = lines.pop()
        if not lines:
            yield Flaw(1, "header", "there is no whole line", "delete the file")
            return
        names = lines[0].decode("utf-8-sig", errors="replace").strip().split(",")
        yield from _header(names)
        good = re.compile(rb"[^,\0]*(?:,%b){%d}\r?" % (_CELL, len(names) - 1))
        for number, line in enumerate(lines[1:], 2):
            is_good = good.fullmatch(line) is not None
            broken = None if is_good else _broken(line, number, len(names))
            if broken is not None:
                yield broken
                continue
            if not is_good:
                yield from _cells(line, number, names)
            yield from self._row(line, number)
        if rest:
            cure = "delete it (an engine that goes on with the file sets it aside by itself)"
            yield Flaw(len(lines) + 1, "cut", "the last line is cut off", cure)
        yield from self._end()

    def _row(self, line: bytes, number: int) -> Iterator[Flaw]:
        stamp, _, cells = line.partition(b",")
        at = _time(stamp)
        if at is None:
            shown = stamp[:40].decode("utf-8", errors="replace")
            yield Flaw(number, "time", f'"{shown}" is not a time with its offset', _COPY)
            return
        is_boundary = not cells.strip(b", \r")
        before, was_boundary = self._at, self._is_boundary
        if before is None:
            yield from self._first(at, number, is_boundary=is_boundary)
        else:
            yield from self._next(at, before, number, is_gap=not (was_boundary or is_boundary))
            if at == before and not (was_boundary or is_boundary):
                yield Flaw(number, "twice", "has the time of the line before", _DELETE)
        if self._range is not None and not self._range[0] <= at < self._range[1]:
            cure = "move the line to the file of its day"
            yield Flaw(number, "day", "is of another day than the file's name says", cure)
        self._at, self._is_boundary, self._line = at, is_boundary, number

    def _next(self, at: datetime, before: datetime, number: int, *, is_gap: bool) -> Iterator[Flaw]:
        if at < before:
            back = before - at
            cure = "sort the lines by time (history shows them sorted as it is)"
            yield Flaw(number, "order", f"goes back in time by {back}", cure)
        elif is_gap and at - before > self._gap:
            text = f"nothing was recorded for {at - before} before it, and no boundary says so"
            cure = "insert a line with the time of the row before and empty cells"
            yield Flaw(number, "gap", text, cure)

    def _first(self, at: datetime, number: int, *, is_boundary: bool) -> Iterator[Flaw]:
        if self._range is not None and not is_boundary and at - self._range[0] > self._gap:
            text = "the first session begins without a boundary"
            yield Flaw(number, "open", text, "insert a line before it with a time and empty cells")

    def _end(self) -> Iterator[Flaw]:
        """A session that is still open, though the day was not recorded to its end."""
        if self._at is None or self._is_boundary or not self._is_over or self._range is None:
            return
        if self._range[1] - self._at > self._gap:
            text = "the last session is not closed by a boundary"
            cure = "append a line with a time and empty cells (the next start of the engine does)"
            yield Flaw(self._line, "open", text, cure)


def _header(names: list[str]) -> Iterator[Flaw]:
    if names[0] != TIMESTAMP:
        cure = f"put back the line of the columns: {TIMESTAMP},{','.join(COLUMNS)}"
        yield Flaw(1, "header", f'the first column is not "{TIMESTAMP}"', cure)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Flaw(1, "header", f"the column {name} stands twice", "rename one of them")
    missing = [name for name in COLUMNS if name not in names]
    if VOLTAGE_PU in names and "v_poi_kV" in missing:
        missing.remove("v_poi_kV")
    if missing:
        cure = "nothing, if they were not recorded: they are read as not known"
        yield Flaw(1, "header", f"there is no column {', '.join(missing)}", cure)


def _broken(line: bytes, number: int, columns: int) -> Flaw | None:
    """What makes a line no row at all."""
    if not line.strip():
        return Flaw(number, "blank", "is blank", _DELETE)
    if b"\0" in line:
        return Flaw(number, "nul", "has NUL bytes, as a power cut leaves them", _COPY)
    count = line.count(b",") + 1
    if count != columns:
        return Flaw(number, "cells", f"has {count} cells, not {columns}", _COPY)
    return None


def _cells(line: bytes, number: int, names: list[str]) -> Iterator[Flaw]:
    """The cells of a row that are not written as they should be."""
    for name, cell in zip(names[1:], line.rstrip(b"\r").split(b",")[1:], strict=True):
        if re.fullmatch(_CELL, cell):
            continue
        shown = cell[:40].decode("utf-8", errors="replace")
        if _NUMBER.fullmatch(cell) is None:
            text = f'{name}: "{shown}" is not a number'
            yield Flaw(number, "number", text, "empty the cell: it is read as not known")
        else:
            cure = "nothing: it is read rounded"
            text = f"{name}: {shown} is not written plainly, with at most {DECIMALS} decimals"
            yield Flaw(number, "form", text, cure)


def _time(stamp: bytes) -> datetime | None:
    if _STAMP.fullmatch(stamp) is None:
        return None
    try:
        return datetime.fromisoformat(stamp.decode("ascii")).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or none that can be reckoned with
        return None
