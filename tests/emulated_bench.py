"""An emulated plant on a clock that the test moves by hand, its points by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hil.domain.faults import parse_faults
from hil.domain.modbus_pdu import ReadReply, ReadRequest, WriteReply
from hil.domain.plant import PlantSpec, Transport
from hil.domain.registers import Access, Format, Point, RegisterMap, WriteFunction
from hil.emulation.faulty import FaultyPlant
from hil.emulation.kind import model_of
from hil.emulation.model import PlantModel
from hil.emulation.plant import EmulatedPlant
from specimen import REGISTERS, spec


def _point(
    name: str,
    address: int,
    unit: str,
    *,
    access: Access = Access.R,
    scale: float = 0.1,
    values: Mapping[str, int] | None = None,
) -> Point:
    is_signed = unit in {"kW", "kvar"}
    return Point(
        name=name,
        address=address,
        format=Format.INT16 if is_signed else Format.UINT16,
        access=access,
        unit=unit,
        scale=scale,
        values=values or {},
    )


LIB_POINTS = list(REGISTERS.points.values())
VRFB_POINTS = [
    _point("p_setpoint", 1, "kW", access=Access.RW),
    _point("q_setpoint", 2, "kvar", access=Access.RW),
    _point("start_command", 5, "raw", access=Access.RW, scale=1, values={"run": 2, "stop": 0}),
    _point("enable", 7, "raw", access=Access.RW, scale=1),
    _point("p_poi", 14, "kW"),
    _point("p_battery", 14, "kW"),
    _point("q_poi", 15, "kvar"),
    _point("q_battery", 15, "kvar"),
    _point("soc", 22, "pu", scale=0.0001),
    _point("v_poi", 29, "V", scale=1),
]


def spec_of(points: list[Point]) -> PlantSpec:
    """The specimen plant with these points, the same power both ways and a taper."""
    registers = RegisterMap(points={item.name: item for item in points}, v_nominal_kv=20.0)
    plain = spec(registers=registers)
    return replace(
        plain,
        nameplate=replace(plain.nameplate, p_min_kw=-1000.0),
        limits=replace(plain.limits, soc_taper_pu=0.05),
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
    faulty: FaultyPlant = field(init=False)
    registers: RegisterMap = field(init=False)

    def __post_init__(self) -> None:
        self.faulty = FaultyPlant(self.plant, self.spec, clock=self.clock)
        self.registers = self.spec.endpoints[Transport.LOCAL].registers

    def write(self, **values: float) -> None:
        for request in self.registers.write_requests(values, function=WriteFunction.AUTO):
            assert self.faulty.handle(request) == WriteReply()

    def read(self, name: str) -> float | None:
        item = self.registers.points[name]
        reply = self.faulty.handle(ReadRequest(item.table, item.address, item.length))
        assert isinstance(reply, ReadReply), reply
        return self.registers.decode(name, reply.values)

    def show(self, kind: str, **params: object) -> None:
        for fault in parse_faults({"kind": kind, **params}):
            self.faulty.set_fault(fault)

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
