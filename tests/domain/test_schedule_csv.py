"""Schedule files: what is accepted, and how what is not is named."""

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain import schedule_csv
from hil.domain.errors import InvalidInput
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.schedule_csv import ScheduleUpdate, parse_schedule_csv

MADRID = ZoneInfo("Europe/Madrid")
START = datetime(2026, 6, 1, 10, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def parsed(
    text: str | bytes, *, start: datetime | None = None, signal: Signal = Signal.P
) -> ScheduleUpdate:
    data = text if isinstance(text, bytes) else text.encode()
    return parse_schedule_csv(data, zone=MADRID, start=start, signal=signal)


def refused(
    text: str | bytes, *, start: datetime | None = None
) -> tuple[str, list[tuple[int | None, str, str]]]:
    with pytest.raises(InvalidInput) as caught:
        parsed(text, start=start)
    problems = [(problem.line, problem.where, problem.why) for problem in caught.value.problems]
    return str(caught.value).splitlines()[0], problems


def test_time_form_sets_the_signals_it_names() -> None:
    got = parsed("time,p_kw,q_kvar\n2026-06-01T12:00:00+02:00,100,-5\n2026-06-01T10:00:30Z,0,0.5\n")

    times = (START, START + timedelta(seconds=30))
    assert got == ScheduleUpdate(p=Series(times, (100.0, 0.0)), q=Series(times, (-5.0, 0.5)))


@pytest.mark.parametrize(
    "text",
    [
        "time,p_kw\n2026-06-01T12:00,1.5\n2026-06-01T12:01,-2\n",
        "datetime,power_setpoint_kw\n2026-06-01T12:00:00+02:00,1.5\n2026-06-01T12:01:00,-2\n",
        "time;p_kw\r\n2026-06-01 12:00;1,5\r\n2026-06-01 12:01;-2\r\n",
        "\ufefftime\tp_kw\n2026-06-01T12:00\t1,5\n2026-06-01T12:01\t-2",
        "p_kw,time\n1.5,2026-06-01T12:00\n-2,2026-06-01T12:01\n",
        "Time , P_kW\n2026-06-01T12:00 , 1.5 \n2026-06-01T12:01 , \N{MINUS SIGN}2\n",
        '"time","p_kw"\n"2026-06-01T12:00","1.5"\n"2026-06-01T12:01","-2"\n',
        "time,p_kw\n2026-06-01T12:01,-2\n2026-06-01T12:00,1.5\n",
        "time,p_kw,\n2026-06-01T12:00,1.5,\n2026-06-01T12:01,-2,\n,,\n\n  \n",
        "\ntime,p_kw\r2026-06-01T12:00,1.5\r2026-06-01T12:01,-2\r",
        "time,p_kw\n2026-06-01t10:00z,15e-1\n2026-06-01T15:31+0530,-2.\n",
    ],
)
def test_any_spelling_of_the_same_rows_is_the_same_schedule(text: str) -> None:
    got = parsed(text)

    assert got == ScheduleUpdate(p=Series((START, START + timedelta(minutes=1)), (1.5, -2.0)))


def test_minus_zero_is_zero() -> None:
    got = parsed("time,p_kw\n2026-06-01T12:00,-0.0\n")

    assert got.p is not None
    assert str(got.p.values[0]) == "0.0"


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("25/06/2026 02:30", "2026-06-25"),
        ("06/25/2026 2:30", "2026-06-25"),
        ("25.06.2026 02:30:00", "2026-06-25"),
        ("06-06-2026 02:30", "2026-06-06"),
    ],
)
def test_date_that_reads_one_way_only_is_accepted(cell: str, day: str) -> None:
    got = parsed(f"time;p_kw\n{cell};1\n")

    assert got.p is not None
    assert got.p.times == (at(f"{day}T02:30:00+02:00"),)


def test_date_that_reads_two_ways_names_both() -> None:
    first, problems = refused("time;p_kw\n25/10/2026 12:00;1\n05/11/2026 12:00;1\n")

    assert first == "1 of 2 rows is wrong"
    assert problems == [
        (3, "column time", "'05/11/2026 12:00' may be 2026-11-05 or 2026-05-11; write which")
    ]


def test_site_time_at_a_clock_change_is_refused_without_an_offset() -> None:
    _, problems = refused(
        "time,p_kw\n2026-03-29T02:30,1\n2026-10-25T02:30,1\n25/10/2026 02:30,1\n"
        "2026-10-25T03:00,1\n"
    )

    assert [(line, where) for line, where, _ in problems] == [
        (2, "column time"),
        (3, "column time"),
        (4, "column time"),
    ]
    assert "does not exist in Europe/Madrid" in problems[0][2]
    assert (
        "exists twice in Europe/Madrid; write 2026-10-25T02:30:00+02:00 or "
        "2026-10-25T02:30:00+01:00" in problems[1][2]
    )


def test_both_halves_of_the_repeated_hour_can_be_given_with_offsets() -> None:
    got = parsed("time,p_kw\n2026-10-25T02:30+02:00,1\n2026-10-25T02:30+01:00,2\n")

    assert got.p is not None
    assert got.p.times[1] - got.p.times[0] == timedelta(hours=1)


def test_every_bad_row_is_named_by_line_and_by_the_column_of_the_file() -> None:
    first, problems = refused(
        "datetime,power_setpoint_kw,q_kvar\n"
        "2026-06-01T12:00Z,1,2\n"
        "yesterday,abc,2\n"
        "\n"
        "2026-06-01T12:00+00:00,nan,\n"
        "2026-13-01T12:00Z,inf,1e999\n"
        "2026-06-01T13:00Z,1_000,1 000\n"
        '2026-06-01T14:00Z,"1,234.5",1,5\n'
        '2026-06-01T15:00Z,"1\n'
        "2026-06-01T16:00Z,\N{FULLWIDTH DIGIT ONE},2\n"
        "1066-06-01T16:00Z,1\n"
    )

    assert first == "8 of 9 rows are wrong"
    assert [(line, where) for line, where, _ in problems] == [
        (3, "column datetime"),
        (3, "column power_setpoint_kw"),
        (5, "column power_setpoint_kw"),
        (5, "column q_kvar"),
        (5, "column datetime"),
        (6, "column datetime"),
        (6, "column power_setpoint_kw"),
        (6, "column q_kvar"),
        (7, "column power_setpoint_kw"),
        (7, "column q_kvar"),
        (8, "row"),
        (9, "row"),
        (10, "column power_setpoint_kw"),
        (11, "column datetime"),
        (11, "column q_kvar"),
    ]
    whys = [why for _, _, why in problems]
    assert whys[3] == "is empty; write 0 for a setpoint of zero"
    assert whys[4] == "the same instant as line 2"
    assert "not a finite number" in whys[2]
    assert "thousands separators" in whys[9]
    assert "needs ; or a tab" in whys[10]
    assert "quotes do not match" in whys[11]


def test_decimal_marks_that_change_within_a_file_are_refused() -> None:
    _, problems = refused("time;p_kw\n2026-06-01T12:00Z;900.5\n2026-06-01T13:00Z;1,500\n")

    assert [(line, where) for line, where, _ in problems] == [(3, "column p_kw")]
    assert "line 2 has '.'" in problems[0][2]


def test_quoted_decimal_comma_between_commas_is_refused() -> None:
    _, problems = refused('time,p_kw\n2026-06-01T12:00Z,"1,5"\n')

    assert problems[0][:2] == (2, "column p_kw")


def test_long_cell_is_shortened_in_the_message() -> None:
    _, problems = refused(f"time,p_kw\n2026-06-01T12:00Z,{'x' * 5000}\n")

    assert len(problems[0][2]) < 100


@pytest.mark.parametrize(
    ("header", "wheres"),
    [
        ("time,p", ["column p", "column p_kw"]),
        ("time,power_kw", ["column power_kw", "column p_kw"]),
        ("time,datetime,p_kw", ["column datetime"]),
        ("time,,p_kw", ["column (empty)"]),
        ("p_kw", ["column time"]),
        ("hours,minutes,setpoint", ["column seconds"]),
        ("hours,minutes,seconds,p_kw", ["column hours, minutes, seconds"]),
        ("2026-06-01T12:00Z;1", ["column 2026-06-01T12:00Z", "column 1", "column p_kw"]),
    ],
)
def test_header_that_is_neither_form_is_refused(header: str, wheres: list[str]) -> None:
    first, problems = refused(f"{header}\n1,2,3,4\n", start=START)

    assert "`time,p_kw[,q_kvar]` or `hours,minutes,seconds,setpoint`" in first
    assert [where for _, where, _ in problems][: len(wheres)] == wheres
    assert {line for line, _, _ in problems} == {1}


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"time,p_kw", b"time,p_kw\n,\n"])
def test_file_without_rows_is_refused(data: bytes) -> None:
    first, problems = refused(data)

    assert "empty" in first or "no rows" in first
    assert problems == []


def test_other_encoding_is_refused_with_its_line() -> None:
    first, problems = refused(b"time,p_kw\n2026-06-01T12:00,1\n2026-06-01T12:01,\xb5\n")

    assert "UTF-8" in first
    assert problems == [(3, "row", "byte 0xb5")]


def test_size_is_bounded() -> None:
    row = b"2026-06-01T12:00,1\n"
    too_many = b"time,p_kw\n" + row * (schedule_csv.MAX_ROWS + 1)

    assert "rows" in refused(too_many)[0]
    assert "bytes" in refused(b" " * (schedule_csv.MAX_BYTES + 1))[0]


def test_hours_form_counts_from_the_start_and_ends() -> None:
    got = parsed(
        "hours,minutes,seconds,setpoint\n0,0,0,10\n0,0,30,20.5\n1,90,0,end\n",
        start=START,
        signal=Signal.Q,
    )

    times = (START, START + timedelta(seconds=30), START + timedelta(hours=2.5))
    assert got == ScheduleUpdate(q=Series(times, (10.0, 20.5, None)), is_relative=True)


def test_hours_form_counts_elapsed_time_over_a_clock_change() -> None:
    midnight = datetime(2026, 10, 25, tzinfo=MADRID)

    got = parsed("hours,minutes,seconds,setpoint\n24,0,0,1\n", start=midnight)

    assert got.p is not None
    assert got.p.times == (at("2026-10-25T23:00:00+01:00"),)


def test_hours_form_without_a_start_is_refused() -> None:
    assert "give the start" in refused("hours,minutes,seconds,setpoint\n0,0,0,1\n")[0]


def test_bad_rows_of_the_hours_form_are_named() -> None:
    first, problems = refused(
        "setpoint;hours;minutes;seconds\n"
        "1;0;0;0\n"
        "2;-1;0;0\n"
        "end;1;0;0\n"
        "3;;x;0\n"
        "4;0;60;0\n"
        "5;2;0;0\n"
        "6;1e9;0;0\n"
        "stop;3;0;0\n",
        start=START,
    )

    assert first == "6 of 8 rows are wrong"
    assert [(line, where) for line, where, _ in problems] == [
        (3, "column hours"),
        (4, "column setpoint"),
        (5, "column hours"),
        (5, "column minutes"),
        (6, "column hours, minutes, seconds"),
        (8, "column hours"),
        (9, "column setpoint"),
    ]
    assert problems[4][2] == "the same instant as line 4"


def test_end_alone_is_refused() -> None:
    _, problems = refused("hours,minutes,seconds,setpoint\n0,0,0,end\n", start=START)

    assert problems == [(2, "column setpoint", "the end of a schedule that has no setpoint")]


def test_signal_that_a_file_does_not_speak_of_keeps_its_points() -> None:
    old = Schedule(p=Series((START,), (1.0,)), q=Series((START,), (2.0,)))
    new = Series((START,), (3.0,))

    assert parsed("time,p_kw\n2026-06-01T10:00Z,3\n").applied_to(old) == Schedule(p=new, q=old.q)
    assert parsed("time,q_kvar\n2026-06-01T10:00Z,3\n").applied_to(old) == Schedule(p=old.p, q=new)


INSTANTS = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis takes naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)
POWERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: value + 0.0)


@given(
    rows=st.dictionaries(INSTANTS, st.tuples(POWERS, POWERS), min_size=1, max_size=20),
    separator=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    zone=st.sampled_from([UTC, MADRID, ZoneInfo("Asia/Kathmandu")]),
    swapped=st.booleans(),
)
def test_what_was_written_is_read_back(
    *,
    rows: dict[datetime, tuple[float, float]],
    separator: str,
    comma: bool,
    newline: str,
    bom: bool,
    zone: ZoneInfo,
    swapped: bool,
) -> None:
    def number(value: float) -> str:
        return repr(value).replace(".", "," if comma and separator != "," else ".")

    table = [["time", "p_kw", "q_kvar"]]
    table += [
        [time.astimezone(zone).isoformat(), number(p), number(q)] for time, (p, q) in rows.items()
    ]
    if swapped:
        table = [row[::-1] for row in table]
    text = newline.join(separator.join(row) for row in table)

    got = parsed(("\ufeff" if bom else "") + text)

    times = tuple(sorted(rows))
    assert got == ScheduleUpdate(
        p=Series(times, tuple(rows[time][0] for time in times)),
        q=Series(times, tuple(rows[time][1] for time in times)),
    )


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_schedule_or_a_named_refusal(data: bytes) -> None:
    for prefix in (b"", b"time;p_kw\n", b"hours,minutes,seconds,setpoint\n"):
        with contextlib.suppress(InvalidInput):
            parse_schedule_csv(prefix + data, zone=MADRID, start=START)


def test_power_has_a_bound_far_beyond_any_plant() -> None:
    _, problems = refused("time,p_kw\n2026-06-01T12:00,1e7\n2026-06-01T13:00,-1e300\n")
    _, offsets = refused("hours,minutes,seconds,setpoint\n0,0,0,10000001\n", start=START)

    assert problems == [(3, "column p_kw", "-1e+300 is not from -10000000 to 10000000")]
    assert offsets == [(2, "column setpoint", "10000001 is not from -10000000 to 10000000")]


def test_day_first_and_month_first_in_one_file_are_refused() -> None:
    times = ("01/01/2026 12:00", "12/25/2026 12:00", "2027-01-01T12:00", "13/01/2027 12:00")
    _, [problem] = refused("time,p_kw\n" + "".join(f"{time},1\n" for time in times))

    assert problem[:2] == (5, "column time")
    assert problem[2] == (
        "'13/01/2027 12:00' has the day first, line 3 has the month first;"
        " write dates such as 2026-10-25"
    )
