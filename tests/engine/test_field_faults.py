"""What broke systems like this one in the field, each kind on virtual time."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from emulated_bench import LIB_POINTS, spec_of
from fault_bench import faulty_engine, lib_spec
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.modbus_pdu import ReadRequest, Request, Response, WriteRequest
from hil.domain.plant import PlantSpec, Quirks, SetpointPolicy, Transport
from hil.domain.point import Access, Format, Point
from hil.domain.registers import RegisterMap
from hil.domain.schedule import Series, Signal
from hil.domain.snapshot import LimitName, LinkStatus, WriteStatus
from remote_devices import wide_block
from rig import LIB, START, Rig, running
from specimen import REGISTERS, FakeRegisters, spec


def changed(**points: dict[str, Any]) -> list[Point]:
    """The map of the LIB with these keys of these points changed."""
    return [replace(point, **points.get(point.name, {})) for point in LIB_POINTS]


def with_setpoint(**policy: Any) -> PlantSpec:
    plant = lib_spec()
    return replace(plant, setpoint=replace(plant.setpoint, **policy))


def with_quirks(plant: PlantSpec, **quirks: Any) -> PlantSpec:
    endpoint = plant.endpoints[Transport.LOCAL]
    main = replace(endpoint.main, quirks=Quirks(**quirks))
    return replace(plant, endpoints={Transport.LOCAL: replace(endpoint, main=main)})


def measured(rig: Rig, name: str) -> float | None:
    newest = rig.state().measurement
    assert newest is not None
    value: float | None = getattr(newest, name)
    return value


def alarm_text(rig: Rig, kind: str) -> str:
    (text,) = (one.text for one in rig.engine.snapshot().alarms if one.kind == kind)
    return text


# Values ------------------------------------------------------------------------------------------


async def test_a_setpoint_that_does_not_fit_is_refused_and_the_last_good_one_stays() -> None:
    points = {**REGISTERS.points}
    points["p_setpoint"] = replace(points["p_setpoint"], format=Format.UINT16)
    unsigned = spec("lib", registers=RegisterMap(points=points, v_nominal_kv=20.0))
    async with running(plant_spec=unsigned) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(6)
        await rig.plan(-500.0)
        await rig.wait(10)

        assert rig.plants[LIB].values[86] == 1000
        assert {value for address, value in rig.plants[LIB].writes if address == 86} == {0, 1000}
        state = rig.state()
        assert state.setpoint.write.status is WriteStatus.REFUSED
        assert "write_refused" in rig.alarms()
        assert "cannot encode -500 kW" in alarm_text(rig, "write_refused")
        assert state.link.status is LinkStatus.OK
        assert state.link.age_s is not None
        assert state.link.age_s < 2
        await rig.plan(50.0)
        await rig.wait(4)
        assert rig.plants[LIB].values[86] == 500
        assert "write_refused" not in rig.alarms()


@pytest.mark.parametrize("p_kw", [400.0, -400.0])
async def test_a_negative_scale_turns_both_ways(p_kw: float) -> None:
    inverted = changed(p_setpoint={"scale": -0.1}, p_battery={"scale": -0.1})
    async with faulty_engine(p_kw=p_kw, spec=spec_of(inverted)) as bench:
        await bench.rig.wait(120)

        assert bench.rig.state().setpoint.write.status is WriteStatus.CONFIRMED
        assert measured(bench.rig, "battery_active_power_kw") == pytest.approx(p_kw, abs=5)
        assert bench.rig.alarms() == set()


async def test_an_inverted_battery_power_is_an_alarm_and_is_not_acted_on() -> None:
    async with faulty_engine(p_kw=500.0) as bench:
        await bench.show("inverted_sign")
        await bench.rig.wait(120)

        assert bench.rig.alarms() == {"sign_contradicted"}
        assert bench.rig.state().setpoint.p_kw == 500.0
        await bench.clear("inverted_sign")
        await bench.rig.wait(120)
        assert bench.rig.alarms() == set()


async def test_a_single_outlier_is_marked_and_not_acted_on() -> None:
    async with faulty_engine(p_kw=300.0) as bench:
        await bench.show("scale_error", point="p_battery", factor=10, for_s=2)
        await bench.rig.wait(1.999)
        newest = bench.rig.state().measurement
        assert newest is not None
        assert newest.quality["battery_active_power_kw"] == ["outlier"]
        assert bench.rig.state().setpoint.p_kw == 300.0
        await bench.rig.wait(4)
        assert bench.rig.alarms() == set()


# Conversation ------------------------------------------------------------------------------------


class Counting(FakeRegisters):
    """Keeps the requests of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: Counter[float] = Counter()
        self.longest = 0

    def handle(self, request: Request) -> Response | None:
        self.steps[asyncio.get_running_loop().time()] += 1
        if isinstance(request, ReadRequest):
            self.longest = max(self.longest, request.count)
        return super().handle(request)


async def test_a_map_full_of_gaps_costs_the_same_few_requests_each_step() -> None:
    plant = Counting()
    filled = with_quirks(spec("lib"), max_fill=125)
    async with running(registers={LIB: plant}, plant_spec=filled) as rig:
        await rig.wait(1)
        first = sum(plant.steps.values())
        plant.steps.clear()
        plant.longest = 0
        await rig.wait(600)

        assert all(
            measured(rig, name) is not None
            for name in ("battery_active_power_kw", "soc_pu", "p_poi_kw", "q_poi_kvar", "v_poi_kV")
        )
        assert first <= 2 * len(REGISTERS.points)
        assert set(plant.steps.values()) == {9}  # stop_command and p_setpoint are neighbours
        assert plant.longest == 2


@pytest.mark.parametrize(("registers", "is_read"), [(125, False), (20, True)])
async def test_a_short_block_is_named_without_its_quirk_and_works_with_it(
    registers: int, is_read: bool
) -> None:
    wide = with_quirks(spec_of(list(wide_block())), max_registers=registers)
    async with faulty_engine(spec=wide, p_kw=None) as bench:
        await bench.show("max_block", registers=20)
        await bench.rig.wait(6)

        state = bench.rig.state()
        assert state.measurement is not None
        assert (state.measurement.extra["extra_0"] is not None) is is_read
        assert measured(bench.rig, "soc_pu") == 0.5
        assert state.link.status is LinkStatus.OK
        assert ("set quirks.max_registers" in str(state.link.last_error)) is not is_read


@pytest.mark.parametrize(("kind", "way"), [("fc16_only", "FC16"), ("fc6_only", "FC6")])
async def test_the_write_function_that_is_known_is_remembered_after_the_link_was_lost(
    kind: str, way: str
) -> None:
    beside = changed(q_setpoint={"address": 87})
    async with faulty_engine(p_kw=None, spec=spec_of(beside)) as bench:
        await bench.show(kind)
        await bench.rig.plan(100.0)
        started = await bench.rig.carry_out(CommandKind.START)
        assert started.status is CommandStatus.DONE, started.error
        learned = bench.rig.state().link.learned
        assert len(learned) == 1
        assert learned[0].endswith(f"{way} is used")

        await bench.show("refuse", for_s=20)
        await bench.rig.wait(40)
        assert bench.rig.state().link.learned == learned
        assert bench.rig.state().setpoint.write.status is WriteStatus.CONFIRMED


async def test_a_refused_charge_is_no_lost_link_and_measuring_goes_on() -> None:
    async with faulty_engine() as bench:
        await bench.show("exception", code=3, on="writes", address=86)
        await bench.rig.plan(800.0)
        await bench.rig.wait(20)

        state = bench.rig.state()
        assert state.link.status is LinkStatus.OK
        assert state.link.consecutive_failures == 0
        assert state.setpoint.write.status is WriteStatus.REFUSED
        assert "illegal data value (exception 3)" in str(state.link.last_error)
        assert measured(bench.rig, "battery_active_power_kw") == 100.0
        assert state.measurement is not None
        assert (bench.rig.clock.now() - state.measurement.time).total_seconds() <= 2
        await bench.clear("exception")
        await bench.rig.wait(10)
        assert bench.rig.state().setpoint.write.status is WriteStatus.CONFIRMED


async def test_frozen_measurements_are_said_while_the_link_is_fine() -> None:
    async with faulty_engine(p_kw=100.0) as bench:
        await bench.show("frozen_registers")
        await bench.rig.wait(590)
        assert bench.rig.alarms() == set()
        await bench.rig.wait(20)
        assert bench.rig.alarms() == {"measurement_frozen"}
        assert bench.rig.state().link.status is LinkStatus.OK


async def test_frozen_measurements_are_said_soon_after_the_setpoint_changes() -> None:
    async with faulty_engine(p_kw=100.0) as bench:
        await bench.show("frozen_registers")
        await bench.rig.plan(400.0)
        await bench.rig.wait(40)
        assert bench.rig.alarms() == {"measurement_frozen"}
        newest = bench.rig.state().measurement
        assert newest is not None
        assert newest.quality["battery_active_power_kw"] == ["frozen"]


def with_heartbeat(access: Access) -> PlantSpec:
    heartbeat = replace(
        LIB_POINTS[0], name="heartbeat", address=10, access=access, unit="raw", period_s=1.0
    )
    return spec_of([*LIB_POINTS, heartbeat])


@pytest.mark.parametrize(("access", "is_seen"), [(Access.RW, True), (Access.W, False)])
async def test_a_heartbeat_that_is_not_repeated_is_said_within_two_periods(
    access: Access, is_seen: bool
) -> None:
    async with faulty_engine(p_kw=0.0, spec=with_heartbeat(access)) as bench:
        await bench.rig.wait(60)
        assert bench.rig.alarms() == set()
        await bench.show("frozen_registers")
        await bench.rig.wait(6)  # the heartbeat is read every 2 s

        assert bench.rig.alarms() == ({"measurement_frozen"} if is_seen else set())
        assert not is_seen or "the heartbeat still reads" in alarm_text(
            bench.rig, "measurement_frozen"
        )
        await bench.clear("frozen_registers")
        await bench.rig.wait(4)
        assert bench.rig.alarms() == set()
        await bench.show("frozen_registers")
        await bench.rig.carry_out(CommandKind.STOP)
        await bench.rig.wait(20)
        assert bench.rig.alarms() == set()  # nobody beats


async def test_a_device_that_clears_the_heartbeat_is_not_taken_for_a_frozen_one() -> None:
    class Clearing(FakeRegisters):
        def handle(self, request: Request) -> Response | None:
            answer = super().handle(request)
            self.values[10] = 0
            return answer

    plant = Clearing()
    plant.values[10] = 0
    async with running(registers={LIB: plant}, plant_spec=with_heartbeat(Access.RW)) as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(60)

        assert (10, 5) in plant.writes
        assert rig.alarms() == set()


# The life of a setpoint --------------------------------------------------------------------------


async def test_a_constant_schedule_never_lets_a_plant_revert() -> None:
    policy = {"rewrite_period_s": 10.0, "revert_s": 20.0}
    async with faulty_engine(spec=with_setpoint(**policy)) as bench:
        await bench.show("revert_timer", s=20)
        for _ in range(120):
            await bench.rig.wait(1)
            assert measured(bench.rig, "battery_active_power_kw") == 100.0
        assert bench.rig.alarms() == set()


async def test_a_plant_that_reverts_is_noticed_in_a_period_and_told_again() -> None:
    async with faulty_engine(spec=with_setpoint(rewrite_period_s=None)) as bench:
        await bench.show("revert_timer", s=20)
        await bench.rig.wait(22.1)

        write = bench.rig.state().setpoint.write
        assert write.readback_p_kw == 0.0
        assert write.status is not WriteStatus.CONFIRMED
        await bench.rig.wait(8)
        assert bench.rig.state().setpoint.write.readback_p_kw == 100.0


async def test_a_step_to_zero_is_on_the_wire_within_one_period() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(6)
        rig.plants[LIB].writes.clear()
        await rig.plan(0.0)
        await rig.wait(2)

        assert (86, 0) in rig.plants[LIB].writes
        assert rig.state().setpoint.p_kw == 0.0


async def test_an_override_of_zero_wins_over_the_schedule() -> None:
    async with running() as rig:
        await rig.plan(500.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4)
        await rig.engine.put_override(LIB, Signal.P, Series((START,), (0.0,)), by="test")
        await rig.wait(2)

        assert rig.plants[LIB].p_kw() == 0.0
        assert rig.state().setpoint.origin == "override"


async def test_a_limit_of_zero_is_a_limit() -> None:
    plant = spec("lib")
    plant = replace(plant, nameplate=replace(plant.nameplate, p_max_kw=0))
    async with running(plant_spec=plant) as rig:
        await rig.plan(500.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4)

        assert rig.plants[LIB].p_kw() == 0.0
        assert rig.state().setpoint.requested_p_kw == 500.0
        assert LimitName.NAMEPLATE in rig.state().setpoint.limited_by


@pytest.mark.parametrize(("invalid", "soc_pu"), [((0xFFFF,), None), ((), 6.5535)])
async def test_a_state_of_charge_that_is_not_known_stops_power(
    invalid: tuple[int, ...], soc_pu: float | None
) -> None:
    plant = spec_of(changed(soc={"invalid": invalid}))
    async with faulty_engine(p_kw=-300.0, spec=plant) as bench:
        await bench.show("sentinel_values", point="soc")
        await bench.rig.wait(4)
        assert bench.rig.state().setpoint.p_kw == -300.0
        await bench.rig.wait(10)

        state = bench.rig.state()
        assert measured(bench.rig, "soc_pu") == soc_pu
        assert state.setpoint.p_kw == 0.0
        assert state.setpoint.limited_by == (LimitName.SOC_UNKNOWN,)
        assert "soc_unknown" in bench.rig.alarms()


async def test_a_constant_schedule_is_written_once_in_a_day() -> None:
    plant = spec("lib")
    policy = SetpointPolicy(rewrite_period_s=None, settle_s=3, tolerance_counts=1, revert_s=None)
    async with running(plant_spec=replace(plant, setpoint=policy)) as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(4)
        before = dict(rig.state().setpoint.write.counts)
        rig.plants[LIB].writes.clear()
        await rig.plan(100.0)
        await rig.wait(86_400)

        assert rig.plants[LIB].writes == [(86, 1000), (88, 0)]
        counts = rig.state().setpoint.write.counts
        assert {name: counts[name] - before[name] for name in counts} == {
            name: int(name in {"p_setpoint", "q_setpoint"}) for name in counts
        }


async def test_a_write_to_what_is_not_writable_is_refused_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with faulty_engine(p_kw=None) as bench:
        plant = bench.fleet.plants[LIB]
        for _ in range(3):
            plant.handle(WriteRequest(LIB_POINTS[0].table, 86, (1, 2), multiple=True))
        plant.handle(WriteRequest(LIB_POINTS[0].table, 270, (1,), multiple=False))

    told = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert told == [
        "plant=lib refused a write of 2 from holding 86: not all of it may be written",
        "plant=lib refused a write of 1 from holding 270: not all of it may be written",
    ]
