"""The site's calendar over clock changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.errors import InvalidInput
from hil.domain.site_day import (
    LocalText,
    day_name,
    day_range,
    local_text,
    resolve_local,
    site_day,
)

MADRID = ZoneInfo("Europe/Madrid")
# Changes at 02:00, at midnight, before midnight, by half an hour, a skipped day, and none.
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "Europe/Madrid",
            "America/Sao_Paulo",
            "America/Havana",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Asia/Kathmandu",
            "UTC",
        )
    ]
)
INSTANTS = st.datetimes(
    min_value=datetime(1995, 1, 1),  # noqa: DTZ001 - Hypothesis takes naive bounds
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", date(2026, 3, 29), 23),
        ("Europe/Madrid", date(2026, 6, 1), 24),
        ("Europe/Madrid", date(2026, 10, 25), 25),
        ("Africa/Cairo", date(2024, 4, 26), 23),
        ("America/Havana", date(2024, 11, 3), 25),
        ("America/St_Johns", date(2010, 3, 14), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_day_has_the_hours_its_clocks_show(zone: str, day: date, hours: float) -> None:
    start, end = day_range(day, ZoneInfo(zone))

    assert end - start == timedelta(hours=hours)


@given(at=INSTANTS, zone=ZONES)
def test_every_instant_lies_in_its_day_and_days_touch(at: datetime, zone: ZoneInfo) -> None:
    day = site_day(at, zone)
    start, end = day_range(day, zone)

    assert start <= at < end
    assert site_day(start, zone) == day
    assert day_range(day + timedelta(days=1), zone)[0] == end


@given(at=INSTANTS, zone=ZONES)
def test_local_text_is_the_same_instant_to_the_millisecond(at: datetime, zone: ZoneInfo) -> None:
    text = local_text(at, zone)

    assert abs(datetime.fromisoformat(text) - at) <= timedelta(microseconds=500)
    assert LocalText(zone).text(at) == text


@given(
    start=INSTANTS,
    zone=ZONES,
    step_ms=st.integers(1, 5_000_000),
)
def test_long_runs_are_written_like_single_instants(
    start: datetime, zone: ZoneInfo, step_ms: int
) -> None:
    fast = LocalText(zone)

    for k in range(50):
        at = start + timedelta(milliseconds=k * step_ms)
        assert fast.text(at) == local_text(at, zone)
        assert fast.day_name(at) == day_name(site_day(at, zone))


def test_run_over_a_clock_change_shows_both_offsets() -> None:
    fast = LocalText(MADRID)
    start = datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC)

    got = [fast.text(start + timedelta(seconds=2 * k)) for k in range(2)]

    assert got == ["2026-10-25T02:59:58+02:00", "2026-10-25T02:00:00+01:00"]


def test_fractions_are_whole_milliseconds_or_absent() -> None:
    at = datetime(2026, 6, 1, 10, 0, 0, tzinfo=UTC)

    assert local_text(at, MADRID) == "2026-06-01T12:00:00+02:00"
    assert local_text(at.replace(microsecond=100_000), MADRID) == "2026-06-01T12:00:00.100+02:00"
    assert local_text(at.replace(microsecond=99_999), MADRID) == "2026-06-01T12:00:00.100+02:00"
    assert local_text(at.replace(microsecond=400), MADRID) == "2026-06-01T12:00:00+02:00"


@given(at=INSTANTS, zone=ZONES)
def test_site_time_resolves_to_its_instant_or_is_refused(at: datetime, zone: ZoneInfo) -> None:
    local = at.astimezone(zone)
    folds = {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}

    if len(folds) == 1:
        assert resolve_local(local.replace(tzinfo=None), zone) == at
    else:
        with pytest.raises(InvalidInput, match="exists twice"):
            resolve_local(local.replace(tzinfo=None), zone)


def test_skipped_site_time_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        resolve_local(datetime(2026, 3, 29, 2, 30), MADRID)  # noqa: DTZ001 - naive on purpose


def test_day_name_is_the_date_without_dashes() -> None:
    assert day_name(date(2026, 1, 9)) == "20260109"
