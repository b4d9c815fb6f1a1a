"""A year of one plant at 2 s: any range on screen, beside reading the CSVs as they are."""

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import orjson
import polars as pl

from hil.adapters.system_clock import SystemClock
from hil.config.load import load_default
from hil.domain.compression import Compressor
from hil.domain.downsample import grid_of
from hil.domain.plant import PlantId
from hil.domain.recording_file import file_name
from hil.domain.signals import COLUMNS, Row
from hil.domain.site_day import day_name, day_range
from hil.engine.day_memory import DayMemory
from hil.history.history import History, HistorySettings
from hil.history.listing import FOLDER, Owner

LIB = PlantId("lib")
ZONE = ZoneInfo("Europe/Madrid")
FIRST = date(2025, 1, 1)
DAYS = 365
PERIOD_S = 2
POINTS = 2000
LENGTHS = {
    "15 min": timedelta(minutes=15),
    "2 h": timedelta(hours=2),
    "1 day": timedelta(days=1),
    "2 days": timedelta(days=2),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
    "1 year": timedelta(days=DAYS),
}
PLACES = 4
PANS = 6  # asked again, each a little further
RUNS = 15


def measure() -> dict[str, Any]:
    """Seconds, milliseconds and sizes, as `run.py` shows them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started_s = time.perf_counter()
        rows = _generate(folder)
        generated_s = time.perf_counter() - started_s
        compared = {
            "polars": _timed_s(lambda: _by_polars(folder)),
            "duckdb": _timed_s(lambda: _by_duckdb(folder)),
        }
        return {
            "rows": rows,
            "generated_s": round(generated_s, 1),
            "csv_s": compared,
            **asyncio.run(_ask(folder)),
            "current_day_ms": _current_day(folder),
            "bytes_a_day": _sizes(folder),
        }


def _timed_s(run: Callable[[], object]) -> float:
    before = time.perf_counter()
    run()
    return round(time.perf_counter() - before, 2)


def _generate(folder: Path) -> int:
    """Daily files of a battery that follows quarter-hourly setpoints, in a meter's resolution."""
    rows = 0
    rng = random.Random(1)
    for k in range(DAYS):
        day = FIRST + timedelta(days=k)
        start, end = day_range(day, ZONE)
        frame = _day(start, end, rng)
        rows += frame.height
        frame.write_csv(folder / file_name(day_name(day), LIB))
    return rows


def _day(start: datetime, end: datetime, rng: random.Random) -> pl.DataFrame:
    times = pl.datetime_range(start, end, f"{PERIOD_S}s", closed="left", eager=True)
    count, quarter = len(times), 900 // PERIOD_S
    # By day a step each quarter of an hour, at rest by night; the meter flickers by one count.
    steps = [
        round(rng.uniform(-400, 400), 1) if 28 <= k <= 84 else 0.0
        for k in range(count // quarter + 1)
    ]
    asked = pl.Series([step for step in steps for _ in range(quarter)][:count])
    noise = pl.Series([rng.choice([0.0, 0.0, 0.0, 0.1]) for _ in range(997)] * (count // 997 + 1))
    p_kw = (asked + noise[:count]).round(1)
    soc = (0.5 - (p_kw.cum_sum() * PERIOD_S / 3600 / 5000)).round(4)
    local = times.dt.convert_time_zone(ZONE.key).dt.to_string("%Y-%m-%dT%H:%M:%S%:z")
    values = (asked, p_kw, asked * 0, noise[:count] * 0, soc, (p_kw * 0.98).round(1))
    volts = (20 + noise[:count] / 100).round(3)
    columns = dict(zip(COLUMNS, (*values, noise[:count] * 0, volts), strict=True))
    return pl.DataFrame({"timestamp": local, **columns})


def _by_polars(folder: Path) -> pl.DataFrame:
    at = pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%z").dt.truncate("6h")
    aggregates = [
        each
        for name in COLUMNS
        for each in (
            pl.col(name).min().alias(f"{name}.min"),
            pl.col(name).max().alias(f"{name}.max"),
            pl.col(name).mean().alias(f"{name}.mean"),
        )
    ]
    schema = {"timestamp": pl.String, **dict.fromkeys(COLUMNS, pl.Float64)}
    rows = pl.scan_csv(folder / "*.csv", schema=schema)
    return rows.group_by(at).agg(aggregates).collect(engine="streaming")


def _by_duckdb(folder: Path) -> list[Any]:
    figures = ", ".join(f"min({n}), max({n}), avg({n})" for n in COLUMNS)
    query = (
        "select time_bucket(interval '6 hours', cast(timestamp as timestamptz)) as cell,"
        f" {figures} from read_csv('{folder}/*.csv') group by cell"
    )
    with duckdb.connect(config={"threads": 2}) as connection:
        return connection.execute(query).fetchall()


def _history(folder: Path) -> History:
    settings = HistorySettings(
        folder=folder,
        zone=ZONE,
        owners={LIB: Owner("LIB", 20.0)},
        signals={LIB: tuple(COLUMNS)},
        hold_s=900.0,
    )
    return History(settings, DayMemory({LIB: tuple(COLUMNS)}), SystemClock())


async def _ask(folder: Path) -> dict[str, Any]:
    history = _history(folder)
    before = time.perf_counter()
    while await history.seal_next():
        pass
    sealed_s = time.perf_counter() - before
    sealing_mb = _peak_mb(history)
    await history.close()
    begin, _ = day_range(FIRST, ZONE)
    _, end = day_range(FIRST + timedelta(days=DAYS - 1), ZONE)
    ranges: dict[str, dict[str, float]] = {}
    all_warm: list[float] = []
    rng = random.Random(2)
    peak_mb = sealing_mb
    for label, length in LENGTHS.items():
        first, touch, warm = [], [], []
        for _ in range(PLACES):
            start = begin + (end - begin - length) * rng.random()
            history = _history(folder)
            first.append(await _answer_ms(history, start, length))
            elsewhere = begin + (end - begin - length) * rng.random()
            touch.append(await _answer_ms(history, elsewhere, length))
            warm += [
                await _answer_ms(history, elsewhere + length * k / 100, length) for k in range(PANS)
            ]
            peak_mb = max(peak_mb, _peak_mb(history))
            await history.close()
        all_warm += warm
        ranges[label] = {
            "process_begins": round(max(first)),
            "first_touch": round(max(touch)),
            "warm_median": round(statistics.median(warm)),
            "warm_max": round(max(warm)),
        }
    return {
        "sealed_s": round(sealed_s, 1),
        "ranges_ms": ranges,
        "warm_p95_ms": round(statistics.quantiles(all_warm, n=20)[-1]),
        "peak_mb": round(peak_mb),
    }


async def _answer_ms(history: History, start: datetime, length: timedelta) -> float:
    before = time.perf_counter()
    body = await history.measurements(LIB, start, start + length, points=POINTS)
    took_ms = (time.perf_counter() - before) * 1e3
    times = orjson.loads(body)["time"]
    assert 0 < len(times) <= POINTS
    return took_ms


def _peak_mb(history: History) -> float:
    status = Path(f"/proc/{history.pid}/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _day_rows(folder: Path) -> list[Row]:
    frame = pl.read_csv(next(folder.glob("*.csv")))
    return [Row(datetime.fromisoformat(at).astimezone(UTC), tuple(v)) for at, *v in frame.rows()]


def _current_day(folder: Path) -> float:
    """The median of the present day from memory to the bytes of the answer."""
    rows = _day_rows(folder)
    memory = DayMemory({LIB: tuple(COLUMNS)})
    for row in rows:
        memory.add(LIB, row)
    start, end = rows[0].at, rows[-1].at + timedelta(seconds=PERIOD_S)
    took = []
    for _ in range(RUNS):
        before = time.perf_counter()
        count, gaps = memory.count(LIB, start, end)
        grid = grid_of(start, end, points=POINTS, rows=count, gaps=gaps)
        orjson.dumps(memory.cut(LIB, start, end, grid)())
        took.append((time.perf_counter() - before) * 1e3)
    return round(statistics.median(took), 1)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of one day: as a dense CSV, compressed by tolerance, and sealed."""
    path = next(folder.glob("*.csv"))
    lines = path.read_bytes().splitlines(keepends=True)
    compression = load_default().recording.compression
    tolerances = [getattr(compression.tolerances, name) for name in COLUMNS]
    compressor: Compressor[bytes] = Compressor(tolerances, max_gap_s=compression.max_gap_s)
    kept = [lines[0]]
    for row, line in zip(_day_rows(folder), lines[1:], strict=True):
        kept += compressor.add(row.at.timestamp(), row.values, line)
    kept += compressor.end()
    sealed = folder / FOLDER
    return {
        "csv": path.stat().st_size,
        "compressed csv": sum(map(len, kept)),
        "parquet": (sealed / f"{path.stem}.parquet").stat().st_size,
        "levels": sum(file.stat().st_size for file in sealed.glob(f"{path.stem}.*.arrow")),
    }


def section() -> str:
    """The page's part: A year of recordings."""
    got = measure()
    rows = "\n".join(
        f"| {label} | {r['warm_median']} | {r['warm_max']} | {r['first_touch']}"
        f" | {r['process_begins']} |"
        for label, r in got["ranges_ms"].items()
    )
    sizes = got["bytes_a_day"]
    kb = {name: f"{size / 1000:,.0f} kB" for name, size in sizes.items()}
    return f"""## The history of a year

{got["rows"] / 1e6:.1f} million rows of one plant in daily files, every 2 s, all days sealed
({got["sealed_s"] / 365 * 1000:.0f} ms a day). From the question to the JSON of at most 2000
buckets of all signals, through the process that reads recordings, in ms; ranges lie anywhere in
the year. 95 of 100 warm answers come within {got["warm_p95_ms"]} ms (goal: 200; 1000 at the first
touch); the process takes {got["peak_mb"]} MB at most (goal: 300), sealing included. The present
day from memory takes {got["current_day_ms"]:.0f} ms (goal: 20). Buckets of the year from the CSVs
themselves, on the same machine: polars {got["csv_s"]["polars"]:.1f} s, DuckDB
{got["csv_s"]["duckdb"]:.1f} s.

| range | warm, median | warm, max | first touch | with the start of the process |
| --- | --- | --- | --- | --- |
{rows}

One day at work by daylight and at rest by night: {kb["csv"]} as a dense CSV,
{kb["compressed csv"]} compressed with the default tolerances; the dense day sealed
{kb["parquet"]} as Parquet and {kb["levels"]} of levels.
"""


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
