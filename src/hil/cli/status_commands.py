"""`hil status`, `hil alarms` and `hil ack`: what a running engine shows."""

from contextlib import suppress
from zoneinfo import ZoneInfo

import click
import orjson
from rich.console import Console
from rich.live import Live

from hil.adapters.engine_answer import read_snapshot
from hil.adapters.engine_client import EngineClient, Lost, Picture
from hil.cli.engine_session import echo_json, json_option, stdout_console, with_engine
from hil.cli.status_view import alarm_table, status_view


@click.command("status")
@click.option("--watch", "is_watched", is_flag=True, help="Follow the values until Ctrl-C.")
@json_option
@with_engine
def status_command(client: EngineClient, is_watched: bool, as_json: bool) -> None:
    """Show plants, source, transport, e-stop and alarms of the running engine.

    With --watch --json each change is one line of JSON.
    """
    if is_watched:
        with suppress(KeyboardInterrupt):  # how a person ends it
            watch(client, as_json=as_json)
        return
    state = client.state()
    if as_json:
        echo_json(state)
    else:
        stdout_console().print(status_view(read_snapshot(state)))


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
