"""A plant of an old configuration as a plant of this one: nameplate, endpoints, register maps."""

from typing import Any

from hil.config.old_values import OldValues
from hil.config.yaml_source import Path
from hil.domain.registers import Format
from hil.domain.units import UNITS

TRANSPORTS = ("local", "remote")
LOCAL_PORTS = {"lib": 5020, "vrfb": 5021}
KINDS = {"lib": "lithium_ion", "vrfb": "vanadium_redox_flow"}
SERIES = {
    "lib": {"soc": 4, "p": 6, "q": 7, "v": 8},
    "vrfb": {"soc": 5, "p": 11, "q": 10, "v": 9},
}
SERIES_BY_PLANT: Path = ("istentore_api", "measurement_series_by_plant")
# What the original took for a key of the model that was absent.
_CAPACITY_KWH = 50.0
_LIMITS = {"p_max_kw": 1000.0, "p_min_kw": -1000.0, "q_max_kvar": 600.0, "q_min_kvar": -600.0}
_VOLTAGE_KV = 20.0
_V_PER_KV = 1000.0
_COMMANDS = {"start_command": {"run": 2, "stop": 0}, "stop_command": {"run": 0, "stop": 1}}
_DERIVED = ("name", "word_count", "byte_count")
# A flat list of registers gave addresses alone; these were the program's own formats.
_POWER = {"format": "int16", "unit": "kW", "scale": 0.1}
_REACTIVE = {"format": "int16", "unit": "kvar", "scale": 0.1}
_RAW = {"format": "uint16", "unit": "raw"}
_FLAT: dict[str, dict[str, Any]] = {
    "p_setpoint": {**_POWER, "access": "rw"},
    "q_setpoint": {**_REACTIVE, "access": "rw"},
    "p_poi": {**_POWER, "access": "r"},
    "q_poi": {**_REACTIVE, "access": "r"},
    "p_battery": {**_POWER, "access": "r"},
    "q_battery": {**_REACTIVE, "access": "r"},
    "soc": {"format": "uint16", "unit": "pu", "scale": 0.0001, "access": "r"},
    "v_poi": {"format": "uint16", "unit": "pu", "scale": 0.01, "access": "r"},
    "enable": {**_RAW, "access": "rw"},
    "start_command": {**_RAW, "access": "rw"},
    "stop_command": {**_RAW, "access": "rw"},
}
_FLAT_NAMES = {"p_setpoint_in": "p_setpoint", "q_setpoint_in": "q_setpoint"}


def plant(old: OldValues, name: str) -> dict[str, Any]:
    """The plant below `plants`."""
    root = ("plants", name)
    kind = KINDS.get(name, "lithium_ion")
    if name not in KINDS:
        old.say(root, "is taken to be a lithium-ion plant: the original knew lib and vrfb only")
    made: dict[str, Any] = {
        "name": old.text(*root, "name", default=name.upper()),
        "model": {"kind": kind, **model(old, (*root, "model"))},
    }
    listed: Path = (*root, "measurement_series")
    if not old.has(*listed) and old.has(*SERIES_BY_PLANT, name):
        listed = (*SERIES_BY_PLANT, name)
    made["measurement_series"] = series(old, listed, defaults=SERIES.get(name, {}))
    places: dict[str, Path] = {transport: (*root, "modbus", transport) for transport in TRANSPORTS}
    return made | reached(old, places, local_port=LOCAL_PORTS.get(name))


def model(old: OldValues, path: Path) -> dict[str, Any]:
    """The nameplate in the section at the path; what is absent has the original's default."""
    keys = old.keys(*path)
    made = {"capacity_kwh": _rated(old, (*path, "capacity_kwh"), "kWh", _CAPACITY_KWH)}
    if "power_limits" in keys:
        old.keys(*path, "power_limits")
    for key, default in _LIMITS.items():
        made[key] = _rated(old, (*path, "power_limits", key), key.rpartition("_")[2], default)
    if "poi_voltage_kv" in keys or "poi_voltage_v" not in keys:
        made["v_nominal_kv"] = _rated(old, (*path, "poi_voltage_kv"), "kV", _VOLTAGE_KV)
        if "poi_voltage_v" in keys:
            old.leave((*path, "poi_voltage_v"), "poi_voltage_kv stands beside it and counts")
    else:
        volts = old.number(*path, "poi_voltage_v", default=_VOLTAGE_KV * _V_PER_KV)
        assert volts is not None, path
        made["v_nominal_kv"] = volts / _V_PER_KV
    return made


def series(old: OldValues, path: Path, *, defaults: dict[str, int]) -> dict[str, Any]:
    """The series that measurements are posted to; null is not posted."""
    keys = old.keys(*path)
    made: dict[str, Any] = {}
    for key in ("soc", "p", "q", "v"):
        if key in keys:
            made[key] = old.whole(*path, key)
        elif key in defaults:
            made[key] = defaults[key]
            old.say((*path, key), f"is absent; it is {defaults[key]}, as it was in the original")
    return made


def reached(old: OldValues, places: dict[str, Path], *, local_port: int | None) -> dict[str, Any]:
    """Endpoints and register maps from the sections of the two transports."""
    endpoints: dict[str, Any] = {}
    maps: dict[str, Any] = {}
    for transport, path in places.items():
        if transport == "remote" and not old.keys(*path):
            old.say(path, "is absent; transport remote stays impossible without it")
            continue
        is_local = transport == "local"
        endpoints[transport] = {
            "host": _host(old, path, "localhost" if is_local else None),
            "port": _port(old, path, local_port if is_local else 502),
        }
        maps[transport] = _register_map(old, path)
    same = "remote" not in maps or maps["local"] == maps["remote"]
    return {"endpoints": endpoints, "register_map": maps["local"] if same else maps}


def _rated(old: OldValues, path: Path, unit: str, default: float) -> float:
    number = old.number(*path)
    if number is None:
        old.say(path, f"is absent; it is {default:g} {unit}, as it was in the original")
        return default
    return number


def _host(old: OldValues, path: Path, default: str | None) -> str | None:
    host = old.text(*path, "host")
    if host:
        return host
    if default is None:
        old.wrong((*path, "host"), "is needed: the address of the real plant")
    else:
        old.say((*path, "host"), f"is absent; it is {default}, as it was in the original")
    return default


def _port(old: OldValues, path: Path, default: int | None) -> int | None:
    port = old.whole(*path, "port")
    if port is not None:
        return port
    if default is None:
        old.wrong((*path, "port"), "is needed: the port of the plant")
    else:
        old.say((*path, "port"), f"is absent; it is {default}, as it was in the original")
    return default


def _register_map(old: OldValues, path: Path) -> dict[str, Any]:
    byte_order = old.word(*path, "byte_order", among=("big", "little"), default="big")
    word_order = old.word(
        *path, "word_order", among=("msw_first", "lsw_first"), default="msw_first"
    )
    made: dict[str, Any] = {"byte_order": byte_order, "word_order": word_order}
    if old.has(*path, "points"):
        for key in ("byte_order", "word_order"):
            if not old.has(*path, key):
                old.say((*path, key), f"is absent; it is taken to be {made[key]}")
        listed = old.keys(*path, "points")
        made["points"] = {name: _point(old, (*path, "points", name), name) for name in listed}
    else:
        made["points"] = _flat_points(old, path)
    return made


def _point(old: OldValues, path: Path, name: str) -> dict[str, Any]:
    keys = old.keys(*path)
    for key in ("address", "format", "access", "unit", "eng_per_count"):
        if key not in keys:
            old.wrong((*path, key), "this key is required")
    for key in _DERIVED:
        if key in keys:
            old.leave((*path, key), "follows from the point's name and format")
    unit = old.text(*path, "unit")
    made: dict[str, Any] = {
        "address": old.whole(*path, "address"),
        "format": old.word(*path, "format", among=tuple(map(str, Format))),
        "access": old.word(*path, "access", among=("r", "w", "rw")),
        "unit": _unit(unit),
    }
    if unit is not None and made["unit"] is None:
        known = ", ".join((*UNITS, "pc"))
        old.wrong((*path, "unit"), f'must be one of {known}, is "{unit}"')
    scale = old.number(*path, "eng_per_count")
    if scale != 1:
        made["scale"] = scale
    return made | _values(old, path, name)


def _flat_points(old: OldValues, path: Path) -> dict[str, Any]:
    """Points from the older `registers: {name: address}`."""
    place = (*path, "registers")
    listed = old.keys(*place)
    made: dict[str, Any] = {}
    for key in listed:
        name = _FLAT_NAMES.get(key, key)
        if name not in _FLAT:
            old.leave((*place, key), "has no format: add it to the register map by hand")
        elif name in made:
            old.leave((*place, key), f"{name} stands beside it and counts")
        else:
            made[name] = {"address": old.whole(*place, key), **_FLAT[name]}
            made[name] |= _values(old, (*place, key), name)
    if made:
        old.say(
            place,
            "gives addresses only; the points got the formats that the original had then (16 bits;"
            " 0.1 kW, 0.1 kvar, 0.0001 pu of SoC and 0.01 pu of voltage a count):"
            " compare them with the device before using transport remote",
        )
    elif not listed:
        old.wrong(path, "needs `points` (or the older `registers`)")
    return made


def _values(old: OldValues, path: Path, name: str) -> dict[str, Any]:
    values = _COMMANDS.get(name)
    if values is None:
        return {}
    old.say(path, f"is taken to be {values['run']} for run and {values['stop']} for stop")
    return {"values": values}


def _unit(text: str | None) -> str | None:
    if text is None:
        return None
    word = "%" if text.lower() == "pc" else text.lower()
    return next((unit for unit in UNITS if unit.lower() == word), None)
