"""`make bench`: every measurement in turn, written to docs/explanation/performance.md."""

import os
import platform
import sys
from pathlib import Path

import compress_offline
import dead_plants
import feasibility
import history_year
import modbus_round_trip
import posting
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


def main() -> None:
    """Measure and write the page."""
    modules = (
        modbus_round_trip,
        simulated_day,
        feasibility,
        state_store,
        compress_offline,
        history_year,
        recorder,
        posting,
        dead_plants,
        thousand_plants,
    )
    text = f"""# Performance

Written by `make bench`; do not edit. Measured on: {machine()}.
Single figures move with the machine; compare the ratios.

{chr(10).join(module.section() for module in modules)}"""
    PAGE.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
