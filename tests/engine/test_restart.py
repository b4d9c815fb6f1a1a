"""What is there after an orderly end, and after a crash."""

from dataclasses import replace
from datetime import timedelta

from fake_source import FakeSource
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.phase import Phase
from hil.domain.plant import Source
from hil.domain.schedule import Series, Signal
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, Rig, running
from specimen import FakeRegisters

ENABLE = 1


async def crash(rig: Rig, store: MemoryStore) -> MemoryStore:
    """The documents as a kill would leave them: nothing is written at the end."""
    left = MemoryStore()
    left.documents = dict(store.documents)
    return left


async def test_schedules_and_overrides_are_there_again() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        await rig.plan(100.0)
        override = Series((rig.clock.now(), rig.clock.now() + timedelta(hours=1)), (5.0, None))
        await rig.engine.put_override(LIB, Signal.Q, override, by="test")
        manual = rig.engine.manual_schedule(LIB)
    async with running(store=store) as rig:
        assert rig.engine.manual_schedule(LIB) == manual
        assert rig.engine.override(LIB, Signal.Q).series == override
        assert rig.engine.override(LIB, Signal.Q).is_active


async def test_selectors_are_configured_at_a_clean_start_and_kept_after_a_crash() -> None:
    store = MemoryStore()
    async with running(store=store, source=FakeSource()) as rig:
        await rig.ended(rig.engine.submit(CommandKind.SOURCE, None, by="test", asked={"to": "api"}))
        await rig.wait(1)
        left = await crash(rig, store)
    async with running(store=store, source=FakeSource()) as rig:
        assert rig.engine.snapshot().source is Source.MANUAL
    async with running(store=left, source=FakeSource()) as rig:
        assert rig.engine.snapshot().source is Source.API


async def test_plant_under_control_is_zeroed_first_and_held_after_a_crash() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    async with running(store=store, registers=plants) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        left = await crash(rig, store)
    assert plants[LIB].p_kw() == 100.0
    plants[LIB].writes.clear()
    async with running(store=left, registers=plants) as rig:
        await rig.wait(10)

        assert plants[LIB].writes == [(86, 0), (88, 0)]
        assert (rig.state().phase, rig.state().dispatching) == (Phase.RUNNING, False)
        assert plants[LIB].values[ENABLE] == 1
        assert "restarted" in rig.alarms()
        await rig.carry_out(CommandKind.DISPATCH)
        assert plants[LIB].p_kw() == 100.0
        assert "restarted" not in rig.alarms()


async def test_resume_takes_up_dispatch_and_recording_when_the_crash_is_fresh() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    resuming = replace(SETTINGS, resume=True)
    async with running(store=store, registers=plants, settings=resuming) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.RECORD)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        left = await crash(rig, store)
    async with running(store=left, registers=plants, settings=resuming) as rig:
        await rig.wait(3)

        assert (rig.state().phase, rig.state().dispatching) == (Phase.RUNNING, True)
        assert rig.state().recording
        assert plants[LIB].p_kw() == 100.0


async def test_resume_holds_when_the_crash_is_old() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    resuming = replace(SETTINGS, resume=True)
    async with running(store=store, registers=plants, settings=resuming) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        left = await crash(rig, store)
        await rig.wait(400)
    async with running(store=left, registers=plants, settings=resuming) as rig:
        await rig.wait(3)

        assert not rig.state().dispatching
        assert plants[LIB].p_kw() == 0


async def test_stop_that_was_not_delivered_is_pending_over_a_restart() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    async with running(store=store, registers=plants) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        plants[LIB].silent = True
        await rig.carry_out(CommandKind.STOP)
        await rig.wait(5)
    assert plants[LIB].p_kw() == 100.0
    async with running(store=store, registers=plants) as rig:
        await rig.wait(5)
        assert rig.state().phase is Phase.UNKNOWN
        assert "stop_pending" in rig.alarms()
        plants[LIB].silent = False
        await rig.wait(4)

        assert plants[LIB].p_kw() == 0
        assert plants[LIB].values[ENABLE] == 0
        assert rig.state().phase is Phase.STOPPED
        assert rig.alarms() == set()


async def test_stop_pre_empts_the_take_over_of_a_silent_plant() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    async with running(store=store, registers=plants) as rig:
        await rig.carry_out(CommandKind.START)
        left = await crash(rig, store)
    plants[LIB].silent = True
    async with running(store=left, registers=plants) as rig:
        await rig.wait(3)
        command = await rig.carry_out(CommandKind.STOP)
        assert command.status is CommandStatus.FAILED
        plants[LIB].silent = False
        await rig.wait(4)

        assert rig.state().phase is Phase.STOPPED


async def test_open_commands_of_a_crashed_engine_have_failed() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        rig.plants[LIB].stuck_enable = True
        start = rig.engine.submit(CommandKind.START, LIB, by="ana")
        await rig.wait(1)
        left = await crash(rig, store)
    async with running(store=left) as rig:
        command = rig.engine.command(start.id)

        assert command.status is CommandStatus.FAILED
        assert command.error == "the engine ended before the command did"
        assert command.by == "ana"


async def test_emergency_stop_that_was_cut_short_by_a_crash_is_finished() -> None:
    store, plants = MemoryStore(), {LIB: FakeRegisters()}
    resuming = replace(SETTINGS, resume=True)
    async with running(store=store, registers=plants, settings=resuming) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        plants[LIB].silent = True
        rig.engine.submit(CommandKind.FLEET_ESTOP, None, by="ana")
        await rig.wait(0.1)
        left = await crash(rig, store)
    plants[LIB].silent = False
    async with running(store=left, registers=plants, settings=resuming) as rig:
        await rig.wait(4)

        assert rig.state().phase is Phase.STOPPED
        assert plants[LIB].p_kw() == 0
        assert plants[LIB].values[ENABLE] == 0


async def test_shutdown_leaves_a_plant_of_somebody_else_alone_and_says_so() -> None:
    async with running("lib", "vrfb") as rig:
        rig.plants[LIB].values[ENABLE] = 1
        await rig.wait(3)
        left = await rig.engine.stop_safely()

        assert left == ("LIB: it was found enabled by somebody else, and was left alone",)
        assert rig.plants[LIB].writes == []
