"""Write the reference pages that are made from the code; `--check` only compares them."""

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from hil.adapters.log_files import LogFiles
from hil.adapters.log_folder import LogFolder
from hil.adapters.system_clock import SystemClock
from hil.assembly.bench import build_engine, build_history, checked_specs, emulated_fleet
from hil.assembly.feasibility import subjects_of
from hil.checkup.through_engine import Checkups
from hil.cli.main import hil
from hil.config.load import load_default
from hil.config.model import Config
from hil.domain.alarms import CATALOGUE
from hil.domain.faults import FAULT_TYPES, PROFILES, Param, parse_faults
from hil.engine.feasibility_desk import FeasibilityDesk
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore
from hil.web.app import WebSettings, make_app

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Made by tools/reference_docs.py from the code; change it there. -->"


def configuration() -> str:
    """The sections of config.yaml, a table each."""
    schema = Config.model_json_schema()
    parts = [
        "# Configuration reference",
        NOTE,
        "",
        (
            "`config.yaml` is YAML 1.2, found in this order: `--config`, `$HIL_CONFIG`, "
            "`./config.yaml`, else the packaged default. `hil init` writes a commented one, "
            "`hil config check` names every problem, `hil config schema` prints the JSON Schema."
        ),
        (
            "Unknown and duplicate keys are errors. Relative paths start from the file's folder. "
            "Power is in kW, positive when discharging."
        ),
        "",
    ]
    for path, section in _sections("", schema, schema):
        title = f"`{path}`" if path else "Top level"
        parts += [
            f"## {title}",
            "",
            section.get("description", ""),
            "",
            *_table(section, schema),
            "",
        ]
    return "\n".join(parts)


def command_line() -> str:
    """Every command with its options, as `--help` shows them."""
    parts = ["# Command line reference", NOTE, ""]
    for name, command in [("hil", hil), *_commands("hil", hil)]:
        # As sub-commands get it from `hil`; click keeps the first that it is asked for.
        help_names = hil.context_settings["help_option_names"]
        context = click.Context(
            command, info_name=name, terminal_width=90, help_option_names=help_names
        )
        parts += [f"## `{name}`", "", "```", command.get_help(context), "```", ""]
    parts += [
        "Exit codes: 0 fine; 1 the thing asked for failed; 2 wrong usage or configuration. An",
        "error is one sentence on stderr; `--debug` shows a traceback.",
        "",
    ]
    return "\n".join(parts)


def _commands(prefix: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(f"{prefix} {name}", command)


def http_api() -> str:
    """Every route with its parameters and answers, from the OpenAPI schema."""
    schema = openapi_schema()
    parts = [
        "# HTTP API reference",
        NOTE,
        "",
        "The schema itself is served at `/api/openapi.json`, a page of it at `/api/docs`.",
        "",
        schema["info"]["description"],
        "",
    ]
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            answers = ", ".join(
                f"{status} {answer['description'].partition('.')[0]}"
                for status, answer in sorted(route["responses"].items())
            )
            asked = ", ".join(
                f"`{parameter['name']}`{'' if parameter['required'] else ' (optional)'}"
                for parameter in route.get("parameters", [])
            )
            parts += [f"## `{method.upper()} {path}`", "", route.get("description", ""), ""]
            parts += [f"- Parameters: {asked}"] if asked else []
            parts += [f"- Answers: {answers}", ""]
    return "\n".join(parts)


def openapi_schema() -> dict[str, Any]:
    """The schema of the API of the packaged bench, whose engine is never started."""
    config, clock = load_default(), SystemClock()
    specs = checked_specs(config)
    with tempfile.TemporaryDirectory() as folder:
        engine = build_engine(
            config,
            specs,
            lambda _, __, ___: MemoryLink(lambda _: None, timeout_s=1),
            clock,
            directory=Path(folder),
            store=MemoryStore(),
            locks=MemoryLocks({}),
            emulator=emulated_fleet(config, specs, clock),
            draw=random.Random(0),
        )
        settings = WebSettings(title=config.site.name, zone=ZoneInfo(config.site.timezone))
        checkups = Checkups(engine, specs, clock, within_s=1)
        desk = FeasibilityDesk(engine.plan, engine.board, clock, subjects_of(config, specs))
        logs = LogFiles(LogFolder(Path(folder)), zone=settings.zone, clock=clock)
        history = build_history(config, specs, Path(folder), recent=engine.memory, clock=clock)
        app = make_app(
            engine,
            checkups=checkups,
            feasibility=desk,
            logs=logs,
            sessions=engine.sessions,
            history=history,
            clock=clock,
            settings=settings,
        )
        return app.openapi()


def alarm_list() -> str:
    """Every kind of alarm with its priority, text and what to do."""
    rows = [
        f"| `{kind}` | {entry.priority} | {entry.text} | {entry.action} |"
        for kind, entry in CATALOGUE.items()
    ]
    return "\n".join(
        [
            "# Alarm reference",
            NOTE,
            "",
            "An alarm is raised once, by what it is about, and logged at each change. It leaves",
            "the list when it is cleared (what it is about is over) and acknowledged (somebody",
            "has seen it). Open alarms are kept over a restart.",
            "",
            "| kind | priority | what | what to do |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def fault_list() -> str:
    """Every fault of the emulated plants with its parameters, and the profiles."""
    rows = [
        f"| `{kind}` | {entry.effect} | {'<br>'.join(map(_param, entry.params)) or 'none'} |"
        for kind, entry in FAULT_TYPES.items()
    ]
    profiles = [
        f"| `{name}` | {effect} | "
        + "<br>".join(f"`{fault}`" for fault in parse_faults({"kind": name}))
        + " |"
        for name, (effect, _) in PROFILES.items()
    ]
    return "\n".join(
        [
            "# Fault reference",
            NOTE,
            "",
            "What an emulated plant can be told to show, in three places with the same words:",
            "in the configuration (`plants.<id>.faults: [{kind: delay, ms: 300}]`), on the command",
            "line (`hil fault set lib delay ms=300 --for 30s`) and over HTTP",
            '(`PUT /api/v1/plants/lib/faults/delay` with `{"ms": 300, "for_s": 30}`; local',
            "transport only). A plant shows one fault of a kind at a time; `for_s` ends it.",
            "With `device: meter` a further device of the plant shows the fault instead of its own",
            "server (`hil fault set lib delay ms=300 device=meter`); what acts on setpoints, the",
            "store or `enable` cannot be shown there. Clearing a kind ends it on the devices, too.",
            "",
            "| kind | what the plant does | parameters |",
            "| --- | --- | --- |",
            *rows,
            "",
            "## Profiles",
            "",
            "A profile stands wherever a kind may stand and shows all of its faults.",
            "",
            "| profile | what it is like | faults |",
            "| --- | --- | --- |",
            *profiles,
            "",
        ]
    )


def _param(param: Param) -> str:
    default = "null" if param.default is None else param.default
    bounds = f", {param.low:,.10g} to {param.high:,.10g}" if param.high else ""
    unit = f" {param.unit}" if param.unit else ""
    return f"`{param.name}` ({default}{unit}{bounds}): {param.meaning}"


# Each page and what makes it.
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/configuration.md": configuration,
    "docs/reference/command-line.md": command_line,
    "docs/reference/http-api.md": http_api,
    "docs/reference/alarms.md": alarm_list,
    "docs/reference/faults.md": fault_list,
}


def outdated() -> list[str]:
    """The pages that differ from what the code says."""
    return [
        page
        for page, make in PAGES.items()
        if not (ROOT / page).exists() or (ROOT / page).read_text(encoding="utf-8") != make()
    ]


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    found: Mapping[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return found


def _sections(
    path: str, section: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The section and those below it, each where it first stands."""
    seen: set[str] = set()
    waiting = [(path, section)]
    while waiting:
        here, node = waiting.pop(0)
        if node["title"] in seen:
            continue
        seen.add(node["title"])
        yield here, node
        below = [
            found
            for key, value in node["properties"].items()
            for found in _below(f"{here}.{key}".lstrip("."), value, schema)
        ]
        waiting = below + waiting


def _below(
    path: str, node: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for choice in node.get("anyOf", node.get("oneOf", [node])):
        found = _resolved(choice, schema)
        inner = _inner(found)
        if "properties" in found:
            yield path, found
        elif inner is not None:
            yield from _below(f"{path}.<{_key_name(path)}>", inner, schema)


def _inner(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of the values of a mapping with free keys."""
    by_pattern = found.get("patternProperties")
    inner = next(iter(by_pattern.values())) if by_pattern else found.get("additionalProperties")
    return inner if isinstance(inner, dict) else None


def _key_name(path: str) -> str:
    return {"plants": "id"}.get(path, "name")


def _table(section: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    required = set(section.get("required", ()))
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in section["properties"].items():
        default = "**required**" if key in required else _default(value, schema)
        words = value.get("description") or _resolved(value, schema).get("description", "")
        meaning = words.replace("|", "\\|")
        rows.append(f"| `{key}` | {_type(value, schema)} | {default} | {meaning} |")
    return rows


def _default(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "default" not in value:
        section = "properties" in _resolved(value, schema)
        return "its defaults" if section else "`[]`" if value.get("type") == "array" else "empty"
    default = value["default"]
    words = {None: "null", True: "true", False: "false"}
    plain = words[default] if default is None or isinstance(default, bool) else default
    return f"`{plain:g}`" if isinstance(plain, float) else f"`{plain}`"


def _type(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    choices = value.get("anyOf", value.get("oneOf"))
    if choices is not None:
        return " or ".join(dict.fromkeys(_type(choice, schema) for choice in choices))
    found = _resolved(value, schema)
    if "enum" in found:
        return ", ".join(f"`{word}`" for word in found["enum"])
    if "properties" in found:
        return "section"
    kind = found.get("type")
    if kind == "object":
        inner = _inner(found)
        return "mapping" if inner is None else f"{_type(inner, schema)} by name"
    if kind == "array":
        return f"list of {_type(found['items'], schema)}"
    words = {"string": "text", "number": "number", "integer": "whole number", "null": "null"}
    return words.get(str(kind), "true or false" if kind == "boolean" else "any") + _bounds(found)


def _bounds(found: Mapping[str, Any]) -> str:
    words = {
        "exclusiveMinimum": "> {:,.10g}",
        "minimum": ">= {:,.10g}",
        "exclusiveMaximum": "< {:,.10g}",
        "maximum": "<= {:,.10g}",
    }
    given = [words[key].format(found[key]) for key in words if key in found]
    return f" ({', '.join(given)})" if given else ""


def main() -> int:
    """Write the pages, or with `--check` name those that are outdated and return 1."""
    pages = outdated()
    for page in pages:
        print(f"{page} is outdated" if "--check" in sys.argv else f"wrote {page}")
    if "--check" in sys.argv:
        return 1 if pages else 0
    for page in pages:
        (ROOT / page).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / page).write_text(PAGES[page](), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
