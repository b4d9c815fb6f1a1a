"""A small plant that tests share: its limits, its register map and a fake of its registers."""

from collections.abc import Callable
from dataclasses import replace

from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
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
from hil.domain.registers import Access, Format, Point, RegisterMap

PLATE = Nameplate(
    p_max_kw=1000,
    p_min_kw=-800,
    q_max_kvar=600,
    q_min_kvar=-600,
    capacity_kwh=500,
    v_nominal_kv=20,
)
LIMITS = ControlLimits(
    soc_min_pu=0.0,
    soc_max_pu=1.0,
    soc_taper_pu=0.0,
    soc_hysteresis_pu=0.005,
    ramp_kw_per_s=None,
    s_max_kva=None,
    priority=Priority.P,
    p_deadband_kw=0.0,
)


def _point(name: str, address: int, unit: str, scale: float, access: Access = Access.R) -> Point:
    unsigned = unit in {"raw", "pu", "V"}
    return Point(
        name=name,
        address=address,
        format=Format.UINT16 if unsigned else Format.INT16,
        access=access,
        unit=unit,
        scale=scale,
    )


STOP_COMMAND = replace(
    _point("stop_command", 85, "raw", 1.0, Access.RW), values={"run": 0, "stop": 1}
)
REGISTERS = RegisterMap(
    points={
        point.name: point
        for point in (
            _point("enable", 1, "raw", 1.0, Access.RW),
            STOP_COMMAND,
            _point("p_setpoint", 86, "kW", 0.1, Access.RW),
            _point("q_setpoint", 88, "kvar", 0.1, Access.RW),
            _point("p_battery", 270, "kW", 0.1),
            _point("q_battery", 272, "kvar", 0.1),
            _point("soc", 281, "pu", 0.0001),
            _point("p_poi", 290, "kW", 0.1),
            _point("q_poi", 292, "kvar", 0.1),
            _point("v_poi", 296, "V", 1.0),
        )
    },
    v_nominal_kv=20.0,
)


def spec(plant: str = "lib", *, registers: RegisterMap = REGISTERS, port: int = 5020) -> PlantSpec:
    """A plant of this id that is reached locally."""
    return PlantSpec(
        id=PlantId(plant),
        name=plant.upper(),
        in_service=True,
        nameplate=PLATE,
        limits=LIMITS,
        setpoint=SetpointPolicy(rewrite_period_s=30, settle_s=3, tolerance_counts=1, revert_s=None),
        endpoints={
            Transport.LOCAL: Endpoint(main=Device(host="127.0.0.1", port=port), registers=registers)
        },
    )


class FakeRegisters:
    """The registers of the specimen: its battery follows an enabled setpoint at once.

    `silent`: requests are not answered. `refuse_writes`: writes get this exception. `p_raw_max`:
    the P setpoint register is cut to this. `has_defect`: the next request raises, once. `writes`
    is the log of `(address, value)` as they came, `on_write` is told of each.
    """

    def __init__(self) -> None:
        self.values = {point.address: 0 for point in REGISTERS.points.values()}
        self.values[281] = 5_000
        self.values[296] = 20_000
        self.silent = False
        self.refuse_writes: int | None = None
        self.stuck_enable = False
        self.has_defect = False
        self.p_raw_max = 65_535
        self.writes: list[tuple[int, int]] = []
        self.on_write: Callable[[int, int], None] = lambda address, value: None

    def handle(self, request: Request) -> Response | None:
        """Answer as a device would."""
        if self.has_defect:
            self.has_defect = False
            raise ZeroDivisionError("a defect")
        if self.silent:
            return None
        if isinstance(request, ReadRequest):
            wanted = range(request.address, request.address + request.count)
            if any(address not in self.values for address in wanted):
                return Refusal(2)
            return ReadReply(tuple(self.values[address] for address in wanted))
        assert isinstance(request, WriteRequest)
        if self.refuse_writes is not None:
            return Refusal(self.refuse_writes)
        for address, value in enumerate(request.values, request.address):
            self.writes.append((address, value))
            self.on_write(address, value)
            if not (address == 1 and self.stuck_enable):
                self.values[address] = min(value, self.p_raw_max) if address == 86 else value
        runs = self.values[1] == 1 and self.values[85] == 0
        for setpoint, measured in ((86, (270, 290)), (88, (272, 292))):
            for address in measured:
                self.values[address] = self.values[setpoint] if runs else 0
        return WriteReply()

    def p_kw(self) -> float:
        """The active power setpoint that the registers hold."""
        raw = self.values[86]
        return (raw - 65_536 if raw > 32_767 else raw) / 10
