"""The log over HTTP: its last lines, by date only, and the level that is logged."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest

from hil.adapters.log_files import LogFiles
from hil.adapters.log_folder import LogFolder
from hil.adapters.log_writer import LogWriter
from hil.adapters.system_clock import SystemClock
from web_logs import FakeLogs
from web_support import SETTINGS, FakeEngine, FixedClock, client_of

LOGS = "/api/v1/logs"
TODAY = date(2026, 1, 15)  # of the clock of these tests


@pytest.fixture
def our_level() -> Iterator[logging.Logger]:
    """Our logger at INFO, as the program starts with; as before after the test."""
    ours = logging.getLogger("hil")
    before = ours.level
    ours.setLevel(logging.INFO)
    yield ours
    ours.setLevel(before)


@asynccontextmanager
async def logs_of(directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the log files in this folder."""
    logs = LogFiles(LogFolder(directory), zone=SETTINGS.zone, clock=FixedClock())
    async with client_of(FakeEngine(), logs=logs) as client:
        yield client
    logs.close()


def fill(directory: Path) -> None:
    folder = LogFolder(directory)
    folder.append(date(2026, 1, 14), ["2026-01-14T12:00:00+01:00 INFO yesterday"])
    folder.append(
        TODAY,
        [
            "2026-01-15T12:00:00+01:00 INFO plant=lib started",
            "2026-01-15T12:00:01.500+01:00 ERROR plant=lib two\\nlines",
            "2026-01-15T12:00:02+01:00 WARNING plant=vrfb link lost",
        ],
    )


async def test_todays_lines_come_with_the_days_that_there_are(
    tmp_path: Path, our_level: logging.Logger
) -> None:
    fill(tmp_path)
    async with logs_of(tmp_path) as client:
        got = (await client.get(LOGS, params={"tail": 2})).json()

    assert (got["date"], got["level"], got["complete"]) == ("2026-01-15", "INFO", True)
    assert [file["date"] for file in got["files"]] == ["2026-01-15", "2026-01-14"]
    assert got["lines"] == [
        {
            "time": "2026-01-15T12:00:01.500000+01:00",
            "level": "ERROR",
            "text": "plant=lib two\nlines",
        },
        {"time": "2026-01-15T12:00:02+01:00", "level": "WARNING", "text": "plant=vrfb link lost"},
    ]


async def test_level_and_text_choose_lines_of_any_day(tmp_path: Path) -> None:
    fill(tmp_path)
    async with logs_of(tmp_path) as client:
        asked = {"level": "WARNING", "text": "PLANT=LIB"}
        severe = (await client.get(LOGS, params=asked)).json()
        before = (await client.get(LOGS, params={"file": "2026-01-14"})).json()

    assert [line["text"] for line in severe["lines"]] == ["plant=lib two\nlines"]
    assert [line["text"] for line in before["lines"]] == ["yesterday"]


async def test_a_day_that_has_logged_nothing_yet_is_empty(tmp_path: Path) -> None:
    async with logs_of(tmp_path / "none") as client:
        reply = await client.get(LOGS)

    assert (reply.status_code, reply.json()["lines"], reply.json()["files"]) == (200, [], [])


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"file": "2026-01-13"}, 404, "the newest are 2026-01-15, 2026-01-14"),
        ({"file": "../hil.sqlite"}, 422, "chosen by its date"),
        ({"file": "2026-01-15_hil_scheduler.log"}, 422, "chosen by its date"),
        ({"file": "2026-02-30"}, 422, "chosen by its date"),
        ({"file": "2026-01-15\n"}, 422, "chosen by its date"),
        ({"file": ""}, 422, "chosen by its date"),
        ({"tail": 0}, 422, "wrong"),
        ({"tail": 5001}, 422, "wrong"),
        ({"level": "LOUD"}, 422, "wrong"),
        ({"text": "x" * 201}, 422, "wrong"),
        ({"path": "/etc/passwd"}, 422, "not known"),
    ],
)
async def test_what_cannot_be_shown_is_said(
    tmp_path: Path, query: dict[str, str], status: int, says: str
) -> None:
    fill(tmp_path)
    async with logs_of(tmp_path) as client:
        reply = await client.get(LOGS, params=query)

    assert reply.status_code == status
    assert says in reply.json()["detail"]


async def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    async with logs_of(tmp_path / "logs") as client:
        reply = await client.get(LOGS)

    assert reply.status_code == 503
    assert reply.json()["detail"] == "The log cannot be read: Not a directory."


async def test_the_level_is_set_by_somebody() -> None:
    logs = FakeLogs()
    async with client_of(FakeEngine(), logs=logs) as client:
        reply = await client.put(f"{LOGS}/level", json={"level": "DEBUG"})
        wrong = await client.put(f"{LOGS}/level", json={"level": "LOUD"})

    assert (reply.status_code, reply.json()) == (200, {"level": "DEBUG"})
    assert wrong.status_code == 422
    assert (logs.level, logs.set_by) == ("DEBUG", ["local"])


async def test_who_changed_the_level_is_logged_at_every_level(
    tmp_path: Path, our_level: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    async with logs_of(tmp_path) as client:
        for level in ("CRITICAL", "ERROR", "DEBUG"):
            await client.put(f"{LOGS}/level", json={"level": level})
            assert our_level.level == getattr(logging, level)

    told = [message for message in caplog.messages if message.startswith("log level")]
    assert told == [
        "log level=CRITICAL before=INFO set by=local",
        "log level=ERROR before=CRITICAL set by=local",
        "log level=DEBUG before=ERROR set by=local",
    ]


@pytest.mark.real_time
async def test_what_is_logged_can_be_read_at_once(
    tmp_path: Path, our_level: logging.Logger
) -> None:
    folder, clock = LogFolder(tmp_path), SystemClock()
    writer = LogWriter(folder, zone=SETTINGS.zone, retention_days=1, bytes_max=10**6, clock=clock)
    logs = LogFiles(folder, zone=SETTINGS.zone, clock=clock)
    writer.start()
    async with client_of(FakeEngine(), logs=logs) as client:
        await client.put(f"{LOGS}/level", json={"level": "WARNING"})
        writer.close()
        [line] = (await client.get(LOGS, params={"text": "log level"})).json()["lines"]
    logs.close()

    assert line["text"] == "log level=WARNING before=INFO set by=local"
