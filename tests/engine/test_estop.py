"""The emergency stop: at once, everywhere, latched."""

import asyncio

import pytest

from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.phase import Phase
from hil.domain.plant import PlantId
from hil.virtual.memory_store import MemoryStore
from rig import LIB, Rig, running

VRFB = PlantId("vrfb")
P_SETPOINT, Q_SETPOINT, ENABLE, STOP_COMMAND = 86, 88, 1, 85


def estop(rig: Rig) -> str:
    return rig.engine.submit(CommandKind.FLEET_ESTOP, None, by="ana").id


async def test_zero_and_disable_go_out_in_one_exchange() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4.5)
        rig.plants[LIB].writes.clear()
        began = rig.clock.monotonic_ns()
        command = await rig.ended(rig.engine.command(estop(rig)))

        assert rig.plants[LIB].writes == [
            (P_SETPOINT, 0),
            (Q_SETPOINT, 0),
            (STOP_COMMAND, 1),
            (ENABLE, 0),
        ]
        assert rig.clock.monotonic_ns() - began < 50_000_000
        assert command.status is CommandStatus.DONE
        assert command.result == {"lib": {"threshold_reached": True, "disable_ok": True}}
        assert rig.state().phase is Phase.STOPPED


async def test_exchange_in_flight_is_cut_off() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.FLEET_START, None)
        rig.plants[LIB].silent = True
        await rig.wait(2.1)  # in the middle of an exchange that will time out
        rig.plants[LIB].silent = False
        began = rig.clock.monotonic_ns()
        command = await rig.ended(rig.engine.command(estop(rig)))

        assert command.status is CommandStatus.DONE
        assert rig.clock.monotonic_ns() - began < 100_000_000
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0


async def test_queued_commands_are_rejected_and_running_ones_fail() -> None:
    async with running() as rig:
        rig.plants[LIB].stuck_enable = True
        start = rig.engine.submit(CommandKind.START, LIB, by="test")
        await rig.wait(0.6)
        record = rig.engine.submit(CommandKind.RECORD, LIB, by="test")
        fleet = rig.engine.submit(CommandKind.FLEET_START, None, by="test")
        estop(rig)

        for command, status in (
            (start, CommandStatus.FAILED),
            (record, CommandStatus.REJECTED),
            (fleet, CommandStatus.REJECTED),
        ):
            ended = rig.engine.command(command.id)
            assert (ended.status, ended.error) == (status, "e-stop")


async def test_latch_refuses_start_and_dispatch_until_it_is_reset() -> None:
    async with running() as rig:
        estop(rig)
        await rig.wait(1)
        assert rig.engine.snapshot().estop.active
        assert rig.engine.snapshot().estop.by == "ana"
        assert "estop" in rig.alarms(None)
        for kind in (CommandKind.START, CommandKind.DISPATCH):
            with pytest.raises(Impossible, match="emergency stop is active"):
                rig.engine.submit(kind, LIB, by="test")
        with pytest.raises(Impossible, match="emergency stop is active"):
            rig.engine.submit(CommandKind.FLEET_START, None, by="test")
        await rig.carry_out(CommandKind.FLEET_ESTOP_RESET, None)

        assert not rig.engine.snapshot().estop.active
        assert "estop" not in rig.alarms(None)
        assert (await rig.carry_out(CommandKind.START)).status is CommandStatus.DONE


async def test_latch_outlives_the_engine() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        estop(rig)
        await rig.wait(1)
    async with running(store=store) as rig:
        assert rig.engine.snapshot().estop.active
        with pytest.raises(Impossible, match="emergency stop is active"):
            rig.engine.submit(CommandKind.START, LIB, by="test")


async def test_plant_that_does_not_answer_is_stopped_when_it_does() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.plan(100.0)
        await rig.plan(50.0, VRFB)
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(4)
        rig.plants[LIB].silent = True
        command = await rig.ended(rig.engine.command(estop(rig)))

        assert command.status is CommandStatus.FAILED
        assert rig.plants[VRFB].values[ENABLE] == 0
        assert rig.state().phase is Phase.UNKNOWN
        assert "stop_pending" in rig.alarms()
        rig.plants[LIB].silent = False
        await rig.wait(4)
        assert rig.plants[LIB].p_kw() == 0
        assert rig.state().phase is Phase.STOPPED
        assert "stop_pending" not in rig.alarms()


async def test_second_emergency_stop_during_the_first_ends_both() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        first, second = estop(rig), estop(rig)
        await asyncio.sleep(3)

        assert rig.engine.command(first).status.is_final
        assert rig.engine.command(second).status is CommandStatus.DONE
