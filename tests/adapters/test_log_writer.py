"""Log records on their way to files: days, bounds, disks that fail, files that are too many."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hil.adapters import log_writer
from hil.adapters.log_folder import LogFolder
from hil.adapters.log_writer import LogWriter
from hil.domain.log_line import log_file_name

MADRID = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 1, 15, 11, tzinfo=UTC)
PATIENCE_S = 20.0


class StandingClock:
    """Shows what it is told."""

    def __init__(self, now: datetime = NOON) -> None:
        self.wall = now
        self.mono_ns = 0

    def monotonic_ns(self) -> int:
        return self.mono_ns

    def now(self) -> datetime:
        return self.wall


class ShyFolder(LogFolder):
    """A folder whose disk takes nothing before it is told to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.asked = threading.Event()
        self.is_full = True

    def append(self, day: date, lines: Sequence[str]) -> None:
        if self.is_full:
            self.asked.set()
            raise OSError(28, "No space left on device")
        super().append(day, lines)


@pytest.fixture(autouse=True)
def _all_levels() -> Iterator[None]:
    """Our own records are logged from INFO on."""
    ours = logging.getLogger("hil")
    before = ours.level
    ours.setLevel(logging.INFO)
    yield
    ours.setLevel(before)


@contextmanager
def writing(
    folder: LogFolder,
    clock: StandingClock | None = None,
    *,
    retention_days: int = 30,
    bytes_max: int = 10**9,
    queue_max: int = 1_000,
) -> Iterator[LogWriter]:
    """A writer on this folder; after the block everything is in its file."""
    writer = LogWriter(
        folder,
        zone=MADRID,
        retention_days=retention_days,
        bytes_max=bytes_max,
        clock=clock or StandingClock(),
        queue_max=queue_max,
    )
    writer.start()
    try:
        yield writer
    finally:
        writer.close()


def say(at: datetime, text: str, level: int = logging.INFO, *args: object) -> None:
    """Log this text at this instant."""
    record = logging.LogRecord("hil.test", level, __file__, 1, text, args, None)
    record.created = at.timestamp()
    logging.getLogger("hil.test").handle(record)


def lines(directory: Path, day: str) -> list[str]:
    return (directory / f"{day}_hil_scheduler.log").read_text().splitlines()


def test_a_record_is_a_line_in_site_time(tmp_path: Path) -> None:
    with writing(LogFolder(tmp_path)):
        say(NOON, "plant=%s link lost", logging.WARNING, "lib")

    assert lines(tmp_path, "2026-01-15") == [
        "2026-01-15T12:00:00+01:00 WARNING plant=lib link lost"
    ]


def test_a_traceback_stays_in_its_line(tmp_path: Path) -> None:
    with writing(LogFolder(tmp_path)):
        try:
            raise ValueError("forged\n2026-01-15T12:00:00+01:00 ERROR by me")
        except ValueError:
            logging.getLogger("hil.test").exception("task=web failed")

    [path] = tmp_path.iterdir()
    [line] = path.read_text().splitlines()
    assert "task=web failed\\nTraceback (most recent call last):\\n" in line
    assert line.endswith("ValueError: forged\\n2026-01-15T12:00:00+01:00 ERROR by me")


def test_the_site_day_of_the_record_chooses_the_file(tmp_path: Path) -> None:
    midnight = datetime(2026, 1, 15, 23, tzinfo=UTC)  # in Madrid the 16th begins
    with writing(LogFolder(tmp_path)):
        say(midnight - timedelta(milliseconds=1), "last")
        say(midnight, "first")
        say(midnight - timedelta(hours=1), "after the clock went back")
        say(midnight + timedelta(hours=1), "and on")

    assert lines(tmp_path, "2026-01-15") == [
        "2026-01-15T23:59:59.999+01:00 INFO last",
        "2026-01-15T23:00:00+01:00 INFO after the clock went back",
    ]
    assert lines(tmp_path, "2026-01-16") == [
        "2026-01-16T00:00:00+01:00 INFO first",
        "2026-01-16T01:00:00+01:00 INFO and on",
    ]


def test_in_the_night_of_two_two_oclocks_lines_keep_their_order(tmp_path: Path) -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with writing(LogFolder(tmp_path)):
        for k in range(4):
            say(first + timedelta(minutes=30 * k), str(k))

    assert lines(tmp_path, "2026-10-25") == [
        "2026-10-25T02:30:00+02:00 INFO 0",
        "2026-10-25T02:00:00+01:00 INFO 1",
        "2026-10-25T02:30:00+01:00 INFO 2",
        "2026-10-25T03:00:00+01:00 INFO 3",
    ]


def test_a_full_disk_is_said_once_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_writer, "RETRY_S", 0.001)
    folder = ShyFolder(tmp_path)
    with writing(folder):
        for k in range(3):
            say(NOON, str(k))
            folder.asked.clear()
            assert folder.asked.wait(PATIENCE_S)
        folder.is_full = False
        say(NOON, "3")

    texts = [text.split(" ", 2)[2] for path in sorted(tmp_path.iterdir())
             for text in path.read_text().splitlines()]  # fmt: skip
    assert [text for text in texts if text.isdigit()] == ["0", "1", "2", "3"]
    ours = [r.getMessage() for r in caplog.records if r.name == "hil.adapters.log_writer"]
    assert [text.partition(":")[0] for text in ours] == [
        f"log files cannot be written in {tmp_path}",
        "log files are written again, lost=0 lines",
    ]


def test_what_overflows_is_counted_and_said_and_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_writer, "RETRY_S", 0.001)
    folder = ShyFolder(tmp_path)
    with writing(folder, queue_max=10):
        say(NOON, "first")
        assert folder.asked.wait(PATIENCE_S)
        for k in range(100):
            say(NOON, str(k))
        folder.is_full = False

    written = sum(len(path.read_text().splitlines()) for path in tmp_path.iterdir())
    [said] = [text for text in caplog.messages if text.startswith("log files are written again")]
    lost = int(said.removeprefix("log files are written again, lost=").removesuffix(" lines"))
    assert lost >= 90
    assert written + lost == 102  # with the sentence on the disk


def test_a_disk_that_stays_full_does_not_hold_up_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ShyFolder(tmp_path)
    with writing(folder):
        say(NOON, "never written")

    assert "log lines are in no file" in caplog.messages[-1]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("in the way")
    with writing(LogFolder(tmp_path / "logs")):
        say(NOON, "x")

    assert "log files cannot be written" in caplog.text


def test_old_files_go_at_the_start_and_that_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for age in range(5):
        (tmp_path / log_file_name(date(2026, 1, 15) - timedelta(days=age))).write_text("old\n")
    (tmp_path / "2020-01-01_notes.log").write_text("not ours")
    with writing(LogFolder(tmp_path), retention_days=2):
        pass

    assert (tmp_path / "2020-01-01_notes.log").exists()
    assert sorted(path.name for path in tmp_path.glob("2026-01-*")) == [
        f"2026-01-{day}_hil_scheduler.log" for day in (13, 14, 15)
    ]
    assert "log file=2026-01-11_hil_scheduler.log removed: older than 2 days" in caplog.messages


def test_while_running_the_oldest_files_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "PRUNE_S", 0.001)
    clock = StandingClock()
    old = tmp_path / log_file_name(date(2026, 1, 14))
    old.write_text("x" * 600)
    pruned = threading.Event()

    class Watched(LogFolder):
        def remove(self, day: date) -> None:
            super().remove(day)
            pruned.set()

    with writing(Watched(tmp_path), clock, bytes_max=1_000):
        say(NOON, "y" * 300)
        say(NOON, "y" * 300)
        clock.mono_ns += 10**9
        assert pruned.wait(PATIENCE_S)

    assert not old.exists()
    assert (tmp_path / log_file_name(date(2026, 1, 15))).exists()
