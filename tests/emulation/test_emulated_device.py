"""A meter beside an emulated plant: what it shows, what it refuses, and its faults."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from emulated_bench import LIB_POINTS, HandClock
from hil.domain.errors import InvalidInput
from hil.domain.faults import parse_faults
from hil.domain.measurand import FREQUENCY, measurand_of
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Response,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.domain.registers import WriteFunction
from hil.emulation.fleet import EmulatedFleet
from hil.ports import Answer, Manner
from metered import METER_POINTS, meter_point, metered_spec

LIB = PlantId("lib")
FAILING = """import math
from hil.emulation.model import Meas, PlantInfo

class Model:
    def __init__(self, spec):
        self.info = PlantInfo(kind="failing", max_dt_s=1.0)
    def reset(self, *, soc_pu):
        pass
    def step(self, dt_s, *, p_kw, q_kvar, is_running, env):
        return Meas(0.0, 0.0, 0.0, 0.0, {}, 0.5)
"""


@dataclass
class MeteredBench:
    """A fleet of one plant with a meter, its points by name."""

    spec: PlantSpec = field(default_factory=metered_spec)
    clock: HandClock = field(default_factory=HandClock)
    kind: str = "lithium_ion"
    faults: tuple[dict[str, Any], ...] = ()
    fleet: EmulatedFleet = field(init=False)

    def __post_init__(self) -> None:
        self.registers = self.spec.endpoints[Transport.LOCAL].registers
        self.fleet = EmulatedFleet(
            [self.spec],
            kinds={LIB: self.kind},
            clock=self.clock,
            step_s=1.0,
            initial_soc_pu=0.5,
            v_source_pu=1.0,
            f_hz=49.9,
            faults={LIB: [one for raw in self.faults for one in parse_faults(raw)]},
        )

    def ask(self, name: str) -> Response | Answer | None:
        point = self.registers.points[name]
        request = ReadRequest(point.table, point.address, point.length)
        return self.fleet.served(LIB)[point.device].handle(request)

    def read(self, name: str) -> float | None:
        reply = self.ask(name)
        assert isinstance(reply, ReadReply), reply
        return self.registers.decode(name, reply.values)

    def write(self, **values: float) -> None:
        for request in self.registers.write_requests(values, function=WriteFunction.AUTO):
            assert self.fleet.plants[LIB].handle(request) == WriteReply()

    def carry(self, p_kw: float, q_kvar: float = 0.0) -> None:
        self.write(enable=1.0, p_setpoint=p_kw, q_setpoint=q_kvar)
        self.clock.wait(5)

    async def show(self, kind: str, **params: object) -> None:
        for fault in parse_faults({"kind": kind, "device": "meter", **params}):
            await self.fleet.set_fault(LIB, fault)


@pytest.mark.parametrize(
    ("name", "unit", "shown"),
    [
        ("p_poi", "MW", "p_poi"),
        ("meter_p", "kW", "p_poi"),
        ("meter_p_poi", "W", "p_poi"),
        ("grid_active_power", "kW", "p_poi"),
        ("meter_p_battery", "kW", "p_battery"),
        ("reactive_power", "kvar", "q_poi"),
        ("q_battery", "kvar", "q_battery"),
        ("meter_u", "kV", "v_poi"),
        ("meter_soc", "%", "soc"),
        ("meter_frequency", "raw", FREQUENCY),
        ("meter_p", "kvar", None),
        ("p_aux", "kW", None),
        ("meter_v_l1", "V", None),
        ("meter", "kW", None),
        ("battery", "kW", None),
        ("meter_temperature", "raw", None),
    ],
)
def test_name_and_unit_tell_what_a_point_shows(name: str, unit: str, shown: str | None) -> None:
    assert measurand_of(meter_point(name, 0, unit, 1.0)) == shown


@pytest.mark.parametrize(("p_kw", "q_kvar"), [(500.0, 200.0), (-300.0, -100.0)])
def test_a_meter_shows_what_the_plant_shows(p_kw: float, q_kvar: float) -> None:
    bench = MeteredBench()
    bench.carry(p_kw, q_kvar)

    assert bench.read("meter_p") == bench.read("p_poi")
    assert bench.read("meter_p") == pytest.approx(p_kw, abs=20)
    assert bench.read("meter_q") == bench.read("q_poi")
    assert bench.read("meter_v") == bench.read("v_poi")
    assert bench.read("meter_f") == 49.9


def test_a_required_point_may_stand_on_the_meter_alone() -> None:
    moved = [p for p in LIB_POINTS if p.name == "p_poi"]
    spec = metered_spec([replace(moved[0], address=0, unit="MW", scale=0.0001, device="meter")])
    bench = MeteredBench(spec)
    bench.carry(500)

    assert bench.read("p_poi") == pytest.approx(bench.read("p_battery"), abs=20)


def test_points_that_no_model_knows_are_named_and_read_as_declared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        bench = MeteredBench()

    assert "plant=lib device=meter points=meter_p_l1,meter_thd show nothing" in caplog.text
    assert bench.ask("meter_p_l1") == ReadReply((0x8000,))
    assert bench.read("meter_p_l1") is None
    assert bench.read("meter_thd") == 0


def test_a_meter_says_that_it_is_in_order() -> None:
    points = [
        meter_point("control_allowed", 9, "raw", 1.0),
        meter_point("alarm_word", 10, "raw", 1.0),
    ]
    bench = MeteredBench(metered_spec(points))

    assert (bench.read("control_allowed"), bench.read("alarm_word")) == (1, 0)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (WriteRequest(Table.HOLDING, 0, (1,), multiple=False), 2),
        (WriteRequest(Table.HOLDING, 0, (), multiple=True), 3),
        (ReadWriteRequest(0, 1, 0, (1,)), 2),
        (ReadRequest(Table.HOLDING, 290, 1), 2),
        (ReadRequest(Table.HOLDING, 0, 126), 3),
    ],
)
def test_a_meter_takes_no_write_and_has_only_its_own_points(
    request_: ReadRequest | WriteRequest | ReadWriteRequest, code: int
) -> None:
    assert MeteredBench().fleet.served(LIB)["meter"].handle(request_) == Refusal(code)


@pytest.mark.parametrize("voltage", ["1 / 0", "math.nan", "None"])
def test_a_failed_model_takes_the_meter_along_but_not_what_is_no_measurement(
    voltage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"failing_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(FAILING.format(voltage))
    monkeypatch.syspath_prepend(tmp_path)
    # A voltage on the meter alone: it is not missed before the meter is read.
    moved = next(p for p in LIB_POINTS if p.name == "v_poi")
    spec = metered_spec([*METER_POINTS, replace(moved, address=3, device="meter")])
    bench = MeteredBench(spec, kind=f"python:{module}:Model")
    bench.clock.wait(1)

    assert bench.ask("meter_v") == Refusal(4)
    assert bench.read("meter_thd") == 0


async def test_faults_of_the_meter_leave_the_plant_alone() -> None:
    bench = MeteredBench()
    bench.carry(500)
    true_kw = bench.read("p_poi")
    assert true_kw is not None

    await bench.show("scale_error", point="meter_p", factor=2)
    await bench.show("frozen_registers", point="meter_v")
    assert bench.read("meter_p") == pytest.approx(2 * true_kw, abs=0.2)
    assert bench.read("p_poi") == true_kw
    await bench.show("refuse")
    assert bench.ask("meter_p") == Answer(None, manner=Manner.REFUSE)
    assert bench.read("p_poi") == true_kw
    shown = [str(fault) for fault in await bench.fleet.faults(LIB)]
    assert shown[0] == "scale_error point=meter_p factor=2 device=meter"

    await bench.fleet.clear_fault(LIB, None)
    assert await bench.fleet.faults(LIB) == ()
    assert bench.read("meter_p") == true_kw


async def test_a_fault_of_the_meter_ends_in_time_and_its_door_is_told() -> None:
    bench = MeteredBench()
    meter = bench.fleet.served(LIB)["meter"]
    told: list[bool] = []
    meter.listen(lambda: told.append(meter.door()[0].refuses))

    await bench.show("refuse", for_s=10)
    assert meter.door()[1] == 10
    bench.clock.wait(10)

    assert bench.read("meter_p") == bench.read("p_poi")
    assert told == [True, False]


async def test_noise_of_the_meter_is_that_of_its_measurements() -> None:
    bench = MeteredBench()
    bench.carry(500)
    await bench.show("noise", sigma_pu=0.01)

    off: list[float] = []
    for _ in range(50):
        bench.clock.wait(1)
        off.append(abs((bench.read("meter_p") or 0) - (bench.read("p_poi") or 0)))
    assert 3 < sum(off) / len(off) < 20  # a normal of 10 kW is off by 8 kW in the mean
    assert bench.read("meter_f") == 49.9
    assert bench.read("meter_thd") == 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "trip", "device": "meter"}, "cannot show trip"),
        ({"kind": "slow_controller", "device": "meter"}, "cannot show lagging_readback"),
        ({"kind": "delay", "device": 3}, "name of a device"),
    ],
)
def test_a_meter_cannot_show_what_needs_a_plant(fault: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_faults(fault)

    assert why in str([problem.why for problem in caught.value.problems])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "delay", "device": "clamp"}, "no emulated device 'clamp'; there are meter"),
        ({"kind": "scale_error", "device": "meter"}, "the device meter has no point p_poi"),
    ],
)
def test_a_fault_of_an_unknown_device_or_point_is_refused(fault: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        MeteredBench(faults=(fault,))


def test_a_profile_and_its_device_come_back_from_their_documents() -> None:
    faults = parse_faults({"kind": "old_gateway", "device": "meter", "for_s": 5})

    assert [parse_faults(fault.document())[0] for fault in faults] == list(faults)
    assert {fault.device for fault in faults} == {"meter"}
