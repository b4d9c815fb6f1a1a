"""Measurements of any range, from the recordings by their own process and from memory."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl
import pytest

from hil.api import Download, ExportForm
from hil.domain.errors import HilError, InvalidInput, NotFound, QueueFull
from hil.domain.plant import PlantId
from hil.domain.recording_file import file_name, number_text
from hil.domain.signals import COLUMNS, Row
from hil.domain.site_day import day_name, local_text, site_day
from hil.engine.day_memory import DayMemory
from hil.history.coverage import READS_MAX
from hil.history.history import EXPORTS_MAX, History, HistorySettings
from hil.history.listing import FOLDER, Owner
from hil.history.process import MODULE
from row_history import Item, answer_of_rows

pytestmark = pytest.mark.real_time

LIB = PlantId("lib")
ZONE = ZoneInfo("Europe/Madrid")
START = datetime(2026, 6, 1, 22, tzinfo=UTC)
NAMES = tuple(COLUMNS)


class Later:
    """A clock that stands a few days later."""

    def monotonic_ns(self) -> int:
        return 0

    def now(self) -> datetime:
        return START + timedelta(days=2, hours=12)


@asynccontextmanager
async def history_of(
    folder: Path, recorded: Sequence[Item] = (), remembered: Sequence[Item] = ()
) -> AsyncIterator[History]:
    """A history of rows on disk and others in memory."""
    lines: dict[str, list[str]] = {}
    for at, values in recorded:
        cells = [number_text(value) for value in values or ()] + [""] * len(COLUMNS)
        name = file_name(day_name(site_day(at, ZONE)), LIB)
        line = ",".join((local_text(at, ZONE), *cells[: len(COLUMNS)]))
        lines.setdefault(name, [",".join(("timestamp", *COLUMNS))]).append(line)
    for name, rows in lines.items():
        (folder / name).write_text("".join(f"{row}\n" for row in rows))
    memory = DayMemory({LIB: NAMES})
    for at, values in remembered:
        memory.add(LIB, Row(at, values))
    settings = HistorySettings(
        folder=folder, zone=ZONE, owners={LIB: Owner("LIB", 20.0)}, signals={LIB: NAMES}, hold_s=900
    )
    history = History(settings, memory, Later())
    try:
        yield history
    finally:
        await history.close()


def rows(first_s: float, count: int, *, step_s: float = 2) -> list[Item]:
    """Rows of two signals that tell them apart."""
    return [
        Item(START + timedelta(seconds=first_s + step_s * k), (float(k), float(k % 5)))
        for k in range(count)
    ]


async def asked(history: History, first_s: float, last_s: float, *, points: int) -> Any:
    span = (START + timedelta(seconds=second) for second in (first_s, last_s))
    return orjson.loads(await history.measurements(LIB, *span, points=points))


async def content(download: Download) -> bytes:
    return b"".join([piece async for piece in download.chunks])


async def test_what_memory_has_needs_no_process(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(-90_000, 10), rows(0, 100)) as history:
        got = await asked(history, 0, 300, points=1000)
        before = await asked(history, -3600, 300, points=1000)

        assert history.pid is None
    assert len(got["time"]) == len(before["time"]) == 100
    assert got["signals"]["p_setpoint_kw"]["last"][-1] == 99


@pytest.mark.parametrize("points", [50, 300, 10_000])
@pytest.mark.parametrize("seam_s", [2000, 2010, 2034])
async def test_files_and_memory_make_one_answer(tmp_path: Path, points: int, seam_s: float) -> None:
    before, after = rows(0, 1000), rows(seam_s, 1000)
    # The file has a part of what memory has, too, as it does while the engine runs.
    async with history_of(tmp_path, [*before, *after[:100]], after) as history:
        got = await asked(history, 0, 4200, points=points)

    span = (START, START + timedelta(seconds=4200))
    whole = answer_of_rows([*before, *after], NAMES, *span, points=points)
    assert got["level_s"] == whole.level_s
    assert len(got["time"]) <= points
    times = [datetime.fromisoformat(time) for time in got["time"]]
    assert times == sorted(set(times) | set(whole.time))
    # Where the two meet a cell comes in two; all others are what the rows say.
    seam = START + timedelta(seconds=seam_s)
    shown = _by_time(times, got["signals"]["p_setpoint_kw"])
    width = timedelta(seconds=whole.level_s)
    wanted = _by_time(whole.time, asdict(whole.signals["p_setpoint_kw"]))
    assert len(wanted) > 20
    for time, values in wanted.items():
        if not time <= seam < time + width:
            assert shown[time] == pytest.approx(values)
    assert len(shown) - len(wanted) == (seam not in wanted)


def _by_time(times: list[datetime], signal: dict[str, Any]) -> dict[datetime, tuple[Any, ...]]:
    columns = (signal[what] for what in ("min", "max", "mean", "last"))
    return dict(zip(times, zip(*columns, strict=True), strict=True))


async def test_row_on_disk_holds_until_the_memory_begins(tmp_path: Path) -> None:
    for pause_s, nulls in ((600, 0), (1000, 1)):
        async with history_of(tmp_path, rows(0, 10), rows(18 + pause_s, 10)) as history:
            got = await asked(history, 0, 4000, points=1000)

        assert got["signals"]["p_setpoint_kw"]["last"].count(None) == nulls


async def test_wrong_questions_are_refused(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(0, 10)) as history:
        with pytest.raises(InvalidInput, match="points"):
            await asked(history, 0, 100, points=1)
        with pytest.raises(NotFound, match="no plant"):
            await history.measurements(PlantId("x"), START, START, points=10)
        with pytest.raises(NotFound, match="no plant"):
            await history.recordings(PlantId("x"), None, None)
        for name in ("../secret", "20260602_lib.csv/", "20260602_vrfb.csv", "hil.sqlite", "\0"):
            with pytest.raises(NotFound, match="no recording"):
                await history.recording(name)


async def test_process_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(0, 100)) as history:
        first = await asked(history, 0, 4000, points=1000)
        pid = history.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        assert await asked(history, 0, 4000, points=1000) == first
        assert history.pid != pid


async def test_question_given_up_does_not_spoil_the_next(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(0, 1000)) as history:
        first = await asked(history, 0, 4000, points=1000)
        for passes in range(4):
            given_up = asyncio.get_running_loop().create_task(asked(history, 0, 4000, points=500))
            for _ in range(passes):
                await asyncio.sleep(0)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up

            assert await asked(history, 0, 4000, points=1000) == first


def test_process_ends_with_who_began_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.communicate(timeout=15)

    assert process.returncode == 0


async def test_unreadable_recording_is_a_problem_of_its_own(tmp_path: Path) -> None:
    async with history_of(tmp_path) as history:
        (tmp_path / file_name(day_name(site_day(START, ZONE)), LIB)).mkdir()

        with pytest.raises(HilError, match="cannot be read"):
            await asked(history, 0, 4000, points=1000)


async def test_days_that_are_over_are_sealed_one_by_one(tmp_path: Path) -> None:
    three_days = rows(0, 60, step_s=3600)
    async with history_of(tmp_path, three_days) as history:
        assert await history.seal_next()
        (newest,) = (tmp_path / FOLDER).glob("*.parquet")
        assert newest.name == "20260603_lib.parquet"
        assert await history.seal_next()
        assert not await history.seal_next()

        (tmp_path / "20260602_lib.csv").unlink()
        assert not await history.seal_next()
        assert not list((tmp_path / FOLDER).glob("20260602*"))

        sealed = pl.read_parquet(newest)
        assert sealed["p_setpoint_kw"].to_list() == [float(k) for k in range(24, 48)]
        assert "kw" in pl.read_parquet_metadata(newest)["units"]


async def test_recordings_say_what_they_cover(tmp_path: Path) -> None:
    recorded = [*rows(0, 10), Item(START + timedelta(seconds=20), None), *rows(7200, 10)]
    async with history_of(tmp_path, [*recorded, *rows(90_000, 3)]) as history:
        listed = orjson.loads(await history.recordings(LIB, None, None))
        first = orjson.loads(await history.recordings(None, None, date(2026, 6, 2)))
        none = orjson.loads(await history.recordings(None, date(2026, 6, 4), None))

    assert [entry["name"] for entry in listed] == ["20260603_lib.csv", "20260602_lib.csv"]
    assert first == listed[1:]
    assert none == []
    assert first[0]["rows"] == 20
    assert first[0]["sessions"] == 2
    assert first[0]["bytes"] == (tmp_path / "20260602_lib.csv").stat().st_size
    spans = [[datetime.fromisoformat(at) for at in span] for span in first[0]["spans"]]
    seconds = [[(at - START).total_seconds() for at in span] for span in spans]
    assert seconds == [[0, 20], [7200, 7218]]


async def test_list_does_not_wait_for_days_that_nobody_has_read(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(-40 * 86_400, 30, step_s=86_400)) as history:
        first = orjson.loads(await history.recordings(LIB, None, None))
        counts = [entry["rows"] for entry in first]
        assert counts == [1] * READS_MAX + [None] * 20

        for _ in range(3):
            listed = orjson.loads(await history.recordings(LIB, None, None))
    assert [entry["rows"] for entry in listed] == [1] * 30


async def test_recording_is_sent_as_long_as_it_was(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(0, 10)) as history:
        path = tmp_path / "20260602_lib.csv"
        before = path.read_bytes()
        download = await history.recording(path.name)
        path.write_bytes(before + b"one more row\n")

        assert await content(download) == before
        assert download.length == len(before)
        gone = await history.recording(path.name)
        path.unlink()
        with pytest.raises(NotFound):
            await content(gone)


async def test_range_is_exported_as_it_was_recorded(tmp_path: Path) -> None:
    recorded = [
        *rows(86_390, 5),
        Item(START + timedelta(seconds=86_400), None),
        *rows(86_402.5, 5),
    ]
    span = (START + timedelta(seconds=86_394), START + timedelta(seconds=86_406))
    async with history_of(tmp_path, recorded) as history:
        download = await history.export(LIB, *span, ExportForm.CSV, is_numeric=False)
        plain = (await content(download)).decode().splitlines()
        numeric = await history.export(LIB, *span, ExportForm.CSV, is_numeric=True)
        seconds = (await content(numeric)).decode().splitlines()
        parquet = await history.export(LIB, *span, ExportForm.PARQUET, is_numeric=False)
        frame = pl.read_parquet(io.BytesIO(await content(parquet)))

    assert download.name == "20260602-20260603_lib.csv"
    files = [tmp_path / "20260602_lib.csv", tmp_path / "20260603_lib.csv"]
    lines = [line for path in files for line in path.read_text().splitlines()[1:]]
    assert plain[0] == ",".join(("timestamp", *COLUMNS))
    assert plain[1:] == [line for line in lines if span[0] <= _at(line) < span[1]]
    assert seconds[0] == "time_s," + plain[0]
    assert seconds[1:] == [f"{number_text(_at(line).timestamp())},{line}" for line in plain[1:]]
    assert frame.columns == ["time", *COLUMNS]
    assert frame["time"].to_list() == [_at(line) for line in plain[1:]]
    assert frame["p_setpoint_kw"].null_count() == 1


def _at(line: str) -> datetime:
    return datetime.fromisoformat(line.partition(",")[0])


async def test_exports_are_bounded_and_end_when_nobody_takes_them(tmp_path: Path) -> None:
    async with history_of(tmp_path, rows(0, 40_000)) as history:
        span = (START, START + timedelta(days=1))
        running = [
            await history.export(LIB, *span, ExportForm.CSV, is_numeric=False)
            for _ in range(EXPORTS_MAX)
        ]
        with pytest.raises(QueueFull, match="exports"):
            await history.export(LIB, *span, ExportForm.CSV, is_numeric=False)
        for download in running:
            await anext(download.chunks)
            await download.chunks.aclose()  # type: ignore[attr-defined] # it is a generator

        again = await history.export(LIB, *span, ExportForm.PARQUET, is_numeric=False)
        assert pl.read_parquet(io.BytesIO(await content(again))).height == 40_000


def test_engine_does_not_load_what_reads_recordings() -> None:
    code = (
        "import sys, hil.cli.main, hil.cli.run_commands, hil.assembly.live, hil.history.read;"
        "sys.exit('polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
