"""Which quantity of its plant a point shows, told by its name and unit."""

from hil.domain.point import Point
from hil.domain.signals import PointName
from hil.domain.units import Quantity, quantity_of

# Of the grid, not of the plant: the one thing besides that a meter shows.
FREQUENCY = "frequency"

_MEASURED = (
    PointName.P_BATTERY,
    PointName.Q_BATTERY,
    PointName.P_POI,
    PointName.Q_POI,
    PointName.V_POI,
    PointName.SOC,
)
# Words that say where or how, and not what.
_PLACES = frozenset({"poi", "pcc", "grid", "meter", "net", "total"})
_WORDS = {
    Quantity.POWER: frozenset({"p", "active", "power", "w", "kw", "mw"}),
    Quantity.REACTIVE_POWER: frozenset({"q", "reactive", "power", "var", "kvar", "mvar"}),
    Quantity.VOLTAGE: frozenset({"v", "u", "voltage", "kv"}),
    Quantity.FRACTION: frozenset({"soc"}),
    Quantity.RAW: frozenset({"f", "freq", "frequency", "hz"}),
}
_AT_POI = {
    Quantity.POWER: PointName.P_POI,
    Quantity.REACTIVE_POWER: PointName.Q_POI,
    Quantity.VOLTAGE: PointName.V_POI,
    Quantity.FRACTION: PointName.SOC,
    Quantity.RAW: FREQUENCY,
}
_AT_BATTERY = {
    Quantity.POWER: PointName.P_BATTERY,
    Quantity.REACTIVE_POWER: PointName.Q_BATTERY,
}


def measurand_of(point: Point) -> str | None:
    """The measurement (a `PointName`, or `FREQUENCY`) that a point shows; None: another thing.

    A measurement shows itself. Any other name is taken apart at its `_`: words of the device's
    name and of places (`poi`, `grid`, ..) say nothing, `battery` says where, and what is left must
    name the quantity that the unit has. So `meter_p` in kW is the power at the POI, while `p_aux`
    and `v_l1` are things that no model knows.
    """
    if point.name in _MEASURED:
        return point.name
    if point.is_bit:
        return None
    words = set(point.name.split("_")) - _PLACES - set((point.device or "").split("_"))
    quantity = quantity_of(point.name, point.unit)
    measurands: dict[Quantity, str] = {**_AT_POI}
    if "battery" in words and quantity in _AT_BATTERY:
        measurands |= _AT_BATTERY
        words.discard("battery")
    return measurands[quantity] if words and words <= _WORDS[quantity] else None
