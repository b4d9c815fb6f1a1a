"""The manual schedules in force: replaced at once and whole, with the version that was edited."""

import logging
from collections.abc import Iterable

from hil.domain.errors import EditConflict
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule
from hil.ports import Versioned

log = logging.getLogger(__name__)


class Schedules:
    """One manual schedule a plant."""

    def __init__(self, plants: Iterable[PlantId]) -> None:
        self._manual = {plant: Versioned(Schedule(), etag="0") for plant in plants}

    def manual(self, plant: PlantId) -> Versioned:
        """The manual schedule of a plant."""
        return self._manual[plant]

    def put(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None
    ) -> Versioned:
        """Replace a manual schedule; raises `EditConflict` when `if_match` is not its version."""
        present = self._manual[plant]
        if if_match is not None and if_match != present.etag:
            raise EditConflict(
                f"the schedule of {plant} was changed meanwhile; load it and edit again"
            )
        replaced = Versioned(schedule, etag=str(int(present.etag) + 1))
        self._manual[plant] = replaced
        log.info(
            "plant=%s manual schedule replaced by=%s points_p=%d points_q=%d",
            plant,
            by,
            len(schedule.p.times),
            len(schedule.q.times),
        )
        return replaced
