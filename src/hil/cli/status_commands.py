"""`hil status`, `hil alarms` and `hil ack`: what a running engine shows."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import click
import orjson
from rich.console import Console
from rich.live import Live

from hil.adapters.engine_answer import read_snapshot
from hil.adapters.engine_client import EngineClient, Lost, Picture
from hil.cli.engine_session import echo_json, json_option, stdout_console, with_engine
from hil.cli.status_view import ComingOverride, alarm_table, override_table, status_view
from hil.domain.schedule import Signal


@click.command("status")
@click.option("--watch", "is_watched", is_flag=True, help="Follow the values until Ctrl-C.")
@json_option
@with_engine
def status_command(client: EngineClient, is_watched: bool, as_json: bool) -> None:
    """Show plants, source, transport, e-stop and alarms of the running engine.

    Overrides that begin later follow, but for --watch and --json. With --watch --json each change
    is one line of JSON.
    """
    if is_watched:
        with suppress(KeyboardInterrupt):  # how a person ends it
            watch(client, as_json=as_json)
        return
    state = client.state()
    if as_json:
        echo_json(state)
        return
    picture = read_snapshot(state)
    console = stdout_console()
    console.print(status_view(picture))
    # After what is urgent: each plant takes two more requests.
    if coming := [one for plant in picture.plants for one in _coming(client, plant, picture.time)]:
        console.print(override_table(coming, ZoneInfo(picture.site.timezone)))


def _coming(client: EngineClient, plant: str, now: datetime) -> Iterator[ComingOverride]:
    """The overrides of a plant that begin after `now`: one where both signals' are at one time."""
    firsts: dict[tuple[datetime, datetime | None], dict[Signal, float]] = {}
    for signal in Signal:
        override = client.override(plant, signal)
        points, end = override.get("points"), override.get("end")
        if points and (begins_at := datetime.fromisoformat(points[0]["time"])) > now:
            span = (begins_at, datetime.fromisoformat(end) if end else None)
            firsts.setdefault(span, {})[signal] = points[0]["value"]
    for (begins_at, ends_at), values in firsts.items():
        yield ComingOverride(
            plant=plant,
            begins_at=begins_at,
            ends_at=ends_at,
            p_kw=values.get(Signal.P),
            q_kvar=values.get(Signal.Q),
        )


def watch(client: EngineClient, *, as_json: bool) -> None:
    """Show the stream until it cannot be had any more: a live table, or a line of JSON each.

    Where there is no terminal each picture is printed below the one before.

    Raises:
        HilError: The stream is gone for good.
    """
    console = stdout_console()
    if as_json:
        _watch_json(client)
    elif console.is_terminal:
        _watch_live(client, console)
    else:
        _watch_lines(client, console)


def _watch_json(client: EngineClient) -> None:
    for event in client.events():
        if isinstance(event, Picture):
            click.echo(orjson.dumps(event.state))
        elif isinstance(event, Lost):
            click.echo(event.why, err=True)


def _watch_lines(client: EngineClient, console: Console) -> None:
    for event in client.events():
        if isinstance(event, Picture):
            console.print(status_view(read_snapshot(event.state)))
        elif isinstance(event, Lost):
            click.echo(f"OLD VALUES: {event.why}", err=True)


def _watch_live(client: EngineClient, console: Console) -> None:
    picture = None
    with Live(console=console, auto_refresh=False, screen=False) as live:
        for event in client.events():
            old = None
            if isinstance(event, Picture):
                picture = read_snapshot(event.state)
            elif isinstance(event, Lost):
                old = event.why
            if picture is None:
                live.update(old or "", refresh=True)
            else:
                live.update(status_view(picture, old=old), refresh=True)


@click.command("alarms")
@json_option
@with_engine
def alarms_command(client: EngineClient, as_json: bool) -> None:
    """Show the open alarms and what to do about each."""
    if as_json:
        echo_json(client.alarms())
        return
    picture = read_snapshot({**client.state(), "alarms": client.alarms()})
    if picture.alarms:
        stdout_console().print(alarm_table(picture.alarms, ZoneInfo(picture.site.timezone)))
    else:
        click.echo("no alarm is open")


@click.command("ack")
@click.argument("alarm_id", metavar="ALARM_ID")
@click.option("--note", help="What was found or done; kept with the alarm.")
@json_option
@with_engine
def ack_command(client: EngineClient, alarm_id: str, note: str | None, as_json: bool) -> None:
    """Acknowledge an alarm; `hil alarms` shows the ids."""
    alarm = client.acknowledge(alarm_id, note)
    if as_json:
        echo_json(alarm)
    else:
        still = "over" if alarm.get("cleared_at") else "still active"
        click.echo(f"acknowledged, {still}: {alarm.get('text')}")
