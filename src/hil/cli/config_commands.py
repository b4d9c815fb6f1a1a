"""Commands around the configuration: init, config check, config schema."""

import os
from pathlib import Path

import click
import orjson

from hil.config.load import (
    default_text,
    example_schedule,
    find_config,
    load,
    load_default,
    with_lines,
)
from hil.config.model import Config
from hil.config.model_plant import EndpointConfig
from hil.config.unmet import passed_over, refusals
from hil.domain.errors import HilError, InvalidInput

CONFIG_NAME = "config.yaml"
SCHEDULE_NAME = "example-schedule.csv"


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a commented config.yaml and an example schedule into DIR (default: here)."""
    texts = {CONFIG_NAME: default_text(), SCHEDULE_NAME: example_schedule()}
    there = [str(folder / name) for name in texts if os.path.lexists(folder / name)]
    if there:
        raise HilError(f"{' and '.join(there)}: already there; nothing is overwritten")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise HilError(f"{error.filename}: cannot be written: {error.strerror}") from error
    for name in texts:
        click.echo(f"wrote {folder / name}")
    click.echo("next: `hil config check`, then `hil run`")


@click.group()
def config() -> None:
    """Check the configuration, or print its schema."""


@config.command()
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def check(context: click.Context, file: Path | None, as_json: bool) -> None:
    """Validate FILE (default: the one that `hil run` would take) and name every problem.

    Exits with 2 when there is one; what `hil run` would refuse is a problem, too.
    """
    path = find_config(file, os.environ, Path())
    name = "the packaged default" if path is None else str(path)
    try:
        found = load_default() if path is None else load(path)
        if unmet := refusals(found):
            raise InvalidInput(
                f"{name}: asks for what this version cannot do", with_lines(unmet, path)
            )
    except InvalidInput as wrong:
        if not as_json:
            raise
        click.echo(orjson.dumps(_problems(name, wrong), option=orjson.OPT_INDENT_2))
        context.exit(2)
    notes = passed_over(found)
    if as_json:
        facts = {"ok": True, "file": name, "plants": _plants(found), "without_effect": notes}
        click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"OK: {name}")
    for plant in _plants(found):
        ends = [f"{key} {plant[key]}" for key in ("local", "remote") if plant[key]]
        click.echo(f"  {plant['id']} · {plant['name']} · {plant['kind']} · {' · '.join(ends)}")
    for key in notes:
        click.echo(f"  note: {key} has no effect in this version")


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml."""
    text = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    click.echo(orjson.dumps(text, option=orjson.OPT_INDENT_2))


def _problems(name: str, wrong: InvalidInput) -> dict[str, object]:
    return {
        "ok": False,
        "file": name,
        "error": str(wrong.args[0]),
        "problems": [
            {"where": problem.where, "why": problem.why, "line": problem.line}
            for problem in wrong.problems
        ],
    }


def _plants(found: Config) -> list[dict[str, str | None]]:
    return [
        {
            "id": plant_id,
            "name": plant.name,
            "kind": plant.model.kind,
            "local": _address(plant.endpoints.local),
            "remote": _address(plant.endpoints.remote),
        }
        for plant_id, plant in found.plants.items()
    ]


def _address(endpoint: EndpointConfig | None) -> str | None:
    return None if endpoint is None else f"{endpoint.host}:{endpoint.port}"
