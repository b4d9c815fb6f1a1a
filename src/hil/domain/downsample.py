"""Rows into at most N buckets that keep the peaks, the gaps and the time that values held."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, isfinite, isnan, nan
from operator import mul

from hil.domain.errors import InvalidInput

US_PER_S = 1_000_000
# Whole parts of a minute, an hour and a day, so that coarse buckets are made of finer ones.
_SECONDS = (1, 2, 5, 10, 20, 30)
_MINUTES = (1, 2, 5, 10, 15, 30)
_HOURS = (1, 2, 3, 4, 6, 12, 24)
WIDTHS_S = (*_SECONDS, *(60 * m for m in _MINUTES), *(3600 * h for h in _HOURS))
# Wider ones are any number of the coarsest level's buckets.
COARSEST_S = 900
# A mean is a computed figure: more decimals are noise, and make answers long.
MEAN_DECIMALS = 6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
class Grid:
    """How a range is divided: cells of `width_s` counted from `anchor_s` after the epoch.

    `width_s` 0: every row stands for itself. A gap cuts its cell in two where `is_cut`; else a cell
    has one bucket and one gap at most.
    """

    width_s: int
    anchor_s: int = 0
    is_cut: bool = True

    def whole(self, start_us: int, end_us: int) -> tuple[int, int]:
        """The range, widened to whole cells."""
        if not self.width_s:
            return start_us, end_us
        width, anchor = self.width_s * US_PER_S, self.anchor_s * US_PER_S
        return start_us - (start_us - anchor) % width, end_us + (anchor - end_us) % width

    def cell(self, at_us: int) -> int:
        """The number of the cell that an instant is in."""
        return (at_us - self.anchor_s * US_PER_S) // (self.width_s * US_PER_S)


def grid_of(start: datetime, end: datetime, *, points: int, rows: int, gaps: int) -> Grid:
    """The finest grid that shows `[start, end)` in at most `points` buckets, gaps included.

    Args:
        points: At least 2.
        rows: How many rows there are in the range, without gaps.
        gaps: How often nothing is known any more; each costs a bucket.

    Raises:
        InvalidInput: Fewer than 2 points, or a range that is empty.
    """
    if points < 2:
        raise InvalidInput(f"points must be at least 2, not {points}")
    if not start < end:
        raise InvalidInput("the range is empty: its start must lie before its end")
    if rows + gaps <= points:
        return Grid(0)
    # Each gap also cuts another bucket in two. Where that would eat up the points, it does not.
    is_cut = 4 * gaps <= points
    cells = points - 2 * gaps if is_cut else points // 2
    start_us, end_us = us(start), us(end)
    for width_s in WIDTHS_S:
        first, last = Grid(width_s).whole(start_us, end_us)
        if last - first <= cells * width_s * US_PER_S:
            return Grid(width_s, is_cut=is_cut)
    step_us = COARSEST_S * US_PER_S
    first_us = start_us // step_us * step_us
    width_s = -((first_us - end_us) // (cells * step_us)) * COARSEST_S
    return Grid(width_s, first_us // US_PER_S, is_cut=is_cut)


def us(at: datetime) -> int:
    """Microseconds since the epoch."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """The instant of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=at_us)


def _floats() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Stretches:
    """One signal over stretches of time, one item each.

    Where nothing is known `low` is +inf, `high` -inf and `held_us` 0, so that minima, maxima and
    sums are right without a look; `last` is NaN where it is not known at the stretch's end.
    `area` is the sum of the values times the microseconds that each held.
    """

    low: "array[float]" = field(default_factory=_floats)
    high: "array[float]" = field(default_factory=_floats)
    area: "array[float]" = field(default_factory=_floats)
    held_us: "array[float]" = field(default_factory=_floats)
    last: "array[float]" = field(default_factory=_floats)

    @classmethod
    def of_held(cls, values: Sequence[float], held_us: Sequence[int]) -> "Stretches":
        """One value in force over each stretch; NaN is not known."""
        is_whole = not any(map(isnan, values))
        known = values if is_whole else [0.0 if isnan(value) else value for value in values]
        held = array("d", held_us)
        if is_whole:
            return cls(
                array("d", values),
                array("d", values),
                array("d", map(mul, known, held)),
                held,
                array("d", values),
            )
        return cls(
            array("d", [inf if isnan(value) else value for value in values]),
            array("d", [-inf if isnan(value) else value for value in values]),
            array("d", map(mul, known, held)),
            array("d", [0.0 if isnan(v) else us for v, us in zip(values, held, strict=True)]),
            array("d", values),
        )

    def append_unknown(self) -> None:
        """Begin a stretch of which nothing is known yet."""
        self.low.append(inf)
        self.high.append(-inf)
        self.area.append(0.0)
        self.held_us.append(0.0)
        self.last.append(nan)

    def add(self, value: float, held_us: int) -> None:
        """The last stretch goes on with this value, in force for so long; NaN is not known."""
        self.last[-1] = value
        if isnan(value):
            return
        if value < self.low[-1]:
            self.low[-1] = value
        if value > self.high[-1]:
            self.high[-1] = value
        if held_us:
            self.area[-1] += value * held_us
            self.held_us[-1] += held_us

    def slice(self, first: int, last: int) -> "Stretches":
        """The stretches `[first, last)`, copied."""
        return Stretches(
            self.low[first:last],
            self.high[first:last],
            self.area[first:last],
            self.held_us[first:last],
            self.last[first:last],
        )

    def drop(self, first: int, last: int | None) -> None:
        """Forget the stretches `[first, last)`."""
        for column in (self.low, self.high, self.area, self.held_us, self.last):
            del column[first:last]

    def merged(self, groups: Sequence[tuple[int, int] | None]) -> SignalBuckets:
        """A bucket for each group of neighbours `[first, last)`; None is a gap."""
        if all(group is not None and group[1] - group[0] == 1 for group in groups):
            low, high, area, held = self.low, self.high, self.area, self.held_us
            last: Sequence[float] = self.last
        else:
            cut = [(0, 0) if group is None else group for group in groups]
            low = array("d", [min(self.low[a:b], default=inf) for a, b in cut])
            high = array("d", [max(self.high[a:b], default=-inf) for a, b in cut])
            area = array("d", [sum(self.area[a:b]) for a, b in cut])
            held = array("d", [sum(self.held_us[a:b]) for a, b in cut])
            last = [self.last[b - 1] if b > a else nan for a, b in cut]
        return SignalBuckets(
            min=_known(low),
            max=_known(high),
            mean=[
                _mean(*each) if each[0] <= each[1] else None
                for each in zip(low, high, area, held, strict=True)
            ],
            last=_known(last),
        )


def _known(values: Sequence[float]) -> list[float | None]:
    return [value if isfinite(value) else None for value in values]


def _mean(low: float, high: float, area: float, held_us: float) -> float:
    if low == high:
        return low
    # Rows of one instant hold for no time at all.
    mean = area / held_us if held_us else (low + high) / 2
    return min(max(round(mean, MEAN_DECIMALS), low), high)


def grouped(
    starts_us: Sequence[int], gaps_us: Sequence[int], grid: Grid
) -> tuple[list[int], list[tuple[int, int] | None]]:
    """The buckets of stretches that begin at these instants, and of the gaps between them.

    Returns when each bucket begins, and which stretches `[first, last)` are in it; None is a gap.
    """
    marks = list(gaps_us)
    if not grid.is_cut:
        marks = [
            gap for k, gap in enumerate(marks) if not k or grid.cell(marks[k - 1]) != grid.cell(gap)
        ]
    groups: list[tuple[int, tuple[int, int] | None]] = [(gap, None) for gap in marks]
    groups += [(starts_us[a], (a, b)) for a, b in _runs(starts_us, gaps_us, grid)]
    groups.sort(key=lambda group: group[0])
    return [at_us for at_us, _ in groups], [group for _, group in groups]


def _runs(
    starts_us: Sequence[int], gaps_us: Sequence[int], grid: Grid
) -> Iterator[tuple[int, int]]:
    """Runs of stretches within one cell and, where gaps cut, between two gaps."""
    if not starts_us:
        return
    if not grid.width_s:
        yield from ((k, k + 1) for k in range(len(starts_us)))
        return
    keys: list[object] = list(map(grid.cell, starts_us))
    if grid.is_cut and gaps_us:
        keys = [(key, bisect_right(gaps_us, at)) for key, at in zip(keys, starts_us, strict=True)]
    cuts = [k for k, (a, b) in enumerate(pairwise(keys), 1) if a != b]
    yield from pairwise((0, *cuts, len(keys)))


def spread(
    starts_us: Sequence[int], ends_us: Sequence[int], grid: Grid
) -> tuple[list[int], list[int], list[int]]:
    """Stretches cut where cells begin.

    Returns of each part the start, how long it is, and which stretch it is of.
    """
    width = grid.width_s * US_PER_S
    starts: list[int] = []
    lengths: list[int] = []
    sources: list[int] = []
    for k, (start_us, end_us) in enumerate(zip(starts_us, ends_us, strict=True)):
        begin = grid.whole(start_us, start_us + 1)[1] if width else end_us
        if begin >= end_us:
            starts.append(start_us)
            lengths.append(end_us - start_us)
            sources.append(k)
            continue
        edges = [start_us, *range(begin, end_us, width), end_us]
        starts += edges[:-1]
        lengths += [b - a for a, b in pairwise(edges)]
        sources += [k] * (len(edges) - 1)
    return starts, lengths, sources
