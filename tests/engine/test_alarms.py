"""Alarms: raised once by what they are about, cleared, acknowledged, kept over a restart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hil.domain.alarms import CATALOGUE, AlarmKind
from hil.domain.commands import CommandKind
from hil.domain.errors import NotFound
from hil.domain.phase import Phase
from hil.domain.snapshot import Alarm, LinkStatus, WriteStatus
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, Rig, running
from specimen import LIMITS, PLATE, spec

ENABLE, SOC, P_SETPOINT = 1, 281, 86


def alarm_of(rig: Rig, kind: str) -> Alarm:
    (found,) = (alarm for alarm in rig.engine.snapshot().alarms if alarm.kind == kind)
    return found


async def running_plant(rig: Rig, p_kw: float = 100.0) -> None:
    await rig.plan(p_kw)
    await rig.carry_out(CommandKind.START)
    await rig.wait(4)


def test_every_kind_says_what_to_do() -> None:
    assert set(CATALOGUE) == set(AlarmKind)
    assert all(len(entry.action) > 20 for entry in CATALOGUE.values())


async def test_quiet_bench_has_no_alarm() -> None:
    async with running("lib", "vrfb") as rig:
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(120)
        await rig.carry_out(CommandKind.FLEET_STOP, None)

        assert rig.engine.snapshot().alarms == ()


async def test_lost_link_is_raised_once_and_cleared_by_an_answer() -> None:
    async with running() as rig:
        await rig.wait(3)
        rig.plants[LIB].silent = True
        await rig.wait(3)
        assert rig.alarms() == set()
        await rig.wait(20)
        first = alarm_of(rig, "link_lost")
        await rig.wait(20)
        assert alarm_of(rig, "link_lost") == first
        rig.plants[LIB].silent = False
        await rig.wait(3)

        assert rig.alarms() == set()
        assert alarm_of(rig, "link_lost").cleared_at is not None


async def test_alarm_leaves_the_list_when_cleared_and_acknowledged() -> None:
    async with running() as rig:
        rig.plants[LIB].silent = True
        await rig.wait(10)
        alarm = alarm_of(rig, "link_lost")
        acked = await rig.engine.acknowledge(alarm.id, by="ana", note="cable")
        assert (acked.acked_by, acked.note, acked.cleared_at) == ("ana", "cable", None)
        assert alarm_of(rig, "link_lost") == acked
        rig.plants[LIB].silent = False
        await rig.wait(3)

        assert rig.engine.snapshot().alarms == ()
        with pytest.raises(NotFound):
            await rig.engine.acknowledge(alarm.id, by="ana", note=None)


async def test_open_alarms_outlive_the_engine() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        rig.plants[LIB].silent = True
        await rig.wait(10)
        alarm = alarm_of(rig, "link_lost")
    async with running(store=store) as rig:
        again = alarm_of(rig, "link_lost")

        assert (again.id, again.raised_at) == (alarm.id, alarm.raised_at)
        assert again.cleared_at is not None  # what is still so is raised anew


async def test_refused_and_clamped_setpoints_are_named_until_they_are_taken() -> None:
    async with running() as rig:
        await running_plant(rig)
        rig.plants[LIB].refuse_writes = 3
        await rig.plan(200.0)
        await rig.wait(3)
        assert rig.alarms() == {"write_refused"}
        assert "illegal data value" in alarm_of(rig, "write_refused").text
        rig.plants[LIB].refuse_writes, rig.plants[LIB].p_raw_max = None, 1_500
        await rig.wait(15)
        assert rig.alarms() == {"write_clamped"}
        rig.plants[LIB].p_raw_max = 65_535
        await rig.plan(210.0)
        await rig.wait(4)
        assert rig.alarms() == set()


async def test_plant_that_disables_itself_is_not_enabled_again() -> None:
    async with running() as rig:
        await running_plant(rig)
        rig.plants[LIB].values[ENABLE] = 0
        await rig.wait(10)

        assert rig.state().phase is Phase.UNKNOWN
        assert "self_disabled" in rig.alarms()
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0
        await rig.carry_out(CommandKind.STOP)
        assert rig.state().phase is Phase.STOPPED
        assert rig.alarms() == set()
        await rig.carry_out(CommandKind.START)
        assert rig.state().phase is Phase.RUNNING


async def test_foreign_writer_is_named_and_closes_the_gate_at_the_third_time() -> None:
    async with running() as rig:
        await running_plant(rig)
        for _ in range(2):
            rig.plants[LIB].values[P_SETPOINT] = 70
            await rig.wait(8)
            assert rig.plants[LIB].p_kw() == 100.0  # written again after the settle time
        assert rig.alarms() == {"foreign_writer"}
        assert rig.state().dispatching
        rig.plants[LIB].values[P_SETPOINT] = 70
        await rig.wait(8)

        assert not rig.state().dispatching
        assert rig.plants[LIB].p_kw() == 0
        await rig.wait(70)
        assert rig.alarms() == set()


async def test_plant_found_enabled_is_left_alone_and_may_be_stopped() -> None:
    async with running() as rig:
        rig.plants[LIB].values[ENABLE] = 1
        rig.plants[LIB].values[P_SETPOINT] = 500
        await rig.wait(5)

        assert rig.plants[LIB].writes == []
        assert rig.state().phase is Phase.UNKNOWN
        assert rig.alarms() == {"found_enabled"}
        await rig.carry_out(CommandKind.STOP)
        assert rig.plants[LIB].values[ENABLE] == 0
        assert rig.state().phase is Phase.STOPPED
        assert rig.alarms() == set()


async def test_unknown_state_of_charge_holds_zero_and_says_so() -> None:
    registers = spec().endpoints
    local = next(iter(registers.values()))
    soc = replace(local.registers.points["soc"], invalid=(0xFFFF,))
    sentinel = replace(local.registers, points={**local.registers.points, "soc": soc})
    plant = spec(registers=sentinel)
    async with running(plant_spec=plant) as rig:
        await running_plant(rig)
        rig.plants[LIB].values[SOC] = 0xFFFF
        await rig.wait(9)
        assert rig.plants[LIB].p_kw() == 100.0
        await rig.wait(5)

        assert rig.plants[LIB].p_kw() == 0
        assert rig.alarms() == {"soc_unknown"}
        measurement = rig.state().measurement
        assert measurement is not None
        assert measurement.soc_pu is None
        rig.plants[LIB].values[SOC] = 5_000
        await rig.wait(5)
        assert rig.plants[LIB].p_kw() == 100.0
        assert rig.alarms() == set()


async def test_jump_of_the_state_of_charge_is_named() -> None:
    async with running() as rig:
        await rig.wait(3)
        rig.plants[LIB].values[SOC] = 6_000
        await rig.wait(2)

        assert "from 0.5000 to 0.6000" in alarm_of(rig, "soc_jump").text


async def test_start_that_fails_is_named_until_the_plant_is_stopped() -> None:
    async with running() as rig:
        rig.plants[LIB].stuck_enable = True
        await rig.carry_out(CommandKind.START)
        assert rig.alarms() == {"start_failed"}
        await rig.carry_out(CommandKind.STOP)
        assert rig.alarms() == set()


async def test_failing_store_and_disk_are_named_and_do_not_stop_dispatch() -> None:
    class Failing(MemoryStore):
        failing = False

        async def write(self, documents: object) -> None:
            if self.failing:
                raise OSError("database is locked")

    store = Failing()
    async with running(store=store) as rig:
        await rig.carry_out(CommandKind.RECORD)
        store.failing = rig.sink.failing = True
        await running_plant(rig)
        await rig.wait(10)
        assert rig.alarms(None) == {"database_failing", "recording_failing"}
        assert rig.plants[LIB].p_kw() == 100.0
        facts = rig.engine.snapshot().engine
        assert (facts.missed_steps, facts.dispatch_lateness_ms.max) == (0, 0.0)
        store.failing = rig.sink.failing = False
        await rig.wait(8)
        assert rig.alarms(None) == set()


async def test_clock_step_and_late_steps_are_site_alarms() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(5)
        rig.clock.step(timedelta(hours=-1))
        await rig.wait(4)

        assert rig.alarms(None) == {"clock_stepped"}
        assert "-3600.000 s" in alarm_of(rig, "clock_stepped").text


async def test_link_that_was_not_used_for_long_is_stale() -> None:
    async with running() as rig:
        await rig.wait(3)
        loop = rig.engine._fleet.loops[LIB]
        await rig.engine._supervisor.stop()
        await rig.wait(7)

        assert loop.state().link.status is LinkStatus.STALE
        assert loop.state().setpoint.write.status is WriteStatus.NONE


async def test_ledger_dates_the_life_of_a_setpoint() -> None:
    async with running() as rig:
        await running_plant(rig)
        await rig.wait(2)
        state = rig.state()
        assert state.setpoint.write.counts == {
            "p_setpoint": 2,
            "q_setpoint": 2,
            "enable": 1,
            "stop_command": 1,
        }
        entry = rig.engine._ledgers[LIB].entries[-1]

        assert entry.setpoint.p_kw == 100.0
        assert entry.written_ns <= (entry.acked_ns or 0) <= (entry.readback_ns or 0)
        assert None not in entry.response_ns
        assert rig.engine.snapshot().engine.latency_ms.readback.p50 == 0.0


async def test_constant_schedule_without_rewrite_is_written_exactly_once() -> None:
    policy = replace(spec().setpoint, rewrite_period_s=None)
    async with running(plant_spec=replace(spec(), setpoint=policy)) as rig:
        await running_plant(rig)
        rig.plants[LIB].writes.clear()
        await rig.wait(86_400)

        assert rig.plants[LIB].writes == []


async def test_ramp_moves_with_time_and_from_what_the_device_took() -> None:
    ramped = replace(LIMITS, ramp_kw_per_s=10.0)
    async with running(plant_spec=replace(spec(), limits=ramped, nameplate=PLATE)) as rig:
        await rig.plan(700.0)
        await rig.carry_out(CommandKind.START)
        for _ in range(20):
            await rig.carry_out(CommandKind.DISPATCH)
        assert rig.plants[LIB].p_kw() <= 20.0
        await rig.wait(5)
        rig.plants[LIB].refuse_writes = 6
        before = rig.plants[LIB].p_kw()
        await rig.wait(20)
        rig.plants[LIB].refuse_writes = None
        await rig.wait(4)

        assert before < rig.plants[LIB].p_kw() <= before + 40.0


async def test_no_start_is_taken_during_the_shutdown() -> None:
    async with running(settings=replace(SETTINGS)) as rig:
        await rig.plan(500.0)
        await rig.wait(3)
        rig.engine.submit(CommandKind.START, LIB, by="test")
        left = await rig.engine.stop_safely()

        assert left == ()
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0


async def test_outlier_is_flagged_in_the_state_and_not_acted_on() -> None:
    async with running() as rig:
        await running_plant(rig)
        rig.plants[LIB].values[290] = 15_000
        rig.plants[LIB].values[SOC] = 12_000
        await rig.wait(4)

        measurement = rig.state().measurement
        assert measurement is not None
        assert measurement.p_poi_kw == 1500.0
        assert measurement.quality == {"p_poi_kw": ["outlier"], "soc_pu": ["outlier"]}
        assert {"outlier"} <= rig.alarms()
        assert rig.plants[LIB].p_kw() == 100.0
        await rig.wait(10)
        assert rig.plants[LIB].p_kw() == 0  # no state of charge for 10 s
