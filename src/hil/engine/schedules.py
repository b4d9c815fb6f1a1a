"""The schedules in force: replaced at once and whole, with the version that was edited."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hil.api import Versioned
from hil.domain.errors import EditConflict
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule, Series, Signal
from hil.engine.journal import Journal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """An override and its version."""

    series: Series
    etag: str


class Schedules:
    """The manual schedule and the overrides of every plant, kept over a restart."""

    def __init__(self, plants: Iterable[PlantId], journal: Journal) -> None:
        self._journal = journal
        self._manual: dict[PlantId, Versioned] = {}
        self._overrides: dict[PlantId, dict[Signal, StoredOverride]] = {}
        for plant in plants:
            stored = journal.get(f"schedule/{plant}", Versioned)
            self._manual[plant] = stored or Versioned(Schedule(), etag="0")
            self._overrides[plant] = {
                signal: journal.get(f"override/{plant}/{signal}", StoredOverride)
                or StoredOverride(Series(), etag="0")
                for signal in Signal
            }

    def manual(self, plant: PlantId) -> Versioned:
        """The manual schedule of a plant."""
        return self._manual[plant]

    def override(self, plant: PlantId, signal: Signal) -> StoredOverride:
        """The override of one signal; without points there is none."""
        return self._overrides[plant][signal]

    def overrides(self, plant: PlantId) -> Mapping[Signal, Series]:
        """Both overrides as the dispatch rule takes them."""
        return {signal: stored.series for signal, stored in self._overrides[plant].items()}

    def put(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None
    ) -> Versioned:
        """Replace a manual schedule; raises `EditConflict` when `if_match` is not its version."""
        etag = _next_etag(self._manual[plant].etag, if_match, f"the schedule of {plant}")
        replaced = self._manual[plant] = Versioned(schedule, etag=etag)
        self._journal.put(f"schedule/{plant}", replaced)
        points = len(schedule.p.times), len(schedule.q.times)
        log.info("plant=%s manual schedule replaced by=%s points=%s", plant, by, points)
        return replaced

    def put_override(
        self, plant: PlantId, signal: Signal, series: Series, *, by: str, if_match: str | None
    ) -> StoredOverride:
        """Replace an override (no points: remove it); raises `EditConflict` as above."""
        etag = _next_etag(self._overrides[plant][signal].etag, if_match, f"the override of {plant}")
        replaced = self._overrides[plant][signal] = StoredOverride(series, etag=etag)
        self._journal.put(f"override/{plant}/{signal}", replaced)
        points = len(series.times)
        log.info("plant=%s override %s replaced by=%s points=%d", plant, signal, by, points)
        return replaced


def _next_etag(present: str, if_match: str | None, what: str) -> str:
    if if_match is not None and if_match != present:
        raise EditConflict(f"{what} was changed meanwhile; load it and edit again")
    return str(int(present) + 1)
