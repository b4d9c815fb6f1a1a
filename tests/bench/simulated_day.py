"""A day of the packaged bench in virtual time: how long it takes, and where the time goes."""

import cProfile
import json
import pstats
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hil.assembly.rehearsal import rehearsal
from hil.config.load import load_default
from hil.config.values import plant_specs
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule
from hil.domain.schedule_random import random_schedule

DAY = date(2026, 5, 4)
RUNS = 3
GOAL_S = 15.0


def measure() -> dict[str, Any]:
    """Seconds a day of each run, and the share of each part of the code in a profiled one."""
    walls, cpus = [], []
    for _ in range(RUNS):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        _play()
        walls.append(round(time.perf_counter() - wall_s, 2))
        cpus.append(round(time.process_time() - cpu_s, 2))
    return {
        "plants": len(load_default().plants),
        "goal_s": GOAL_S,
        "wall_s": sorted(walls),
        "cpu_s": sorted(cpus),
        "share": _shares(),
    }


def _play() -> None:
    config = load_default()
    start = datetime(2026, 5, 3, 22, tzinfo=UTC)
    schedules: dict[PlantId, Schedule] = {
        spec.id: random_schedule(
            start=start,
            duration_h=timedelta(days=1) / timedelta(hours=1),
            resolution_min=15,
            seed=1,
            nameplate=spec.nameplate,
        )
        for spec in plant_specs(config)
    }
    with tempfile.TemporaryDirectory() as folder:
        rehearsal(
            config,
            schedules,
            day=DAY,
            days=1,
            seed=1,
            out=Path(folder) / "out",
            progress=lambda _: None,
        )


def _shares() -> dict[str, float]:
    """Share of the own time of each module of ours; what is not ours counts as Python."""
    profile = cProfile.Profile()
    profile.runcall(_play)
    own: Counter[str] = Counter()
    stats = pstats.Stats(profile)
    for (file, _, _), (_, _, own_s, _, _) in stats.stats.items():  # type: ignore[attr-defined] # not in the stubs
        _, ours, module = file.partition("/src/hil/")
        own[module.removesuffix(".py") if ours else "Python and its library"] += own_s
    total_s = sum(own.values())
    return {name: round(own_s / total_s, 3) for name, own_s in own.most_common(12)}


def section() -> str:
    """The page's part: The virtual day."""
    got = measure()
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


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
