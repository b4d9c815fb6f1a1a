"""`make bench`: every measurement in turn, written to docs/explanation/performance.md."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import history_year
import modbus_round_trip
import simulated_day
import state_store
import thousand_plants

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"


def machine() -> str:
    """Processor, cores and Python of the machine that measured."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    cores = os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def modbus_section(got: dict[str, Any]) -> str:
    """Our client against its peers."""
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {r['min']:.2f} | {r['median']:.2f} | {r['max']:.2f} |"
        for name, r in got["cpu_ratio_to_bare"].items()
    )
    return f"""## A Modbus round trip

CPU time of one client per round trip (one read of {got["registers"]} holding registers), as a
ratio to a bare `asyncio.Protocol` that sends the same bytes and checks nothing. All clients share
one process, take turns in {got["slices"]} slices of {got["round_trips_a_slice"]} round trips, and
talk to one server in another process. The bare client takes {got["bare_us"]["median"]:.0f} µs.
Goal: at most 1.3 for ours.

| client | min | median | max |
| --- | --- | --- | --- |
{rows}
"""


def day_section(got: dict[str, Any]) -> str:
    """The virtual day."""
    rows = "\n".join(f"| {name} | {share:.1%} |" for name, share in got["share"].items())
    walls = ", ".join(f"{wall:.1f}" for wall in got["wall_s"])
    median = got["wall_s"][len(got["wall_s"]) // 2]
    return f"""## A day in virtual time

The packaged bench ({got["plants"]} plants, dispatch and measurement every 2 s, emulation every 1 s)
through engine, in-memory link, emulated plants and recorder, files included: **{median:.1f} s**
(runs: {walls} s; goal: at most {got["goal_s"]:.0f} s). Where the time goes, own time by module in
a profiled run:

| module | share |
| --- | --- |
{rows}
"""


def store_section(got: dict[str, Any]) -> str:
    """The state database."""
    rows = "\n".join(
        f"| {size} documents | {r['min']:.0f} | {r['median']:.0f} | {r['max']:.0f} |"
        for size, r in got["transactions_a_s"].items()
    )
    return f"""## The state database

Durable transactions a second (SQLite {got["sqlite"]}, WAL, `synchronous=FULL`), over
{got["runs"]} runs, documents of {got["document_bytes"]} bytes. One page and one `fdatasync` take
{got["fdatasync_ms"]["median"]:.2f} ms on this disk.

| transaction | min | median | max |
| --- | --- | --- | --- |
{rows}
"""


def plants_section(got: dict[str, Any]) -> str:
    """A thousand plants at 1 Hz."""
    rows = "\n".join(
        f"| {label} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} | {r['max_ms']:.1f}"
        f" | {r['cores']:.2f} |"
        for label, r in (
            ("hil, one block and adjacent setpoints", got["compact"]["hil"]),
            ("pymodbus, the same reads and writes alone", got["compact"]["pymodbus"]),
            ("hil, the default map (nine blocks, three writes)", got["default"]["hil"]),
        )
    )
    return f"""## A thousand plants at 1 Hz

{got["plants"]} emulated plants in a process of their own; each step writes both setpoints, which
change every second, and reads every point. From the step to the answered exchange, and the cores
that the asking process uses, over {got["seconds"]} s; engine and pymodbus in turn. The engine
decides, watches and publishes meanwhile; pymodbus only asks. Goal with the compact map: p99 at
most 5 ms, at most 0.7 cores. The emulators use {got["compact"]["emulators_cores"]:.2f} cores with
the compact map, {got["default"]["emulators_cores"]:.2f} with the default one.

| | p50 ms | p99 ms | max ms | cores |
| --- | --- | --- | --- | --- |
{rows}
"""


def history_section(got: dict[str, Any]) -> str:
    """A year of recordings."""
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


def main() -> None:
    """Measure and write the page."""
    sections = [
        modbus_section(modbus_round_trip.measure()),
        day_section(simulated_day.measure()),
        store_section(state_store.measure()),
        plants_section(thousand_plants.measure()),
        history_section(history_year.measure()),
    ]
    text = f"""# Performance

Written by `make bench`; do not edit. Measured on: {machine()}.
Single figures move with the machine; compare the ratios.

{chr(10).join(sections)}"""
    PAGE.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
