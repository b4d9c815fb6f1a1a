"""The alarms of the site: raised once, cleared, acknowledged, kept over a restart."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from hil.domain.alarms import CATALOGUE, AlarmKind
from hil.domain.errors import NotFound
from hil.domain.plant import PlantId
from hil.domain.snapshot import Alarm, AlarmPriority
from hil.engine.journal import Journal
from hil.ports import Clock

log = logging.getLogger(__name__)

_ORDER = list(AlarmPriority)


class AlarmDesk:
    """One entry a kind and plant: it leaves the list when it is cleared and acknowledged.

    Args:
        on_change: Told after every change.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._new_id = new_id
        self._on_change = on_change
        self._alarms: dict[tuple[str, PlantId | None], Alarm] = {}

    def restore(self, alarms: Iterable[Alarm]) -> None:
        """Take up what an earlier run left; what is still so is raised anew by what sees it."""
        now = self._clock.now()
        for alarm in alarms:
            cleared = alarm if alarm.cleared_at is not None else replace(alarm, cleared_at=now)
            self._keep(cleared)
        self._on_change()

    def set(self, kind: AlarmKind, plant: PlantId | None, detail: str | None) -> None:
        """Raise an alarm, with what was seen; None clears it. Only changes count."""
        key = (str(kind), plant)
        present = self._alarms.get(key)
        is_active = present is not None and present.cleared_at is None
        if (detail is not None) == is_active:
            return
        if detail is None:
            assert present is not None
            log.info("plant=%s alarm=%s cleared", plant or "site", kind)
            self._keep(replace(present, cleared_at=self._clock.now()))
        else:
            entry = CATALOGUE[kind]
            text = f"{entry.text}: {detail}" if detail else entry.text
            log.warning("plant=%s alarm=%s %s: %s", plant or "site", kind, entry.priority, text)
            self._keep(
                Alarm(
                    id=self._new_id() if present is None else present.id,
                    kind=kind,
                    priority=entry.priority,
                    plant=plant,
                    text=text,
                    action=entry.action,
                    raised_at=self._clock.now(),
                )
            )
        self._on_change()

    def acknowledge(self, alarm_id: str, *, by: str, note: str | None) -> Alarm:
        """Note that somebody has seen it; raises `NotFound`."""
        for alarm in self._alarms.values():
            if alarm.id == alarm_id:
                acknowledged = replace(
                    alarm, acked_at=self._clock.now(), acked_by=by, note=note or alarm.note
                )
                log.info("alarm=%s acknowledged by=%s", alarm.kind, by)
                self._keep(acknowledged)
                self._on_change()
                return acknowledged
        raise NotFound(f"there is no open alarm {alarm_id!r}")

    def listed(self) -> tuple[Alarm, ...]:
        """Active and unacknowledged ones first, then by priority, the newest first."""
        newest_first = sorted(self._alarms.values(), key=lambda a: a.raised_at, reverse=True)
        return tuple(
            sorted(
                newest_first,
                key=lambda a: (
                    a.cleared_at is not None,
                    a.acked_at is not None,
                    _ORDER.index(a.priority),
                ),
            )
        )

    def _keep(self, alarm: Alarm) -> None:
        key = (alarm.kind, alarm.plant)
        if alarm.cleared_at is not None and alarm.acked_at is not None:
            self._alarms.pop(key, None)
            self._journal.remove(f"alarm/{alarm.id}")
            return
        self._alarms[key] = alarm
        self._journal.put(f"alarm/{alarm.id}", alarm)
