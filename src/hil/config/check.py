"""What must hold between the values of a plant: each check names every problem it sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hil.config.model_plant import (
    DeviceConfig,
    EndpointConfig,
    EndpointsConfig,
    LimitsConfig,
    ModelConfig,
    RegisterMapConfig,
    RegisterMaps,
    SetpointConfig,
    TransportMapsConfig,
)
from hil.config.values import map_configs, nameplate, points
from hil.domain.errors import InvalidInput, Problem
from hil.domain.faults import parse_faults, point_problem
from hil.domain.plant import Transport
from hil.domain.point import WORDS, Point
from hil.domain.register_check import limit_problems, map_problems
from hil.domain.registers import RegisterMap, WriteFunction

Problems = Iterator[Problem]


def soc_window(limits: LimitsConfig) -> Problems:
    """The SoC limits leave a window."""
    if limits.soc_min_pu >= limits.soc_max_pu:
        yield Problem(
            where="limits.soc_min_pu",
            why=f"must be less than soc_max_pu ({limits.soc_max_pu:g}), is {limits.soc_min_pu:g}",
        )


def rewriting(setpoint: SetpointConfig) -> Problems:
    """A device that falls back by itself is written to in time."""
    if setpoint.revert_s is None:
        return
    if setpoint.rewrite_period_s is None:
        yield Problem(
            where="setpoint.rewrite_period_s",
            why=f"is null (never), but the device reverts after {setpoint.revert_s:g} s; "
            "give a shorter time than that",
        )
    elif setpoint.revert_s <= setpoint.rewrite_period_s:
        yield Problem(
            where="setpoint.revert_s",
            why=f"must be longer than rewrite_period_s ({setpoint.rewrite_period_s:g} s), "
            f"is {setpoint.revert_s:g} s",
        )


def register_points(maps: RegisterMaps) -> Problems:
    """Each map is complete and consistent."""
    for place, config in _maps(maps).items():
        for name, point in config.points.items():
            if point.format is None and point.table.value in {"holding", "input"}:
                yield Problem(where=f"{place}.points.{name}", why='the key "format" is missing')
            if point.period_s is not None and name != "heartbeat":
                where = f"{place}.points.{name}.period_s"
                yield Problem(where=where, why="only heartbeat has a period")
        for problem in map_problems(points(config)):
            yield Problem(where=f"{place}.points.{problem.where}", why=problem.why)


def encodable(model: ModelConfig, maps: RegisterMaps) -> Problems:
    """The registers hold every value of the nameplate."""
    for place, config in _maps(maps).items():
        named = points(config)
        # Nothing can be said about the values of a point whose numbers are wrong themselves.
        odd = {
            name
            for name, _, key in (p.where.partition(".") for p in map_problems(named))
            if key in {"unit", "format", "table", "invalid", "min"}
        }
        registers = RegisterMap(
            points={name: point for name, point in named.items() if name not in odd},
            v_nominal_kv=model.v_nominal_kv,
        )
        for problem in limit_problems(registers, nameplate(model)):
            yield Problem(where=f"{place}.points.{problem.where}", why=problem.why)


def devices(endpoints: EndpointsConfig, maps: RegisterMaps) -> Problems:
    """Every point has a device that can be asked for it."""
    by_transport = map_configs(maps)
    for transport, endpoint in _endpoints(endpoints).items():
        config = {str(key): value for key, value in by_transport.items()}.get(transport)
        if config is None:
            yield Problem(
                where="register_map",
                why=f"has no map for {transport}, but there is an endpoint {transport}",
            )
            continue
        for point in points(config).values():
            yield from _reachable(point, endpoint, f"endpoints.{transport}")


def alarm_bits(bits: Mapping[int, str], maps: RegisterMaps) -> Problems:
    """Bits that have a name exist."""
    for config in map_configs(maps).values():
        word = config.points.get("alarm_word")
        if word is None or word.format is None:
            continue
        size = 16 * WORDS[word.format]
        for bit in bits:
            if bit >= size:
                yield Problem(
                    where=f"alarm_bits[{bit}]", why=f"alarm_word has the bits 0 to {size - 1} only"
                )
        return


def faults_known(listed: Sequence[Mapping[str, Any]]) -> Problems:
    """Every fault exists and its parameters are right."""
    for index, raw in enumerate(listed):
        try:
            parse_faults(raw)
        except InvalidInput as error:
            for problem in error.problems:
                yield Problem(where=f"faults[{index}].{problem.where}", why=problem.why)


def faults_of_points(listed: Sequence[Mapping[str, Any]], maps: RegisterMaps) -> Problems:
    """The points and devices that faults name exist."""
    local = map_configs(maps).get(Transport.LOCAL)
    if local is None:
        return
    readable: dict[str | None, set[str]] = {None: set()}
    for point in points(local).values():
        if point.is_readable:
            readable.setdefault(point.device, set()).add(point.name)
    for index, raw in enumerate(listed):
        try:
            faults = parse_faults(raw)
        except InvalidInput:
            continue  # said by `faults_known`
        for fault in faults:
            if fault.device not in readable:
                why = f"the map has no point of a device {fault.device}"
                yield Problem(where=f"faults[{index}].device", why=why)
                continue
            problem = point_problem(fault, readable[fault.device])
            if problem is not None:
                yield Problem(where=f"faults[{index}].{problem.where}", why=problem.why)


# A check runs when the parts that it needs are valid by themselves, so that a mistake in one
# part does not hide those of the others.
PLANT_CHECKS: tuple[tuple[tuple[str, ...], Callable[..., Problems]], ...] = (
    (("limits",), soc_window),
    (("setpoint",), rewriting),
    (("register_map",), register_points),
    (("model", "register_map"), encodable),
    (("endpoints", "register_map"), devices),
    (("alarm_bits", "register_map"), alarm_bits),
    (("faults",), faults_known),
    (("faults", "register_map"), faults_of_points),
)


def plant_problems(parts: Mapping[str, Any]) -> list[Problem]:
    """Everything that does not fit together in one plant.

    Args:
        parts: The keys of the plant that are valid by themselves, with their models.
    """
    found = [
        problem
        for needed, check in PLANT_CHECKS
        if parts.keys() >= set(needed)
        for problem in check(*(parts[name] for name in needed))
    ]
    return list(dict.fromkeys(found))


def _maps(maps: RegisterMapConfig | TransportMapsConfig) -> dict[str, RegisterMapConfig]:
    """Each map with its place in the plant."""
    if isinstance(maps, RegisterMapConfig):
        return {"register_map": maps}
    return {f"register_map.{transport}": one for transport, one in map_configs(maps).items()}


def _endpoints(endpoints: EndpointsConfig) -> dict[str, EndpointConfig]:
    given = {"local": endpoints.local, "remote": endpoints.remote}
    return {transport: one for transport, one in given.items() if one is not None}


def _reachable(point: Point, endpoint: EndpointConfig, place: str) -> Problems:
    device: DeviceConfig = endpoint
    if point.device is not None:
        if point.device not in endpoint.devices:
            yield Problem(
                where=f"{place}.devices",
                why=f"has no {point.device}, which the point {point.name} is read from",
            )
            return
        device, place = endpoint.devices[point.device], f"{place}.devices.{point.device}"
    if point.length > device.quirks.max_registers:
        yield Problem(
            where=f"{place}.quirks.max_registers",
            why=f"{device.quirks.max_registers} cannot hold {point.name} ({point.format}), "
            f"which takes {point.length}",
        )
    if (
        device.quirks.write_function is WriteFunction.SINGLE
        and point.is_writable
        and point.length > 1
    ):
        yield Problem(
            where=f"{place}.quirks.write_function",
            why=f"single writes one register, but {point.name} ({point.format}) "
            f"takes {point.length}",
        )
