"""A check of a day against limits and state of charge: how long it takes."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from hil.assembly.bench import checked_specs
from hil.assembly.feasibility import subjects_of
from hil.config.load import load_default
from hil.domain.feasibility import LIVE_STEP_S, STEP_S, forecast
from hil.domain.plant import Source
from hil.domain.schedule import effective_points
from hil.domain.schedule_random import random_schedule

START = datetime(2026, 5, 3, 22, tzinfo=UTC)
RUNS = 5
GOAL_MS = 50.0


def measure() -> dict[str, Any]:
    """The median time in ms of a plant-day of quarter hours: as asked for, and as watched."""
    config = load_default()
    specs = checked_specs(config)
    took: dict[float, list[float]] = {STEP_S: [], LIVE_STEP_S: []}
    end = START + timedelta(days=1)
    for spec in specs:
        subject = subjects_of(config, specs)[spec.id]
        for seed in range(RUNS):
            plan = random_schedule(
                start=START, duration_h=24, resolution_min=15, seed=seed, nameplate=spec.nameplate
            )
            for step_s, times in took.items():
                began_s = time.perf_counter()
                asked = effective_points(plan, {}, Source.MANUAL, start=START, end=end)
                forecast(asked, subject, end=end, soc_pu=0.5, step_s=step_s)
                times.append(1e3 * (time.perf_counter() - began_s))
    return {
        "goal_ms": GOAL_MS,
        "asked_ms": round(sorted(took[STEP_S])[len(took[STEP_S]) // 2], 1),
        "asked_ms_max": round(max(took[STEP_S]), 1),
        "watched_ms": round(sorted(took[LIVE_STEP_S])[len(took[LIVE_STEP_S]) // 2], 1),
    }


def section() -> str:
    """The part of the page on checks of schedules."""
    got = measure()
    return f"""## Checking a schedule

A plant-day of random quarter hours against limits, taper and losses: median
{got["asked_ms"]:g} ms, longest {got["asked_ms_max"]:g} ms (goal: {got["goal_ms"]:g} ms). The watch
of running plants takes longer steps: {got["watched_ms"]:g} ms a plant-day.
"""
