"""The engine on virtual time: start, dispatch, stop, recording, a plant that is silent."""

import asyncio
from datetime import timedelta

import pytest

from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible, NotFound, QueueFull
from hil.domain.phase import Phase
from hil.domain.plant import PlantId
from hil.domain.snapshot import LinkStatus, Origin, WriteStatus
from hil.engine.commander import QUEUE_MAX
from rig import LIB, START, running

VRFB = PlantId("vrfb")
P_SETPOINT, Q_SETPOINT, ENABLE, STOP_COMMAND = 86, 88, 1, 85


async def test_nothing_is_written_before_a_start() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.wait(10)

        assert rig.plants[LIB].writes == []
        assert rig.state().phase is Phase.STOPPED
        assert rig.state().link.status is LinkStatus.OK
        assert rig.state().setpoint.write.status is WriteStatus.NONE


async def test_start_writes_zero_enables_and_dispatches_at_once() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.wait(0.5)
        command = await rig.carry_out(CommandKind.START)

        assert command.status is CommandStatus.DONE
        assert rig.plants[LIB].writes == [
            (P_SETPOINT, 0),
            (Q_SETPOINT, 0),
            (ENABLE, 1),
            (STOP_COMMAND, 0),
            (P_SETPOINT, 1000),
            (Q_SETPOINT, 0),
        ]
        await rig.wait(2)
        state = rig.state()
        assert (state.phase, state.dispatching) == (Phase.RUNNING, True)
        assert state.setpoint.write.status is WriteStatus.CONFIRMED
        assert (state.setpoint.p_kw, state.setpoint.origin) == (100.0, Origin.MANUAL)
        assert state.measurement is not None
        assert state.measurement.p_poi_kw == 100.0


async def test_constant_schedule_is_written_again_only_at_the_rewrite_period() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].writes.clear()
        await rig.wait(91)

        assert rig.plants[LIB].writes == [(P_SETPOINT, 1000), (Q_SETPOINT, 0)] * 3


async def test_schedule_step_is_on_the_wire_at_its_dispatch_step() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(2.5)
        await rig.plan(250.0)
        await rig.wait(1.6)

        assert rig.plants[LIB].p_kw() == 250.0


async def test_stop_writes_zero_before_it_disables_and_nothing_after() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4)
        rig.plants[LIB].writes.clear()
        command = await rig.carry_out(CommandKind.STOP)
        await rig.wait(60)

        assert command.result == {"threshold_reached": True, "disable_ok": True}
        assert rig.plants[LIB].writes == [
            (P_SETPOINT, 0),
            (Q_SETPOINT, 0),
            (P_SETPOINT, 0),
            (Q_SETPOINT, 0),
            (STOP_COMMAND, 1),
            (ENABLE, 0),
        ]
        assert rig.state().phase is Phase.STOPPED
        assert rig.state().setpoint.origin is Origin.SAFE_STOP


async def test_stop_pre_empts_a_start_and_overtakes_what_is_queued() -> None:
    async with running() as rig:
        rig.plants[LIB].stuck_enable = True
        start = rig.engine.submit(CommandKind.START, LIB, by="test")
        await rig.wait(1)
        second = rig.engine.submit(CommandKind.START, LIB, by="test")
        stop = await rig.carry_out(CommandKind.STOP)

        assert (await rig.ended(start)).status is CommandStatus.FAILED
        assert (await rig.ended(second)).status is CommandStatus.REJECTED
        assert stop.status is CommandStatus.DONE
        assert rig.state().phase is Phase.STOPPED


async def test_start_that_is_not_read_back_enabled_ends_unknown_and_zeroed() -> None:
    async with running() as rig:
        rig.plants[LIB].stuck_enable = True
        command = await rig.carry_out(CommandKind.START)

        assert command.status is CommandStatus.FAILED
        assert rig.clock.now() - START >= timedelta(seconds=10)
        assert rig.state().phase is Phase.UNKNOWN
        assert rig.plants[LIB].writes[-2:] == [(STOP_COMMAND, 1), (ENABLE, 0)]
        with pytest.raises(Impossible, match="stop it first"):
            rig.engine.submit(CommandKind.START, LIB, by="test")


async def test_pause_writes_zero_keeps_the_plant_enabled_and_dispatch_resumes() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        with pytest.raises(Impossible, match="needs a running plant"):
            rig.engine.submit(CommandKind.PAUSE, LIB, by="test")
        await rig.carry_out(CommandKind.START)
        await rig.carry_out(CommandKind.PAUSE)

        assert rig.plants[LIB].p_kw() == 0
        await rig.wait(10)
        assert (rig.state().phase, rig.state().dispatching) == (Phase.RUNNING, False)
        assert rig.plants[LIB].values[ENABLE] == 1
        assert rig.plants[LIB].p_kw() == 0
        await rig.carry_out(CommandKind.DISPATCH)
        assert rig.plants[LIB].p_kw() == 100.0


async def test_stop_of_a_silent_plant_fails_and_is_delivered_at_its_return() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4)
        rig.plants[LIB].silent = True
        command = await rig.carry_out(CommandKind.STOP)
        await rig.wait(20)

        assert command.status is CommandStatus.FAILED
        assert command.result == {"threshold_reached": False, "disable_ok": False}
        assert rig.state().phase is Phase.UNKNOWN
        assert rig.state().link.status is LinkStatus.TIMEOUT
        assert rig.state().link.consecutive_failures >= 9
        rig.plants[LIB].silent = False
        await rig.wait(4)
        assert rig.state().phase is Phase.STOPPED
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0


async def test_silent_plant_leaves_the_lateness_of_the_other_unchanged() -> None:
    async with running("lib", "vrfb") as rig:
        rig.plants[LIB].silent = True
        await rig.plan(100.0, VRFB)
        await rig.carry_out(CommandKind.RECORD, VRFB)
        await rig.carry_out(CommandKind.START, VRFB)
        await rig.wait(600)

        assert rig.state(LIB).link.status is LinkStatus.TIMEOUT
        assert rig.state(LIB).measurement is None
        rows = [row.at for row in rig.sink.rows[VRFB] if row.values is not None]
        assert rows == [START + timedelta(seconds=2 * k) for k in range(len(rows))]
        assert len(rows) >= 297
        # On virtual time a step that waits for nobody is taken at its very instant.
        facts = rig.engine.snapshot().engine
        assert facts.dispatch_lateness_ms.max == 0.0
        assert facts.missed_steps == 0


async def test_start_all_records_and_starts_and_stop_all_stops_and_closes() -> None:
    async with running("lib", "vrfb") as rig:
        start = await rig.carry_out(CommandKind.FLEET_START, None)
        assert start.status is CommandStatus.DONE
        assert all(rig.state(p).phase is Phase.RUNNING for p in (LIB, VRFB))
        assert all(rig.state(p).recording for p in (LIB, VRFB))
        stop = await rig.carry_out(CommandKind.FLEET_STOP, None)

        assert stop.result == {
            plant: {"threshold_reached": True, "disable_ok": True} for plant in (LIB, VRFB)
        }
        assert all(rig.state(p).phase is Phase.STOPPED for p in (LIB, VRFB))
        assert not any(rig.state(p).recording for p in (LIB, VRFB))


async def test_stop_all_with_a_silent_plant_stops_the_other_and_fails() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.carry_out(CommandKind.FLEET_START, None)
        rig.plants[LIB].silent = True
        began = rig.clock.now()
        stop = rig.engine.submit(CommandKind.FLEET_STOP, None, by="test")
        while rig.state(VRFB).phase is not Phase.STOPPED:
            await asyncio.sleep(0.05)

        assert rig.clock.now() - began < timedelta(seconds=1)
        ended = await rig.ended(stop)
        assert ended.status is CommandStatus.FAILED
        assert ended.error is not None
        assert ended.error.startswith("LIB: the stop could not be delivered")


async def test_queue_of_a_plant_is_bounded_but_never_refuses_a_stop() -> None:
    async with running() as rig:
        rig.plants[LIB].stuck_enable = True
        rig.engine.submit(CommandKind.START, LIB, by="test")
        await rig.wait(0.5)
        for _ in range(QUEUE_MAX):
            rig.engine.submit(CommandKind.RECORD, LIB, by="test")
        with pytest.raises(QueueFull):
            rig.engine.submit(CommandKind.RECORD, LIB, by="test")

        assert (await rig.carry_out(CommandKind.STOP)).status is CommandStatus.DONE


async def test_unknown_plants_and_commands_are_named() -> None:
    async with running() as rig:
        with pytest.raises(NotFound, match="there is no plant 'nope'; there are lib"):
            rig.engine.submit(CommandKind.START, PlantId("nope"), by="test")
        with pytest.raises(NotFound):
            rig.engine.command("nope")
        with pytest.raises(NotFound):
            rig.engine.manual_schedule(PlantId("nope"))


async def test_safe_shutdown_stops_running_plants_and_closes_recordings() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(5)
        left = await rig.engine.stop_safely()
        await rig.engine.close()

        assert left == ()
        assert rig.plants[LIB].values[ENABLE] == 0
        assert rig.sink.rows[LIB][-1].values is None
        assert rig.sink.closed


async def test_refused_write_is_shown_and_measuring_goes_on() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].refuse_writes = 3
        await rig.plan(100.0)
        await rig.wait(6)

        state = rig.state()
        assert state.link.status is LinkStatus.OK
        assert state.setpoint.write.status is WriteStatus.REFUSED
        assert state.link.last_error is not None
        assert "illegal data value" in state.link.last_error


async def test_clamped_setpoint_is_written_once_more_and_then_only_at_the_rewrite_period() -> None:
    async with running() as rig:
        rig.plants[LIB].p_raw_max = 500
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].writes.clear()
        await rig.wait(20)

        assert rig.plants[LIB].writes == [(P_SETPOINT, 1000), (Q_SETPOINT, 0)]
        assert rig.state().setpoint.write.status is WriteStatus.CLAMPED
        assert rig.state().setpoint.write.readback_p_kw == 50.0
        await rig.wait(20)
        assert rig.plants[LIB].writes == [(P_SETPOINT, 1000), (Q_SETPOINT, 0)] * 2
        assert rig.state().setpoint.write.status is WriteStatus.CLAMPED


async def test_write_cut_off_by_a_time_out_is_unknown_and_written_at_the_next_step() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        await rig.plan(100.0)
        rig.plants[LIB].silent = True
        await rig.wait(3.5)
        assert rig.state().setpoint.write.status is WriteStatus.UNKNOWN
        rig.plants[LIB].silent = False
        await rig.wait(2)

        assert rig.plants[LIB].p_kw() == 100.0
        assert rig.state().setpoint.write.status is WriteStatus.CONFIRMED


async def test_owner_that_fails_leaves_its_plant_stopped_and_the_engine_running() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.FLEET_START, None)
        rig.plants[LIB].has_defect = True
        await rig.wait(10)

        assert rig.state(LIB).phase is Phase.STOPPED
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0
        assert rig.state(VRFB).phase is Phase.RUNNING


async def test_five_plants_that_do_not_answer_leave_fifteen_on_time() -> None:
    async with running(*(f"plant_{k}" for k in range(20))) as rig:
        plants = list(rig.plants)
        for plant in plants[:5]:
            rig.plants[plant].silent = True
        for plant in plants[5:]:
            await rig.plan(100.0, plant)
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(300)

        assert {rig.state(plant).link.status for plant in plants[:5]} == {LinkStatus.TIMEOUT}
        assert {rig.plants[plant].p_kw() for plant in plants[5:]} == {100.0}
        facts = rig.engine.snapshot().engine
        assert (facts.missed_steps, facts.dispatch_lateness_ms.max) == (0, 0.0)
