"""`make bench`: every measurement in turn, written to docs/explanation/performance.md."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import compress_offline
import dead_plants
import modbus_round_trip
import recorder
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


def compression_section(got: dict[str, Any]) -> str:
    """Offline compression and sizes."""
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


def dead_section(got: dict[str, Any]) -> str:
    """Plants that do not answer beside plants that do."""
    sides = {"without": f"the {got['live']} alone", "with": "with the dead plants"}
    rows = "\n".join(
        f"| {what}, {label} | {got[key][side]['p50']:.1f} | {got[key][side]['p99']:.1f}"
        f" | {got[key][side]['max']:.1f} |"
        for key, what in (("late", "first request"), ("done", "last answer"))
        for side, label in sides.items()
    )
    late, done = got["late"]["p99_ratio"], got["done"]["p99_ratio"]
    return f"""## Dead plants beside live ones

{got["live"]} emulated plants with the default map and steps of {got["period_s"]:g} s, alone and
beside {got["black_holed"]} black-holed ones (every SYN is dropped) and {got["silent"]} silent ones
(accepted, never answered), in turn in one run, {got["seconds"]} s each. All are asked to start.
From the step to the first request and to the last answer of the {got["live"]}. Goal: as without
the dead ones. The p99 with them to that without, by pairs of neighbouring runs: of the first
request {late["median"]:.2f} ({late["min"]:.2f} to {late["max"]:.2f}), of the last answer
{done["median"]:.2f} ({done["min"]:.2f} to {done["max"]:.2f}).

| | p50 ms | p99 ms | max ms |
| --- | --- | --- | --- |
{rows}
"""


def recorder_section(got: dict[str, Any]) -> str:
    """A thousand plants recorded."""
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


def main() -> None:
    """Measure and write the page."""
    sections = [
        modbus_section(modbus_round_trip.measure()),
        day_section(simulated_day.measure()),
        store_section(state_store.measure()),
        compression_section(compress_offline.measure()),
        plants_section(thousand_plants.measure()),
        dead_section(dead_plants.measure()),
        recorder_section(recorder.measure()),
    ]
    text = f"""# Performance

Written by `make bench`; do not edit. Measured on: {machine()}.
Single figures move with the machine; compare the ratios.

{chr(10).join(sections)}"""
    PAGE.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
