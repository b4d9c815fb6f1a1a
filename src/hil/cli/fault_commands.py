"""`hil fault`: what the emulated plants show that real ones do in the field."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from hil.adapters.engine_answer import read_snapshot
from hil.adapters.engine_client import EngineClient
from hil.cli.control_commands import PLANT
from hil.cli.duration import DurationType
from hil.cli.engine_session import echo_json, json_option, with_engine
from hil.domain.errors import InvalidInput, NotFound
from hil.domain.faults import parse_faults


@click.group("fault")
def fault_group() -> None:
    """Set, clear or list the faults of the emulated plants (local transport only).

    A fault is a kind such as `delay`, or a profile such as `old_gateway`; the fault reference
    has them all.
    """


@fault_group.command("set")
@click.argument("plant", type=PLANT)
@click.argument("kind")
@click.argument("params", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--for", "duration", type=DurationType(), help="As 30s or 10min; else no end.")
@json_option
@with_engine
def set_fault_command(
    client: EngineClient,
    plant: str,
    kind: str,
    params: Sequence[str],
    duration: timedelta | None,
    as_json: bool,
) -> None:
    """Let the emulated PLANT show a fault, as in `hil fault set lib delay ms=300 --for 30s`."""
    body = dict(_pair(text) for text in params)
    if duration is not None:
        body["for_s"] = duration.total_seconds()
    faults = parse_faults({**body, "kind": kind})
    answer = client.put_fault(plant, kind, body)
    if as_json:
        echo_json(answer)
        return
    until = "" if duration is None else f" for {duration.total_seconds():g} s"
    click.echo(f"{plant}: {', '.join(map(str, faults))}{until}")


@fault_group.command("clear")
@click.argument("plant", type=PLANT)
@click.argument("kind", required=False)
@json_option
@with_engine
def clear_fault_command(client: EngineClient, plant: str, kind: str | None, as_json: bool) -> None:
    """End a fault of the emulated PLANT; without KIND all of them."""
    kinds = [kind] if kind is not None else [each.split()[0] for each in _shown(client, plant)]
    answer: dict[str, Any] = {"faults": []}
    for each in kinds:
        answer = client.clear_fault(plant, each)
    if as_json:
        echo_json(answer)
        return
    click.echo(f"{plant}: {', '.join(kinds)} cleared" if kinds else f"{plant}: no faults")


@fault_group.command("list")
@json_option
@with_engine
def list_faults_command(client: EngineClient, as_json: bool) -> None:
    """List the active faults of every plant."""
    plants = read_snapshot(client.state()).plants
    if as_json:
        echo_json({plant: list(state.faults) for plant, state in plants.items()})
        return
    for plant, state in plants.items():
        click.echo(f"{plant}: {', '.join(state.faults) or 'no faults'}")


def _shown(client: EngineClient, plant: str) -> Sequence[str]:
    plants = {str(name): state for name, state in read_snapshot(client.state()).plants.items()}
    if plant not in plants:
        raise NotFound(f"there is no plant {plant!r}; there are {', '.join(plants)}")
    return plants[plant].faults


def _pair(text: str) -> tuple[str, float | str | None]:
    key, is_pair, value = text.partition("=")
    if not is_pair or not key:
        raise InvalidInput(f"{text!r} is no parameter; write it as ms=300")
    if value == "null":
        return key, None
    try:
        return key, float(value)
    except ValueError:
        return key, value
