"""Recording: sessions with their boundaries, rows kept until they are durable."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hil.domain.plant import PlantId
from hil.domain.signals import Row
from hil.domain.snapshot import SessionInfo
from hil.engine.cadence import NS_PER_S, Bell
from hil.ports import Clock, RowSink

log = logging.getLogger(__name__)

# Rows of one plant that wait for a disk that cannot be written: a day at one row every 2 s.
ROWS_WAITING_MAX = 43_200


@dataclass(slots=True)
class _Session:
    info: SessionInfo
    first: bool = True


class Recorder:
    """Owns every recording session and the rows that are not yet on disk.

    Args:
        new_uid: Gives the uid of a new session.
    """

    def __init__(
        self,
        sink: RowSink,
        clock: Clock,
        *,
        flush_period_s: float,
        row_period_s: float,
        new_uid: Callable[[], str],
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._flush_ns = int(flush_period_s * NS_PER_S)
        self._gap = timedelta(seconds=row_period_s)
        self._new_uid = new_uid
        self._sessions: dict[PlantId, _Session] = {}
        self._newest: dict[PlantId, datetime] = {}
        self._waiting: dict[PlantId, deque[Row]] = {}
        self._lost_rows = 0
        self._failing = False

    def open_session(self, plant: PlantId, name: str) -> SessionInfo:
        """Begin a session; its boundary is written with its first row."""
        assert plant not in self._sessions, plant
        now = self._clock.now()
        info = SessionInfo(
            uid=self._new_uid(), name=name, file=self._sink.file_name(plant, now), since=now
        )
        self._sessions[plant] = _Session(info)
        return info

    def session(self, plant: PlantId) -> SessionInfo | None:
        """The session under way."""
        session = self._sessions.get(plant)
        return None if session is None else session.info

    def add(self, plant: PlantId, row: Row) -> None:
        """Keep a row of the session under way; row times never go back."""
        session = self._sessions[plant]
        newest = self._newest.get(plant)
        if newest is not None and row.at <= newest:
            return
        if session.first:
            session.first = False
            self._put(plant, Row(row.at - self._gap, None))
        self._put(plant, row)

    def close_session(self, plant: PlantId) -> None:
        """End the session under way, if there is one, with its boundary."""
        session = self._sessions.pop(plant, None)
        if session is not None and not session.first:
            self._put(plant, Row(self._newest[plant] + self._gap, None))

    def _put(self, plant: PlantId, row: Row) -> None:
        newest = self._newest.get(plant)
        if newest is not None and row.at <= newest:
            # The boundary of the session before: two boundaries at one instant are one.
            assert row.values is None, row
            return
        self._newest[plant] = row.at
        rows = self._waiting.setdefault(plant, deque())
        if len(rows) >= ROWS_WAITING_MAX:
            rows.popleft()
            self._lost_rows += 1
        rows.append(row)

    async def run(self) -> None:
        """Flush at each flush period until cancelled."""
        bell = Bell(self._clock)
        due_ns = self._clock.monotonic_ns()
        while True:
            due_ns = max(due_ns + self._flush_ns, self._clock.monotonic_ns())
            await bell.wait_until(due_ns)
            await self.flush()

    async def flush(self) -> None:
        """Make durable what waits; what cannot be written is kept and tried at the next flush."""
        batch = {plant: tuple(rows) for plant, rows in self._waiting.items() if rows}
        if not batch:
            return
        try:
            await self._sink.append(batch)
        except OSError as error:
            if not self._failing:
                log.error("recording cannot be written and waits in memory: %s", error)
            self._failing = True
            return
        if self._failing:
            log.warning("recording is written again lost_rows=%d", self._lost_rows)
        self._failing, self._lost_rows = False, 0
        for plant, rows in batch.items():
            waiting = self._waiting[plant]
            for row in rows:
                # Rows that overflowed meanwhile are gone from the left already.
                if waiting and waiting[0] is row:
                    waiting.popleft()
