"""Recording sessions: compression, documents, how they end, and what a crash leaves."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import orjson
import pytest

from hil.domain.commands import CommandKind
from hil.domain.errors import Impossible, NotFound
from hil.domain.plant import PlantId, Transport
from hil.domain.session import ExitStatus, Session
from hil.domain.signals import Row
from hil.engine.settings import Compression
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, START, FakeSink, Rig, running
from specimen import FakeRegisters

VRFB = PlantId("vrfb")
COMPRESSED = replace(
    SETTINGS,
    compression=Compression(
        tolerances=(0.0, 0.1, 0.0, 0.1, 0.001, 0.1, 0.1, 0.001), max_gap_s=60.0
    ),
)


def at(seconds: float) -> object:
    return START + timedelta(seconds=seconds)


def only(rig: Rig) -> Session:
    (session,) = rig.engine.sessions.listed(LIB, 10)
    return session


def left_by_a_kill(store: MemoryStore, sink: FakeSink) -> tuple[MemoryStore, FakeSink]:
    """What is on disk at this instant."""
    left, recorded = MemoryStore(), FakeSink()
    left.documents = dict(store.documents)
    recorded.rows = {plant: list(rows) for plant, rows in sink.rows.items()}
    return left, recorded


def shape(rows: list[Row]) -> list[tuple[int, bool]]:
    """Seconds since the start, and whether the row has values."""
    return [(round((row.at - START).total_seconds()), row.values is not None) for row in rows]


async def test_rows_that_say_nothing_new_are_left_out_and_steps_stay_steps() -> None:
    async with running(settings=COMPRESSED) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(20)
        await rig.carry_out(CommandKind.START)
        await rig.wait(130)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(6)

        rows = rig.sink.rows[LIB]
        assert shape(rows)[:3] == [(-2, False), (0, True), (20, True)]
        assert all((b.at - a.at).total_seconds() <= 60 for a, b in pairwise(rows))
        assert shape(rows)[-2:] == [(150, True), (152, False)]
        assert len(rows) < 12
        counts = only(rig).counts
        assert counts.measured == 76
        assert counts.kept == sum(row.values is not None for row in rows)
        assert counts.lost == 0


async def test_row_held_back_is_kept_over_a_crash_and_appended_once() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    async with running(store=store, registers=plants, settings=COMPRESSED) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(17)
        left, sink = left_by_a_kill(store, rig.sink)
    assert shape(sink.rows[LIB]) == [(-2, False), (0, True)]
    for _ in range(2):  # the second start after the crash finds nothing to do
        async with running(store=left, registers=plants, settings=COMPRESSED, sink=sink) as rig:
            await rig.wait(1)

            assert shape(sink.rows[LIB]) == [(-2, False), (0, True), (14, True), (16, False)]
            session = only(rig)
            assert session.exit_status is ExitStatus.CRASHED
            assert (session.end, session.last) == (at(14), at(14))
            assert (session.counts.measured, session.counts.kept) == (8, 2)
    assert not [key for key in left.documents if key.startswith("open-rows/")]


async def test_crash_between_the_row_and_its_note_doubles_nothing() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    async with running(store=store, registers=plants, settings=COMPRESSED) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(9)
        left, sink = left_by_a_kill(store, rig.sink)
    newer = Row(START + timedelta(seconds=8), sink.rows[LIB][-1].values)
    sink.rows[LIB].append(newer)
    async with running(store=left, registers=plants, settings=COMPRESSED, sink=sink) as rig:
        await rig.wait(1)

        assert shape(sink.rows[LIB]) == [(-2, False), (0, True), (8, True), (10, False)]


async def test_session_that_goes_on_after_a_crash_is_another_one() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    resuming = replace(COMPRESSED, resume=True)
    async with running(store=store, registers=plants, settings=resuming) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.RECORD)
        await rig.carry_out(CommandKind.START)
        await rig.wait(13)
        left, sink = left_by_a_kill(store, rig.sink)
    async with running(store=left, registers=plants, settings=resuming, sink=sink) as rig:
        await rig.wait(20)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(6)

        second, first = rig.engine.sessions.listed(LIB, 10)
        assert first.exit_status is ExitStatus.CRASHED
        assert second.exit_status is ExitStatus.DONE
        assert second.continues == first.uid
        assert second.name == "LIB, continued"
        assert second.who == first.who == "test"
        rows = sink.rows[LIB]
        assert sum(row.values is None for row in rows) >= 3
        values = [row.at for row in rows if row.values is not None]
        assert values == sorted(set(values))


async def test_record_and_stop_recording_are_named_in_the_document() -> None:
    async with running() as rig:
        await rig.wait(1)
        await rig.carry_out(CommandKind.RECORD)
        shown = rig.state().session
        await rig.wait(6)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        session = only(rig)
        assert shown is not None
        assert (session.uid, session.file) == (shown.uid, shown.file)
        assert (session.name, session.plant, session.who) == ("LIB", LIB, "test")
        assert (session.source, session.transport) == ("manual", "local")
        assert (session.config_hash, session.version) == ("0123456789abcdef", "test")
        assert (session.exit_status, session.reason) == ("done", "stop-recording")
        assert session.ended_by == "test"
        assert session.end is not None
        assert session.end > session.start
        assert (session.first, session.last) == (at(2), at(6))
        await rig.wait(6)
        assert rig.sink.sessions == {session.uid: session}


async def test_setpoints_written_meanwhile_are_in_the_latencies() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(10)
        await rig.carry_out(CommandKind.RECORD)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.carry_out(CommandKind.RECORD)
        await rig.plan(50.0)
        await rig.wait(10)
        await rig.carry_out(CommandKind.STOP_RECORDING)

        second, first = rig.engine.sessions.listed(LIB, 10)
        assert first.latency_ms is not None
        assert second.latency_ms is not None
        assert first.latency_ms.written.max is None
        assert second.latency_ms.written.max is not None


@pytest.mark.parametrize(
    ("kinds", "status", "reason"),
    [
        ([CommandKind.FLEET_STOP], ExitStatus.DONE, "fleet-stop"),
        ([CommandKind.FLEET_ESTOP, CommandKind.STOP_RECORDING], ExitStatus.ESTOP, "fleet-estop"),
        ([CommandKind.FLEET_ESTOP], ExitStatus.ESTOP, "fleet-estop"),
        ([], ExitStatus.ABORTED, "the engine was shut down"),
    ],
)
async def test_what_ended_a_session_is_its_exit_status(
    kinds: list[CommandKind], status: ExitStatus, reason: str
) -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(6)
        for kind in kinds:
            await rig.carry_out(kind, LIB if kind is CommandKind.STOP_RECORDING else None)
        await rig.engine.stop_safely()
    (session,) = rig.sink.sessions.values()
    assert (session.exit_status, session.reason) == (status, reason)
    assert session.end is not None


async def test_emergency_stop_records_on() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.carry_out(CommandKind.FLEET_ESTOP, None)
        assert rig.state().recording
        assert (only(rig).exit_status, only(rig).end) == (ExitStatus.ESTOP, None)


async def test_kill_during_a_shutdown_leaves_an_aborted_session() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(6)
        await rig.engine.stop_safely()
        await rig.wait(1)
        left, sink = left_by_a_kill(store, rig.sink)
    async with running(store=left, sink=sink) as rig:
        await rig.wait(1)
        assert (only(rig).exit_status, only(rig).end) == (ExitStatus.ABORTED, at(4))


async def test_switch_of_the_transport_ends_the_session() -> None:
    plants = {LIB: FakeRegisters()}
    async with running(remote=plants) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(6)
        switch = rig.engine.submit(
            CommandKind.TRANSPORT, None, by="ana", asked={"to": Transport.REMOTE}
        )
        await rig.ended(switch)

        session = only(rig)
        assert (session.exit_status, session.ended_by) == (ExitStatus.DONE, "ana")
        assert session.reason == "transport switched to remote"
        assert session.transport is Transport.LOCAL


async def test_step_of_the_clock_divides_the_session() -> None:
    async with running(settings=COMPRESSED) as rig:
        await rig.carry_out(CommandKind.RECORD)
        for _ in range(2):
            await rig.wait(10)
            rig.clock.step(timedelta(hours=1))
        await rig.wait(10)

        third, second, first = rig.engine.sessions.listed(LIB, 10)
        assert (second.continues, third.continues) == (first.uid, second.uid)
        assert second.name == third.name == "LIB, continued"
        assert first.reason == "the wall clock was stepped by 3600.000 s"
        assert first.exit_status is ExitStatus.DONE
        assert third.end is None


async def test_name_note_and_markers_are_kept_over_a_restart() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        await rig.carry_out(CommandKind.RECORD)
        uid = only(rig).uid
        sessions = rig.engine.sessions
        await rig.wait(3)
        await sessions.mark(uid, "breaker closed", by="ana")
        await sessions.edit(uid, name="Ramp test", note="cold cells", by="ana")
        assert rig.state().session is not None
        assert rig.state().session.name == "Ramp test"  # type: ignore[union-attr] # as above
        await rig.carry_out(CommandKind.STOP_RECORDING)
        with pytest.raises(Impossible, match="Ramp test has ended"):
            await sessions.mark(uid, "late", by="ana")
        ended = only(rig)
    async with running(store=store) as rig:
        assert only(rig) == ended
        await rig.engine.sessions.edit(uid, name="Ramp test 2", note=None, by="ana")
        await rig.wait(6)
        assert rig.sink.sessions[uid].name == "Ramp test 2"
    stored = orjson.loads(store.documents[f"session/{uid}"])
    assert (stored["name"], stored["markers"][0]["text"]) == ("Ramp test 2", "breaker closed")
    assert stored["end"] is not None


async def test_unknown_session_is_not_found() -> None:
    async with running() as rig:
        with pytest.raises(NotFound, match="no session 'x'"):
            rig.engine.sessions.session("x")


async def test_document_has_its_end_in_the_database_only_when_its_rows_are_on_disk() -> None:
    store = MemoryStore()
    async with running(store=store, settings=COMPRESSED) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(17)
        rig.sink.failing = True
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(20)
        left, sink = left_by_a_kill(store, rig.sink)
        rig.sink.failing = False
        await rig.wait(6)
        uid = only(rig).uid
        assert orjson.loads(store.documents[f"session/{uid}"])["end"] is not None
        assert f"open-rows/{uid}" not in store.documents
    assert orjson.loads(left.documents[f"session/{uid}"])["end"] is None
    async with running(store=left, settings=COMPRESSED, sink=sink) as rig:
        await rig.wait(1)
        # The operator ended it; what was not on disk yet at the kill is what a flush period loses.
        assert (only(rig).exit_status, only(rig).reason) == ("done", "stop-recording")
        assert shape(sink.rows[LIB]) == [(-2, False), (0, True), (14, True), (16, False)]
