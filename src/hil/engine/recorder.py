"""Recording: the rows of sessions, compressed, kept until they are durable."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from hil.domain.compression import Compressor
from hil.domain.plant import PlantId, PlantSpec
from hil.domain.recording_file import DECIMALS
from hil.domain.session import (
    Beginning,
    Ending,
    NewestRow,
    OpenRows,
    RowCounts,
    Session,
    closed,
    closing_rows,
    continued,
)
from hil.domain.signals import COLUMNS, Row
from hil.domain.snapshot import SessionInfo
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.ledger import Ledger, latencies
from hil.engine.sessions import Sessions
from hil.engine.settings import Compression, EngineSettings
from hil.ports import Clock, RowSink, RowsNotDurable

log = logging.getLogger(__name__)

# Rows of one plant that wait for a disk that cannot be written: a day at one row every 2 s.
ROWS_WAITING_MAX = 43_200
# Plants that are flushed at a time: the loop that dispatches is held up for about a ms by each.
PLANTS_AT_A_TIME = 100


class _Open:
    """The session of a plant that is under way, as far as its rows go."""

    def __init__(self, uid: str, compression: Compression | None, *, since_ns: int) -> None:
        self.uid = uid
        self.since_ns = since_ns
        self.measured = self.kept = self.lost = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._compressor: Compressor[Row] | None = None
        if compression is not None:
            self._compressor = Compressor(compression.tolerances, max_gap_s=compression.max_gap_s)

    def add(self, row: Row) -> tuple[Row, ...]:
        """What is to be kept now."""
        assert row.values is not None
        self.measured += 1
        self.first, self.last = self.first or row.at, row.at
        if self._compressor is None:
            kept: tuple[Row, ...] = (row,)
        else:
            kept = self._compressor.add(row.at.timestamp(), row.values, row)
        self.kept += len(kept)
        return kept

    def end(self) -> tuple[Row, ...]:
        """What is to be kept at the end."""
        kept = () if self._compressor is None else self._compressor.end()
        self.kept += len(kept)
        return kept

    def rows(self, *, period_s: float) -> OpenRows:
        """How it stands."""
        return OpenRows(
            period_s=period_s,
            counts=RowCounts(measured=self.measured, kept=self.kept, lost=self.lost),
            first=self.first,
            last=self.last,
            held=None if self._compressor is None else self._compressor.held,
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row that is not on disk, and the session that it is of."""

    uid: str
    row: Row


class Recorder:
    """Owns the rows of every session until they are on disk.

    The order of rows in time is the sink's to keep: it writes none twice and none that lies before
    what is written. A row that compression holds back is kept in the state database at each flush,
    after the rows before it are on disk.

    Args:
        ledgers: Where the latencies of a session are read from.
        on_failing: Told why recordings cannot be written, and None when they can be again.
    """

    def __init__(
        self,
        sink: RowSink,
        sessions: Sessions,
        clock: Clock,
        settings: EngineSettings,
        specs: Sequence[PlantSpec],
        *,
        ledgers: Mapping[PlantId, Ledger],
        on_failing: Callable[[str | None], None],
    ) -> None:
        self._sink = sink
        self._sessions = sessions
        self._clock = clock
        self._flush_ns = int(settings.flush_period_s * NS_PER_S)
        self._period_s = settings.measurement_period_s
        self._gap = timedelta(seconds=self._period_s)
        self._compression = settings.compression
        self._config_hash = settings.config_hash
        self._extra_signals = {spec.id: spec.extra_signals for spec in specs}
        self._ledgers = ledgers
        self._on_failing = on_failing
        self._open: dict[PlantId, _Open] = {}
        self._newest: dict[PlantId, datetime] = {}
        self._waiting: dict[PlantId, deque[_Waiting]] = {}
        # Ended sessions whose rows are not all on disk, and those that an earlier run left open.
        self._ending: dict[PlantId, set[str]] = {}
        self._left: list[tuple[Session, OpenRows | None]] = []
        self._lock = asyncio.Lock()
        self._lost_rows = 0
        self._is_failing = False

    # Sessions --------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the sessions that an earlier run left open; the first flush closes them."""
        self._left = self._sessions.restore()

    def left(self, plant: PlantId) -> Session | None:
        """The session of the plant that an earlier run left open and that is not closed yet."""
        return next((s for s, _ in reversed(self._left) if s.plant == plant), None)

    def open_session(self, plant: PlantId, beginning: Beginning) -> None:
        """Begin a session; its boundary is written with its first row."""
        assert plant not in self._open, plant
        file = self._sink.file_name(plant, self._clock.now())
        session = self._sessions.begin(plant, beginning, file=file)
        now_ns = self._clock.monotonic_ns()
        self._open[plant] = _Open(session.uid, self._compression, since_ns=now_ns)

    def is_open(self, plant: PlantId) -> bool:
        """Whether a session is under way."""
        return plant in self._open

    def session(self, plant: PlantId) -> SessionInfo | None:
        """The session under way."""
        if plant not in self._open:
            return None
        session = self._sessions.session(self._open[plant].uid)
        return SessionInfo(
            uid=session.uid, name=session.name, file=session.file, since=session.start
        )

    def newest(self, plant: PlantId) -> datetime | None:
        """The time of the last row of this run, also after its session has ended."""
        return self._newest.get(plant)

    def note_ending(self, plant: PlantId, ending: Ending) -> None:
        """Keep why the session under way, if there is one, will have ended."""
        if plant in self._open:
            self._sessions.note_ending(self._open[plant].uid, ending)

    def note_ending_of_all(self, ending: Ending) -> None:
        """The same of every session under way."""
        for plant in self._open:
            self.note_ending(plant, ending)

    def close_session(self, plant: PlantId, ending: Ending) -> None:
        """End the session under way, if there is one, with its boundary."""
        open_ = self._open.pop(plant, None)
        if open_ is None:
            return
        for row in open_.end():
            self._put(plant, open_.uid, row)
        if open_.last is not None:
            self._put(plant, open_.uid, Row(open_.last + self._gap, None))
        self._ending.setdefault(plant, set()).add(open_.uid)
        latency = latencies([self._ledgers[plant]], since_ns=open_.since_ns)
        self._sessions.end(open_.uid, ending, open_.rows(period_s=self._period_s), latency)

    def divide_session(self, plant: PlantId, ending: Ending) -> None:
        """End the session under way and go on in another one."""
        session = self._sessions.session(self._open[plant].uid)
        self.close_session(plant, ending)
        self.open_session(plant, continuing(session))

    # Rows ------------------------------------------------------------------------------------

    def add(self, plant: PlantId, row: Row) -> None:
        """Take a row of the session under way."""
        open_ = self._open[plant]
        if open_.first is None:
            self._put(plant, open_.uid, Row(row.at - self._gap, None))
        for kept in open_.add(_as_written(row)):
            self._put(plant, open_.uid, kept)
        self._newest[plant] = row.at

    def unwritten(self) -> dict[PlantId, int]:
        """How many rows of each plant are not on disk."""
        return {plant: len(rows) for plant, rows in self._waiting.items() if rows}

    def _put(self, plant: PlantId, uid: str, row: Row) -> None:
        rows = self._waiting.setdefault(plant, deque())
        rows.append(_Waiting(uid, row))
        if len(rows) > ROWS_WAITING_MAX:
            self._lose(plant, rows.popleft())
            # What went is a gap: the row before it must not seem to hold on.
            self._lose(plant, rows[0])
            rows[0] = _Waiting(rows[0].uid, Row(rows[0].row.at, None))

    def _lose(self, plant: PlantId, lost: _Waiting) -> None:
        if lost.row.values is None:
            return
        self._lost_rows += 1
        open_ = self._open.get(plant)
        if open_ is not None and open_.uid == lost.uid:
            open_.lost += 1
        else:
            self._sessions.add_lost(lost.uid, 1)

    # The disk --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Flush at each flush period until cancelled."""
        bell = Bell(self._clock)
        due_ns = self._clock.monotonic_ns()
        if self._left:
            await self.flush()
        while True:
            due_ns = max(due_ns + self._flush_ns, self._clock.monotonic_ns())
            await bell.wait_until(due_ns)
            await self.flush()

    async def flush(self) -> None:
        """Make durable what waits; what cannot be written is kept and tried at the next flush."""
        async with self._lock:
            error = await self._close_left()
            try:
                error = await self._append_all() or error
                if documents := self._sessions.unsaved():
                    await self._sink.save_sessions(documents)
                    self._sessions.saved(documents)
            except OSError as caught:
                error = error or caught
            self._tell(error)

    async def _append_all(self) -> OSError | None:
        """Append what waits; the first error, which keeps back the rows of its plants only."""
        # What comes after a session that is not closed yet waits for that.
        not_yet = {session.plant for session, _ in self._left}
        plants = list(dict.fromkeys([*self._waiting, *self._open, *self._ending]))
        plants = [plant for plant in plants if plant not in not_yet]
        error: OSError | None = None
        for first in range(0, len(plants), PLANTS_AT_A_TIME):
            error = await self._append(plants[first : first + PLANTS_AT_A_TIME]) or error
        return error

    async def _append(self, plants: Sequence[PlantId]) -> OSError | None:
        batch = {plant: tuple(self._waiting[plant]) for plant in plants if self._waiting.get(plant)}
        # As they stand with this batch: what is kept in the database must not run ahead of it.
        standing = {
            plant: (self._open[plant], self._open[plant].rows(period_s=self._period_s))
            for plant in plants
            if plant in self._open
        }
        error: OSError | None = None
        not_durable: frozenset[PlantId] = frozenset()
        try:
            if batch:
                await self._sink.append(
                    {plant: [each.row for each in waiting] for plant, waiting in batch.items()}
                )
        except OSError as caught:
            error = caught
            not_durable = frozenset(batch)
            if isinstance(caught, RowsNotDurable):
                not_durable = caught.plants
        for plant, waiting in batch.items():
            if plant not in not_durable:
                self._drop(plant, waiting)
        for plant, (open_, rows) in standing.items():
            if plant not in not_durable and self._open.get(plant) is open_:
                self._sessions.keep_rows(open_.uid, rows)
        for plant in plants:
            self._settle(plant)
        return error

    def _drop(self, plant: PlantId, written: tuple[_Waiting, ...]) -> None:
        waiting = self._waiting[plant]
        for each in written:
            # Rows that overflowed meanwhile are gone from the left already.
            if waiting and waiting[0] is each:
                waiting.popleft()

    def _settle(self, plant: PlantId) -> None:
        """Tell of the ended sessions of which no row waits any more."""
        ending = self._ending.pop(plant, None)
        if ending is None:
            return
        waiting = {each.uid for each in self._waiting.get(plant, ())}
        for uid in sorted(ending - waiting):
            self._sessions.settle(uid)
        if ending & waiting:
            self._ending[plant] = ending & waiting

    def _tell(self, error: OSError | None) -> None:
        if error is not None:
            if not self._is_failing:
                log.error("recordings cannot be written and wait in memory: %s", error)
                self._on_failing(str(error))
            self._is_failing = True
        elif self._is_failing:
            log.warning("recordings are written again lost_rows=%d", self._lost_rows)
            self._on_failing(None)
            self._is_failing, self._lost_rows = False, 0

    async def _close_left(self) -> OSError | None:
        """Put what closes the sessions of an earlier run before everything that waits.

        Returns the first error; the sessions of its plant are tried again.
        """
        error: OSError | None = None
        for plant in dict.fromkeys(session.plant for session, _ in self._left):
            try:
                newest = await self._sink.newest(plant)
            except OSError as caught:
                error = error or caught
                continue
            waiting = self._waiting.setdefault(plant, deque())
            before = next((w.row.at for w in waiting if w.row.values is not None), None)
            closing: list[_Waiting] = []
            for session, rows in [each for each in self._left if each[0].plant == plant]:
                held = None if rows is None else self._as_recorded(session, rows.held)
                period_s = self._period_s if rows is None else min(rows.period_s, self._period_s)
                added = closing_rows(newest, held, gap=timedelta(seconds=period_s), before=before)
                self._sessions.end_left(closed(session, rows, added, newest))
                self._ending.setdefault(plant, set()).add(session.uid)
                closing += [_Waiting(session.uid, row) for row in added]
                if added:
                    newest = NewestRow(added[-1].at, is_boundary=added[-1].values is None)
            waiting.extendleft(reversed(closing))
            self._left = [each for each in self._left if each[0].plant != plant]
        return error

    def _as_recorded(self, session: Session, held: Row | None) -> Row | None:
        """The row held back by an earlier run, with the extra signals that there are now."""
        if held is None or held.values is None or session.config_hash == self._config_hash:
            return held
        unknown = (None,) * len(self._extra_signals.get(session.plant, ()))
        return Row(held.at, held.values[: len(COLUMNS)] + unknown)


def continuing(session: Session) -> Beginning:
    """The session that goes on where this one was cut."""
    return Beginning(
        name=continued(session.name),
        source=session.source,
        transport=session.transport,
        who=session.who,
        continues=session.uid,
    )


def _as_written(row: Row) -> Row:
    """The row with its numbers as the file will have them, so that both are compared alike."""
    assert row.values is not None
    return Row(
        row.at,
        tuple(
            [
                None if value is None or not isfinite(value) else round(value, DECIMALS) + 0.0
                for value in row.values
            ]
        ),
    )
