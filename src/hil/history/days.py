"""The days of every plant that there are, from the cache where it holds them."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from hil.domain.downsample import us
from hil.domain.errors import HilError
from hil.domain.plant import PlantId
from hil.domain.site_day import day_range
from hil.history import sealed
from hil.history.listing import FOLDER, Owner, day_key, files_of, sealed_keys
from hil.history.read import read_day
from hil.history.sealed import About, Day, Source

# Frames kept for the next question; a year of one plant takes a fifth of this.
FRAMES_BYTES_MAX = 64 * 2**20
# Of days: what is known of them without their rows, some kilobytes each.
DAYS_MAX = 4_000
SETTLED_NS = 2_000_000_000
# A question that has to read more days than this is told to come again: some ten seconds.
READ_MAX = 100


class Later(HilError):
    """More has to be read than one question may wait for."""


class Days:
    """Finds, reads and seals the days in the recordings' folder.

    Args:
        hold_us: How long a row holds when no other follows.
    """

    def __init__(
        self, folder: Path, owners: Mapping[PlantId, Owner], zone: ZoneInfo, *, hold_us: int
    ) -> None:
        self.folder = folder
        self.zone = zone
        self.hold_us = hold_us
        self._owners = owners
        self._cache = folder / FOLDER
        self._listed: tuple[int, dict[PlantId, dict[date, list[Path]]]] | None = None
        self._days: OrderedDict[str, Day] = OrderedDict()
        self._frames: OrderedDict[tuple[str, int], pl.DataFrame] = OrderedDict()
        self._ranges: dict[date, tuple[int, int]] = {}
        self._frames_bytes = 0
        self._reads_left = READ_MAX
        self._now_us = 0

    def begin(self, now_us: int = 0) -> None:
        """Another question begins, at this time."""
        self._now_us = now_us
        self.allow(READ_MAX)

    def allow(self, reads: int) -> None:
        """Let the question under way read so many days."""
        self._reads_left = reads

    def files(self) -> dict[PlantId, dict[date, list[Path]]]:
        """The files of each plant and day; those of nobody are left out."""
        try:
            changed_ns = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if self._listed is not None and self._listed[0] == changed_ns:
            return self._listed[1]
        # A folder that has just changed may change again without a later time of change.
        is_settled = self._now_us * 1000 - changed_ns > SETTLED_NS
        found = files_of(self.folder, self._owners)
        self._listed = (changed_ns, found) if is_settled else None
        return found

    def range_us(self, day: date) -> tuple[int, int]:
        """When a site day begins and ends, in microseconds since the epoch."""
        if day not in self._ranges:
            start, end = day_range(day, self.zone)
            self._ranges[day] = us(start), us(end)
        return self._ranges[day]

    def within(self, plant: PlantId, start: datetime, end: datetime) -> list[date]:
        """The days with files that the range touches, and the next one on either side."""
        first, last = (at.astimezone(self.zone).date() for at in (start, end))
        there = sorted(self.files().get(plant, {}))
        return there[max(bisect_left(there, first) - 1, 0) : bisect_right(there, last) + 1]

    def day(
        self,
        plant: PlantId,
        day: date,
        *,
        today: date,
        until_us: int | None = None,
        may_read: bool = True,
    ) -> Day | None:
        """A day as its files are now; sealed if it is over.

        None: it would have to be read, and may not; or its files are gone.

        Args:
            until_us: What comes later in the day does not matter: its file may have grown.

        Raises:
            Later: Too many days had to be read already.
            OSError: A file cannot be read.
        """
        name = day_key(plant, day)
        try:
            sources = sealed.sources_of(self.files()[plant][day])
        except FileNotFoundError:
            return None
        found = self._days.get(name)
        if found is None or not _is_of(found.about, sources, until_us):
            self._forget(name)
            found = sealed.load(self._cache, name, sources, hold_us=self.hold_us)
            if found is None:
                if not may_read:
                    return None
                found = self._read(plant, day, is_over=day < today)
            self._days[name] = found
            if len(self._days) > DAYS_MAX:
                self._forget(next(iter(self._days)))
        self._days.move_to_end(name)
        return found

    def rows(self, plant: PlantId, day: date, found: Day) -> pl.DataFrame:
        """The rows of a day."""
        return self._frame(plant, day, 0, found, Day.rows)

    def level(self, plant: PlantId, day: date, found: Day, width_s: int) -> pl.DataFrame:
        """The stretches of a day in cells of 60 or 900 s."""
        return self._frame(plant, day, width_s, found, lambda one: one.level(width_s))

    def read(self, plant: PlantId, path: Path) -> pl.DataFrame:
        """The rows of one file, boundaries included, as `hil.history.read` has them."""
        return read_day(path, v_nominal_kv=self._owners[plant].v_nominal_kv).frame

    def clear(self) -> None:
        """Remove from the cache what has no files any more."""
        known = {day_key(plant, day) for plant, days in self.files().items() for day in days}
        for name in sealed_keys(self.folder) - known:
            sealed.remove(self._cache, name)

    def _read(self, plant: PlantId, day: date, *, is_over: bool) -> Day:
        if self._reads_left <= 0:
            raise Later("the history of this range is still being prepared; ask again in a minute")
        self._reads_left -= 1
        found = sealed.read(
            self.files()[plant][day],
            v_nominal_kv=self._owners[plant].v_nominal_kv,
            hold_us=self.hold_us,
        )
        if is_over:
            try:
                return sealed.seal(found, self._cache, day_key(plant, day))
            except OSError:
                pass  # a full or read-only disk costs time, not the answer
        return found

    def _frame(
        self,
        plant: PlantId,
        day: date,
        width_s: int,
        found: Day,
        make: Callable[[Day], pl.DataFrame],
    ) -> pl.DataFrame:
        key = (day_key(plant, day), width_s)
        frame = self._frames.get(key)
        if frame is not None:
            self._frames.move_to_end(key)
            return frame
        try:
            frame = make(found)
        except (OSError, pl.exceptions.PolarsError):
            # The cache is damaged: the files are the record.
            sealed.remove(self._cache, key[0])
            self._days[key[0]] = self._read(plant, day, is_over=True)
            frame = make(self._days[key[0]])
        self._frames[key] = frame
        self._frames_bytes += int(frame.estimated_size())
        while self._frames_bytes > FRAMES_BYTES_MAX and len(self._frames) > 1:
            _, oldest = self._frames.popitem(last=False)
            self._frames_bytes -= int(oldest.estimated_size())
        return frame

    def _forget(self, name: str) -> None:
        self._days.pop(name, None)
        for width_s in (0, *sealed.LEVELS_S):
            frame = self._frames.pop((name, width_s), None)
            if frame is not None:
                self._frames_bytes -= int(frame.estimated_size())


def _is_of(about: About, sources: tuple[Source, ...], until_us: int | None) -> bool:
    if about.sources == sources:
        return True
    if until_us is None or about.last_us is None or about.last_us < until_us:
        return False
    pairs = zip(about.sources, sources, strict=False)
    has_grown = all(a[0] == b[0] and a[1] <= b[1] for a, b in pairs)
    return has_grown and len(about.sources) == len(sources)
