"""The emulated plant as its clients see it: registers, commands, measurements, refusals."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.errors import HilError, Impossible, InvalidInput
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.plant import (
    ControlLimits,
    Device,
    Endpoint,
    Nameplate,
    PlantId,
    PlantSpec,
    Priority,
    SetpointPolicy,
    Transport,
)
from hil.domain.registers import Access, Format, Point, RegisterMap, WriteFunction
from hil.emulation.kind import model_of
from hil.emulation.model import PlantModel
from hil.emulation.plant import EmulatedPlant


def point(
    name: str,
    address: int,
    *,
    unit: str,
    access: Access = Access.R,
    layout: Format = Format.INT16,
    scale: float = 0.1,
    table: Table = Table.HOLDING,
    values: Mapping[str, int] | None = None,
) -> Point:
    return Point(
        name=name,
        address=address,
        format=layout,
        access=access,
        unit=unit,
        scale=scale,
        table=table,
        values=values or {},
    )


LIB_POINTS = [
    point("enable", 1, unit="raw", access=Access.RW, layout=Format.UINT16, scale=1),
    point(
        "stop_command",
        85,
        unit="raw",
        access=Access.RW,
        layout=Format.UINT16,
        scale=1,
        values={"stop": 1, "run": 0},
    ),
    point("p_setpoint", 86, unit="kW", access=Access.RW),
    point("q_setpoint", 88, unit="kvar", access=Access.RW),
    point("p_battery", 270, unit="kW"),
    point("q_battery", 272, unit="kvar"),
    point("soc", 281, unit="pu", layout=Format.UINT16, scale=0.0001),
    point("p_poi", 290, unit="kW"),
    point("q_poi", 292, unit="kvar"),
    point("v_poi", 296, unit="V", layout=Format.UINT16, scale=1),
]
VRFB_POINTS = [
    point("p_setpoint", 1, unit="kW", access=Access.RW),
    point("q_setpoint", 2, unit="kvar", access=Access.RW),
    point(
        "start_command",
        5,
        unit="raw",
        access=Access.RW,
        layout=Format.UINT16,
        scale=1,
        values={"run": 2, "stop": 0},
    ),
    point("enable", 7, unit="raw", access=Access.RW, layout=Format.UINT16, scale=1),
    point("p_poi", 14, unit="kW"),
    point("p_battery", 14, unit="kW"),
    point("q_poi", 15, unit="kvar"),
    point("q_battery", 15, unit="kvar"),
    point("soc", 22, unit="pu", layout=Format.UINT16, scale=0.0001),
    point("v_poi", 29, unit="V", layout=Format.UINT16, scale=1),
]


def spec_of(points: list[Point]) -> PlantSpec:
    registers = RegisterMap(points={item.name: item for item in points}, v_nominal_kv=20.0)
    return PlantSpec(
        id=PlantId("lib"),
        name="LIB",
        in_service=True,
        nameplate=Nameplate(
            p_max_kw=1000.0,
            p_min_kw=-1000.0,
            q_max_kvar=600.0,
            q_min_kvar=-600.0,
            capacity_kwh=500.0,
            v_nominal_kv=20.0,
        ),
        limits=ControlLimits(
            soc_min_pu=0.0,
            soc_max_pu=1.0,
            soc_taper_pu=0.05,
            soc_hysteresis_pu=0.005,
            ramp_kw_per_s=None,
            s_max_kva=None,
            priority=Priority.P,
            p_deadband_kw=0.0,
        ),
        setpoint=SetpointPolicy(
            rewrite_period_s=30.0, settle_s=3.0, tolerance_counts=1, revert_s=None
        ),
        endpoints={
            Transport.LOCAL: Endpoint(main=Device(host="127.0.0.1", port=5020), registers=registers)
        },
    )


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    at_ns: int = 0

    def monotonic_ns(self) -> int:
        return self.at_ns

    def now(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC)

    def wait(self, seconds: float) -> None:
        self.at_ns += round(seconds * 1e9)


@dataclass
class Bench:
    """A plant, its clock, and its points by name."""

    spec: PlantSpec
    plant: EmulatedPlant
    clock: HandClock
    registers: RegisterMap = field(init=False)

    def __post_init__(self) -> None:
        self.registers = self.spec.endpoints[Transport.LOCAL].registers

    def write(self, **values: float) -> None:
        for request in self.registers.write_requests(values, function=WriteFunction.AUTO):
            assert self.plant.handle(request) == WriteReply()

    def read(self, name: str) -> float | None:
        item = self.registers.points[name]
        reply = self.plant.handle(ReadRequest(item.table, item.address, item.length))
        assert isinstance(reply, ReadReply), reply
        return self.registers.decode(name, reply.values)

    def start(self) -> None:
        self.write(enable=1.0)


def bench(
    points: list[Point] | None = None,
    *,
    soc_pu: float = 0.5,
    model: PlantModel | None = None,
    step_s: float = 1.0,
) -> Bench:
    spec = spec_of(points or LIB_POINTS)
    clock = HandClock()
    plant = EmulatedPlant(
        spec,
        model=model or model_of("lithium_ion", spec),
        clock=clock,
        step_s=step_s,
        initial_soc_pu=soc_pu,
    )
    return Bench(spec, plant, clock)


def test_device_just_switched_on_is_at_rest() -> None:
    got = bench()

    values = {name: got.read(name) for name in got.registers.points}

    assert values == {
        "enable": 0.0,
        "stop_command": 0.0,
        "p_setpoint": 0.0,
        "q_setpoint": 0.0,
        "p_battery": 0.0,
        "q_battery": 0.0,
        "p_poi": 0.0,
        "q_poi": 0.0,
        "soc": 0.5,
        "v_poi": 20.0,
    }


def test_setpoint_of_an_enabled_plant_is_followed_and_moves_the_energy() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0, q_setpoint=-100.0)

    got.clock.wait(2.0)
    assert got.read("p_poi") == got.read("p_battery") == 500.0
    assert got.read("q_poi") == -100.0
    got.clock.wait(360.0)

    soc = got.read("soc")
    assert soc is not None
    assert 0.39 < soc < 0.40
    assert got.read("v_poi") not in (None, 20.0)


def test_setpoint_without_enable_does_nothing() -> None:
    got = bench()
    got.write(p_setpoint=500.0)
    got.clock.wait(60.0)

    assert got.read("p_battery") == 0
    assert got.read("p_setpoint") == 500.0


def test_setpoint_of_zero_is_a_setpoint() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0)
    got.clock.wait(5.0)
    got.write(p_setpoint=0.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == 0


def test_stop_command_rests_an_enabled_plant() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0)
    got.clock.wait(5.0)
    got.write(stop_command=1.0)
    got.clock.wait(5.0)
    assert got.read("p_battery") == 0

    got.write(stop_command=0.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == 500.0


@pytest.mark.parametrize(("mode", "p_kw"), [(0.0, 0.0), (1.0, 0.0), (2.0, 100.0)])
def test_start_command_must_say_run(mode: float, p_kw: float) -> None:
    got = bench(VRFB_POINTS)
    got.write(enable=1.0, start_command=mode, p_setpoint=100.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == got.read("p_poi") == p_kw


def test_setpoint_beyond_the_nameplate_stands_in_the_register_and_is_limited() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=3000.0, q_setpoint=-3000.0)
    got.clock.wait(5.0)

    assert got.read("p_setpoint") == 3000.0
    assert got.read("p_poi") == 1000.0
    assert got.read("q_poi") == -600.0


def test_measurement_beyond_its_register_stays_at_the_end() -> None:
    coarse = [replace(item, scale=0.01) if item.name == "p_poi" else item for item in LIB_POINTS]
    got = bench(coarse)
    got.start()
    got.write(p_setpoint=-1000.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == -1000.0
    assert got.read("p_poi") == -327.68


def test_setpoint_that_means_not_known_leaves_the_last_one() -> None:
    points = [
        replace(item, invalid=(0x8000,)) if item.name == "p_setpoint" else item
        for item in LIB_POINTS
    ]
    got = bench(points)
    got.start()
    got.write(p_setpoint=250.0)
    assert got.plant.handle(WriteRequest(Table.HOLDING, 86, (0x8000,), False)) == WriteReply()
    got.clock.wait(5.0)

    assert got.read("p_setpoint") is None
    assert got.read("p_battery") == 250.0


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ReadRequest(Table.HOLDING, 0, 1), 2),
        (ReadRequest(Table.HOLDING, 86, 2), 2),
        (ReadRequest(Table.HOLDING, 86, 3), 2),
        (ReadRequest(Table.INPUT, 86, 1), 2),
        (ReadRequest(Table.COIL, 1, 1), 2),
        (ReadRequest(Table.HOLDING, 65535, 1), 2),
        (ReadRequest(Table.HOLDING, 86, 0), 3),
        (ReadRequest(Table.HOLDING, 86, 126), 3),
        (WriteRequest(Table.HOLDING, 0, (1,), False), 2),
        (WriteRequest(Table.HOLDING, 270, (1,), False), 2),
        (WriteRequest(Table.HOLDING, 86, (1, 2), True), 2),
        (WriteRequest(Table.HOLDING, 86, (), True), 3),
        (WriteRequest(Table.HOLDING, 86, (1, 1), False), 3),
        (WriteRequest(Table.HOLDING, 86, (65536,), False), 3),
        (WriteRequest(Table.HOLDING, 86, (-1,), False), 3),
        (WriteRequest(Table.HOLDING, 86, (0,) * 124, True), 3),
        (WriteRequest(Table.COIL, 86, (2,), False), 3),
        (WriteRequest(Table.INPUT, 86, (2,), False), 3),
        (ReadWriteRequest(87, 1, 86, (1000,)), 2),
        (ReadWriteRequest(270, 1, 270, (1000,)), 2),
        (ReadWriteRequest(270, 1, 86, (0,) * 122), 3),
    ],
)
def test_what_the_device_does_not_have_is_refused_and_changes_nothing(
    request_: Request, code: int
) -> None:
    got = bench()

    assert got.plant.handle(request_) == Refusal(code)
    assert got.read("p_setpoint") == 0


def test_write_and_read_in_one_request_writes_first() -> None:
    got = bench()

    assert got.plant.handle(ReadWriteRequest(85, 2, 86, (1000,))) == ReadReply((0, 1000))


def test_coils_and_inputs_are_served_like_registers() -> None:
    points = [
        replace(item, table=Table.COIL) if item.name == "enable" else item for item in LIB_POINTS
    ]
    points = [replace(item, table=Table.INPUT) if item.name == "soc" else item for item in points]
    got = bench(points)

    assert got.plant.handle(WriteRequest(Table.COIL, 1, (1,), False)) == WriteReply()
    got.write(p_setpoint=10.0)
    got.clock.wait(3.0)

    assert got.read("enable") == 1
    assert got.read("p_battery") == 10.0
    assert got.read("soc") is not None


def test_wide_points_are_read_whole_and_in_any_order() -> None:
    points = [
        replace(item, format=Format.FLOAT32, scale=1.0) if item.name == "p_poi" else item
        for item in LIB_POINTS
        if item.name != "q_poi"
    ]
    got = bench(points)
    got.start()
    got.write(p_setpoint=404.2)
    got.clock.wait(10.0)

    assert got.read("p_poi") == pytest.approx(404.2)
    assert got.plant.handle(ReadRequest(Table.HOLDING, 290, 1)) != Refusal(2)


@given(waits=st.lists(st.floats(0.001, 10), min_size=1, max_size=10), p_kw=st.integers(-1000, 1000))
def test_asking_more_often_changes_nothing_beyond_a_count(waits: list[float], p_kw: int) -> None:
    often, once = bench(), bench()
    for item in (often, once):
        item.start()
        item.write(p_setpoint=float(p_kw))
    for wait_s in waits:
        often.clock.wait(wait_s)
        often.read("p_poi")
    once.clock.at_ns = often.clock.at_ns

    for name in ("p_poi", "soc"):
        one, many = once.read(name), often.read(name)
        assert one is not None
        assert many == pytest.approx(one, abs=1.01 * once.registers.resolution(name))


def test_equal_requests_give_equal_bytes() -> None:
    def run() -> list[object]:
        got = bench(soc_pu=0.3)
        got.start()
        answers: list[object] = []
        for k in range(200):
            got.write(p_setpoint=float(k * 7 % 400 - 200))
            got.clock.wait(0.7)
            answers.append([got.read(name) for name in got.registers.points])
        return answers

    assert run() == run()


def test_long_silence_is_caught_up_in_bounded_work() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=-1.0)
    got.clock.wait(100 * 86_400.0)

    soc = got.read("soc")
    assert soc is not None
    assert soc < 0.5  # the converter's no-load loss is larger than 1 kW


def test_idle_plant_takes_another_state_of_charge() -> None:
    got = bench()

    got.plant.set_soc(0.8)

    assert got.read("soc") == 0.8


def test_running_plant_keeps_its_state_of_charge() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=100.0)
    got.clock.wait(2.0)
    before = got.read("soc")

    with pytest.raises(Impossible, match="lib is not idle"):
        got.plant.set_soc(0.8)
    got.write(enable=0.0)
    with pytest.raises(Impossible):
        got.plant.set_soc(0.8)  # the power has not decayed yet
    assert got.read("soc") == before
    got.clock.wait(2.0)
    got.plant.set_soc(0.8)

    assert got.read("soc") == 0.8


@pytest.mark.parametrize("soc_pu", [-0.1, 1.1, float("nan")])
def test_impossible_state_of_charge_is_refused(soc_pu: float) -> None:
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        bench().plant.set_soc(soc_pu)


PLUG_IN = '''
"""A plant model as somebody else writes it."""
import math
from hil.emulation.model import Meas, PlantInfo

class Model:
    def __init__(self, spec):
        self.info = PlantInfo(kind="plug-in", max_dt_s=0.5)
        self.longest_s = 0.0
        self.spoil = None
    def reset(self, *, soc_pu):
        self.soc_pu = soc_pu
    def step(self, dt_s, *, p_kw, q_kvar, is_running, env):
        if self.spoil == "raise":
            raise ZeroDivisionError("by design")
        self.longest_s = max(self.longest_s, dt_s)
        p_kw = math.nan if self.spoil == "nan" else p_kw
        return Meas(p_kw, q_kvar, p_kw - 1, q_kvar, 20.0, self.soc_pu)

class Broken:
    def __init__(self, spec):
        raise RuntimeError("no licence")
'''


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with models of somebody else."""
    name = f"plug_in_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_plug_in_is_stepped_within_its_longest_step(plug_in: str) -> None:
    model = model_of(f"python:{plug_in}:Model", spec_of(LIB_POINTS))
    got = bench(model=model)
    got.write(p_setpoint=7.0)
    got.clock.wait(3.2)

    assert got.read("p_battery") == 7.0
    assert getattr(model, "longest_s") == 0.5  # noqa: B009 - a plug-in's own attribute


def test_shared_registers_show_the_poi(plug_in: str) -> None:
    got = bench(VRFB_POINTS, model=model_of(f"python:{plug_in}:Model", spec_of(VRFB_POINTS)))
    for p_kw in (5.0, 6.0, 6.0):
        got.write(p_setpoint=p_kw)
        got.clock.wait(1.0)
        assert got.read("p_battery") == got.read("p_poi") == p_kw - 1


@pytest.mark.parametrize("spoil", ["raise", "nan"])
def test_model_that_fails_refuses_its_measurements_and_is_logged_once(
    plug_in: str, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = model_of(f"python:{plug_in}:Model", spec_of(LIB_POINTS))
    got = bench(model=model)
    setattr(model, "spoil", spoil)  # noqa: B010 - a plug-in's own attribute
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            got.clock.wait(1.0)
            assert got.plant.handle(ReadRequest(Table.HOLDING, 270, 1)) == Refusal(4)

    got.write(enable=0.0)
    assert got.read("enable") == 0
    assert len(caplog.records) == 1
    assert "plant=lib" in caplog.text


@pytest.mark.parametrize(
    "kind", ["lead_acid", "python:", "python:no.such:Model", "python:hil.ports:Nothing"]
)
def test_unknown_kind_is_refused_with_a_sentence(kind: str) -> None:
    with pytest.raises(InvalidInput, match="plant lib: model"):
        model_of(kind, spec_of(LIB_POINTS))


def test_plug_in_that_cannot_be_made_says_why(plug_in: str) -> None:
    with pytest.raises(HilError, match="RuntimeError: no licence"):
        model_of(f"python:{plug_in}:Broken", spec_of(LIB_POINTS))


@pytest.mark.parametrize("kind", ["lithium_ion", "vanadium_redox_flow"])
def test_built_in_kinds_say_what_they_are(kind: str) -> None:
    assert model_of(kind, spec_of(LIB_POINTS)).info.kind == kind
