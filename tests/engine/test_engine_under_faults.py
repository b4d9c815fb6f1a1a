"""What the engine makes of each fault of an emulated plant, on virtual time."""

from typing import Any

import pytest

from fault_bench import faulty_engine
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import HilError, Impossible, NotFound
from hil.domain.faults import kinds_of, parse_faults
from hil.domain.plant import PlantId
from hil.domain.snapshot import LinkStatus, WriteStatus
from rig import LIB


@pytest.mark.parametrize(
    ("kind", "params", "status"),
    [
        ("delay", {"ms": 5000}, LinkStatus.TIMEOUT),
        ("delay", {"ms": 10}, LinkStatus.OK),
        ("late_answer", {"s": 5}, LinkStatus.TIMEOUT),
        ("silent_accept", {}, LinkStatus.TIMEOUT),
        ("refuse", {}, LinkStatus.REFUSED),
        ("drop", {}, LinkStatus.ERROR),
        ("reset", {}, LinkStatus.ERROR),
        ("stale_answer", {}, LinkStatus.ERROR),
        ("wrong_unit_id", {}, LinkStatus.ERROR),
        ("exception", {"on": "writes", "code": 3}, LinkStatus.OK),
        ("single_connection", {}, LinkStatus.OK),
        ("fc16_only", {}, LinkStatus.OK),
        ("max_block", {}, LinkStatus.OK),
        ("gap_refusal", {}, LinkStatus.OK),
    ],
)
async def test_link_says_what_is_wrong_and_comes_back(
    kind: str, params: dict[str, Any], status: LinkStatus
) -> None:
    async with faulty_engine() as bench:
        await bench.show(kind, **params)
        await bench.rig.wait(6)
        assert bench.rig.state().link.status == status
        assert bench.rig.state().faults[0].startswith(kind)

        await bench.clear(kind)
        await bench.rig.wait(60)
        assert bench.rig.state().link.status == LinkStatus.OK
        assert bench.rig.state().faults == ()


@pytest.mark.parametrize(
    ("kind", "params", "p_battery_kw", "p_poi_kw"),
    [
        ("frozen_registers", {}, 100.0, 100.0),
        ("sentinel_values", {"point": "p_poi"}, 200.0, -3276.8),
        ("inverted_sign", {}, -200.0, 200.0),
        ("scale_error", {"factor": 2}, 200.0, 400.0),
        ("derate", {"limit_pu": 0.15}, 150.0, 150.0),
        ("clamp", {"limit_pu": 0.05}, 50.0, 50.0),
        ("lost_write", {}, 100.0, 100.0),
        ("flash_limited_writes", {"writes": 0}, 100.0, 100.0),
        ("noise", {"sigma_pu": 0}, 200.0, 200.0),
        ("torn_32bit", {}, 200.0, 200.0),
        ("comm_watchdog", {"s": 5}, 0.0, 0.0),
        ("revert_timer", {"s": 600}, 200.0, 200.0),
    ],
)
async def test_measurement_is_what_the_fault_makes_of_a_new_setpoint(
    kind: str, params: dict[str, Any], p_battery_kw: float, p_poi_kw: float
) -> None:
    async with faulty_engine() as bench:
        await bench.show(kind, **params)
        await bench.rig.plan(200.0)
        await bench.rig.wait(15)

        measured = bench.rig.state().measurement
        assert measured is not None
        assert (measured.battery_active_power_kw, measured.p_poi_kw) == (p_battery_kw, p_poi_kw)


async def test_clamped_setpoint_is_seen_as_clamped() -> None:
    async with faulty_engine() as bench:
        await bench.show("clamp", limit_pu=0.3)
        await bench.rig.plan(500.0)
        await bench.rig.wait(15)

        assert bench.rig.state().setpoint.write.status == WriteStatus.CLAMPED
        assert bench.rig.alarms() == {"write_clamped"}


async def test_lagging_read_back_settles_in_the_end() -> None:
    async with faulty_engine() as bench:
        await bench.show("lagging_readback", s=2)
        await bench.rig.plan(200.0)
        await bench.rig.wait(30)

        assert bench.rig.alarms() == set()


async def test_tripped_plant_is_not_enabled_again_by_us() -> None:
    async with faulty_engine() as bench:
        await bench.show("trip", for_s=10)
        await bench.rig.wait(30)

        assert bench.rig.state().phase == "unknown"
        assert bench.rig.state().dispatching is False
        measured = bench.rig.state().measurement
        assert measured is not None
        assert measured.battery_active_power_kw == 0


async def test_state_of_charge_jumps() -> None:
    async with faulty_engine() as bench:
        await bench.show("soc_jump", soc_pu=0.8)
        await bench.rig.wait(4)

        measured = bench.rig.state().measurement
        assert measured is not None
        assert measured.soc_pu == pytest.approx(0.8, abs=0.001)


async def test_fault_disappears_from_the_state_when_its_time_is_over() -> None:
    async with faulty_engine() as bench:
        await bench.show("delay", ms=5, for_s=7)
        assert bench.rig.state().faults == ("delay ms=5",)

        await bench.rig.wait(7.1)
        assert bench.rig.state().faults == ()


async def test_fault_that_somebody_else_has_set_is_seen() -> None:
    async with faulty_engine() as bench:
        (delay,) = parse_faults({"kind": "delay", "ms": 5})
        await bench.fleet.set_fault(LIB, delay)

        await bench.rig.wait(11)
        assert bench.rig.state().faults == ("delay ms=5",)


async def test_real_plant_shows_no_faults() -> None:
    async with faulty_engine(p_kw=None) as bench:
        await bench.show("delay", ms=5)
        switched = bench.rig.engine.submit(
            CommandKind.TRANSPORT, None, by="test", asked={"to": "remote"}
        )
        await bench.rig.ended(switched)
        await bench.rig.wait(1)

        assert bench.rig.state().faults == ()
        with pytest.raises(Impossible, match="transport local only"):
            await bench.show("trip")
        with pytest.raises(Impossible, match="transport local only"):
            await bench.clear("delay")


async def test_unknown_plant_is_named() -> None:
    async with faulty_engine(p_kw=None) as bench:
        with pytest.raises(NotFound, match="no plant 'x'"):
            await bench.rig.engine.set_fault(
                PlantId("x"), parse_faults({"kind": "trip"}), by="test"
            )


async def test_faults_are_in_the_audit_trail_with_who_set_and_cleared_them() -> None:
    async with faulty_engine(p_kw=None) as bench:
        await bench.show("delay", ms=5, for_s=60)
        await bench.rig.engine.clear_fault(LIB, kinds_of("delay"), by="os:ana")
        cleared, shown = bench.rig.engine.commands()

        assert (shown.kind, shown.plant, shown.by) == (CommandKind.FAULT, LIB, "test")
        assert shown.asked == {"on": True, "faults": [{"kind": "delay", "ms": 5.0, "for_s": 60.0}]}
        assert (cleared.kind, cleared.plant, cleared.by) == (CommandKind.FAULT, LIB, "os:ana")
        assert cleared.asked == {"on": False, "faults": [{"kind": "delay"}]}
        assert {shown.status, cleared.status} == {CommandStatus.DONE}
        assert bench.rig.engine.snapshot().commands.recent == (cleared, shown)


async def test_fault_that_cannot_be_shown_has_failed_in_the_audit_trail() -> None:
    async with faulty_engine(p_kw=None) as bench:
        with pytest.raises(HilError) as why:
            await bench.show("sentinel_values", point="nix")
        (command,) = bench.rig.engine.commands()

        assert command.status is CommandStatus.FAILED
        assert command.error == str(why.value)
