"""The rows of the present day, kept in memory for plots."""

from collections import deque
from datetime import datetime
from itertools import takewhile

from hil.domain.plant import PlantId
from hil.domain.signals import Row

# A day at one row every 2 s; faster cadences keep the newest part of the day.
ROWS_MAX = 43_200


class DayMemory:
    """The newest rows of every plant, measured while it was recorded or not."""

    def __init__(self) -> None:
        self._rows: dict[PlantId, deque[Row]] = {}

    def add(self, plant: PlantId, row: Row) -> None:
        """Keep a row that is newer than those before."""
        self._rows.setdefault(plant, deque(maxlen=ROWS_MAX)).append(row)

    def newest(self, plant: PlantId) -> Row | None:
        """The last row that was added."""
        rows = self._rows.get(plant)
        return rows[-1] if rows else None

    def drop_from(self, plant: PlantId, at: datetime) -> None:
        """Forget the rows at and after an instant that is yet to come (the clock went back)."""
        rows = self._rows.get(plant, deque())
        while rows and rows[-1].at >= at:
            rows.pop()

    def forget(self, plant: PlantId) -> None:
        """Forget the plant's rows (they are another endpoint's)."""
        self._rows.pop(plant, None)

    def between(self, plant: PlantId, start: datetime, end: datetime) -> list[Row]:
        """The rows of `[start, end)`, oldest first."""
        newest_first = takewhile(
            lambda row: row.at >= start, reversed(self._rows.get(plant, deque()))
        )
        rows = [row for row in newest_first if row.at < end]
        rows.reverse()
        return rows
