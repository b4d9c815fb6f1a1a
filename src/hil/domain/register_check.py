"""What must hold in a register map: every problem at once, each with its place."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import combinations

from hil.domain.errors import Problem
from hil.domain.plant import Nameplate
from hil.domain.point import Access, Format, Point
from hil.domain.register_codec import DoesNotFit
from hil.domain.registers import RegisterMap
from hil.domain.signals import COLUMNS, OptionalPoint, PointName
from hil.domain.units import units_of

LAST_ADDRESS = 65535
_READ_BACK = {PointName.P_SETPOINT, PointName.Q_SETPOINT, PointName.ENABLE}
_COMMANDS = {OptionalPoint.START_COMMAND, OptionalPoint.STOP_COMMAND}
_WRITTEN = {*_COMMANDS, OptionalPoint.HEARTBEAT}
_MEANINGS = {*PointName, *OptionalPoint}
_FLOATS = {Format.FLOAT32, Format.FLOAT64}


def map_problems(points: Mapping[str, Point]) -> list[Problem]:
    """What is wrong with the points of a map; `where` is `NAME.key`, or the map for None.

    Missing points, addresses out of range, overlaps, units and access that do not fit the
    point, sentinels that do not fit the format.
    """
    problems = [
        Problem(where=name, why=_missing(name, points)) for name in PointName if name not in points
    ]
    for point in points.values():
        problems += _point_problems(point)
    for first, second in combinations(points.values(), 2):
        problems += _overlap(first, second)
    return problems


def limit_problems(registers: RegisterMap, nameplate: Nameplate) -> list[Problem]:
    """Which values of the nameplate, and which commands, the registers cannot hold."""
    wanted: dict[str, tuple[float, ...]] = {
        PointName.V_POI: (nameplate.v_nominal_kv,),
        PointName.SOC: (0.0, 1.0),
        PointName.ENABLE: (0.0, 1.0),
    }
    p_kw = (nameplate.p_min_kw, 0.0, nameplate.p_max_kw)
    q_kvar = (nameplate.q_min_kvar, 0.0, nameplate.q_max_kvar)
    wanted |= dict.fromkeys((PointName.P_SETPOINT, PointName.P_POI, PointName.P_BATTERY), p_kw)
    wanted |= dict.fromkeys((PointName.Q_SETPOINT, PointName.Q_POI, PointName.Q_BATTERY), q_kvar)
    for name in _COMMANDS & registers.points.keys():
        wanted[name] = tuple(map(float, registers.points[name].values.values()))
    return [
        problem
        for name in registers.points
        for problem in _unheld(registers, name, wanted.get(name, ()))
    ]


def unit_problem(name: str, unit: str) -> str | None:
    """Why the unit does not fit the point of that name; None when it does."""
    units = units_of(name)
    return None if unit in units else f'"{unit}" does not fit {name}: {_either(units)}'


def _missing(name: str, points: Mapping[str, Point]) -> str:
    near = get_close_matches(name, [other for other in points if other not in _MEANINGS], 1, 0.8)
    return f'this point is required; is it "{near[0]}"?' if near else "this point is required"


def _unheld(registers: RegisterMap, name: str, values: tuple[float, ...]) -> Iterator[Problem]:
    for value in dict.fromkeys(values):
        try:
            words = registers.encode(name, value)
        except DoesNotFit as refused:
            yield Problem(where=name, why=str(refused))
            continue
        if registers.decode(name, words) is None:
            yield Problem(
                where=name, why=f"{value:.10g} lies outside min and max, and would never be known"
            )


def _point_problems(point: Point) -> Iterator[Problem]:
    def problem(key: str, why: str) -> Problem:
        return Problem(where=f"{point.name}.{key}" if key else point.name, why=why)

    if point.end - 1 > LAST_ADDRESS:
        yield problem("address", f"ends at {point.end - 1}, behind the last address {LAST_ADDRESS}")
    if why := unit_problem(point.name, point.unit):
        yield problem("unit", why)
    if point.is_bit:
        if point.unit != "raw" or point.scale != 1 or point.offset != 0:
            yield problem("table", "a bit has the unit raw, no scale and no offset")
        if point.format is not Format.UINT16:
            yield problem("format", "a bit has no format; leave it out")
    yield from (problem(key, why) for key, why in _access(point))
    yield from (problem(key, why) for key, why in _meaning(point))
    if point.min is not None and point.max is not None and point.min >= point.max:
        yield problem("min", f"must be less than max ({point.max:.10g}), is {point.min:.10g}")
    for raw in point.invalid:
        why = _bad_sentinel(point, raw)
        if why:
            yield problem("invalid", why)


def _access(point: Point) -> Iterator[tuple[str, str]]:
    if point.table.value in {"input", "discrete"} and point.is_writable:
        yield "access", f"the table {point.table} can only be read: r"
    if point.device is not None and point.is_writable:
        yield "access", f"points of a further device ({point.device}) are only read: r"
    if point.name in _READ_BACK and point.access is not Access.RW:
        yield "access", f"{point.name} is written and read back: rw"
    elif point.name in _WRITTEN and not point.is_writable:
        yield "access", f"{point.name} is written: w or rw"
    elif point.name in {*PointName, "control_allowed", "alarm_word"} and not point.is_readable:
        yield "access", f"{point.name} is read: r or rw"


def _meaning(point: Point) -> Iterator[tuple[str, str]]:
    if point.name in _COMMANDS:
        if point.values.keys() != {"run", "stop"}:
            yield "values", "needs the raw numbers for run and stop, as {run: 2, stop: 0}"
        elif point.values["run"] == point.values["stop"]:
            yield "values", "run and stop must be different numbers"
    elif point.values:
        yield "values", "only start_command and stop_command have values"
    if point.name in {*COLUMNS, "timestamp"}:
        yield "", "is the name of a column of the recordings; choose another"
    if point.is_bit and point.name in _MEANINGS - {
        *_COMMANDS,
        PointName.ENABLE,
        OptionalPoint.CONTROL_ALLOWED,
    }:
        yield "table", f"{point.name} does not fit a bit"


def _bad_sentinel(point: Point, raw: float) -> str | None:
    if not point.is_bit and point.format in _FLOATS:
        limit = 3.4028235e38 if point.format is Format.FLOAT32 else float("inf")
        return None if abs(raw) <= limit else f"{raw!r} does not fit {point.format}"
    if raw != int(raw):
        return f"{raw!r} is not a whole number, as {point.format} has"
    bits = 1 if point.is_bit else 16 * point.length
    fits = -(2 ** (bits - 1)) <= raw < 2**bits
    return None if fits else f"{raw!r} does not fit {'a bit' if point.is_bit else point.format}"


def _overlap(first: Point, second: Point) -> Iterator[Problem]:
    if (first.device, first.table) != (second.device, second.table):
        return
    if first.end <= second.address or second.end <= first.address:
        return
    same = (first.address, first.format, first.byte_order, first.word_order) == (
        second.address,
        second.format,
        second.byte_order,
        second.word_order,
    )
    if same and Access.R is first.access is second.access:
        return
    why = (
        "only read-only points may share registers"
        if same
        else "points may share registers only with equal address, format and order"
    )
    yield Problem(
        where=f"{second.name}.address",
        why=f"overlaps {first.name} ({_range(first)}) with {_range(second)}; {why}",
    )


def _range(point: Point) -> str:
    last = point.end - 1
    return f"{point.address}" if last == point.address else f"{point.address} to {last}"


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
