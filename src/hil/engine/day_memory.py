"""The newest measurements of every plant, kept in memory as columns for plots."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import isnan, nan

from hil.domain.downsample import US_PER_S, Buckets, Grid, Stretches, grouped, instant, spread, us
from hil.domain.plant import PlantId
from hil.domain.signals import Row

# A day at one row every 2 s; faster cadences keep the newest part of the day.
ROWS_MAX = 43_200
# Of all plants together, about 0.25 GB: above some thirty plants each keeps a part of the day.
SITE_ROWS_MAX = 1_500_000
# What is over is dropped in portions, because each drop moves the rest.
PORTION = 512
LEVELS_S = (10, 60)
# A row holds until the next one, at most this long; after that nothing is known.
HOLD_S = 900.0


class DayMemory:
    """The newest rows of every plant, measured while it was recorded or not.

    Args:
        names: The signals of each plant, in the order of its rows' values.
    """

    def __init__(
        self, names: Mapping[PlantId, Sequence[str]], *, rows_max: int | None = None
    ) -> None:
        share = max(min(ROWS_MAX, SITE_ROWS_MAX // max(len(names), 1)), PORTION)
        self._rows_max = share if rows_max is None else rows_max
        self._names = names
        self._plants = {plant: self._empty(plant) for plant in names}
        self._newest: dict[PlantId, Row] = {}

    def _empty(self, plant: PlantId) -> "_PlantMemory":
        return _PlantMemory(tuple(self._names[plant]), self._rows_max)

    def add(self, plant: PlantId, row: Row) -> None:
        """Keep a row that is not older than those before; one without a known value is a gap."""
        self._plants[plant].add(us(row.at), row.values or ())
        self._newest[plant] = row

    def newest(self, plant: PlantId) -> Row | None:
        """The last row that was measured in this run."""
        return self._newest.get(plant)

    def drop_from(self, plant: PlantId, at: datetime) -> None:
        """Forget the rows at and after an instant that is yet to come (the clock went back)."""
        self._plants[plant].drop_from(us(at))
        if plant in self._newest and self._newest[plant].at >= at:
            del self._newest[plant]

    def forget(self, plant: PlantId) -> None:
        """Forget the plant's rows (they are another endpoint's)."""
        self._plants[plant] = self._empty(plant)
        self._newest.pop(plant, None)

    def since(self, plant: PlantId) -> datetime | None:
        """From when on everything that was measured is here; None when nothing is."""
        since_us = self._plants[plant].since_us
        return None if since_us is None else instant(since_us)

    def count(self, plant: PlantId, start: datetime, end: datetime) -> tuple[int, int]:
        """How many rows and how many gaps `[start, end)` has."""
        return self._plants[plant].count(us(start), us(end))

    def cut(
        self, plant: PlantId, start: datetime, end: datetime, grid: Grid
    ) -> Callable[[], Buckets]:
        """What makes the buckets of `[start, end)`, of a copy and so in any thread.

        A value holds until the next row, so that a bucket also shows the value it begins with, and
        one without rows shows only that; a value in force at the start stands there. A gap is
        null in all signals. Cells of the grid are shown as a whole; a bucket's time is where its
        cell begins, or its first row where nothing held before.
        """
        return self._plants[plant].cut(us(start), us(end), grid)


class _PlantMemory:
    """Rows as columns, the instants from which nothing is known, and levels that grow with them."""

    def __init__(self, names: tuple[str, ...], rows_max: int) -> None:
        self._names = names
        self._rows_max = rows_max
        self._hold_us = int(HOLD_S * US_PER_S)
        self._at = array("q")
        self._end = array("q")  # until when each row holds; its own time: it is the newest
        self._values = [array("d") for _ in names]
        self._gaps = array("q")
        self._levels = [_Level(width_s, len(names)) for width_s in LEVELS_S]
        self._filled_us = 0  # how far the levels know what held: not yet the newest row
        self._is_known = False  # the newest row holds
        self.since_us: int | None = None

    def add(self, at_us: int, values: Sequence[float | None]) -> None:
        if self.since_us is None:
            self.since_us = at_us
        if self._is_known and at_us - self._at[-1] > self._hold_us:
            self._lose(self._at[-1] + self._hold_us)
        numbers = [nan if value is None else value for value in values]
        if all(map(isnan, numbers)):
            if self._is_known:
                self._lose(at_us)
            return
        numbers += [nan] * (len(self._names) - len(numbers))
        self._hold(at_us)
        if self._gaps and self._gaps[-1] == at_us:
            self._gaps.pop()  # a gap that lasts no time is none
        self._at.append(at_us)
        self._end.append(at_us)
        for column, number in zip(self._values, numbers, strict=True):
            column.append(number)
        self._filled_us = at_us
        self._is_known = True
        if len(self._at) >= self._rows_max + PORTION:
            self._forget_before(self._at[PORTION])

    def drop_from(self, at_us: int) -> None:
        # Levels are cut where their cells begin, and filled again from there.
        cut_us = at_us - at_us % (LEVELS_S[-1] * US_PER_S)
        again, first = bisect_left(self._at, cut_us), bisect_left(self._at, at_us)
        rows: list[tuple[int, tuple[float, ...]]] = [
            (self._at[k], tuple([column[k] for column in self._values]))
            for k in range(again, first)
        ]
        rows += [(gap_us, ()) for gap_us in self._gaps if cut_us <= gap_us < at_us]
        del self._at[again:], self._end[again:]
        for column in self._values:
            del column[again:]
        del self._gaps[bisect_left(self._gaps, cut_us) :]
        for level in self._levels:
            level.drop(level.first_from(cut_us), None)
        self._filled_us = min(self._filled_us, cut_us)
        newest_us = self._at[-1] if self._at else None
        self._is_known = newest_us is not None and not (self._gaps and self._gaps[-1] > newest_us)
        if self._is_known:
            self._end[-1] = self._filled_us
        for row_us, values in sorted(rows):
            self.add(row_us, values)

    def count(self, start_us: int, end_us: int) -> tuple[int, int]:
        first, last = self._between(start_us, end_us)
        return last - first, len(self._gaps_between(start_us, end_us))

    def cut(self, start_us: int, end_us: int, grid: Grid) -> Callable[[], Buckets]:
        # Those that were counted; cells at the edges are not cut beyond the range.
        gaps = self._gaps_between(start_us, end_us)
        start_us, end_us = grid.whole(start_us, end_us)
        for level in reversed(self._levels):
            if grid.width_s and not grid.width_s % level.width_s:
                starts, signals = level.between(start_us, end_us)
                if self._is_known and start_us <= self._filled_us < end_us:
                    newest = [column[-1] for column in self._values]
                    level.add_newest(starts, signals, newest, self._filled_us)
                return lambda: _buckets(self._names, starts, signals, gaps, grid)
        first, last = self._between(start_us, end_us)
        at, end = self._at[first:last], self._end[first:last]
        values = [column[first:last] for column in self._values]

        def make() -> Buckets:
            begins = [max(at_us, start_us) for at_us in at]
            ends = [min(until_us, end_us) for until_us in end]
            starts, held, sources = spread(begins, ends, grid)
            signals = [
                Stretches.of_held([column[source] for source in sources], held) for column in values
            ]
            return _buckets(self._names, starts, signals, gaps, grid)

        return make

    def _between(self, start_us: int, end_us: int) -> tuple[int, int]:
        """The rows of the range, and the one before it that holds on into it."""
        first, last = bisect_left(self._at, start_us), bisect_left(self._at, end_us)
        is_held = first > 0 and self._end[first - 1] > start_us
        return first - is_held, last

    def _gaps_between(self, start_us: int, end_us: int) -> "array[int]":
        return self._gaps[bisect_left(self._gaps, start_us) : bisect_left(self._gaps, end_us)]

    def _lose(self, at_us: int) -> None:
        """Nothing is known from this instant on."""
        self._hold(at_us)
        self._gaps.append(at_us)
        self._is_known = False
        for level in self._levels:
            level.close()

    def _hold(self, until_us: int) -> None:
        """The newest row holds until this instant."""
        if not self._is_known:
            return
        self._end[-1] = until_us
        if self._filled_us == until_us > self._at[-1]:
            return
        numbers = [column[-1] for column in self._values]
        for level in self._levels:
            level.fill(numbers, self._filled_us, until_us)
        self._filled_us = until_us

    def _forget_before(self, at_us: int) -> None:
        count = bisect_left(self._at, at_us)
        del self._at[:count], self._end[:count]
        for column in self._values:
            del column[:count]
        del self._gaps[: bisect_left(self._gaps, at_us)]
        for level in self._levels:
            level.drop(0, level.first_from(at_us))
        # Whole cells only: what is known in full begins with the next one.
        self.since_us = at_us + -at_us % (LEVELS_S[-1] * US_PER_S)


class _Level:
    """What was known in each cell of a fixed width; the last stretch is still growing."""

    def __init__(self, width_s: int, signals: int) -> None:
        self.width_s = width_s
        self._width_us = width_s * US_PER_S
        self._at = array("q")
        self._signals = [Stretches() for _ in range(signals)]
        self._cell_end_us = 0  # of the last stretch; 0: it is closed

    def fill(self, numbers: Sequence[float], start_us: int, end_us: int) -> None:
        """These values hold over `[start, end)`, or stand at an instant."""
        while True:
            if start_us >= self._cell_end_us:
                self._cell_end_us = start_us - start_us % self._width_us + self._width_us
                self._at.append(start_us)
                for signal in self._signals:
                    signal.append_unknown()
            part_us = min(end_us, self._cell_end_us) - start_us
            for signal, number in zip(self._signals, numbers, strict=True):
                signal.add(number, part_us)
            start_us += part_us
            if start_us >= end_us:
                return

    def close(self) -> None:
        """What comes next is a stretch of its own."""
        self._cell_end_us = 0

    def first_from(self, at_us: int) -> int:
        """The first stretch that begins at the instant or after it."""
        return bisect_left(self._at, at_us)

    def drop(self, first: int, last: int | None) -> None:
        """Forget the stretches `[first, last)`."""
        del self._at[first:last]
        for signal in self._signals:
            signal.drop(first, last)
        if last is None:
            self.close()

    def between(self, start_us: int, end_us: int) -> tuple["array[int]", list[Stretches]]:
        """A copy of the stretches that begin in the range."""
        first, last = self.first_from(start_us), self.first_from(end_us)
        return self._at[first:last], [signal.slice(first, last) for signal in self._signals]

    def add_newest(
        self,
        starts: "array[int]",
        signals: Sequence[Stretches],
        numbers: Sequence[float],
        at_us: int,
    ) -> None:
        """Put these values, which hold from now on, at the end of such a copy."""
        if not (starts and starts[-1] == self._at[-1] and at_us < self._cell_end_us):
            starts.append(at_us)
            for signal in signals:
                signal.append_unknown()
        for signal, number in zip(signals, numbers, strict=True):
            signal.add(number, 0)


def _buckets(
    names: Sequence[str],
    starts_us: Sequence[int],
    signals: Sequence[Stretches],
    gaps_us: Sequence[int],
    grid: Grid,
) -> Buckets:
    times_us, groups = grouped(starts_us, gaps_us, grid)
    merged = [signal.merged(groups) for signal in signals]
    return Buckets(
        time=list(map(instant, times_us)),
        level_s=float(grid.width_s),
        signals=dict(zip(names, merged, strict=True)),
    )
