"""`hil set` and `hil override`: setpoints that replace the schedule for a while."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from hil.adapters.engine_answer import read_snapshot
from hil.adapters.engine_client import EngineClient
from hil.cli.control_commands import PLANT
from hil.cli.duration import DurationType
from hil.cli.engine_session import echo_json, json_option, with_engine
from hil.cli.status_view import clock_text, time_text
from hil.domain.errors import HilError, InvalidInput, NotFound
from hil.domain.phase import Phase
from hil.domain.plant import Nameplate
from hil.domain.schedule import Signal
from hil.domain.schedule_check import UNITS, limits_of
from hil.domain.snapshot import PlantState, Snapshot

signal_option = click.option(
    "--signal",
    type=click.Choice([each.value for each in Signal]),
    help="One signal instead of all.",
)


@click.command("set")
@click.argument("plant", type=PLANT)
@click.option("--p", "p_kw", type=float, metavar="KW", help="Active power; positive discharges.")
@click.option("--q", "q_kvar", type=float, metavar="KVAR", help="Reactive power.")
@click.option("--for", "duration", type=DurationType(), required=True, help="As 90s, 10min or 2h.")
@json_option
@with_engine
def set_command(
    client: EngineClient,
    plant: str,
    p_kw: float | None,
    q_kvar: float | None,
    duration: timedelta,
    as_json: bool,
) -> None:
    """Hold a setpoint of PLANT from now on: an override that ends by itself.

    It replaces the override that the signal has; the schedule goes on underneath. One beyond the
    nameplate is refused.
    """
    values = {Signal.P: p_kw, Signal.Q: q_kvar}
    wanted = {signal: value for signal, value in values.items() if value is not None}
    if not wanted:
        raise click.UsageError("Give --p, --q or both.")
    picture = read_snapshot(client.state())
    state = _plant_of(picture, plant)
    for signal, value in wanted.items():
        _check(state.name, state.limits, signal, value)
    # By the engine's clock: this machine's may differ.
    start, end = picture.time, picture.time + duration
    body = {"end": end.isoformat()}
    put: dict[str, Any] = {}
    for signal, value in wanted.items():
        points = [{"time": start.isoformat(), "value": value}]
        try:
            put[signal.value] = client.put_override(plant, signal, {**body, "points": points})
        except HilError as error:
            done = ", ".join(f"{name.upper()} was set" for name in put)
            raise type(error)(
                f"{signal.upper()} was not set{done and f', {done}'}: {error}"
            ) from error
    if as_json:
        echo_json(put)
        return
    text = ", ".join(f"{value:g} {UNITS[signal]}" for signal, value in wanted.items())
    until = clock_text(end, ZoneInfo(picture.site.timezone))
    click.echo(f"{plant}: {text} until {until}{_why_idle(state)}")


def _plant_of(picture: Snapshot, plant: str) -> PlantState:
    for name, state in picture.plants.items():
        if name == plant:
            return state
    raise NotFound(f"there is no plant {plant!r}; there are {', '.join(picture.plants)}")


def _check(name: str, nameplate: Nameplate, signal: Signal, value: float) -> None:
    least, most = limits_of(nameplate, signal)
    if not least <= value <= most:
        raise InvalidInput(
            f"{value:g} {UNITS[signal]} is beyond the nameplate of {name}"
            f" ({least:g} to {most:g} {UNITS[signal]}); nothing was set"
        )


def _why_idle(state: PlantState) -> str:
    if state.phase is not Phase.RUNNING:
        return f"; has no effect while it is {state.phase}, `hil start` starts it"
    return "" if state.dispatching else "; has no effect while it is paused, see `hil dispatch`"


@click.group("override")
def override_group() -> None:
    """Show or remove the overrides of a plant; `hil set` and `hil schedule load` make them."""


def _signals(signal: str | None) -> list[Signal]:
    return list(Signal) if signal is None else [Signal(signal)]


@override_group.command("show")
@click.argument("plant", type=PLANT)
@signal_option
@json_option
@with_engine
def show_command(client: EngineClient, plant: str, signal: str | None, as_json: bool) -> None:
    """Show the overrides of PLANT."""
    found = {each.value: client.override(plant, each) for each in _signals(signal)}
    if as_json:
        echo_json(found)
        return
    echo_overrides(plant, found, ZoneInfo(read_snapshot(client.state()).site.timezone))


@override_group.command("remove")
@click.argument("plant", type=PLANT)
@signal_option
@json_option
@with_engine
def remove_command(client: EngineClient, plant: str, signal: str | None, as_json: bool) -> None:
    """Remove the overrides of PLANT; its schedule is in force again at once."""
    found = {each.value: client.remove_override(plant, each) for each in _signals(signal)}
    if as_json:
        echo_json(found)
        return
    for name in found:
        click.echo(f"{plant} {name.upper()}: override removed")


def echo_overrides(plant: str, found: Mapping[str, Mapping[str, Any]], zone: ZoneInfo) -> None:
    """Print the overrides of a plant, by signal."""
    for name, override in found.items():
        click.echo(f"{plant} {name.upper()}: {_override_text(override, Signal(name), zone)}")


def _override_text(override: Mapping[str, Any], signal: Signal, zone: ZoneInfo) -> str:
    """An override in a line."""
    points = override.get("points") or []
    if not points:
        return "no override"
    active = "active" if override.get("active") else "not active now"
    first, last, end = points[0], points[-1], override.get("end")
    values = f"{first['value']:g} {UNITS[signal]}"
    if len(points) > 1:
        values = f"{len(points)} setpoints, the last {last['value']:g} {UNITS[signal]},"
    until = f"until {time_text(end, zone)}" if end else "until it is removed"
    return f"{values} from {time_text(first['time'], zone)} {until} ({active})"
