"""Random schedules: inside the nameplate, with an end, the same for the same seed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.errors import InvalidInput
from hil.domain.plant import Nameplate
from hil.domain.schedule import Schedule, Series
from hil.domain.schedule_random import random_schedule
from hil.domain.site_day import day_range

NAMEPLATE = Nameplate(
    p_max_kw=1000.0,
    p_min_kw=-800.5,
    q_max_kvar=600.0,
    q_min_kvar=-600.0,
    capacity_kwh=500.0,
    v_nominal_kv=20.0,
)
MIDNIGHT = datetime(2026, 3, 28, 23, tzinfo=UTC)


def drawn(
    *, start: datetime = MIDNIGHT, duration_h: float = 24.0, resolution_min: float = 15.0, seed: int
) -> Schedule:
    return random_schedule(
        start=start,
        duration_h=duration_h,
        resolution_min=resolution_min,
        seed=seed,
        nameplate=NAMEPLATE,
    )


@given(
    duration_h=st.floats(0.01, 50.0),
    resolution_min=st.floats(0.5, 90.0),
    seed=st.integers(),
)
def test_points_are_whole_kilowatts_inside_the_nameplate_until_the_end(
    duration_h: float, resolution_min: float, seed: int
) -> None:
    got = drawn(duration_h=duration_h, resolution_min=resolution_min, seed=seed)

    assert got.q == Series()
    *values, last = got.p.values
    assert last is None
    assert all(value is not None and -800.5 <= value <= 1000.0 for value in values)
    assert all(value == round(value) for value in values if value is not None)
    assert got.p.times[0] == MIDNIGHT
    assert got.p.times[-1] == MIDNIGHT + timedelta(hours=duration_h)
    assert got == drawn(duration_h=duration_h, resolution_min=resolution_min, seed=seed)


def test_another_seed_is_another_schedule() -> None:
    assert drawn(seed=1) != drawn(seed=2)


@pytest.mark.parametrize(("day", "periods"), [("2026-03-29", 92), ("2026-10-25", 100)])
def test_day_of_a_clock_change_has_its_own_number_of_periods(day: str, periods: int) -> None:
    start, end = day_range(datetime.fromisoformat(day).date(), ZoneInfo("Europe/Madrid"))

    got = drawn(start=start, duration_h=(end - start) / timedelta(hours=1), seed=3)

    assert len(got.p.times) == periods + 1
    assert got.p.times[-1] == end


@pytest.mark.parametrize(
    ("duration_h", "resolution_min"),
    [
        (0.0, 15.0),
        (24.0, 0.0),
        (-1.0, 15.0),
        (float("nan"), 15.0),
        (24.0, float("inf")),
        (1e300, 15.0),
        (1e6, 0.001),
        (1e-300, 1e-300),
        (1e9, 1e6),
    ],
)
def test_what_cannot_be_drawn_is_refused(duration_h: float, resolution_min: float) -> None:
    with pytest.raises(InvalidInput):
        drawn(duration_h=duration_h, resolution_min=resolution_min, seed=1)
