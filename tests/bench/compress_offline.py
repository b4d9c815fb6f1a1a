"""Rows a second of offline compression, and what a day weighs dense, compressed and exported.

A file is read, compressed, written, brought to the disk, read again and compared with the original:
all that `hil recordings compress` does with it.
"""

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hil.config.load import load_default
from hil.history.compress import Rules, compress_file
from hil.history.export_files import export

DAYS = 3
RUNS = 5
ROWS = 43_200  # every 2 s
GOAL_ROWS_A_S = 300_000
TODAY_AT = datetime(2026, 6, 1, tzinfo=UTC)


def measure() -> dict[str, Any]:
    """Rows a second by wall clock and by processor time, and bytes a day in each form."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from dense_day import write_days

    with tempfile.TemporaryDirectory() as folder:
        days = write_days(Path(folder), DAYS, rows=ROWS)
        rules = _rules()
        compress_file(days[0], rules, target=None, today_at=TODAY_AT)
        wall, cpu = [], []
        for _ in range(RUNS):
            for day in days:
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                small = day.with_suffix(".compressed")
                compress_file(day, rules, target=small, today_at=TODAY_AT)
                wall.append(ROWS / (time.perf_counter() - wall_s))
                cpu.append(ROWS / (time.process_time() - cpu_s))
        compressed = [day.with_suffix(".compressed") for day in days]
        return {
            "rows": ROWS,
            "days": DAYS,
            "runs": RUNS,
            "goal_rows_a_s": GOAL_ROWS_A_S,
            "rows_a_s": _spread(wall),
            "rows_a_cpu_s": _spread(cpu),
            "bytes_a_day": {
                "dense CSV": _size(days),
                "compressed CSV": _size(compressed),
                "dense, exported to Parquet": _exported(days),
                "compressed, exported to Parquet": _exported(compressed),
            },
        }


def _rules() -> Rules:
    compression = load_default().recording.compression
    return Rules(tolerances=compression.tolerances.model_dump(), max_gap_s=compression.max_gap_s)


def _size(paths: list[Path]) -> int:
    return round(statistics.mean(path.stat().st_size for path in paths))


def _exported(paths: list[Path]) -> int:
    sizes = []
    for path in paths:
        out = path.with_name("out.parquet")
        export(
            [path],
            out,
            zone=ZoneInfo("Europe/Madrid"),
            v_nominal_kv=None,
            units={},
            is_epoch=False,
            done=lambda: None,
        )
        sizes.append(out.stat().st_size)
    return round(statistics.mean(sizes))


def _spread(values: list[float]) -> dict[str, int]:
    return {
        "min": round(min(values)),
        "median": round(statistics.median(values)),
        "max": round(max(values)),
    }


def section() -> str:
    """The page's part: Offline compression and sizes."""
    got = measure()
    rates = "\n".join(
        f"| {label} | {r['min']:,} | {r['median']:,} | {r['max']:,} |"
        for label, r in (("wall clock", got["rows_a_s"]), ("processor", got["rows_a_cpu_s"]))
    )
    dense = got["bytes_a_day"]["dense CSV"]
    sizes = "\n".join(
        f"| {form} | {size / 1e6:.2f} | {size / dense:.0%} |"
        for form, size in got["bytes_a_day"].items()
    )
    return f"""## Compressing recordings offline

`hil recordings compress`, rows a second in all: read, compress, write, bring to the disk, read
again, compare with the original. {got["days"]} generated days of {got["rows"]:,} rows (setpoints
for quarters of an hour, half of them 0, noisy meters), {got["runs"]} runs each, the packaged
tolerances. Goal: at least {got["goal_rows_a_s"]:,}.

| rows a second of | min | median | max |
| --- | --- | --- | --- |
{rates}

| a day as | MB | of dense |
| --- | --- | --- |
{sizes}
"""


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
