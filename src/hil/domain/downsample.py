"""Rows into at most N buckets that keep the peaks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import mul

from hil.domain.errors import InvalidInput
from hil.domain.signals import Row

Values = tuple[float | None, ...]
_Event = tuple[datetime, Values | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalBuckets:
    """One signal, one value a bucket; None where nothing is known."""

    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Signals over a range; `level_s` is the width of a bucket, 0 when every row is its own."""

    time: list[datetime]
    level_s: float
    signals: dict[str, SignalBuckets]


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What one bucket shows: values and for how many seconds each held; none of them is a gap."""

    at: datetime
    values: tuple[Values, ...]
    holds_s: tuple[float, ...]


def bucketise(
    rows: Sequence[Row], names: Sequence[str], *, start: datetime, end: datetime, points: int
) -> Buckets:
    """The rows of `[start, end)` in at most `points` buckets of equal width.

    A value holds until the next row, so that a bucket also shows the value it begins with, and one
    without rows shows only that. A boundary stands in a bucket of its own that is null in all
    signals. A bucket's time is where it begins, or its first row where nothing held before.

    Args:
        rows: In the order of time, all inside the range.
        names: The signals, in the order of `Row.values`; a row may have fewer, which are unknown.
        points: At least 2.

    Raises:
        InvalidInput: Fewer than 2 points, or a range that is empty.
    """
    if points < 2:
        raise InvalidInput(f"points must be at least 2, not {points}")
    if not start < end:
        raise InvalidInput("the range is empty: its start must lie before its end")
    if len(rows) <= points:
        level_s = 0.0
        buckets = [_own_bucket(row) for row in rows]
    else:
        runs = _boundary_runs(rows)
        # Each run of boundaries costs a bucket and cuts another in two. Where that would eat up
        # the grid, a cell has one bucket and one gap at most.
        is_cut = 4 * runs <= points
        cells = points - 2 * runs if is_cut else points // 2
        grid = _Grid(start, -((start - end) // cells), is_cut=is_cut)
        level_s = grid.width.total_seconds()
        buckets = grid.buckets(rows)
    signals = {name: SignalBuckets(min=[], max=[], mean=[], last=[]) for name in names}
    for bucket in buckets:
        _add(bucket, tuple(signals.values()))
    return Buckets(time=[bucket.at for bucket in buckets], level_s=level_s, signals=signals)


def _boundary_runs(rows: Sequence[Row]) -> int:
    return sum(is_boundary for is_boundary, _ in groupby(rows, lambda row: row.values is None))


def _own_bucket(row: Row) -> _Bucket:
    return _Bucket(row.at, () if row.values is None else (row.values,), (1.0,))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of equal width from `start` on."""

    start: datetime
    width: timedelta
    is_cut: bool

    def buckets(self, rows: Iterable[Row]) -> list[_Bucket]:
        """Every cell from the first row to the last, without those inside a gap."""
        buckets: list[_Bucket] = []
        held: Values | None = None
        empty = 0
        for cell, group in groupby(rows, key=self._cell):
            if held is not None:
                buckets += [
                    _Bucket(self.start + k * self.width, (held,), (1.0,))
                    for k in range(empty, cell)
                ]
            events = [(row.at, row.values) for row in group]
            begin = self.start + cell * self.width
            if held is not None and events[0][0] > begin:
                events.insert(0, (begin, held))
            held, empty = events[-1][1], cell + 1
            until = max(begin + self.width, events[-1][0])
            for bucket in _pieces(events, until) if self.is_cut else _whole(events, until):
                if bucket.values or not buckets or buckets[-1].values:
                    buckets.append(bucket)
        return buckets

    def _cell(self, row: Row) -> int:
        return (row.at - self.start) // self.width


def _pieces(events: list[_Event], until: datetime) -> Iterator[_Bucket]:
    """The events of a cell, cut at its boundaries."""
    ends = [*(at for at, _ in events[1:]), until]
    piece: list[tuple[_Event, datetime]] = []
    for event, end in zip(events, ends, strict=True):
        if event[1] is not None:
            piece.append((event, end))
            continue
        if piece:
            yield _filled(piece)
        piece = []
        yield _Bucket(event[0], (), ())
    if piece:
        yield _filled(piece)


def _whole(events: list[_Event], until: datetime) -> list[_Bucket]:
    """The events of a cell in one bucket, with a gap beside it when there is a boundary."""
    ends = [*(at for at, _ in events[1:]), until]
    piece = [pair for pair in zip(events, ends, strict=True) if pair[0][1] is not None]
    gaps = [_Bucket(at, (), ()) for at, values in events if values is None]
    buckets = gaps[:1] + ([_filled(piece)] if piece else [])
    return sorted(buckets, key=lambda bucket: bucket.at)


def _filled(piece: list[tuple[_Event, datetime]]) -> _Bucket:
    values = tuple([event[1] for event, _ in piece if event[1] is not None])
    holds_s = tuple([(end - event[0]).total_seconds() for event, end in piece])
    return _Bucket(piece[0][0][0], values, holds_s)


def _add(bucket: _Bucket, signals: Sequence[SignalBuckets]) -> None:
    width = len(signals)
    rows = [
        values if len(values) == width else (*values, *(None,) * width)[:width]
        for values in bucket.values
    ]
    columns: Iterable[Values] = zip(*rows, strict=True) if rows else [(None,)] * width
    for signal, column in zip(signals, columns, strict=True):
        known = [value for value in column if value is not None]
        low, high = min(known, default=None), max(known, default=None)
        signal.min.append(low)
        signal.max.append(high)
        signal.mean.append(low if low == high else _mean(column, bucket.holds_s))
        signal.last.append(column[-1])


def _mean(column: Values, holds_s: Sequence[float]) -> float:
    """The mean of what is known, each value weighted with how long it held."""
    known: list[float] = []
    weights: list[float] = []
    for value, hold_s in zip(column, holds_s, strict=True):
        if value is not None:
            known.append(value)
            weights.append(hold_s)
    total_s = sum(weights)
    # Rows of one instant hold for no time at all.
    mean = sum(map(mul, known, weights)) / total_s if total_s else sum(known) / len(known)
    return min(max(mean, min(known)), max(known))
