"""The forecast of a day against the rehearsal of the same day."""

import csv
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hil.assembly.bench import checked_specs
from hil.assembly.feasibility import subjects_of
from hil.assembly.rehearsal import rehearsal
from hil.config.load import load_default
from hil.config.model import Config
from hil.domain.feasibility import forecast
from hil.domain.plant import PlantId, Source
from hil.domain.schedule import EffectivePoint, Schedule, Series, effective_points
from hil.domain.schedule_random import random_schedule

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 3, 22, tzinfo=UTC)
END = START + timedelta(days=1)
# The plants have been started by then.
SETTLED = START + timedelta(minutes=15)
PERIOD_S = 20.0
# What is missing of less is within the resolution of the registers.
LEAST_KWH = 1.0


def bench() -> Config:
    """The packaged bench at a coarse step, every row recorded."""
    config = load_default()
    periods = {"dispatch_period_s": PERIOD_S, "measurement_period_s": PERIOD_S}
    compression = config.recording.compression.model_copy(update={"enabled": False})
    recording = config.recording.model_copy(update={"compression": compression})
    return config.model_copy(
        update={"timing": config.timing.model_copy(update=periods), "recording": recording}
    )


def plans(config: Config, seed: int) -> dict[PlantId, Schedule]:
    """Random quarter hours; of an odd seed with hours of rest, of full charge and discharge."""
    made = {}
    for spec in checked_specs(config):
        plan = random_schedule(
            start=START,
            duration_h=24,
            resolution_min=15,
            seed=seed,
            nameplate=spec.nameplate,
        )
        if seed % 2:
            full = {
                3: spec.nameplate.p_min_kw,
                9: 0.0,
                13: spec.nameplate.p_max_kw,
                17: 0.1 * spec.nameplate.p_min_kw,
                20: 1.5 * spec.nameplate.p_max_kw,
            }
            hours = [(START + timedelta(hours=hour), value) for hour, value in full.items()]
            plan = Schedule(p=Series(tuple(t for t, _ in hours), tuple(v for _, v in hours)))
        made[spec.id] = plan
    return made


def recorded(path: Path) -> tuple[list[datetime], list[float], list[float]]:
    """Times, active power and state of charge of the rows from `SETTLED` on."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["soc_pu"]]
    times = [datetime.fromisoformat(row["timestamp"]).astimezone(UTC) for row in rows]
    first = times.index(SETTLED)
    power = [float(row["battery_active_power_kw"]) for row in rows[first:]]
    return times[first:], power, [float(row["soc_pu"]) for row in rows[first:]]


def missing_kwh(
    asked: tuple[EffectivePoint, ...], times: list[datetime], power: list[float]
) -> float:
    """A row shows the power at the end of its period, before the next setpoint is written."""
    starts = [point.time for point in asked]
    total = 0.0
    for time, p_kw in zip(times[1:], power[1:], strict=True):
        wanted = asked[bisect_right(starts, time - timedelta(seconds=1)) - 1].p_kw
        total += abs(wanted - p_kw) * PERIOD_S / 3600
    return total


def between(rows: list[tuple[datetime, float]], time: datetime) -> float:
    """The value on the straight line between two rows; the last holds."""
    index = bisect_right(rows, time, key=lambda row: row[0])
    if index == len(rows):
        return rows[-1][1]
    (before, low), (after, high) = rows[index - 1], rows[index]
    return low + (high - low) * ((time - before) / (after - before))


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_a_forecast_is_what_a_rehearsal_of_the_day_brings(tmp_path: Path, seed: int) -> None:
    config = bench()
    schedules = plans(config, seed)
    rehearsal(config, schedules, day=DAY, days=1, seed=0, out=tmp_path, progress=lambda _: None)

    for plant, subject in subjects_of(config, checked_specs(config)).items():
        times, power, soc_pu = recorded(tmp_path / "data" / f"{DAY:%Y%m%d}_{plant}.csv")
        asked = effective_points(schedules[plant], {}, Source.MANUAL, start=SETTLED, end=END)

        got = forecast(asked, subject, end=END, soc_pu=soc_pu[0])

        rows = list(zip(times, soc_pu, strict=True))
        points = list(zip(got.soc.time, got.soc.soc_pu, strict=True))
        off = max(abs(pu - between(rows, time)) for time, pu in points)
        missing = missing_kwh(asked, times, power)
        assert off < 0.005, plant
        assert got.missing_kwh == pytest.approx(missing, rel=0.01, abs=LEAST_KWH)
