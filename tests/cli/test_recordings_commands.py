"""hil recordings: list, verify, compress and export on a data directory."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dense_day import HEADER, ZONE, write_days
from hil.config.load import default_text
from hil.domain.site_day import local_text

Shell = Callable[..., Any]


@pytest.fixture
def days(data_dir: Path) -> list[Path]:
    return write_days(data_dir / "data", 2, rows=1_000)


@pytest.fixture
def other_process() -> Iterator[Callable[[Path], int]]:
    """Starts a process that has a file open, and returns its id."""
    with ExitStack() as stack:

        def start(path: Path) -> int:
            script = f"f = open({str(path)!r}); print('open', flush=True); input()"
            words = [sys.executable, "-c", script]
            process = stack.enter_context(
                subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            return process.pid

        yield start


def write_today(data_dir: Path) -> Path:
    now = datetime.now(UTC)
    path = data_dir / "data" / f"{now.astimezone(ZONE):%Y%m%d}_lib.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HEADER + f"{local_text(now, ZONE)},1,1,,,,,,\n".encode())
    return path


def test_list_shows_every_recording(shell: Shell, days: list[Path]) -> None:
    got = shell("recordings", "list")

    assert (got.code, got.err) == (0, "")
    lines = [line.split() for line in got.out.splitlines()]
    assert lines[0] == ["file", "rows", "first", "last", "spans", "covered", "size"]
    assert [line[0] for line in lines[1:]] == ["20260504_lib.csv", "20260505_lib.csv"]
    assert lines[1][1:4] == ["998", "2026-05-04T00:00:02+02:00", "2026-05-04T00:33:16+02:00"]
    assert lines[1][4:6] == ["1", "0:33:14"]


def test_list_tells_programs_every_span(shell: Shell, days: list[Path]) -> None:
    days[0].write_bytes(days[0].read_bytes() + b"half a row")
    first, second = shell("recordings", "list", str(days[0].parent), "--json").json()

    assert first["file"] == str(days[0])
    assert (first["rows"], first["left_out"], first["covered_s"]) == (998, 1, 1994)
    assert first["spans"] == [
        {"start": "2026-05-04T00:00:02+02:00", "end": "2026-05-04T00:33:16+02:00", "rows": 998}
    ]
    assert second["bytes"] == days[1].stat().st_size
    assert "1 line is no row" in shell("recordings", "list").err


def test_list_of_nothing_says_so(shell: Shell) -> None:
    got = shell("recordings", "list")

    assert (got.code, got.err) == (0, "")
    assert got.out.startswith("there are no recordings in ")
    assert shell("recordings", "list", "--json").json() == []


def test_files_are_names_patterns_paths_and_folders(shell: Shell, days: list[Path]) -> None:
    for words in (["20260504_lib.csv", "20260505_lib.csv"], ["2026*"], [str(days[0].parent)]):
        assert len(shell("recordings", "list", *words, "--json").json()) == 2
    once = shell("recordings", "list", str(days[0]), days[0].name, "--json").json()
    assert len(once) == 1
    (days[0].parent / "hil.sqlite").write_bytes(b"\0")
    assert len(shell("recordings", "list", "*", "--json").json()) == 2
    for words in (["list", "20260601_lib.csv"], ["verify", "1999*"], ["compress", "/no/such"]):
        missing = shell("recordings", *words)
        assert (missing.code, missing.out) == (2, "")
        assert f"{words[1]}: there is no such file" in missing.err


def test_verify_is_quiet_about_sound_files_and_fails_for_others(
    shell: Shell, days: list[Path]
) -> None:
    sound = shell("recordings", "verify", *map(str, days))
    assert (sound.code, sound.err) == (0, "")
    assert sound.out == "".join(f"{path}: sound\n" for path in days)
    days[0].write_bytes(days[0].read_bytes()[:-5])

    found = shell("recordings", "verify", "2026*")

    assert (found.code, found.err) == (1, "1 of 2 files have findings\n")
    assert "line 1001: the last line is cut off; delete it" in found.out
    facts = shell("recordings", "verify", days[0].name, "--json")
    assert facts.code == 1
    assert [each["kind"] for each in facts.json()[0]["findings"]] == ["cut", "open"]


def test_compress_writes_beside_and_leaves_the_original(shell: Shell, days: list[Path]) -> None:
    before = days[0].read_bytes()

    got = shell("recordings", "compress", days[0].name)

    small = days[0].with_name("20260504_lib.compressed.csv")
    assert (got.code, got.err) == (0, "")
    assert f"{days[0]}: 1,000 rows to " in got.out
    assert got.out.endswith(f"saved): {small}\n")
    assert days[0].read_bytes() == before
    again = shell("recordings", "compress", days[0].name)
    assert again.code == 1
    assert "is already there; remove it first" in again.err
    assert "nothing to save" in shell("recordings", "compress", small.name).out


def test_compress_in_place_goes_on_after_a_refused_file(
    shell: Shell, days: list[Path], data_dir: Path
) -> None:
    today = write_today(data_dir)
    damaged = days[0].read_bytes()[:-5]
    days[0].write_bytes(damaged)
    size = days[1].stat().st_size

    got = shell("recordings", "compress", "--in-place", "2*")

    assert got.code == 1
    assert f"{days[0]}: not compressed: its last line is cut off" in got.err
    assert f"{today}: not compressed: it is today's" in got.err
    assert got.err.endswith("2 of 3 files were not compressed\n")
    assert days[0].read_bytes() == damaged
    assert days[1].stat().st_size < size
    assert shell("recordings", "verify", days[1].name).code == 0


def test_compress_leaves_a_file_alone_that_somebody_writes_to(
    shell: Shell, days: list[Path], other_process: Callable[[Path], int]
) -> None:
    process = other_process(days[0])

    got = shell("recordings", "compress", "--in-place", days[0].name)

    assert got.code == 1
    assert f"not compressed: process {process} has it open" in got.err


def test_a_link_stays_one_in_place(shell: Shell, days: list[Path]) -> None:
    link = days[0].with_name("20260301_lib.csv")
    link.symlink_to(days[0])
    size = days[0].stat().st_size

    assert shell("recordings", "compress", "--in-place", link.name).code == 0

    assert link.is_symlink()
    assert days[0].stat().st_size < size


def test_a_dry_run_says_what_would_be_saved(shell: Shell, days: list[Path]) -> None:
    before = days[0].stat()

    (facts,) = shell("recordings", "compress", days[0].name, "--dry-run", "--json").json()

    assert (facts["rows"], facts["path"]) == (1_000, None)
    assert facts["bytes_after"] < facts["bytes_before"] == before.st_size
    assert days[0].stat() == before
    assert len(list(days[0].parent.iterdir())) == 2
    assert ": would be 1,000 rows to " in shell("recordings", "compress", "--dry-run", "2*").out


def test_on_a_terminal_a_bar_shows_how_far_it_is(days: list[Path], data_dir: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["recordings", "compress", "2026*", "--dry-run", "--data-dir", str(data_dir)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-m", "hil", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # how Linux ends reading when the last writer has gone
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)

    assert process.returncode == 0
    text = shown.decode().replace("\x1b[2K", "\n").replace("\r", "")
    assert "compressing" in text
    assert "2/2" in text
    for path in days:
        assert f"\n{path}: would be" in text


def test_the_tolerances_are_those_of_the_configuration(
    shell: Shell, days: list[Path], data_dir: Path
) -> None:
    config = data_dir / "config.yaml"
    config.write_text(default_text().replace("    max_gap_s: 360", "    max_gap_s: 86400"))
    words = ("recordings", "compress", days[0].name, "--dry-run", "--json")
    (wide,) = shell(*words, "--config", str(config)).json()
    config.write_text(default_text().replace("    max_gap_s: 360", "    max_gap_s: 4"))
    (narrow,) = shell(*words, "--config", str(config)).json()

    assert wide["rows_kept"] < narrow["rows_kept"]


def test_export_writes_parquet_and_csv(shell: Shell, days: list[Path], data_dir: Path) -> None:
    got = shell("recordings", "export", "2026*", "-o", "x.parquet")

    assert (got.code, got.err) == (0, "")
    assert got.out.startswith("wrote x.parquet (")
    assert pl.read_parquet("x.parquet").height == 2_000
    assert shell("recordings", "export", "2026*", "-o", "x.csv", "--epoch").code == 0
    assert Path("x.csv").read_text().startswith("time_s,timestamp,p_setpoint_kw,")


def test_export_overwrites_only_when_told_and_never_its_input(
    shell: Shell, days: list[Path]
) -> None:
    Path("x.csv").write_text("mine")

    refused = shell("recordings", "export", "2026*", "-o", "x.csv")
    assert (refused.code, refused.err) == (1, "x.csv: already there; --force writes over it\n")
    assert Path("x.csv").read_text() == "mine"
    assert shell("recordings", "export", "2026*", "-o", "x.csv", "--force").code == 0
    own = shell("recordings", "export", "2026*", "-o", str(days[0]), "--force")
    assert own.code == 2
    assert "is one of the files to export" in own.err
    epoch = shell("recordings", "export", "2026*", "-o", "y.parquet", "--epoch")
    assert (epoch.code, "--epoch is for a .csv file" in epoch.err) == (2, True)


def test_export_says_what_it_left_out(shell: Shell, days: list[Path]) -> None:
    days[0].write_bytes(days[0].read_bytes() + b"2026")

    got = shell("recordings", "export", "2026*", "-o", "x.csv")

    assert (got.code, got.err) == (0, "1 line is no row, and left out\n")
