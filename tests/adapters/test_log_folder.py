"""The folder of log files: whole lines, read from the end within bounds, only files of ours."""

import os
import resource
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.adapters import log_folder
from hil.adapters.log_folder import LogFolder
from hil.domain.log_line import LogLevel, log_file_name

DAY = date(2026, 1, 15)
TIME = "2026-01-15T12:00:00+01:00"


def folder_with(path: Path, *lines: str) -> LogFolder:
    folder = LogFolder(path)
    folder.append(DAY, lines)
    return folder


def texts(
    folder: LogFolder, *, tail: int = 500, level: LogLevel | None = None, text: str = ""
) -> list[str]:
    lines, _ = folder.last_lines(DAY, tail=tail, level=level, text=text)
    return [line.text for line in lines]


def test_lines_are_added_whole_and_in_order(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "logs", f"{TIME} INFO a", f"{TIME} INFO b")
    folder.append(DAY, [f"{TIME} INFO c"])

    text = (tmp_path / "logs" / "2026-01-15_hil_scheduler.log").read_text()
    assert text == f"{TIME} INFO a\n{TIME} INFO b\n{TIME} INFO c\n"


def test_half_a_line_left_by_a_crash_becomes_a_line_of_its_own(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, f"{TIME} INFO a")
    path = tmp_path / log_file_name(DAY)
    path.write_bytes(path.read_bytes() + b"2026-01-15T12:0")

    assert texts(folder) == ["a"]  # it may as well be a line under way
    folder.append(DAY, [f"{TIME} INFO b"])
    assert texts(folder) == ["a", "2026-01-15T12:0", "b"]


def test_what_a_full_disk_did_not_take_is_not_half_there(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, f"{TIME} INFO a")
    path = tmp_path / log_file_name(DAY)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(OSError, match="large"):
            folder.append(DAY, [f"{TIME} INFO b", f"{TIME} INFO c"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before

    folder.append(DAY, [f"{TIME} INFO b"])
    assert texts(folder) == ["a", "b"]


def test_tail_level_and_text_choose_lines(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        f"{TIME} INFO plant=lib started",
        f"{TIME} WARNING plant=lib link lost",
        f"{TIME} ERROR plant=vrfb STRASSE",
        "somebody's own line",
        rf"{TIME} DEBUG plant=lib two\nlines",
    )

    assert texts(folder, tail=2) == ["somebody's own line", "plant=lib two\nlines"]
    assert texts(folder, level=LogLevel.WARNING) == ["plant=lib link lost", "plant=vrfb STRASSE"]
    assert texts(folder, tail=1, level=LogLevel.INFO) == ["plant=vrfb STRASSE"]
    assert texts(folder, text="PLANT=LIB") == [
        "plant=lib started", "plant=lib link lost", "plant=lib two\nlines",
    ]  # fmt: skip
    assert texts(folder, text="straße") == ["plant=vrfb STRASSE"]
    assert texts(folder, text="two\nlines") == ["plant=lib two\nlines"]
    assert texts(folder, text="nlines") == []  # the n stands in the file, not in the text


@settings(max_examples=40)
@given(st.lists(st.text(st.sampled_from("abAB1"), max_size=30), max_size=30), st.integers(1, 12))
def test_blocks_of_any_size_give_the_same_lines(lines: list[str], tail: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_folder, "CHUNK_BYTES", 37)  # above the longest line with its newline
        folder = folder_with(Path(path), *lines)
        found, complete = folder.last_lines(DAY, tail=tail, level=None, text="b")

    wanted = [line for line in lines if "b" in line.lower()]
    assert [line.text for line in found] == wanted[-tail:]
    assert complete


def test_a_line_longer_than_a_block_is_given_in_pieces(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "first", "x" * (3 * log_folder.CHUNK_BYTES), "last")

    found = texts(folder)
    assert (found[0], found[-1]) == ("first", "last")
    assert sum(map(len, found[1:-1])) == 3 * log_folder.CHUNK_BYTES


def test_of_a_file_of_gigabytes_only_the_end_is_read(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, f"{TIME} ERROR needle")
    path = tmp_path / log_file_name(DAY)
    os.truncate(path, 4 * 1024**3)  # sparse: NULs without a newline
    folder.append(DAY, [f"{TIME} INFO hay", f"{TIME} ERROR thorn"])

    lines, complete = folder.last_lines(DAY, tail=2, level=LogLevel.ERROR, text="")
    assert ([line.text for line in lines], complete) == (["thorn"], False)
    lines, complete = folder.last_lines(DAY, tail=2, level=LogLevel.INFO, text="")
    assert ([line.text for line in lines], complete) == (["hay", "thorn"], True)


def test_an_answer_is_bounded_in_bytes(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, *[f"{k:05d}" + "x" * 7_000 for k in range(1_000)])

    lines, complete = folder.last_lines(DAY, tail=1_000, level=None, text="")

    assert not complete
    assert 200 < len(lines) < 400
    assert lines[-1].text.startswith("00999")


def test_only_files_of_ours_are_listed(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "x")
    (tmp_path / "2026-01-14_hil_scheduler.log").mkdir()
    (tmp_path / "2026-01-13_hil_scheduler.log").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "2026-01-12_hil_scheduler.log")
    (tmp_path / "notes.txt").write_text("mine")

    assert [(file.date, file.bytes) for file in folder.files()] == [(DAY, 2)]
    with pytest.raises(OSError, match="symbolic"):
        folder.last_lines(date(2026, 1, 13), tail=1, level=None, text="")


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert LogFolder(tmp_path / "none").files() == ()
