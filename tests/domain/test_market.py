"""Delivery days: their periods, what is missing of them, when they are wanted."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.market import DeliveryDays, as_series, merged
from hil.domain.plant import PlantId

MADRID = ZoneInfo("Europe/Madrid")
DAYS = DeliveryDays(zone=MADRID, period=timedelta(minutes=15), tomorrow_from=time(15))
LIB, VRFB = PlantId("lib"), PlantId("vrfb")


@pytest.mark.parametrize(
    ("day", "count", "first"),
    [
        (date(2026, 5, 1), 96, datetime(2026, 4, 30, 22, tzinfo=UTC)),
        (date(2026, 3, 29), 92, datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (date(2026, 10, 25), 100, datetime(2026, 10, 24, 22, tzinfo=UTC)),
    ],
)
def test_a_day_has_as_many_periods_as_its_hours_hold(
    day: date, count: int, first: datetime
) -> None:
    periods = DAYS.periods(day)
    assert (len(periods), periods[0]) == (count, first)
    assert periods[-1] == DAYS.periods(day + timedelta(days=1))[0] - timedelta(minutes=15)


def test_the_slots_around_a_clock_change_are_where_the_clock_shows_them() -> None:
    spring, autumn = DAYS.periods(date(2026, 3, 29)), DAYS.periods(date(2026, 10, 25))
    assert spring[8].astimezone(MADRID).time() == time(3)
    assert autumn[12].astimezone(MADRID).replace(fold=0).time() == time(2)
    assert autumn[8].astimezone(MADRID).time() == time(2)


def test_a_day_with_the_periods_of_an_ordinary_one_is_incomplete_in_autumn() -> None:
    day = date(2026, 10, 25)
    setpoints = dict.fromkeys(DAYS.periods(day)[:96], 1.0)
    start = DAYS.periods(day)[96]
    assert DAYS.missing(day, setpoints) == ((start, start + timedelta(hours=1)),)


@given(st.sets(st.integers(0, 95)))
def test_missing_ranges_and_known_periods_make_up_the_day(known: set[int]) -> None:
    day = date(2026, 5, 1)
    periods = DAYS.periods(day)
    ranges = DAYS.missing(day, {periods[k]: 0.0 for k in known})
    missing = {at for at in periods if any(start <= at < end for start, end in ranges)}
    assert missing == {at for k, at in enumerate(periods) if k not in known}
    assert all(left[1] < right[0] for left, right in pairwise(ranges))


@pytest.mark.parametrize(("hour", "count"), [(12, 1), (13, 2), (21, 2)])
def test_tomorrow_is_wanted_from_its_site_time_on(hour: int, count: int) -> None:
    wanted = DAYS.wanted(datetime(2026, 5, 1, hour, tzinfo=UTC))
    assert wanted == (date(2026, 5, 1), date(2026, 5, 2))[:count]


def test_what_is_not_told_again_stays() -> None:
    first, second = DAYS.periods(date(2026, 5, 1))[:2]
    held = {LIB: {first: 1.0, second: 2.0}}
    come = {LIB: {second: 3.0}, VRFB: {first: 4.0}}
    assert merged(held, come) == {LIB: {first: 1.0, second: 3.0}, VRFB: {first: 4.0}}


def test_days_become_one_series_in_the_order_of_time() -> None:
    today, tomorrow = DAYS.periods(date(2026, 5, 1)), DAYS.periods(date(2026, 5, 2))
    series = as_series([{tomorrow[0]: 2.0}, {today[0]: 0.0}])
    assert (series.times, series.values) == ((today[0], tomorrow[0]), (0.0, 2.0))
