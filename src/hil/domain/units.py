"""Units of register points and what one of them is in the program's own units."""

from decimal import Decimal
from enum import StrEnum


class Quantity(StrEnum):
    """What a point measures; each has one unit inside the program: kW, kvar, kV, pu, none."""

    POWER = "power"
    REACTIVE_POWER = "reactive power"
    VOLTAGE = "voltage"
    FRACTION = "fraction"
    RAW = "raw"


CANONICAL: dict[Quantity, str] = {
    Quantity.POWER: "kW",
    Quantity.REACTIVE_POWER: "kvar",
    Quantity.VOLTAGE: "kV",
    Quantity.FRACTION: "pu",
    Quantity.RAW: "",
}

# `pu` stands for two things, so that a point that is a voltage looks here first.
_VOLTAGES = {"V": Decimal("0.001"), "kV": Decimal(1)}
_OTHERS = {
    "kW": (Quantity.POWER, Decimal(1)),
    "W": (Quantity.POWER, Decimal("0.001")),
    "MW": (Quantity.POWER, Decimal(1000)),
    "hW": (Quantity.POWER, Decimal("0.1")),
    "kvar": (Quantity.REACTIVE_POWER, Decimal(1)),
    "var": (Quantity.REACTIVE_POWER, Decimal("0.001")),
    "Mvar": (Quantity.REACTIVE_POWER, Decimal(1000)),
    "pu": (Quantity.FRACTION, Decimal(1)),
    "%": (Quantity.FRACTION, Decimal("0.01")),
    "raw": (Quantity.RAW, Decimal(1)),
}
UNITS = (*_OTHERS, *_VOLTAGES)


def quantity_of(point: str, unit: str) -> Quantity:
    """What a point of this name and unit measures; the unit is one of `UNITS`."""
    if unit in _VOLTAGES or (point == "v_poi" and unit == "pu"):
        return Quantity.VOLTAGE
    return _OTHERS[unit][0]


def factor_of(point: str, unit: str, *, v_nominal_kv: float) -> Decimal:
    """One `unit` in kW, kvar, kV or pu; a voltage in pu counts from the nominal voltage."""
    if quantity_of(point, unit) is not Quantity.VOLTAGE:
        return _OTHERS[unit][1]
    return _VOLTAGES.get(unit, Decimal(repr(float(v_nominal_kv))))


def units_of(point: str) -> tuple[str, ...]:
    """The units that a point of this name may have; any for names without a meaning."""
    quantity = _POINTS.get(point)
    if quantity is None:
        return UNITS
    return tuple(unit for unit in UNITS if quantity_of(point, unit) is quantity)


_POINTS = {
    "p_setpoint": Quantity.POWER,
    "p_poi": Quantity.POWER,
    "p_battery": Quantity.POWER,
    "q_setpoint": Quantity.REACTIVE_POWER,
    "q_poi": Quantity.REACTIVE_POWER,
    "q_battery": Quantity.REACTIVE_POWER,
    "v_poi": Quantity.VOLTAGE,
    "soc": Quantity.FRACTION,
    "enable": Quantity.RAW,
    "start_command": Quantity.RAW,
    "stop_command": Quantity.RAW,
    "heartbeat": Quantity.RAW,
    "control_allowed": Quantity.RAW,
    "alarm_word": Quantity.RAW,
}
