"""The recorder by itself: what overflows, what some plants' trouble means for the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

from hil.domain.plant import PlantId, Source, Transport
from hil.domain.session import Beginning, Ending, ExitStatus, NewestRow
from hil.domain.signals import Row
from hil.engine.journal import Journal
from hil.engine.ledger import Ledger
from hil.engine.recorder import ROWS_WAITING_MAX, Recorder, continuing
from hil.engine.sessions import SESSIONS_MAX, Sessions
from hil.engine.settings import Compression, EngineSettings
from hil.ports import RowsNotDurable
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, START, FakeSink
from specimen import spec
from web_support import FixedClock

VRFB = PlantId("vrfb")
DONE = Ending(status=ExitStatus.DONE, reason="stop-recording", by="test")
COMPRESSED = replace(SETTINGS, compression=Compression(tolerances=(0.1,) * 8, max_gap_s=360.0))


class PartlyFailing(FakeSink):
    """Cannot write the rows of some plants."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked: frozenset[PlantId] = frozenset()

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        await super().append({p: rows for p, rows in batch.items() if p not in self.blocked})
        if failed := self.blocked & batch.keys():
            raise RowsNotDurable("is a directory", frozenset(failed))

    async def newest(self, plant: PlantId) -> NewestRow | None:
        if plant in self.blocked:
            raise OSError("is a directory")
        return await super().newest(plant)


class Parts:
    """A recorder on a sink and a store of its own, and what it says of failing."""

    def __init__(self, settings: EngineSettings = SETTINGS) -> None:
        clock, uids = FixedClock(), count(1)
        self.sink, self.store = PartlyFailing(), MemoryStore()
        self.journal = Journal(self.store, clock)
        self.sessions = Sessions(
            self.journal, clock, settings, new_uid=lambda: f"{id(self)}-{next(uids)}"
        )
        self.said: list[str | None] = []
        self.recorder = Recorder(
            self.sink,
            self.sessions,
            clock,
            settings,
            [spec("lib"), spec("vrfb")],
            ledgers={LIB: Ledger(), VRFB: Ledger()},
            on_failing=self.said.append,
        )

    def begin(self, plant: PlantId = LIB) -> None:
        beginning = Beginning(
            name=plant, source=Source.MANUAL, transport=Transport.LOCAL, who="test"
        )
        self.recorder.open_session(plant, beginning)


def row(k: int, value: float = 1.0) -> Row:
    return Row(START + timedelta(seconds=2 * k), (value,) * 8)


async def test_what_overflows_is_a_gap_and_is_counted() -> None:
    parts = Parts()
    parts.begin()
    parts.sink.blocked = frozenset({LIB})
    parts.recorder.add(LIB, row(0))
    await parts.recorder.flush()
    for k in range(1, ROWS_WAITING_MAX + 10):
        parts.recorder.add(LIB, row(k))
    parts.sink.blocked = frozenset()
    await parts.recorder.flush()

    rows = parts.sink.rows[LIB]
    assert len(rows) == ROWS_WAITING_MAX
    assert [each.values is None for each in rows[:3]] == [True, False, False]
    assert rows[-1] == row(ROWS_WAITING_MAX + 9)
    assert rows[0].at == START + timedelta(seconds=2 * 10)
    (session,) = parts.sessions.listed(LIB, 1)
    assert session.counts.measured == ROWS_WAITING_MAX + 10
    assert session.counts.lost == session.counts.kept - (ROWS_WAITING_MAX - 1)
    assert parts.said == ["is a directory", None]


async def test_trouble_of_one_plant_keeps_nothing_of_another_in_memory() -> None:
    parts = Parts(COMPRESSED)
    parts.begin(LIB)
    parts.begin(VRFB)
    parts.sink.blocked = frozenset({LIB})
    for k in range(5):
        parts.recorder.add(LIB, row(k))
        parts.recorder.add(VRFB, row(k))
    await parts.recorder.flush()
    await parts.journal.flush(1)

    assert parts.recorder.unwritten() == {LIB: 2}
    assert len(parts.sink.rows[VRFB]) == 2
    held = [key for key in parts.store.documents if key.startswith("open-rows/")]
    assert held == [f"open-rows/{parts.sessions.listed(VRFB, 1)[0].uid}"]


async def test_rows_are_compared_as_the_file_will_have_them() -> None:
    parts = Parts(replace(SETTINGS, compression=Compression(tolerances=(0.0,) * 8, max_gap_s=360)))
    parts.begin()
    for k, value in enumerate((0.3, 0.1 + 0.2, 0.3 - 1e-12, float("nan"), 0.3)):
        parts.recorder.add(LIB, row(k, value))
    parts.recorder.close_session(LIB, DONE)
    await parts.recorder.flush()

    assert [each.values and each.values[0] for each in parts.sink.rows[LIB]] == [
        None,
        0.3,
        0.3,
        None,
        0.3,
        None,
    ]


async def test_held_row_of_another_configuration_loses_only_its_extra_signals() -> None:
    old = Parts(COMPRESSED)
    old.begin()
    for k in range(3):
        at = START + timedelta(seconds=2 * k)
        old.recorder.add(LIB, Row(at, (*(1.0,) * 8, 7.0, 8.0)))
    await old.recorder.flush()
    await old.journal.flush(1)

    new = Parts(replace(COMPRESSED, config_hash="other"))
    new.store.documents.update(old.store.documents)
    new.sink.rows = old.sink.rows
    await new.journal.load()
    new.recorder.restore()
    await new.recorder.flush()

    assert new.sink.rows[LIB][-2:] == [row(2), Row(START + timedelta(seconds=6), None)]


async def test_several_sessions_left_open_are_closed_in_order() -> None:
    old = Parts(COMPRESSED)
    old.begin()
    for k in range(3):
        old.recorder.add(LIB, row(k))
    await old.recorder.flush()
    old.sink.blocked = frozenset({LIB})
    old.recorder.close_session(LIB, DONE)
    old.begin()
    for k in range(5, 8):
        old.recorder.add(LIB, row(k, 2.0))
    await old.recorder.flush()
    await old.journal.flush(1)

    new = Parts(COMPRESSED)
    new.store.documents.update(old.store.documents)
    new.sink.rows = old.sink.rows
    await new.journal.load()
    new.recorder.restore()
    await new.recorder.flush()

    second, first = new.sessions.listed(LIB, 2)
    assert (first.exit_status, second.exit_status) == (ExitStatus.DONE, ExitStatus.CRASHED)
    assert None not in (first.end, second.end)
    assert new.sink.rows[LIB][-2:] == [row(2), Row(START + timedelta(seconds=6), None)]


async def test_session_that_cannot_be_closed_yet_keeps_back_its_plant_alone() -> None:
    old = Parts(COMPRESSED)
    for plant in (LIB, VRFB):
        old.begin(plant)
        for k in range(3):
            old.recorder.add(plant, row(k))
    await old.recorder.flush()
    await old.journal.flush(1)

    new = Parts(COMPRESSED)
    new.store.documents.update(old.store.documents)
    new.sink.rows = old.sink.rows
    await new.journal.load()
    new.recorder.restore()
    new.sink.blocked = frozenset({LIB})
    for plant in (LIB, VRFB):
        beginning = continuing(new.sessions.listed(plant, 1)[0])
        new.recorder.open_session(plant, replace(beginning, name=f"{plant} again"))
        new.recorder.add(plant, row(10))
    await new.recorder.flush()
    assert len(new.sink.rows[VRFB]) == 6
    assert len(new.sink.rows[LIB]) == 2
    new.sink.blocked = frozenset()
    await new.recorder.flush()

    assert new.sink.rows[LIB] == new.sink.rows[VRFB]
    assert [(each.at - START).total_seconds() for each in new.sink.rows[LIB]] == [
        *(-2, 0),
        *(4, 6),  # of the earlier run: the row held back, the boundary
        *(18, 20),
    ]
    assert new.said == ["is a directory", None]


async def test_oldest_sessions_leave_the_database() -> None:
    parts = Parts()
    parts.begin(VRFB)  # it goes on all the time, and stays
    for _ in range(SESSIONS_MAX + 5):
        parts.begin(LIB)
        parts.recorder.close_session(LIB, DONE)
        if len(parts.sessions.unsaved()) > 100:
            await parts.recorder.flush()
    await parts.recorder.flush()
    await parts.journal.flush(1)

    documents = [key for key in parts.store.documents if key.startswith("session/")]
    assert len(documents) == SESSIONS_MAX
    assert len(parts.sessions.listed(VRFB, 10)) == 1
