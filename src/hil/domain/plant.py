"""What is fixed about a plant: its nameplate, its limits, its endpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from hil.domain.registers import RegisterMap, WriteFunction
from hil.domain.signals import OptionalPoint, PointName

PlantId = NewType("PlantId", str)


class Transport(StrEnum):
    """Which of a plant's endpoints is spoken to: the emulated one or the real one."""

    LOCAL = "local"
    REMOTE = "remote"


class Source(StrEnum):
    """Where the base schedule comes from."""

    MANUAL = "manual"
    API = "api"


class Priority(StrEnum):
    """What the PQ circle keeps when P and Q do not both fit."""

    P = "p"
    Q = "q"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """Rated values of one plant; charge limits are negative."""

    p_max_kw: float
    p_min_kw: float
    q_max_kvar: float
    q_min_kvar: float
    capacity_kwh: float
    v_nominal_kv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    """What dispatch keeps to inside the nameplate.

    `ramp_kw_per_s` None: no ramp. `s_max_kva` None: no PQ circle.
    """

    soc_min_pu: float
    soc_max_pu: float
    soc_taper_pu: float
    soc_hysteresis_pu: float
    ramp_kw_per_s: float | None
    s_max_kva: float | None
    priority: Priority
    p_deadband_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointPolicy:
    """When a setpoint is written again, and when its read-back counts as confirmed.

    `rewrite_period_s` None: never written again without a change.
    `revert_s` None: the device keeps its last setpoint for ever.
    """

    rewrite_period_s: float | None
    settle_s: float
    tolerance_counts: int
    revert_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What a device cannot do, so that the link does not ask it to."""

    max_registers: int = 125
    max_fill: int = 0
    pause_after_connect_ms: int = 0
    pause_between_requests_ms: int = 0
    write_function: WriteFunction = WriteFunction.AUTO
    busy_retries: int = 0
    single_connection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One Modbus server: where it listens and how it must be spoken to; `unit_id` is 0..255."""

    host: str
    port: int
    unit_id: int = 1
    quirks: Quirks = field(default_factory=Quirks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How one plant is reached over one transport.

    `devices` are further servers whose points belong to the plant, such as an independent meter.
    """

    main: Device
    registers: RegisterMap
    devices: Mapping[str, Device] = field(default_factory=dict)

    @property
    def read_devices(self) -> dict[str, Device]:
        """The further servers that have points to read."""
        read = {point.device for point in self.registers.points.values()}
        return {name: device for name, device in self.devices.items() if name in read}

    @property
    def servers(self) -> dict[str | None, Device]:
        """The plant's own server (None) and, by name, the further ones that are read."""
        servers: dict[str | None, Device] = {None: self.main}
        servers.update(self.read_devices)
        return servers


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSpec:
    """Everything the engine must know of one plant; it never changes while the engine runs."""

    id: PlantId
    name: str
    in_service: bool
    nameplate: Nameplate
    limits: ControlLimits
    setpoint: SetpointPolicy
    endpoints: Mapping[Transport, Endpoint]
    alarm_bits: Mapping[int, str] = field(default_factory=dict)

    def label(self, device: str | None) -> str:
        """The plant's id or, with that of a further device, both: `lib/meter`."""
        return self.id if device is None else f"{self.id}/{device}"

    @property
    def extra_signals(self) -> tuple[str, ...]:
        """The points that are recorded after the fixed columns: those of any transport's map."""
        known = {*PointName, *OptionalPoint}
        return tuple(
            dict.fromkeys(
                name
                for _, endpoint in sorted(self.endpoints.items())
                for name, point in endpoint.registers.points.items()
                if name not in known and point.is_readable
            )
        )
