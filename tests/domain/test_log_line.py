"""A log line: written and read again, whatever is in it; which files must go."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.log_line import (
    TEXT_MAX,
    LogLevel,
    LogLine,
    escaped,
    level_of,
    line_text,
    log_day,
    log_file_name,
    parse_line,
    superfluous,
    unescaped,
)
from hil.domain.site_day import LocalText

MADRID = ZoneInfo("Europe/Madrid")
DAY = date(2026, 1, 15)
INSTANTS = st.integers(0, 4_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
AWKWARD = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from("\\nrtxu0aA\n\r\x1b\u2028\u202e ")
    )
)


@given(at=INSTANTS, level=st.sampled_from(LogLevel), text=AWKWARD)
def test_a_line_says_what_was_logged(at: datetime, level: LogLevel, text: str) -> None:
    line = line_text(LocalText(MADRID).text(at), level, text)

    assert line.isprintable()
    assert parse_line(line) == LogLine(time=at, level=level, text=text)


@given(AWKWARD)
def test_escaped_text_is_one_printable_line_and_comes_back(text: str) -> None:
    assert escaped(text).isprintable()
    assert unescaped(escaped(text)) == text


@given(st.text(st.sampled_from("\\nrtxuUdDfF0189 ")))
def test_what_others_wrote_is_text_that_can_be_sent(text: str) -> None:
    parse_line(text).text.encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines", r"two\nlines"),
        ("forged\r2026-01-15T12:00:00Z ERROR x", r"forged\r2026-01-15T12:00:00Z ERROR x"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("right\u202eleft", r"right\u202eleft"),
        ("C:\\new", r"C:\\new"),
        ("half \ud800", r"half \ud800"),
        ("μ ±5 °C 電", "μ ±5 °C 電"),
    ],
)
def test_what_forges_or_hides_a_line_is_spelled_out(text: str, line: str) -> None:
    assert escaped(text) == line


def test_half_a_surrogate_pair_stays_spelled_out() -> None:
    assert unescaped(escaped("half \ud800")) == r"half \ud800"


@pytest.mark.parametrize(
    "line",
    ["", "garbage", "2026-01-15T12:00:00 INFO no offset", "2026-01-15T12:00:00Z LOUD x",
     "2026-01-15T12:00:00Z INFO"],
)  # fmt: skip
def test_what_is_no_record_is_only_text(line: str) -> None:
    assert parse_line(line) == LogLine(time=None, level=None, text=line)


def test_a_very_long_text_is_cut_and_says_so() -> None:
    line = line_text("T", LogLevel.INFO, "x" * (TEXT_MAX + 5))

    assert line.endswith(f"x .. (cut: {TEXT_MAX + 5} characters)")


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (0, "DEBUG"),
        (10, "DEBUG"),
        (25, "INFO"),
        (30, "WARNING"),
        (50, "CRITICAL"),
        (99, "CRITICAL"),
    ],
)
def test_a_number_between_levels_is_the_lower_one(number: int, level: str) -> None:
    assert level_of(number) == level


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_a_file_is_named_after_its_day(day: date) -> None:
    assert log_day(log_file_name(day)) == day


@pytest.mark.parametrize(
    "name",
    ["2026-13-01_hil_scheduler.log", "2026-01-15_hil_scheduler.log.gz", "20260115_lib.csv",
     "x2026-01-15_hil_scheduler.log", "2026-01-15_hil_scheduler.log\n", "hil.sqlite"],
)  # fmt: skip
def test_other_names_are_not_ours(name: str) -> None:
    assert log_day(name) is None


def gone(sizes: dict[int, int], *, retention_days: int = 30, bytes_max: int = 10**9) -> list[int]:
    """The ages in days of the files that must go, from sizes by age."""
    days = {DAY - timedelta(days=age): size for age, size in sizes.items()}
    found = superfluous(days, today=DAY, retention_days=retention_days, bytes_max=bytes_max)
    return [(DAY - day).days for day, _ in found]


def test_files_older_than_the_retention_go() -> None:
    assert gone({0: 1, 1: 1, 2: 1, 3: 1, 9: 1}, retention_days=2) == [9, 3]


def test_the_oldest_go_until_the_rest_is_small_enough() -> None:
    assert gone({0: 40, 1: 30, 2: 30, 3: 30}, bytes_max=100) == [3]
    assert gone({0: 40, 1: 30, 2: 30, 3: 30}, bytes_max=99) == [3, 2]


def test_todays_file_stays_however_large() -> None:
    assert gone({0: 1000, 1: 1}, bytes_max=10) == [1]


@given(
    st.dictionaries(st.integers(-5, 400), st.integers(0, 100)),
    st.integers(1, 36500),
    st.integers(0, 1000),
)
def test_what_stays_is_within_both_bounds(
    sizes: dict[int, int], retention_days: int, bytes_max: int
) -> None:
    went = gone(sizes, retention_days=retention_days, bytes_max=bytes_max)
    left = {age: size for age, size in sizes.items() if age not in went}

    assert 0 not in went
    assert all(age <= retention_days for age in left)
    assert sum(left.values()) <= bytes_max or left.keys() <= {0}
    assert went == sorted(went, reverse=True)


def test_a_clock_at_the_beginning_of_the_calendar_removes_nothing() -> None:
    assert not list(superfluous({DAY: 5}, today=date(1, 1, 3), retention_days=30, bytes_max=1000))
