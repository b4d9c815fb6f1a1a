"""`hil recordings`: what the daily files hold, whether they are sound, smaller, elsewhere."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hil.adapters.system_clock import SystemClock
from hil.cli.engine_session import echo_json, json_option
from hil.cli.recording_files import RecordingFiles, with_recordings
from hil.domain.errors import HilError
from hil.domain.recording_file import parse_name
from hil.domain.site_day import day_range, site_day
from hil.history.compress import Compressed, compress_file
from hil.history.open_files import opened_by

files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)


@click.group("recordings")
def recordings_group() -> None:
    """Look at recordings, check them, make them smaller, export them.

    A FILE is a path, or a name or pattern in the data directory (20260504_lib.csv, "2026*").
    """


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
            target = None if dry_run else path if in_place else _beside(path)
            try:
                facts = _compress(recordings, path, target)
            except HilError as problem:
                refused += 1
                done.append({"file": str(path), "problem": str(problem)})
                click.echo(f"{path}: not compressed: {problem}", err=True)
                continue
            done.append({"file": str(path), **asdict(facts)})
            if not as_json:
                click.echo(f"{path}: {_sentence(facts)}")
    if as_json:
        echo_json([{**each, "path": each["path"] and str(each["path"])} for each in done])
    if refused:
        raise HilError(f"{refused} of {len(paths)} files were not compressed")


def _compress(recordings: RecordingFiles, path: Path, target: Path | None) -> Compressed:
    today = site_day(SystemClock().now(), recordings.zone)
    name = parse_name(path.name)
    if name is not None and name.day >= today:
        raise HilError("it is today's and still being recorded; compress it tomorrow")
    if target not in {None, path} and os.path.lexists(target):
        raise HilError(f"{target} is already there; remove it first")
    process = opened_by(path) if target == path else None
    if process is not None:
        raise HilError(f"process {process} has it open; compress it when that has closed it")
    today_at, _ = day_range(today, recordings.zone)
    return compress_file(path, recordings.rules(path), target=target, today_at=today_at)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.csv')}.compressed.csv")


def _sentence(facts: Compressed) -> str:
    if not facts.is_smaller:
        return f"nothing to save ({facts.rows:,} rows)"
    saved = 1 - facts.bytes_after / facts.bytes_before
    words = (
        f"{facts.rows:,} rows to {facts.rows_kept:,}, {_size(facts.bytes_before)} to"
        f" {_size(facts.bytes_after)} ({saved:.0%} saved)"
    )
    return f"would be {words}" if facts.path is None else f"{words}: {facts.path}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


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
