"""`hil simulate`: a day of schedules in virtual time."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
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
from hil.domain.schedule import Schedule
from hil.domain.schedule_csv import parse_schedule_csv
from hil.domain.site_day import day_range, site_day

# The years that schedules may lie in, too.
YEARS = (1971, 2199)


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
    plans = _read_schedules(schedules, config, zone, first)
    folder = out or Path(f"simulation-{first:%Y-%m-%d}")
    _make_folder(folder)
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
    click.echo(f"{days * 24} h in {took_s:.1f} s; recordings and summary.json in {folder}")


def _parse_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"--day {text!r} is no date; write it as YYYY-MM-DD") from error
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise InvalidInput(f"--day {text} must lie in the years {YEARS[0]} to {YEARS[1]}")
    return day


def _make_folder(folder: Path) -> None:
    """Make the empty folder for the results now, not after the work."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InvalidInput(f"{folder} is not empty; choose another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summary.json").touch()
    except OSError as error:
        raise HilError(
            f"cannot write to {folder}: {error.strerror}; choose another folder with --out"
        ) from error


def _read_schedules(
    arguments: Sequence[str], config: Config, zone: ZoneInfo, day: date
) -> Mapping[PlantId, Schedule]:
    plans: dict[PlantId, Schedule] = {}
    start, _ = day_range(day, zone)
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
