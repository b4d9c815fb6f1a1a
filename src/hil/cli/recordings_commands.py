"""`hil recordings`: what the daily files hold, whether they are sound, smaller, elsewhere."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hil.adapters.system_clock import SystemClock
from hil.cli.engine_session import echo_json, json_option, stdout_console
from hil.cli.recording_files import RecordingFiles, recordings_in, with_recordings
from hil.cli.recordings_view import FileFacts, files_json, files_table, size_text
from hil.domain.errors import HilError, InvalidInput
from hil.domain.recording_file import parse_name
from hil.domain.site_day import day_range, site_day
from hil.history.compress import Compressed, compress_file
from hil.history.export_files import CSV, export
from hil.history.open_files import opened_by
from hil.history.read import read_day
from hil.history.spans import spans_of
from hil.history.verify import flaws_in

files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)


@click.group("recordings")
def recordings_group() -> None:
    """Look at recordings, check them, make them smaller, export them.

    A FILE is a path, or a name or pattern in the data directory (20260504_lib.csv, "2026*").
    """


@recordings_group.command("list")
@click.argument("files", metavar="[DIR|FILE...]", nargs=-1)
@json_option
@with_recordings
def list_command(recordings: RecordingFiles, files: Sequence[str], *, as_json: bool) -> None:
    """Show what each file covers: rows, first and last, spans without a gap, size.

    Without an argument: every recording of the data directory.
    """
    paths = recordings.paths(files) if files else recordings_in(recordings.folder)
    max_gap_s = recordings.config.recording.compression.max_gap_s
    with _progress() as progress:
        tracked = progress.track(paths, description="reading")
        found = [_facts(path, max_gap_s) for path in tracked]
    if as_json:
        echo_json(files_json(found, recordings.zone))
        return
    if not found:
        click.echo(f"there are no recordings in {recordings.folder}")
        return
    stdout_console().print(files_table(found, recordings.zone))
    for facts in found:
        if facts.left_out:
            words = f"{_no_rows(facts.left_out)}; `hil recordings verify` names them"
            click.echo(f"{facts.path.name}: {words}", err=True)


def _facts(path: Path, max_gap_s: float) -> FileFacts:
    try:
        # Whether a voltage is known is asked, not its value: any base for one in per unit will do.
        day = read_day(path, v_nominal_kv=1.0)
        size = path.stat().st_size
    except OSError as error:
        raise HilError(f"{path}: cannot be read: {error.strerror}") from error
    spans = spans_of(day.frame, max_gap_s=max_gap_s)
    rows = sum(span.rows for span in spans)
    return FileFacts(path=path, size=size, rows=rows, left_out=day.left_out, spans=spans)


@recordings_group.command("verify")
@files_argument
@json_option
@with_recordings
def verify_command(recordings: RecordingFiles, files: Sequence[str], *, as_json: bool) -> None:
    """Check files line by line: whole rows, columns, times, numbers, boundaries, gaps.

    Each finding has its line and what to do about it; exits with 1 when there is one.
    """
    today = site_day(SystemClock().now(), recordings.zone)
    max_gap_s = recordings.config.recording.compression.max_gap_s
    paths = recordings.paths(files)
    facts: list[dict[str, object]] = []
    damaged = 0
    with _progress() as progress:
        for path in progress.track(paths, description="checking"):
            name = parse_name(path.name)
            flaws = flaws_in(
                _content(path),
                day=None if name is None else name.day,
                zone=recordings.zone,
                max_gap_s=max_gap_s,
                is_over=name is None or name.day < today,
            )
            damaged += bool(flaws)
            facts.append({"file": str(path), "findings": [asdict(flaw) for flaw in flaws]})
            if not as_json:
                words = [f"{path}:", *(f"  {flaw}" for flaw in flaws)]
                _say(progress, "\n".join(words) if flaws else f"{path}: sound")
    if as_json:
        echo_json(facts)
    if damaged:
        raise HilError(f"{damaged} of {len(paths)} files have findings")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HilError(f"{path}: cannot be read: {error.strerror}") from error


@recordings_group.command("export")
@files_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .parquet file (units in its metadata) or a .csv file.",
)
@click.option(
    "--epoch",
    is_flag=True,
    help="CSV: begin with `time_s`, seconds since 1970 UTC, for PlotJuggler.",
)
@click.option("--force", is_flag=True, help="Write over a file that is already there.")
@with_recordings
def export_command(
    recordings: RecordingFiles, files: Sequence[str], *, output: Path, epoch: bool, force: bool
) -> None:
    """Write the files of one plant, any number of days, into one .parquet or .csv file."""
    paths = recordings.paths(files)
    if epoch and output.suffix != CSV:
        raise InvalidInput("--epoch is for a .csv file; Parquet has the time as a time")
    if os.path.lexists(output) and not force:
        raise HilError(f"{output}: already there; --force writes over it")
    if any(path.exists() and output.exists() and path.samefile(output) for path in paths):
        raise InvalidInput(f"{output} is one of the files to export; choose another name")
    with _progress() as progress:
        task = progress.add_task("exporting", total=len(paths))
        left_out = export(
            paths,
            output,
            zone=recordings.zone,
            v_nominal_kv=recordings.v_nominal_kv(paths[0]),
            units=recordings.units(paths[0]),
            is_epoch=epoch,
            done=lambda: progress.advance(task),
        )
    if left_out:
        click.echo(f"{_no_rows(left_out)}, and left out", err=True)
    click.echo(f"wrote {output} ({size_text(output.stat().st_size)})")


@recordings_group.command("compress")
@files_argument
@click.option("--in-place", is_flag=True, help="Replace the file instead of writing beside it.")
@click.option("--dry-run", is_flag=True, help="Only say how much would be saved.")
@json_option
@with_recordings
def compress_command(
    recordings: RecordingFiles,
    files: Sequence[str],
    *,
    in_place: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Leave out of dense files of earlier days what the tolerances of the configuration allow.

    The result is NAME.compressed.csv beside the file, or takes its place with --in-place. The
    original stays until the new file is complete, on the disk, and compared with it. Kept rows
    stay as they are, byte for byte.
    """
    paths = recordings.paths(files)
    done: list[dict[str, object]] = []
    refused = 0
    with _progress() as progress:
        for path in progress.track(paths, description="compressing"):
            # A link stays one: the file that it leads to is replaced.
            target = None if dry_run else path.resolve() if in_place else _beside(path)
            try:
                facts = _compress(recordings, path, target)
            except HilError as problem:
                refused += 1
                done.append({"file": str(path), "problem": str(problem)})
                _say(progress, f"{path}: not compressed: {problem}", err=True)
                continue
            done.append({"file": str(path), **asdict(facts)})
            if not as_json:
                _say(progress, f"{path}: {_sentence(facts)}")
    if as_json:
        echo_json([{**each, "path": each["path"] and str(each["path"])} for each in done])
    if refused:
        raise HilError(f"{refused} of {len(paths)} files were not compressed")


def _compress(recordings: RecordingFiles, path: Path, target: Path | None) -> Compressed:
    today = site_day(SystemClock().now(), recordings.zone)
    name = parse_name(path.name)
    if name is not None and name.day >= today:
        raise HilError("it is today's and still being recorded; compress it tomorrow")
    is_in_place = target == path.resolve()
    if target is not None and not is_in_place and os.path.lexists(target):
        raise HilError(f"{target} is already there; remove it first")
    process = opened_by(path) if is_in_place else None
    if process is not None:
        raise HilError(f"process {process} has it open; compress it when that has closed it")
    today_at, _ = day_range(today, recordings.zone)
    return compress_file(path, recordings.rules(path), target=target, today_at=today_at)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.csv')}.compressed.csv")


def _sentence(facts: Compressed) -> str:
    if not facts.is_smaller:
        return f"nothing to save ({facts.rows:,} {'row' if facts.rows == 1 else 'rows'})"
    saved = 1 - facts.bytes_after / facts.bytes_before
    words = (
        f"{facts.rows:,} rows to {facts.rows_kept:,}, {size_text(facts.bytes_before)} to"
        f" {size_text(facts.bytes_after)} ({saved:.0%} saved)"
    )
    return f"would be {words}" if facts.path is None else f"{words}: {facts.path}"


def _say(progress: Progress, text: str, *, err: bool = False) -> None:
    """Print a line, above the bar where that is on the same terminal."""
    if progress.disable or not (err or sys.stdout.isatty()):
        click.echo(text, err=err)
    else:
        progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _no_rows(count: int) -> str:
    return "1 line is no row" if count == 1 else f"{count:,} lines are no rows"


def _progress() -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
