"""Recording: sessions with their boundaries, rows kept until they are durable."""

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from hil.domain.plant import PlantId
from hil.domain.signals import Row
from hil.domain.snapshot import SessionInfo
from hil.engine.cadence import NS_PER_S, Bell
from hil.ports import Clock, RowSink

log = logging.getLogger(__name__)

# Rows of one plant that wait for a disk that cannot be written: a day at one row every 2 s.
ROWS_WAITING_MAX = 43_200


class Recorder:
    """Owns every recording session and the rows that are not yet on disk.

    The order of rows in time is the sink's to keep: it writes none twice and none that lies before
    what is written.

    Args:
        new_uid: Gives the uid of a new session.
        on_failing: Told why recordings cannot be written, and None when they can be again.
    """

    def __init__(
        self,
        sink: RowSink,
        clock: Clock,
        *,
        flush_period_s: float,
        row_period_s: float,
        new_uid: Callable[[], str],
        on_failing: Callable[[str | None], None],
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._flush_ns = int(flush_period_s * NS_PER_S)
        self._gap = timedelta(seconds=row_period_s)
        self._new_uid = new_uid
        self._on_failing = on_failing
        self._sessions: dict[PlantId, SessionInfo] = {}
        self._begun: set[PlantId] = set()
        self._newest: dict[PlantId, datetime] = {}
        self._waiting: dict[PlantId, deque[Row]] = {}
        self._lost_rows = 0
        self._is_failing = False

    def open_session(self, plant: PlantId, name: str) -> SessionInfo:
        """Begin a session; its boundary is written with its first row."""
        assert plant not in self._sessions, plant
        now = self._clock.now()
        info = SessionInfo(
            uid=self._new_uid(), name=name, file=self._sink.file_name(plant, now), since=now
        )
        self._sessions[plant] = info
        return info

    def session(self, plant: PlantId) -> SessionInfo | None:
        """The session under way."""
        return self._sessions.get(plant)

    def newest(self, plant: PlantId) -> datetime | None:
        """The time of the last row of this run, also after its session has ended."""
        return self._newest.get(plant)

    def add(self, plant: PlantId, row: Row) -> None:
        """Keep a row of the session under way."""
        assert plant in self._sessions, plant
        if plant not in self._begun:
            self._begun.add(plant)
            self._put(plant, Row(row.at - self._gap, None))
        self._put(plant, row)
        self._newest[plant] = row.at

    def close_session(self, plant: PlantId) -> None:
        """End the session under way, if there is one, with its boundary."""
        if self._sessions.pop(plant, None) is not None and plant in self._begun:
            self._begun.remove(plant)
            self._put(plant, Row(self._newest[plant] + self._gap, None))

    def unwritten(self) -> dict[PlantId, int]:
        """How many rows of each plant are not on disk."""
        return {plant: len(rows) for plant, rows in self._waiting.items() if rows}

    def _put(self, plant: PlantId, row: Row) -> None:
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
            if not self._is_failing:
                log.error("recordings cannot be written and wait in memory: %s", error)
                self._on_failing(str(error))
            self._is_failing = True
            return
        if self._is_failing:
            log.warning("recordings are written again lost_rows=%d", self._lost_rows)
            self._on_failing(None)
        self._is_failing, self._lost_rows = False, 0
        for plant, rows in batch.items():
            waiting = self._waiting[plant]
            for row in rows:
                # Rows that overflowed meanwhile are gone from the left already.
                if waiting and waiting[0] is row:
                    waiting.popleft()
