"""Each flaw of a recording is named with its line and what to do."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dense_day import HEADER, ZONE, dense_day
from hil.domain.errors import HilError
from hil.history.recording_lines import split_lines
from hil.history.verify import TOLD_MAX, flaws_in

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 3, 22, tzinfo=UTC)
VALUES = "1,1,0,0,0.5,1,0,20"
NOTHING = ",,,,,,,"


def row(time: str, values: str = VALUES) -> str:
    return f"2026-05-04T{time}+02:00,{values}\n"


def found(*rows: str, header: str = HEADER.decode(), day: date | None = DAY) -> list[str]:
    data = (header + "".join(rows)).encode()
    flaws = flaws_in(data, day=day, zone=ZONE, max_gap_s=360, is_over=True)
    return [f"{flaw.line} {flaw.kind}" for flaw in flaws]


def closed(*rows: str) -> list[str]:
    """A session of these rows, with its boundaries."""
    return [row("09:59:58", NOTHING), *rows, row("23:59:58", NOTHING)]


def test_a_whole_day_is_sound() -> None:
    data = dense_day(START, rows=43_200)

    assert flaws_in(data, day=DAY, zone=ZONE, max_gap_s=360, is_over=True) == []
    marked = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    assert flaws_in(marked, day=DAY, zone=ZONE, max_gap_s=360, is_over=True) == []


def test_a_day_of_a_clock_change_is_sound() -> None:
    data = dense_day(datetime(2025, 10, 25, 22, tzinfo=UTC), rows=45_000)

    assert flaws_in(data, day=date(2025, 10, 26), zone=ZONE, max_gap_s=360, is_over=True) == []


@pytest.mark.parametrize(
    ("rows", "flaws"),
    [
        ([row("10:00:00"), "\n"], ["4 blank"]),
        ([row("10:00:00"), row("10:00:02", "1,1,0")], ["4 cells"]),
        ([row("10:00:00"), row("10:00:02", "1,1,0,0,0.5,\0\0\0,0,20")], ["4 nul"]),
        ([row("10:00:00"), "\0" * 40 + "\n"], ["4 nul"]),
        ([row("10:00:00"), row("10:00:02", "x,1,0,0,0.5,1,nan,20")], ["4 number", "4 number"]),
        ([row("10:00:00", "0.30000000000000004,1e-3,0,0,0.5,1,0,20")], ["3 form", "3 form"]),
        ([f"2026-05-04 10:00,{VALUES}\n"], ["3 time"]),
        ([f"soon,{VALUES}\n"], ["3 time"]),
        ([f"20260504T100000+0200,{VALUES}\n"], ["3 time"]),
        ([f"2026-02-30T10:00:00+02:00,{VALUES}\n"], ["3 time"]),
        ([f"0001-01-01T00:00:00+02:00,{VALUES}\n"], ["3 time"]),
        ([f"2026-05-04 10:00:00.500+02:00,{VALUES}\n"], []),
        ([f"2026-05-04T08:00:00Z,{VALUES}\n"], []),
        ([row("10:00:02"), row("10:00:00")], ["4 order"]),
        ([row("10:00:02"), row("10:00:02")], ["4 twice"]),
        ([row("10:00:02"), row("10:06:03")], ["4 gap"]),
        ([row("10:00:02"), row("10:06:02")], []),
        ([row("10:00:02"), row("10:00:04", NOTHING), row("12:00:00")], []),
        ([row("10:00:02"), row("10:00:02", NOTHING)], []),
    ],
)
def test_each_flaw_of_a_row_is_named(rows: list[str], flaws: list[str]) -> None:
    assert found(*closed(*rows)) == flaws


def test_a_row_of_another_day_is_named() -> None:
    assert found(row("00:00:00"), f"2026-05-05T00:00:00+02:00,{NOTHING}\n") == ["3 day"]
    assert found(row("00:00:00"), f"2026-05-05T00:00:00+02:00,{NOTHING}\n", day=None) == []


def test_sessions_that_begin_or_end_open_are_named() -> None:
    assert found(row("10:00:00")) == ["2 open", "2 open"]
    assert found(row("00:05:00"), row("00:05:02", NOTHING)) == []
    assert found(row("23:55:00", NOTHING), row("23:55:02")) == []


def test_a_part_of_a_row_at_the_end_is_named() -> None:
    assert found(*closed(), "2026-05-04T23:59") == ["4 cut"]


@pytest.mark.parametrize(
    ("header", "flaws"),
    [
        ("", ["1 header"]),
        ("time,a\n", ["1 header", "1 header"]),
        (HEADER.decode().replace("soc_pu", "p_poi_kw"), ["1 header", "1 header"]),
        (HEADER.decode().replace("v_poi_kV", "v_poi_pu"), []),
        (HEADER.decode().strip() + ",temperature\n", []),
    ],
)
def test_flaws_of_the_columns_are_named(header: str, flaws: list[str]) -> None:
    assert found(header=header) == flaws


def test_of_many_flaws_of_a_kind_the_first_are_told_and_the_rest_counted() -> None:
    noisy = [row(f"10:00:{second:02d}", "0.1000000000001,,,,,,,") for second in range(40)]

    data = (HEADER.decode() + "".join(closed(*noisy))).encode()
    flaws = flaws_in(data, day=DAY, zone=ZONE, max_gap_s=360, is_over=True)

    assert [flaw.line for flaw in flaws] == [*range(3, 3 + TOLD_MAX)]
    assert "and 35 more lines like it; nothing" in str(flaws[-1])


SMALL = dense_day(START, rows=12)
pieces = st.sampled_from(
    [b"", b"\0", b"\n", b"\r", b",", b"x", b"9", b"\xff", b"1e5", b" ", b"\n\n"]
)
damages = st.lists(
    st.tuples(st.integers(0, len(SMALL)), st.integers(0, 30), pieces), min_size=1, max_size=3
)


@settings(max_examples=400, deadline=None)
@given(damages)
def test_what_is_called_sound_can_be_read_whole(damage: list[tuple[int, int, bytes]]) -> None:
    data = SMALL
    for at, length, piece in damage:
        data = data[:at] + piece + data[at + length :]

    flaws = flaws_in(data, day=None, zone=ZONE, max_gap_s=1e9, is_over=True)
    try:
        lines = split_lines(data)
    except HilError:
        assert flaws
        return
    assert lines.frame.height == len(lines.lines)
    if not flaws:
        assert b"".join([lines.head, *lines.lines]) == data
