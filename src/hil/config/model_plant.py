"""The models of one plant: what it is, how it is reached, which point stands where."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from hil.config.section import (
    CLOSED,
    Fraction,
    Host,
    Identifier,
    Milliseconds,
    ModelKind,
    Period,
    Port,
    Scale,
    SecondsOrNone,
    Section,
    Text,
)
from hil.domain.modbus_pdu import Table
from hil.domain.plant import Priority
from hil.domain.registers import Access, ByteOrder, Format, WordOrder, WriteFunction
from hil.domain.units import UNITS

# Words in YAML become the members of the domain's enumerations.
TableWord = Annotated[Table, Field(strict=False)]
PriorityWord = Annotated[Priority, Field(strict=False)]
AccessWord = Annotated[Access, Field(strict=False)]
ByteOrderWord = Annotated[ByteOrder, Field(strict=False)]
WordOrderWord = Annotated[WordOrder, Field(strict=False)]
FormatWord = Annotated[Format, Field(strict=False)]
WriteFunctionWord = Annotated[WriteFunction, Field(strict=False)]


class ModelConfig(Section):
    """The plant's nameplate, and which model emulates it."""

    kind: ModelKind = Field(
        description="Model of the emulated plant: `lithium_ion`, `vanadium_redox_flow`, or a "
        "class of your own as `python:module:Class`."
    )
    capacity_kwh: float = Field(gt=0, le=1e8, description="Energy between SoC 0 and 1 in kWh.")
    p_max_kw: float = Field(ge=0, le=1e8, description="Largest discharge in kW.")
    p_min_kw: float = Field(
        ge=-1e8, le=0, description="Largest charge in kW, as a negative number."
    )
    q_max_kvar: float = Field(ge=0, le=1e8, description="Largest reactive power in kvar.")
    q_min_kvar: float = Field(
        ge=-1e8, le=0, description="Lowest reactive power in kvar, as a negative number."
    )
    v_nominal_kv: float = Field(
        gt=0, le=2000, description="Nominal voltage at the POI in kV; the base of voltages in pu."
    )


class LimitsConfig(Section):
    """What dispatch keeps to inside the nameplate."""

    soc_min_pu: Fraction = Field(0.0, description="No discharge below this state of charge.")
    soc_max_pu: Fraction = Field(1.0, description="No charge above this state of charge.")
    soc_taper_pu: Annotated[float, Field(ge=0, le=0.5)] | None = Field(
        None,
        description="Width of the band before a SoC limit in which power falls to zero; null: "
        "0.10 for vanadium_redox_flow, 0.05 for other kinds.",
    )
    soc_hysteresis_pu: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.005, description="How far SoC must come back from its limit before power is allowed."
    )
    ramp_kw_per_s: Annotated[float, Field(gt=0, le=1e8)] | None = Field(
        None, description="Fastest change of the active setpoint in kW per s; null: no ramp."
    )
    s_max_kva: Annotated[float, Field(gt=0, le=1e8)] | None = Field(
        None, description="Largest apparent power in kVA; null: no PQ circle."
    )
    priority: PriorityWord = Field(
        Priority.P, description="What the PQ circle keeps when P and Q do not both fit: `p` or `q`."
    )
    p_deadband_kw: Annotated[float, Field(ge=0, le=1e8)] = Field(
        0.0, description="A setpoint smaller than this is sent as 0 kW."
    )


class SetpointConfig(Section):
    """When a setpoint is written again, and when its read-back counts as confirmed."""

    rewrite_period_s: SecondsOrNone = Field(
        30.0, description="Write an unchanged setpoint again after this time; null: never."
    )
    settle_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        3.0, description="How long the read-back may differ before it is written once more."
    )
    tolerance_counts: Annotated[int, Field(ge=0, le=1000)] = Field(
        1, description="Register counts by which the read-back may differ."
    )
    revert_s: SecondsOrNone = Field(
        None,
        description="The device falls back by itself this long after the last write; null: it "
        "keeps its setpoint. Must be longer than rewrite_period_s.",
    )


class SeriesConfig(Section):
    """The market API's series that this plant's measurements are posted to."""

    soc: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Series of the stored energy (kWh); null: not posted."
    )
    p: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Series of the active power at the POI (W); null: not posted."
    )
    q: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Series of the reactive power at the POI (var); null: not posted."
    )
    v: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Series of the voltage at the POI (V); null: not posted."
    )


class QuirksConfig(Section):
    """What a device cannot do, so that it is not asked to."""

    max_registers: Annotated[int, Field(ge=1, le=125)] = Field(
        125, description="Most registers that one read may ask for."
    )
    max_fill: Annotated[int, Field(ge=0, le=124)] = Field(
        0, description="Undeclared addresses that a read may run over to join two points."
    )
    pause_after_connect_ms: Milliseconds = Field(
        0, description="Wait after connecting before the first request."
    )
    pause_between_requests_ms: Milliseconds = Field(0, description="Wait between two requests.")
    write_function: WriteFunctionWord = Field(
        WriteFunction.AUTO,
        description="`single` (FC6), `multiple` (FC16), or `auto`: FC6 where one register is "
        "enough, and the other one when the device refuses it.",
    )
    busy_retries: Annotated[int, Field(ge=0, le=10)] = Field(
        0, description='Retries within a step when the device answers "busy" (exception 6).'
    )
    single_connection: bool = Field(
        False,
        description="Share one connection with the other plants at this host and port, which "
        "must then share it, too.",
    )


class DeviceConfig(Section):
    """One Modbus TCP server."""

    host: Host = Field(description="Name or IP address.")
    port: Port = Field(502, description="TCP port.")
    unit_id: Annotated[int, Field(ge=0, le=255)] = Field(1, description="Unit id, sent unchanged.")
    quirks: QuirksConfig = Field(
        default_factory=QuirksConfig, description="What this device cannot do."
    )


class EndpointConfig(DeviceConfig):
    """How the plant is reached over one transport; `local` and `remote` have the same keys."""

    devices: dict[Identifier, DeviceConfig] = Field(
        default_factory=dict,
        description="Further servers with points of this plant, such as a meter, by name; those of "
        "`local` are emulated.",
        json_schema_extra=CLOSED,
    )


class EndpointsConfig(Section):
    """The emulated plant and the real one."""

    local: EndpointConfig = Field(description="Where the emulated plant listens.")
    remote: EndpointConfig | None = Field(
        None, description="The real plant; null: transport remote is impossible."
    )


class PointConfig(Section):
    """One point of the register map; its value is `raw * scale + offset` in `unit`."""

    address: Annotated[int, Field(ge=0, le=65535)] = Field(
        description="First register, counted from 0 as on the wire."
    )
    format: FormatWord | None = Field(
        None, description="Number format; required but for coils and discrete inputs (bits)."
    )
    access: AccessWord = Field(Access.R, description="What the device allows: `r`, `w` or `rw`.")
    unit: str = Field(
        "raw",
        description="Unit of the scaled value.",
        json_schema_extra={"enum": [*UNITS]},
    )
    scale: Scale = Field(1.0, description="Units a count; may be negative, not 0.")
    offset: Annotated[float, Field(ge=-1e12, le=1e12)] = Field(
        0.0, description="Units to add after scaling."
    )
    table: TableWord = Field(Table.HOLDING, description="`holding`, `input`, `coil` or `discrete`.")
    byte_order: ByteOrderWord | None = Field(
        None, description="Order of the bytes in a register; null: that of the map."
    )
    word_order: WordOrderWord | None = Field(
        None, description="Order of a value's registers; null: that of the map."
    )
    invalid: list[int | float] = Field(
        default_factory=list,
        max_length=32,
        description='Raw numbers that mean "not known".',
    )
    min: float | None = Field(
        None, description="Values below this (in `unit`) are implausible: not known."
    )
    max: float | None = Field(
        None, description="Values above this (in `unit`) are implausible: not known."
    )
    values: dict[str, int] = Field(
        default_factory=dict,
        description="Of start_command and stop_command: the raw numbers, as `{run: 2, stop: 0}`.",
    )
    period_s: Period | None = Field(
        None, description="Of heartbeat: how often it counts up; null: 1 s."
    )
    device: Identifier | None = Field(
        None, description="Name of the endpoint's device that has this point; null: the plant."
    )


class RegisterMapConfig(Section):
    """Which point stands where."""

    byte_order: ByteOrderWord = Field(
        ByteOrder.BIG, description="Order of the two bytes in a register: `big` or `little`."
    )
    word_order: WordOrderWord = Field(
        WordOrder.MSW_FIRST,
        description="Order of a value's registers: `msw_first` or `lsw_first`.",
    )
    points: dict[Identifier, PointConfig] = Field(
        description="Points by name. Required: p_setpoint, q_setpoint, p_poi, q_poi, p_battery, "
        "q_battery, v_poi, soc, enable. With a meaning of their own: start_command, "
        "stop_command, heartbeat, control_allowed, alarm_word. Any further point is recorded.",
        json_schema_extra=CLOSED,
    )


class TransportMapsConfig(Section):
    """A register map for each transport, where the real plant's differs from the emulated one."""

    local: RegisterMapConfig = Field(description="Map of the emulated plant.")
    remote: RegisterMapConfig | None = Field(
        None, description="Map of the real plant; required with a remote endpoint."
    )


def _map_variant(raw: Any) -> str:
    if isinstance(raw, TransportMapsConfig):
        return "by_transport"
    keys = set(raw) if isinstance(raw, dict) else set()
    return "by_transport" if keys & {"local", "remote"} and "points" not in keys else "one"


RegisterMaps = Annotated[
    Annotated[RegisterMapConfig, Tag("one")] | Annotated[TransportMapsConfig, Tag("by_transport")],
    Discriminator(_map_variant),
]


class PlantConfig(Section):
    """One plant."""

    name: Text = Field(description="Name that people see.")
    in_service: bool = Field(True, description="false: skipped by Start All, and Start is refused.")
    faults: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=100,
        description="Faults that the emulated plant shows from its start, each as "
        "`{kind: delay, ms: 300}`, with `for_s` where it ends and `device` where a further device "
        "shows it; the fault reference lists them.",
    )
    model: ModelConfig = Field(description="Nameplate and model.")
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig, description="Limits inside the nameplate."
    )
    setpoint: SetpointConfig = Field(
        default_factory=SetpointConfig, description="Rewriting and read-back."
    )
    measurement_series: SeriesConfig | None = Field(
        None, description="Series of the market API; null: nothing is posted."
    )
    alarm_bits: dict[Annotated[int, Field(ge=0, le=63)], Text] = Field(
        default_factory=dict, description="Names of the bits of the point `alarm_word`, by bit."
    )
    endpoints: EndpointsConfig = Field(description="Where the plant is reached.")
    register_map: RegisterMaps = Field(
        description="One map for both transports, or `{local: .., remote: ..}`."
    )
