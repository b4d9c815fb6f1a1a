"""The signals of a plant: their point in the register map and their column in a recording."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PointName(StrEnum):
    """The points that every register map has."""

    P_SETPOINT = "p_setpoint"
    Q_SETPOINT = "q_setpoint"
    P_POI = "p_poi"
    Q_POI = "q_poi"
    P_BATTERY = "p_battery"
    Q_BATTERY = "q_battery"
    V_POI = "v_poi"
    SOC = "soc"
    ENABLE = "enable"


class OptionalPoint(StrEnum):
    """Points with a meaning of their own that a register map may have."""

    START_COMMAND = "start_command"
    STOP_COMMAND = "stop_command"
    HEARTBEAT = "heartbeat"
    CONTROL_ALLOWED = "control_allowed"
    ALARM_WORD = "alarm_word"


# The columns of a recording after `timestamp`, in the order of the file, with their point.
COLUMNS: dict[str, PointName] = {
    "p_setpoint_kw": PointName.P_SETPOINT,
    "battery_active_power_kw": PointName.P_BATTERY,
    "q_setpoint_kvar": PointName.Q_SETPOINT,
    "battery_reactive_power_kvar": PointName.Q_BATTERY,
    "soc_pu": PointName.SOC,
    "p_poi_kw": PointName.P_POI,
    "q_poi_kvar": PointName.Q_POI,
    "v_poi_kV": PointName.V_POI,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One sample of a plant; `values` in the order of `COLUMNS`, then the extra signals.

    `values` None: a session boundary, a row with a timestamp and nothing else.
    """

    at: datetime
    values: tuple[float | None, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy at the POI since the plant was started, both counted upwards from zero."""

    discharged: float = 0.0
    charged: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The newest reading of a plant, named as the state shows it; None is not known."""

    time: datetime
    p_setpoint_kw: float | None
    battery_active_power_kw: float | None
    q_setpoint_kvar: float | None
    battery_reactive_power_kvar: float | None
    soc_pu: float | None
    p_poi_kw: float | None
    q_poi_kvar: float | None
    v_poi_kV: float | None  # noqa: N815 - the name is fixed by the recording's column
    enabled: bool | None
    extra: dict[str, float | None] = field(default_factory=dict)
    energy_since_start_kwh: Energy = field(default_factory=Energy)
    quality: dict[str, list[str]] = field(default_factory=dict)
