"""A thousand plants recorded at 1 Hz: what the recorder costs the loop, the processor and the disk.

Rows are added as fast as they can be and flushed every five seconds of their own time, with the
state kept as the engine keeps it: figures are per second of recording.
"""

import asyncio
import json
import math
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from bench_engine import bench_settings
from thousand_plants import raise_files, specs

from hil.adapters.csv_recordings import CsvRecordings
from hil.adapters.sqlite_store import SqliteStore
from hil.adapters.system_clock import SystemClock
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.session import Beginning
from hil.domain.signals import Row
from hil.engine.journal import Journal
from hil.engine.ledger import Ledger
from hil.engine.recorder import Recorder
from hil.engine.sessions import Sessions
from hil.engine.settings import Compression

FLUSHES = 30
FLUSH_S = 5
START = datetime(2026, 6, 1, 10, tzinfo=UTC)
# The packaged tolerances.
COMPRESSION = Compression(tolerances=(0.0, 0.1, 0.0, 0.1, 0.001, 0.1, 0.1, 0.001), max_gap_s=360.0)


def measure() -> dict[str, Any]:
    """Figures of both ways to record."""
    raise_files()
    return {
        "plants": len(specs(compact=True)),
        "flushes": FLUSHES,
        "dense": asyncio.run(_measure(None)),
        "compressed": asyncio.run(_measure(COMPRESSION)),
    }


async def _measure(compression: Compression | None) -> dict[str, float]:
    plants = [spec.id for spec in specs(compact=True)]
    with tempfile.TemporaryDirectory() as folder:
        clock, uids = SystemClock(), count()
        journal = Journal(SqliteStore(Path(folder) / "hil.sqlite"), clock)
        await journal.load()
        chosen = replace(bench_settings(period_s=1), compression=compression)
        sessions = Sessions(journal, clock, chosen, new_uid=lambda: f"{next(uids):016x}")
        sink = CsvRecordings(
            Path(folder), zone=ZoneInfo("UTC"), columns_extra=dict.fromkeys(plants, ())
        )
        recorder = Recorder(
            sink,
            sessions,
            clock,
            chosen,
            specs(compact=True),
            ledgers={plant: Ledger() for plant in plants},
            on_failing=lambda _: None,
        )
        for plant in plants:
            beginning = Beginning(
                name=plant, source=Source.MANUAL, transport=Transport.LOCAL, who="bench"
            )
            recorder.open_session(plant, beginning)
        _add(recorder, plants, 0)
        await recorder.flush()  # the files are made
        figures = await _flushes(recorder, journal, plants)
        await sink.close()
        await journal.close()
        written = _size_of_files(folder)
    figures["kbytes_a_s"] = written / (FLUSHES + 1) / FLUSH_S / 1000
    return {name: round(value, 3) for name, value in figures.items()}


def _size_of_files(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).glob("*.csv"))


async def _flushes(recorder: Recorder, journal: Journal, plants: list[PlantId]) -> dict[str, float]:
    add_s, flush_s, blocked = 0.0, list[float](), list[float]()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for flush in range(1, FLUSHES + 1):
        begun = time.perf_counter()
        _add(recorder, plants, flush)
        add_s += time.perf_counter() - begun
        begun = time.perf_counter()
        watch = asyncio.get_running_loop().create_task(_longest_block())
        await asyncio.sleep(0.01)
        await recorder.flush()
        flush_s.append(time.perf_counter() - begun - 0.01)
        await journal.flush(10)
        watch.cancel()
        blocked.append(await watch)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = FLUSHES * FLUSH_S
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cores": cpu_s / seconds,
        "add_us_a_row": add_s / (seconds * len(plants)) * 1e6,
        "flush_ms_median": median(flush_s) * 1e3,
        "flush_ms_max": max(flush_s) * 1e3,
        "loop_blocked_ms_median": median(blocked) * 1e3,
        "loop_blocked_ms_max": max(blocked) * 1e3,
    }


async def _longest_block() -> float:
    """The longest time in which the loop did not come round, until cancelled."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now
    except asyncio.CancelledError:
        return longest


def _add(recorder: Recorder, plants: list[PlantId], flush: int) -> None:
    """Rows of a flush period: a setpoint every quarter of an hour, noise of a count, a slow SoC."""
    for second in range(flush * FLUSH_S, (flush + 1) * FLUSH_S):
        at = START + timedelta(seconds=second)
        p_kw = 100.0 * (second // 900)
        for number, plant in enumerate(plants):
            noise_kw = 0.1 * round(math.sin(second * 7.3 + number))
            values = (p_kw, p_kw + noise_kw, 0.0, 0.0, 0.5 + second * 1e-5, p_kw, 0.0, 20.0)
            recorder.add(plant, Row(at, values))


def section() -> str:
    """The page's part: A thousand plants recorded."""
    got = measure()
    rows = "\n".join(
        f"| {name} | {r['kbytes_a_s']:.0f} | {r['cores']:.3f} | {r['add_us_a_row']:.0f}"
        f" | {r['flush_ms_median']:.0f} | {r['flush_ms_max']:.0f}"
        f" | {r['loop_blocked_ms_median']:.1f} | {r['loop_blocked_ms_max']:.1f} |"
        for name, r in (("every row", got["dense"]), ("compressed", got["compressed"]))
    )
    return f"""## A thousand plants recorded

{got["plants"]} plants at a row a second (power with the noise of one count, a slow state of
charge), flushed and synced every 5 s by several threads, {got["flushes"]} times, with the state
database. Cores, bytes and microseconds a row are those of the recorder; the last columns are how
long a flush takes and for how long it keeps the loop that dispatches from its work.

| | kB/s | cores | µs a row | flush ms | max | loop held up ms | max |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=1) + "\n")
