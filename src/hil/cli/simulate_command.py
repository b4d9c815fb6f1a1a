"""`hil simulate`: a day of schedules in virtual time."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hil.assembly.rehearsal import rehearsal
from hil.cli.options import config_option, load_config
from hil.config.model import Config
from hil.domain.errors import HilError, InvalidInput
from hil.domain.plant import PlantId
from hil.domain.rehearsal import Summary
from hil.domain.schedule import Schedule, Signal
from hil.domain.schedule_csv import parse_schedule_csv
from hil.domain.site_day import day_range, local_text, site_day

# As the API does: others are slips of the pen, and time zones would leave the calendar.
YEARS = range(1971, 2200)
# A block of a file system: less could fit where nothing else does.
PROBE_BYTES = 4096


@click.command("simulate")
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    required=True,
    metavar="FILE|ID=FILE",
    help="Schedule CSV of one plant, or of every plant; may be given again.",
)
@click.option("--day", metavar="YYYY-MM-DD", help="First site day (default: today).")
@click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Empty folder for recordings and summary (default: simulation-DAY).",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def simulate_command(
    schedules: Sequence[str],
    day: str | None,
    days: int,
    seed: int,
    out: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Play schedules against emulated plants in virtual time, through the code that runs live.

    Writes the recordings and `summary.json` to --out. Files in the hours form begin at the start
    of the day.
    """
    config, _ = load_config(config_file)
    zone = ZoneInfo(config.site.timezone)
    now = datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - today, outside virtual time
    first = site_day(now, zone) if day is None else _parse_day(day)
    start, _ = day_range(first, zone)
    _, end = day_range(first + timedelta(days=days - 1), zone)
    plans = _read_schedules(schedules, config, zone, start, end)
    folder = out or Path(f"simulation-{first:%Y-%m-%d}")
    _prepare(folder)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    started = time.perf_counter()  # noqa: TID251 - the speed that is shown to the person
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"simulating {days} day{'s' * (days > 1)}", total=1.0)
        summary = rehearsal(
            config,
            plans,
            day=first,
            days=days,
            seed=seed,
            out=folder,
            progress=lambda share: bar.update(task, completed=share),
        )
    took_s = time.perf_counter() - started  # noqa: TID251 - as above
    text = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / "summary.json").write_bytes(text)
    if as_json:
        click.echo(text, nl=False)
        return
    Console().print(_table(summary, config))
    hours = (end - start) / timedelta(hours=1)
    click.echo(f"{hours:g} h in {took_s:.1f} s; recordings and summary.json in {folder}")


def _parse_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"--day {text!r} is no date; write it as YYYY-MM-DD") from error
    if day.year not in YEARS:
        raise InvalidInput(f"--day {text} is not within {YEARS[0]} to {YEARS[-1]}")
    return day


def _prepare(folder: Path) -> None:
    """Make the folder and try to write there, before hours of work are lost to it."""
    probe = folder / ".probe"
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InvalidInput(f"{folder} is not empty; choose another folder with --out")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\0" * PROBE_BYTES)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise HilError(
            f"cannot write to {folder}: {error.strerror}; choose another folder with --out"
        ) from error


def _read_schedules(
    arguments: Sequence[str], config: Config, zone: ZoneInfo, start: datetime, end: datetime
) -> Mapping[PlantId, Schedule]:
    plans: dict[PlantId, Schedule] = {}
    given_by: dict[tuple[str, Signal], str] = {}
    for argument in arguments:
        plant, given, name = argument.partition("=")
        if not given:
            plants, name = list(config.plants), argument
        elif plant not in config.plants:
            known = ", ".join(config.plants)
            raise InvalidInput(f"--schedule {argument}: there is no plant {plant!r}; use {known}")
        else:
            plants = [plant]
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            raise HilError(f"cannot read the schedule {name}: {error.strerror}") from error
        try:
            update = parse_schedule_csv(data, zone=zone, start=start)
        except InvalidInput as error:
            raise InvalidInput(f"{name}: {error.args[0]}", error.problems) from error
        series = {
            signal: one
            for signal, one in ((Signal.P, update.p), (Signal.Q, update.q))
            if one is not None
        }
        for key in product(plants, series):
            if key in given_by:
                raise InvalidInput(
                    f"--schedule {argument}: {key[0]} has its {key[1]} from {given_by[key]}"
                    " already; give each signal of a plant once"
                )
            given_by[key] = argument
        if not any(start <= time < end for one in series.values() for time in one.times):
            holds = any(one.at(start) is not None for one in series.values())
            click.echo(
                f"warning: {name}: no row lies in the simulated days,"
                f" {local_text(start, zone)} to {local_text(end, zone)};"
                f" {'an earlier setpoint holds' if holds else 'nothing of it is played'}",
                err=True,
            )
        for each in plants:
            plans[PlantId(each)] = update.applied_to(plans.get(PlantId(each), Schedule()))
    return plans


def _table(summary: Summary, config: Config) -> Table:
    table = Table(title=f"{summary.day} in virtual time, at the POI")
    for heading in ("plant", "discharged kWh", "charged kWh", "SoC at the end"):
        table.add_column(heading, justify="left" if heading == "plant" else "right")
    for plant, figures in summary.plants.items():
        soc = "unknown" if figures.soc_end_pu is None else f"{figures.soc_end_pu:.2%}"
        table.add_row(
            config.plants[plant].name,
            f"{figures.discharged_kwh:.1f}",
            f"{figures.charged_kwh:.1f}",
            soc,
        )
    return table
