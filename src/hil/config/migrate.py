"""A configuration of the original HIL-scheduler, in any of its spellings, as one of ours."""

import io
import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from hil.config import migrate_plant, yaml_source
from hil.config.load import load_text
from hil.config.model import Config
from hil.config.old_values import Note, OldValues
from hil.config.unmet import refusals
from hil.config.yaml_source import Path
from hil.domain.errors import InvalidInput, Problem
from hil.domain.recording_file import VOLTAGE_PU

_OLD_SECTIONS = frozenset(
    {"general", "time", "schedule", "startup", "istentore_api", "timing", "dashboard", "recording"}
    | {"plants", "plant", "modbus_local", "modbus_remote"}
)
# What has no line comes after all that have one.
_LAST = 10**9
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Other names that Python has for them.
_LEVEL_NAMES = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_TOLERANCES = (
    "p_setpoint_kw",
    "battery_active_power_kw",
    "q_setpoint_kvar",
    "battery_reactive_power_kvar",
    "soc_pu",
    "p_poi_kw",
    "q_poi_kvar",
    "v_poi_kV",
)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_SECRET = re.compile(r"password|passwd|secret|token", re.IGNORECASE)
_HEADER = """\
# HIL Scheduler, made by `hil config migrate` from a configuration of the original HIL-scheduler.
# What is left out has its default: docs/reference/configuration.md describes every key.
# Check this file with `hil config check`.
"""
# Why a key has no place; the longest beginning of its path counts.
_REASONS: dict[Path, str] = {
    (): "has no place in this program",
    ("schedule",): "schedules are put into the running engine: `hil schedule load`, `random`",
    ("istentore_api", "poll_interval_min"): "timing.data_fetcher_period_s says how often",
    ("dashboard", "private", "enabled"): "`hil run` serves the page; --no-web leaves it out",
    ("dashboard", "private", "auth"): "who may use the page is not a matter of this file",
    ("modbus_local", "description"): "there are no descriptions; write a comment",
    ("modbus_remote", "description"): "there are no descriptions; write a comment",
}


@dataclass(frozen=True, slots=True)
class Migrated:
    """A valid configuration as YAML, and what was not taken over as it stood, by line."""

    text: str
    notes: tuple[Note, ...]


def migrate(text: str, *, name: str) -> Migrated:
    """Translate the text of an old configuration.

    Args:
        name: What the text is called in errors.

    Raises:
        InvalidInput: It is not an old configuration, or has values that cannot be taken over.
    """
    old = OldValues(_parsed(text, name))
    made = _translated(old)
    _note_untaken(old)
    if old.problems:
        raise InvalidInput(f"{name}: {_count(old.problems)}", _by_line(old.problems))
    asked = refusals(_loaded(made, name))
    for problem in asked:
        _take_out(made, problem.where)
        old.notes.append(Note(problem.where, f"is left at its default: {problem.why}"))
    if asked:
        _loaded(made, name)
    return Migrated(_yaml(made), tuple(sorted(old.notes, key=lambda note: note.line or _LAST)))


def _loaded(made: dict[str, Any], name: str) -> Config:
    """What our own loader makes of it; its problems are said for the old file."""
    try:
        return load_text(_yaml(made))
    except InvalidInput as wrong:
        problems = [Problem(where=problem.where, why=problem.why) for problem in wrong.problems]
        raise InvalidInput(
            f"{name}: as a configuration of this program it would have {_count(problems)}"
            " (named by their new places)",
            problems,
        ) from wrong


def _parsed(text: str, name: str) -> yaml_source.Source:
    source = yaml_source.parse(text)
    if source.problems:
        raise InvalidInput(f"{name}: {_count(source.problems)}", source.problems)
    value = source.value
    if not isinstance(value, dict) or not _OLD_SECTIONS & value.keys():
        raise InvalidInput(
            f"{name}: is not a configuration of the original HIL-scheduler: it has none of its"
            " sections, such as `istentore_api` and `plants`"
        )
    plants = value.get("plants")
    if isinstance(plants, dict) and any(
        isinstance(plant, dict) and "register_map" in plant for plant in plants.values()
    ):
        raise InvalidInput(
            f"{name}: is a configuration of this program already; `hil config check` looks at it"
        )
    return source


def _translated(old: OldValues) -> dict[str, Any]:
    plants = _plants(old)
    made: dict[str, Any] = {
        "site": _site(old),
        "startup": _startup(old),
        "timing": _timing(old),
        "recording": _recording(old, plants),
        "schedule_api": _schedule_api(old),
        "web": _web(old),
        "logging": _logging(old),
        "plants": plants,
    }
    return {key: value for key, value in made.items() if value not in ({}, None)}


def _given(**values: Any) -> dict[str, Any]:
    """Those that the old configuration has; the others keep their default."""
    return {key: value for key, value in values.items() if value is not None}


def _site(old: OldValues) -> dict[str, Any]:
    old.keys("time")
    return _given(timezone=old.text("time", "timezone"))


def _logging(old: OldValues) -> dict[str, Any]:
    old.keys("general")
    level = old.word("general", "log_level", among=(*_LEVELS, *_LEVEL_NAMES))
    return _given(level=_LEVEL_NAMES.get(level, level) if level else None)


def _startup(old: OldValues) -> dict[str, Any]:
    old.keys("startup")
    transport = "transport_mode"
    if not old.has("startup", transport):
        transport = "plant"
    soc = ("startup", "initial_soc_pu")
    if not old.has(*soc):
        soc = ("plant", "initial_soc_pu")
    return _given(
        source=old.word("startup", "schedule_source", among=("manual", "api")),
        transport=old.word("startup", transport, among=migrate_plant.TRANSPORTS),
        initial_soc_pu=old.number(*soc),
    )


def _timing(old: OldValues) -> dict[str, Any]:
    old.keys("timing")
    return _given(
        dispatch_period_s=old.number("timing", "scheduler_period_s"),
        measurement_period_s=old.number("timing", "measurement_period_s"),
        emulation_period_s=old.number("timing", "plant_period_s"),
    )


def _recording(old: OldValues, plants: dict[str, Any]) -> dict[str, Any]:
    root = ("recording", "compression")
    old.keys("recording")
    old.keys(*root)
    compression = _given(max_gap_s=old.number(*root, "max_kept_gap_s"))
    if old.has(*root, "enabled"):
        compression["enabled"] = old.flag(*root, "enabled", default=True)
    old.keys(*root, "tolerances")
    tolerances = _given(**{key: old.number(*root, "tolerances", key) for key in _TOLERANCES})
    per_unit = (*root, "tolerances", VOLTAGE_PU)
    nominal_kv = [plant["model"]["v_nominal_kv"] for plant in plants.values()]
    if old.has(*per_unit) and "v_poi_kV" not in tolerances and nominal_kv:
        tolerance_pu = old.number(*per_unit)
        if tolerance_pu is not None:
            tolerance_kv = float(f"{tolerance_pu * min(nominal_kv):.10g}")
            tolerances["v_poi_kV"] = tolerance_kv
            old.say(per_unit, f"is now v_poi_kV: {tolerance_kv:g}, of the lowest nominal voltage")
    if tolerances:
        compression["tolerances"] = tolerances
    made = _given(flush_period_s=old.number("timing", "measurements_write_period_s"))
    if compression:
        made["compression"] = compression
    return made


def _schedule_api(old: OldValues) -> dict[str, Any] | None:
    root = "istentore_api"
    keys = old.keys(root)
    for key in keys:
        if _SECRET.search(key):
            old.leave(
                (root, key), "a secret never stands in a configuration: set password_env or _file"
            )
    base_url = old.text(root, "base_url")
    start = "tomorrow_poll_start_time"
    made = {
        "kind": "istentore",
        "base_url": base_url,
        "email": old.text(root, "email", default="i-STENTORE"),
        **_given(
            poll_period_s=old.number("timing", "data_fetcher_period_s"),
            tomorrow_poll_start=_time(old, root, start if start in keys else "poll_start_time"),
            schedule_period_min=old.number(root, "schedule_period_minutes"),
            posting=_posting(old, root) or None,
        ),
    }
    if base_url is None:
        if keys:
            why = "is absent, and no address is assumed: there will be no market API"
            old.say((root, "base_url"), why)
        for path in (*((root, key) for key in keys), ("timing", "data_fetcher_period_s")):
            if old.has(*path):
                old.leave(path, "belongs to the market API, whose base_url is absent")
        return None
    return made


def _posting(old: OldValues, root: str) -> dict[str, Any]:
    enabled = "post_measurements_in_api_mode"
    made = _given(
        enabled=old.flag(root, enabled, default=True) if old.has(root, enabled) else None,
        period_s=old.number(root, "measurement_post_period_s"),
        queue_max=old.whole(root, "measurement_post_queue_maxlen"),
        retry_initial_s=old.number(root, "measurement_post_retry_initial_s"),
        retry_max_s=old.number(root, "measurement_post_retry_max_s"),
    )
    first_s, last_s = made.get("retry_initial_s"), made.get("retry_max_s")
    if first_s is not None and last_s is not None and last_s < first_s:
        made["retry_max_s"] = first_s
        why = f"is raised to measurement_post_retry_initial_s ({first_s:g} s), as the original did"
        old.say((root, "measurement_post_retry_max_s"), why)
    return made


def _time(old: OldValues, *path: str) -> str | None:
    text = old.text(*path)
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        old.wrong(path, f'must be a time of day such as "17:30", is "{text}"')
        return None
    quoted: str = DoubleQuotedScalarString(f"{int(match[1]):02d}:{match[2]}")
    return quoted


def _web(old: OldValues) -> dict[str, Any]:
    public = ("dashboard", "public_readonly")
    old.keys("dashboard")
    old.keys("dashboard", "private")
    old.keys(*public)
    old.keys(*public, "auth")
    made = _given(
        host=old.text("dashboard", "private", "host"),
        port=old.whole("dashboard", "private", "port"),
    )
    page = _given(
        host=old.text(*public, "host"),
        port=old.whole(*public, "port"),
        auth=old.word(*public, "auth", "mode", among=("basic", "none")),
    )
    if old.has(*public, "enabled"):
        page["enabled"] = old.flag(*public, "enabled", default=False)
    return made | ({"public": page} if page else {})


def _plants(old: OldValues) -> dict[str, Any]:
    if old.has("plants"):
        return {name: migrate_plant.plant(old, name) for name in old.keys("plants")}
    by_plant = migrate_plant.SERIES_BY_PLANT
    old.keys(*by_plant)
    why = "there was one plant, and its series are those of `local`; change them by hand if need be"
    if old.has(*by_plant, "remote"):
        old.leave((*by_plant, "remote"), why)
    places: dict[str, Path] = {"local": ("modbus_local",), "remote": ("modbus_remote",)}
    if old.has("modbus_remote", "name"):
        old.leave(("modbus_remote", "name"), "one plant has one name: that of modbus_local")
    return {
        "lib": {
            "name": old.text("modbus_local", "name", default="LIB"),
            "model": {"kind": "lithium_ion", **migrate_plant.model(old, ("plant",))},
            "measurement_series": migrate_plant.series(
                old, (*by_plant, "local"), defaults=migrate_plant.SERIES["lib"]
            ),
            **migrate_plant.reached(old, places, local_port=migrate_plant.LOCAL_PORTS["lib"]),
        }
    }


def _note_untaken(old: OldValues) -> None:
    for path in old.untaken():
        size = next(size for size in range(len(path), -1, -1) if path[:size] in _REASONS)
        old.say(path, _REASONS[path[:size]])


def _take_out(made: dict[str, Any], place: str) -> None:
    *sections, key = place.split(".")
    for section in sections:
        made = made[section]
    del made[key]


class _Representer(RoundTripRepresenter):
    """Spells null out; the library leaves it empty."""

    def represent_null(self, _: None) -> ScalarNode:
        node: ScalarNode = self.represent_scalar("tag:yaml.org,2002:null", "null")
        return node


_Representer.add_representer(type(None), _Representer.represent_null)


def _yaml(made: dict[str, Any]) -> str:
    writer = YAML()
    writer.Representer = _Representer
    writer.width = 120
    out = io.StringIO()
    writer.dump(_node(made, ()), out)
    text = re.sub(r"^(?=[a-z])", "\n", out.getvalue(), flags=re.MULTILINE)
    return _HEADER + text


def _node(value: Any, path: Path) -> Any:
    """Mappings of values alone on one line, the others as blocks."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    node = CommentedMap((key, _node(below, (*path, key))) for key, below in value.items())
    is_point = len(path) > 1 and path[-2] == "points"
    if is_point or (path and path[-1] in {"local", "remote", "values"} and "host" in node):
        node.fa.set_flow_style()
    return node


def _count(problems: list[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _by_line(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line or 0)
