"""Faults of the field that come together, or next to those that were reported; virtual time."""

from typing import Any

import pytest

from fault_bench import faulty_engine
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.snapshot import LimitName, LinkStatus, WriteStatus


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "exception", "code": 4, "address": 281},
        {"kind": "exception", "code": 4, "on": "reads"},
        {"kind": "scale_error", "point": "soc", "factor": 10},
    ],
)
async def test_a_plant_whose_state_of_charge_cannot_be_told_is_brought_to_zero(
    fault: dict[str, Any],
) -> None:
    async with faulty_engine(p_kw=300.0) as bench:
        await bench.show(**fault)
        await bench.rig.wait(20)

        state = bench.rig.state()
        assert state.link.status is LinkStatus.OK
        assert state.setpoint.p_kw == 0.0
        assert state.setpoint.limited_by == (LimitName.SOC_UNKNOWN,)

        await bench.clear(fault["kind"])
        await bench.rig.wait(10)
        assert bench.rig.state().setpoint.p_kw == 300.0
        assert bench.rig.alarms() == set()


async def test_points_that_are_refused_together_are_read_apart_from_then_on() -> None:
    async with faulty_engine() as bench:
        await bench.show("gap_refusal")
        await bench.rig.wait(20)

        state = bench.rig.state()
        assert state.link.learned == (
            "joined points refused: holding 85 to 86 is read point by point",
        )
        assert (state.link.status, state.link.last_error) == (LinkStatus.OK, None)
        assert state.setpoint.write.readback_p_kw == 100.0
        assert bench.rig.alarms() == set()


async def test_a_plant_that_reverted_while_it_was_away_is_told_again() -> None:
    async with faulty_engine() as bench:
        await bench.show("revert_timer", s=20)
        await bench.show("refuse", for_s=60)
        await bench.rig.wait(58)
        assert bench.rig.state().link.status is LinkStatus.REFUSED
        await bench.rig.wait(15)

        write = bench.rig.state().setpoint.write
        assert (write.status, write.readback_p_kw) == (WriteStatus.CONFIRMED, 100.0)
        assert bench.rig.alarms() == set()


async def test_a_plant_that_takes_no_more_writes_says_so_and_is_still_measured() -> None:
    async with faulty_engine() as bench:
        await bench.show("flash_limited_writes", writes=0)
        await bench.rig.plan(200.0)
        await bench.rig.wait(20)

        assert "write_refused" in bench.rig.alarms()
        state = bench.rig.state()
        assert state.link.status is LinkStatus.OK
        assert state.measurement is not None
        assert state.measurement.battery_active_power_kw == 100.0
        stop = await bench.rig.carry_out(CommandKind.STOP)
        assert stop.status is CommandStatus.FAILED  # and nobody says it was stopped


@pytest.mark.parametrize("profile", ["old_gateway", "fc16_only_plc"])
async def test_a_plant_of_a_profile_is_started_followed_and_stopped(profile: str) -> None:
    async with faulty_engine(p_kw=None) as bench:
        await bench.show(profile)
        await bench.rig.plan(150.0)
        started = await bench.rig.carry_out(CommandKind.START)
        assert started.status is CommandStatus.DONE, started.error
        await bench.rig.wait(30)

        state = bench.rig.state()
        assert state.link.status is LinkStatus.OK
        assert state.setpoint.write.status is WriteStatus.CONFIRMED
        assert state.measurement is not None
        assert state.measurement.battery_active_power_kw == 150.0
        assert bench.rig.alarms() == set()
        stopped = await bench.rig.carry_out(CommandKind.STOP)
        assert stopped.status is CommandStatus.DONE, stopped.error
