"""Daily files of every kind as columns: ours, the predecessor's, damaged ones."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hil.domain.signals import COLUMNS
from hil.history.read import read_day, rows_of

HEADER = "timestamp," + ",".join(COLUMNS)
ROW = "2026-01-15T12:00:0{}+01:00,{},1,2,3,0.5,4,5,20.1"
EMPTY = ",,,,,,,,"


def content(*lines: str, header: str = HEADER) -> bytes:
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


def test_rows_are_columns_in_utc_and_a_boundary_is_null_in_all(tmp_path: Path) -> None:
    path = tmp_path / "20260115_lib.csv"
    path.write_bytes(
        content(f"2026-01-15T11:59:58+01:00{EMPTY}", "2026-01-15T12:00:00.500+01:00,1.5,,,,,,,20")
    )

    day = read_day(path, v_nominal_kv=20.0)

    assert day.left_out == 0
    assert day.frame.columns == ["time", *COLUMNS]
    assert day.frame["time"].to_list() == [
        datetime(2026, 1, 15, 10, 59, 58, tzinfo=UTC),
        datetime(2026, 1, 15, 11, 0, 0, 500_000, tzinfo=UTC),
    ]
    assert day.frame.row(0)[1:] == (None,) * len(COLUMNS)
    assert day.frame.row(1)[1:] == (1.5, *(None,) * 6, 20.0)


def test_extra_signals_follow_and_missing_ones_are_not_known() -> None:
    day = rows_of(
        content("2026-01-15T12:00:00Z,20.5,0.25", header="timestamp,cell_temp,soc_pu"),
        v_nominal_kv=None,
    )

    assert day.frame.columns == ["time", *COLUMNS, "cell_temp"]
    assert day.frame["cell_temp"].to_list() == [20.5]
    assert day.frame["soc_pu"].to_list() == [0.25]
    assert day.frame["p_poi_kw"].to_list() == [None]


def test_voltage_of_the_predecessor_is_made_kilovolts() -> None:
    header = HEADER.replace("v_poi_kV", "v_poi_pu")
    lines = content("2026-01-15 12:00:00+01:00,,,,,,,,1.0049999999999999", header=header)

    assert rows_of(lines, v_nominal_kv=20.0).frame["v_poi_kV"].to_list() == [20.1]
    unknown = rows_of(lines, v_nominal_kv=None).frame
    assert unknown["v_poi_kV"].to_list() == [None]
    assert "v_poi_pu" not in unknown.columns


def test_noise_of_floats_and_what_is_no_number_are_taken_off() -> None:
    day = rows_of(
        content("2026-01-15T12:00:00Z,0.30000000000000004,nan,-0.0,inf,1e-3,,,"), v_nominal_kv=None
    )

    assert day.frame.row(0)[1:6] == (0.3, None, 0.0, None, 0.001)


@pytest.mark.parametrize(
    "damaged",
    [
        ROW.format(2, 7)[:40],  # cut off, the next row behind it
        ROW.format(2, 7) + ",9",
        "2026-01-15T12:00:02+01:00,7",
        "\0\0\0\0",
        ROW.format(2, "7\0"),
        ROW.format(2, "1.2.3"),
        ROW.format(2, "seven"),
        ROW.format(2, "7").replace("T12", "T25"),
        "no row at all",
        "\xff\xfe",
    ],
)
def test_damaged_line_is_left_out_and_counted(damaged: str) -> None:
    lines = content(ROW.format(0, 1), damaged, "", ROW.format(4, 2))

    day = rows_of(lines, v_nominal_kv=None)

    assert day.left_out == 1
    assert day.frame["p_setpoint_kw"].to_list() == [1.0, 2.0]


def test_tail_without_a_newline_is_left_out() -> None:
    day = rows_of(content(ROW.format(0, 1)) + b"2026-01-15T12:00:02+01:00,7", v_nominal_kv=None)

    assert (day.frame.height, day.left_out) == (1, 1)


def test_both_sides_of_a_clock_change_are_put_in_the_order_of_utc() -> None:
    day = rows_of(
        content(
            "2026-10-25T02:00:00+01:00,3,,,,,,,",
            "2026-10-25T02:30:00+02:00,1,,,,,,,",
            "2026-10-25T02:59:58+02:00,2,,,,,,,",
        ),
        v_nominal_kv=None,
    )

    assert day.frame["p_setpoint_kw"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("data", "left_out"),
    [
        (b"", 0),
        (b"timestamp,soc_pu\n", 0),
        (b"\xef\xbb\xbftimestamp,soc_pu\r\n2026-01-15T12:00:00Z,\r\n", 0),
        (b"time,soc_pu\n2026-01-15T12:00:00Z,1\n", 1),
        (b"timestamp,soc_pu,soc_pu\n2026-01-15T12:00:00Z,1,1\n", 1),
        (b"\0\0\0\0", 0),
    ],
)
def test_file_without_rows_has_the_columns(data: bytes, left_out: int) -> None:
    day = rows_of(data, v_nominal_kv=None)

    assert day.left_out == left_out
    assert day.frame.columns == ["time", *COLUMNS]
    assert day.frame["soc_pu"].drop_nulls().to_list() == []
