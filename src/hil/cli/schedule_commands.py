"""`hil schedule`: files and random schedules into a running engine, and what it will do."""

import math
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.table import Table
from rich.text import Text

from hil.adapters.engine_answer import read_snapshot
from hil.adapters.engine_client import EngineClient
from hil.cli.control_commands import PLANT
from hil.cli.duration import parse_instant
from hil.cli.engine_session import echo_json, json_option, stdout_console, with_engine
from hil.cli.override_commands import echo_overrides
from hil.cli.status_view import time_text
from hil.domain.errors import HilError, InvalidInput
from hil.domain.schedule import Series, Signal
from hil.domain.schedule_csv import MAX_BYTES, ScheduleUpdate, parse_schedule_csv

SEEDS = 2**31
# A month; the engine makes and shows no more at a time.
HOURS_MAX = 24 * 31


def _finite(_: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse NaN, which no range does."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number", param=option)
    return value


file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
plant_option = click.option("--plant", type=PLANT, required=True, metavar="ID", help="The plant.")
hours_option = click.option(
    "--hours",
    type=click.FloatRange(0, HOURS_MAX, min_open=True),
    default=24.0,
    show_default=True,
    callback=_finite,
    help="How long, from the start on.",
)
signal_option = click.option(
    "--signal",
    type=click.Choice([each.value for each in Signal]),
    help="What a file with hours, minutes and seconds sets (default: p).",
)


@click.group("schedule")
def schedule_group() -> None:
    """Load, make, show and check schedules."""


@schedule_group.command("load")
@file_argument
@plant_option
@signal_option
@click.option(
    "--start",
    metavar="TIME",
    help="Where a file with hours, minutes and seconds begins: now, or a time (site time unless it"
    " has an offset).",
)
@click.option("--override", "as_override", is_flag=True, help="As an override of its signals.")
@json_option
@with_engine
def load_command(
    client: EngineClient,
    file: Path,
    plant: str,
    signal: str | None,
    start: str | None,
    as_override: bool,
    as_json: bool,
) -> None:
    """Replace the manual schedule of PLANT by the CSV in FILE, whole and at once.

    A file of one signal keeps the other. A bad row refuses the file. An override is active until
    its file's `end`, or until it is removed.
    """
    data = read_file(file)
    picture = read_snapshot(client.state())
    zone = ZoneInfo(picture.site.timezone)
    begin = None if start is None else parse_instant(start, zone, picture.time)
    chosen = None if signal is None else Signal(signal)
    try:
        if as_override:
            update = parse_schedule_csv(data, zone=zone, start=begin, signal=chosen or Signal.P)
        else:
            loaded = client.load_csv(plant, data, start=begin, signal=chosen)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.args[0]}", error.problems) from error
    if as_override:
        _override(client, plant, update, zone, as_json=as_json)
    elif as_json:
        echo_json(loaded)
    else:
        click.echo(f"{plant}: {_manual_text(loaded, zone)}")
        for note in loaded.get("notes") or []:
            click.echo(f"  note: {note}")


def _override(
    client: EngineClient, plant: str, update: ScheduleUpdate, zone: ZoneInfo, *, as_json: bool
) -> None:
    given = {Signal.P: update.p, Signal.Q: update.q}
    put = {
        signal.value: client.put_override(plant, signal, _override_body(series))
        for signal, series in given.items()
        if series is not None
    }
    if as_json:
        echo_json(put)
        return
    echo_overrides(plant, put, zone)


def _override_body(series: Series) -> dict[str, Any]:
    times, values = series.times, series.values
    end = times[-1].isoformat() if values[-1] is None else None
    points = [
        {"time": time.isoformat(), "value": value}
        for time, value in zip(times, values, strict=True)
        if value is not None
    ]
    return {"points": points, "end": end}


def _manual_text(schedule: Mapping[str, Any], zone: ZoneInfo) -> str:
    points = schedule.get("points") or []
    if not points:
        return "the manual schedule is empty"
    end = schedule.get("end")
    until = f"until {time_text(end, zone)}" if end else "and the last holds on"
    count = f"{len(points)} setpoint{'s' * (len(points) > 1)}"
    return f"manual schedule of {count} from {time_text(points[0].get('time'), zone)} {until}"


@schedule_group.command("random")
@plant_option
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Same seed, same setpoints.")
@click.option("--start", metavar="TIME", default="now", show_default=True, help="As of load.")
@hours_option
@click.option(
    "--resolution-min",
    type=click.FloatRange(0, 60 * HOURS_MAX, min_open=True),
    default=15.0,
    show_default=True,
    callback=_finite,
    help="Minutes from one setpoint to the next.",
)
@json_option
@with_engine
def random_command(
    client: EngineClient,
    plant: str,
    seed: int | None,
    start: str,
    hours: float,
    resolution_min: float,
    as_json: bool,
) -> None:
    """Replace the manual schedule of PLANT by a random one inside its nameplate."""
    picture = read_snapshot(client.state())
    zone = ZoneInfo(picture.site.timezone)
    begin = parse_instant(start, zone, picture.time.replace(second=0, microsecond=0))
    used = secrets.randbelow(SEEDS) if seed is None else seed
    wanted = {
        "start": begin.isoformat(),
        "duration_h": hours,
        "resolution_min": resolution_min,
        "seed": used,
    }
    made = client.make_random(plant, wanted)
    if as_json:
        echo_json({**made, "seed": used})
    else:
        click.echo(f"{plant}: {_manual_text(made, zone)} (seed {used})")


@schedule_group.command("show")
@click.argument("plant", type=PLANT)
@hours_option
@json_option
@with_engine
def show_command(client: EngineClient, plant: str, hours: float, as_json: bool) -> None:
    """Show what PLANT would be told from now on, overrides included."""
    picture = read_snapshot(client.state())
    start = picture.time
    points = client.effective_schedule(plant, start, start + timedelta(hours=hours))
    if as_json:
        echo_json({"points": points})
        return
    zone = ZoneInfo(picture.site.timezone)
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("time", "P kW", "Q kvar", "origin"):
        table.add_column(heading, justify="right" if "k" in heading else "left", no_wrap=True)
    for point in points:
        cells = (time_text(point.get("time"), zone), *(str(point.get(key)) for key in _SHOWN))
        table.add_row(*map(Text, cells))
    stdout_console().print(table)


_SHOWN = ("p_kw", "q_kvar", "origin")


def read_file(file: Path) -> bytes:
    """The bytes of a schedule; raises HilError when it cannot be read, or is none."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise HilError(f"cannot read the schedule {file}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{file} has more than {MAX_BYTES} bytes, which is no schedule")
    return data
