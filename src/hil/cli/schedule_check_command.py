"""`hil schedule check`: what would become of a schedule file, without an engine."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from hil.adapters.system_clock import SystemClock
from hil.assembly.feasibility import subject_of
from hil.cli.duration import parse_instant
from hil.cli.engine_session import echo_json, json_option
from hil.cli.options import config_option, load_config
from hil.cli.schedule_commands import (
    file_argument,
    plant_option,
    read_file,
    signal_option,
)
from hil.config.values import plant_specs
from hil.domain.errors import InvalidInput
from hil.domain.feasibility import HORIZON_MAX, Forecast, forecast
from hil.domain.plant import Source
from hil.domain.schedule import Schedule, Signal, effective_points
from hil.domain.schedule_check import UNITS, Beyond, beyond_nameplate
from hil.domain.schedule_csv import ScheduleUpdate, parse_schedule_csv
from hil.domain.site_day import day_range, local_text, site_day

# Of the setpoints and of the limits so many are shown; --json has all.
SHOWN_MAX = 20


@click.command("check")
@file_argument
@plant_option
@signal_option
@click.option("--start", metavar="TIME", help="As of load (default: the start of the site day).")
@click.option(
    "--soc",
    type=click.FloatRange(0, 1),
    help="State of charge at the first row in per unit (default: startup.initial_soc_pu).",
)
@config_option
@json_option
@click.pass_context
def check_command(
    context: click.Context,
    file: Path,
    plant: str,
    signal: str | None,
    start: str | None,
    soc: float | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Check the CSV in FILE against the configuration, without an engine.

    Says which limits the plant would hit, when, and how many kWh would be missing: from the first
    row to the end of the file, or of the site day of its last row, and for 48 h at most. Exits
    with 2 when a row is wrong, with 1 when the plant cannot follow.
    """
    config, _ = load_config(config_file)
    specs = {spec.id: spec for spec in plant_specs(config)}
    spec = next((spec for name, spec in specs.items() if name == plant), None)
    if spec is None:
        raise InvalidInput(f"there is no plant {plant!r}; there are {', '.join(specs)}")
    zone = ZoneInfo(config.site.timezone)
    schedule = _parsed(file, zone, signal, start).applied_to(Schedule())
    beyond = beyond_nameplate(schedule, spec.nameplate)
    times = sorted({*schedule.p.times, *schedule.q.times})
    end = _end_of(schedule, zone)
    soc_pu = config.startup.initial_soc_pu if soc is None else soc
    asked = effective_points(schedule, {}, Source.MANUAL, start=times[0], end=end)
    found = forecast(asked, subject_of(config, spec), end=end, soc_pu=soc_pu)
    is_ok = found.ok and not beyond
    if as_json:
        facts = {"ok": is_ok, "plant": plant, "from": times[0], "to": times[-1]}
        echo_json({**facts, "soc_pu": soc_pu, "beyond": beyond, "forecast": found})
    else:
        span = f"{local_text(times[0], zone)} to {local_text(times[-1], zone)}"
        click.echo(f"{file}: {len(times)} rows, {span}")
        _echo_beyond(beyond, spec.name, zone)
        _echo_forecast(found, spec.name, zone)
    context.exit(0 if is_ok else 1)


def _parsed(file: Path, zone: ZoneInfo, signal: str | None, start: str | None) -> ScheduleUpdate:
    now = SystemClock().now()
    begin = (
        day_range(site_day(now, zone), zone)[0]
        if start is None
        else parse_instant(start, zone, now)
    )
    try:
        return parse_schedule_csv(
            read_file(file), zone=zone, start=begin, signal=Signal(signal or Signal.P)
        )
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.args[0]}", error.problems) from error


def _end_of(schedule: Schedule, zone: ZoneInfo) -> datetime:
    """Where nothing holds any more, else the end of the last row's day; within the horizon."""
    points = schedule.points()
    first, last = points[0], points[-1]
    is_closed = last.p_kw is None and last.q_kvar is None
    end = last.time if is_closed else day_range(site_day(last.time, zone), zone)[1]
    # A file with nothing but an end asks for nothing.
    return min(max(end, first.time + timedelta(minutes=1)), first.time + HORIZON_MAX)


def _echo_beyond(beyond: tuple[Beyond, ...], name: str, zone: ZoneInfo) -> None:
    if not beyond:
        click.echo(f"OK: every setpoint is inside the nameplate of {name}")
        return
    count = len(beyond)
    click.echo(
        f"{count} setpoint{'s are' if count > 1 else ' is'} beyond the nameplate of {name}:",
        err=True,
    )
    for one in beyond[:SHOWN_MAX]:
        unit = UNITS[one.signal]
        click.echo(
            f"  {local_text(one.time, zone)}: {one.asked:g} {unit} is not from {one.least:g} to"
            f" {one.most:g} {unit}",
            err=True,
        )
    _echo_more(count)


def _echo_forecast(found: Forecast, name: str, zone: ZoneInfo) -> None:
    first, last = found.soc.soc_pu[0], found.soc.soc_pu[-1]
    way = f"from {first:.1%} state of charge to {last:.1%}"
    if found.ok:
        click.echo(f"OK: {name} can follow it, {way}")
        return
    click.echo(
        f"{name} cannot follow it, {way}: {found.missing_kwh:.1f} kWh would be missing", err=True
    )
    for one in found.violations[:SHOWN_MAX]:
        text = f"{one.asked_kw:g} kW asked, {one.possible_kw:g} kW possible"
        if one.asked_kvar != one.possible_kvar:
            text += f"; {one.asked_kvar:g} kvar asked, {one.possible_kvar:g} kvar possible"
        click.echo(
            f"  {local_text(one.at, zone)} to {local_text(one.until, zone)}: {one.limit}:"
            f" {text}; {one.missing_kwh:.1f} kWh missing",
            err=True,
        )
    _echo_more(len(found.violations))


def _echo_more(count: int) -> None:
    if count > SHOWN_MAX:
        click.echo(f"  and {count - SHOWN_MAX} more", err=True)
