"""Recordings on a real disk: whole rows, once each, in the right file, whatever happens."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.adapters.csv_recordings import CsvRecordings
from hil.domain.plant import PlantId
from hil.domain.recording_file import number_text
from hil.domain.signals import Row
from hil.ports import RowSink

MADRID = ZoneInfo("Europe/Madrid")
LIB, VRFB = PlantId("lib"), PlantId("vrfb")
START = datetime(2026, 6, 1, 10, tzinfo=UTC)
HEADER = (
    "timestamp,p_setpoint_kw,battery_active_power_kw,q_setpoint_kvar,battery_reactive_power_kvar,"
    "soc_pu,p_poi_kw,q_poi_kvar,v_poi_kV\n"
)
NAME = "20260601_lib.csv"


def row(second: float, soc_pu: float | None = 0.5, *more: float | None) -> Row:
    values = (100.0, 99.9, 0.0, -0.0, soc_pu, 99.9, None, 20.001, *more)
    return Row(START + timedelta(seconds=second), values)


def boundary(second: float) -> Row:
    return Row(START + timedelta(seconds=second), None)


def line(second: int, soc: str = "0.5") -> str:
    return f"2026-06-01T12:00:{second:02d}+02:00,100,99.9,0,0,{soc},99.9,,20.001\n"


def gap(second: int) -> str:
    return f"2026-06-01T12:00:{second:02d}+02:00,,,,,,,,\n"


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writes beyond this size are cut off and fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def rows_by_file(directory: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().splitlines()) - 1 for path in directory.iterdir()}


async def recorded(
    directory: Path, *batches: list[Row], extra: tuple[str, ...] = (), plant: PlantId = LIB
) -> None:
    sink: RowSink = CsvRecordings(directory, zone=MADRID, columns_extra={plant: extra})
    for batch in batches:
        await sink.append({plant: batch})
    await sink.close()


async def test_rows_stand_below_the_header_as_the_contract_spells_them(tmp_path: Path) -> None:
    await recorded(tmp_path / "new" / "data", [boundary(0), row(2), row(4, None)], [boundary(6)])

    text = (tmp_path / "new" / "data" / NAME).read_bytes().decode()
    assert text == HEADER + gap(0) + line(2) + line(4, "") + gap(6)


async def test_extra_signals_follow_the_others(tmp_path: Path) -> None:
    await recorded(tmp_path, [row(0, 0.5, 7.0), boundary(2)], extra=("t_cell",))

    lines = (tmp_path / NAME).read_text().splitlines()
    assert lines[0] == HEADER.strip() + ",t_cell"
    assert lines[1].endswith(",20.001,7")
    assert lines[2].count(",") == lines[0].count(",")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (0.1 + 0.2, "0.3"),
        (100.0, "100"),
        (-0.0, "0"),
        (-1e-12, "0"),
        (1e-5, "0.00001"),
        (123456789012.0, "123456789012"),
        (1e22, "10000000000000000000000"),
        (-2553.6, "-2553.6"),
        (float("nan"), ""),
        (float("-inf"), ""),
        (None, ""),
    ],
)
async def test_numbers_have_no_noise(tmp_path: Path, value: float | None, cell: str) -> None:
    await recorded(tmp_path, [row(0, 0.5, value)], extra=("x",))

    assert (tmp_path / NAME).read_text().splitlines()[1].split(",")[-1] == cell


@given(value=st.floats(-1e12, 1e12))
def test_numbers_are_read_back_to_the_nano(value: float) -> None:
    assert float(number_text(value)) == pytest.approx(value, abs=1e-9, rel=1e-15)


async def test_rows_go_to_the_file_of_their_site_day(tmp_path: Path) -> None:
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    rows = [Row(midnight + timedelta(hours=h), row(0).values) for h in (-1, 0, 24, 25)]
    await recorded(tmp_path, rows)

    assert rows_by_file(tmp_path) == {
        "20261024_lib.csv": 1,
        "20261025_lib.csv": 2,
        "20261026_lib.csv": 1,
    }
    sink = CsvRecordings(tmp_path, zone=MADRID)
    assert sink.file_name(LIB, midnight) == "20261025_lib.csv"
    await sink.close()


async def test_next_run_adds_to_the_day_and_merges_the_boundary(tmp_path: Path) -> None:
    await recorded(tmp_path, [boundary(0), row(2), boundary(4)])
    await recorded(tmp_path, [boundary(4), row(6)], [boundary(8)], [boundary(8), row(10)])

    text = (tmp_path / NAME).read_text()
    assert text == HEADER + gap(0) + line(2) + gap(4) + line(6) + gap(8) + line(10)


async def test_row_at_the_time_of_a_boundary_is_not_lost(tmp_path: Path) -> None:
    await recorded(tmp_path, [row(0), boundary(2)], [boundary(0), row(2)])

    assert (tmp_path / NAME).read_text() == HEADER + line(0) + gap(2) + line(2)


@pytest.mark.parametrize(
    "tail", [b"2026-06-01T12:00:04+02:00,100,9", b"2", b"\0" * 100_000, b"x" * 70_000]
)
async def test_part_of_a_row_is_cut_off_and_set_aside(
    tmp_path: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await recorded(tmp_path, [row(2)])
    for n in (1, 2):
        with (tmp_path / NAME).open("ab") as file:
            file.write(tail)
        await recorded(tmp_path, [row(4 * n)])
        assert (tmp_path / f"{NAME}.damaged-{n}").read_bytes() == tail

    assert (tmp_path / NAME).read_text() == HEADER + line(2) + line(4) + line(8)
    assert caplog.text.count("ended within a row") == 2


async def test_part_of_a_header_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"timestamp,p_set")

    await recorded(tmp_path, [row(2)])

    assert (tmp_path / NAME).read_text() == HEADER + line(2)


WRITER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo
from hil.adapters.csv_recordings import CsvRecordings
from hil.domain.signals import Row

async def write() -> None:
    sink = CsvRecordings(Path(sys.argv[1]), zone=ZoneInfo("Europe/Madrid"))
    start = datetime(2026, 6, 1, 10, tzinfo=UTC)
    for k in range(100_000):
        await sink.append({"lib": [Row(start + timedelta(milliseconds=k), (float(k),) * 8)]})
        print(k, flush=True)

asyncio.run(write())
"""


def acknowledged_by_a_killed_writer(directory: Path) -> int:
    """The number of the last row that a process said it had written before kill -9."""
    command = [sys.executable, "-c", WRITER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for said in writer.stdout:
            if int(said) >= 50:
                writer.kill()
                break
        rest = writer.stdout.read().split()
    return int(rest[-1] if rest else said)


@pytest.mark.real_time
async def test_kill_loses_no_acknowledged_row_and_leaves_whole_rows(tmp_path: Path) -> None:
    last = acknowledged_by_a_killed_writer(tmp_path)

    await recorded(tmp_path, [row(3_600)])

    rows = [text.split(",") for text in (tmp_path / NAME).read_text().splitlines()]
    assert {len(cells) for cells in rows} == {9}
    numbers = [int(cells[1]) for cells in rows[1:-1]]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > last


async def test_full_disk_leaves_whole_rows_and_a_retry_doubles_none(tmp_path: Path) -> None:
    sink = CsvRecordings(tmp_path, zone=MADRID)
    await sink.append({LIB: [row(0)], VRFB: [row(0)]})
    size = (tmp_path / NAME).stat().st_size
    batch = {LIB: [row(second) for second in range(2, 60, 2)], VRFB: [row(2)]}

    for room in (1, 100, 700):
        with file_size_limit(size + room), pytest.raises(OSError, match="large"):
            await sink.append(batch)
        assert (tmp_path / NAME).read_text() == HEADER + line(0)
    for _ in range(2):
        await sink.append(batch)
    await sink.close()

    expected = HEADER + "".join(line(second) for second in range(0, 60, 2))
    assert (tmp_path / NAME).read_text() == expected
    assert (tmp_path / "20260601_vrfb.csv").read_text() == HEADER + line(0) + line(2)


def block_with_folder(path: Path) -> Callable[[], None]:
    path.mkdir()
    return path.rmdir


def block_with_full_device(path: Path) -> Callable[[], None]:
    path.symlink_to("/dev/full")
    return path.unlink


@pytest.mark.parametrize("block", [block_with_folder, block_with_full_device])
async def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, block: Callable[[Path], Callable[[], None]]
) -> None:
    unblock = block(tmp_path / NAME)
    sink = CsvRecordings(tmp_path, zone=MADRID)
    for second in (0, 2):
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on the block
            await sink.append({LIB: [row(0), row(second)], VRFB: [row(second)]})
    unblock()
    await sink.append({LIB: [row(0), row(2)]})
    await sink.close()

    assert (tmp_path / NAME).read_text() == HEADER + line(0) + line(2)
    assert (tmp_path / "20260601_vrfb.csv").read_text() == HEADER + line(0) + line(2)


async def test_folder_that_is_a_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    sink = CsvRecordings(tmp_path / "data", zone=MADRID)

    with pytest.raises(OSError, match="data"):
        await sink.append({LIB: [row(0)]})
    await sink.close()


async def test_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    sink = CsvRecordings(tmp_path, zone=MADRID)
    await sink.append({LIB: [row(0)]})
    (tmp_path / NAME).rename(tmp_path / "moved.csv")
    await sink.append({LIB: [row(2)]})
    await sink.close()

    assert (tmp_path / "moved.csv").read_text() == HEADER + line(0)
    assert (tmp_path / NAME).read_text() == HEADER + line(2)


async def test_file_begun_with_other_extra_signals_keeps_its_columns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await recorded(tmp_path, [row(0, 0.5, 1.0, 2.0)], extra=("a", "b"))
    await recorded(tmp_path, [row(2, 0.5, 3.0, 4.0), boundary(4)], extra=("b", "c"))

    cells = [text.split(",")[9:] for text in (tmp_path / NAME).read_text().splitlines()]
    assert cells == [["a", "b"], ["1", "2"], ["", "3"], ["", ""]]
    assert "without columns c" in caplog.text


async def test_file_that_is_no_recording_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("something,else\n1,2\n")

    await recorded(tmp_path, [row(0)])

    assert (tmp_path / NAME).read_text() == HEADER + line(0)
    assert (tmp_path / f"{NAME}.damaged-1").read_text() == "something,else\n1,2\n"


async def newest_soc_pu(directory: Path, plant: PlantId = LIB) -> float | None:
    sink = CsvRecordings(directory, zone=MADRID)
    try:
        return await sink.newest_soc_pu(plant)
    finally:
        await sink.close()


async def test_newest_charge_is_the_last_one_that_is_known(tmp_path: Path) -> None:
    assert await newest_soc_pu(tmp_path / "missing") is None
    assert await newest_soc_pu(tmp_path) is None
    await recorded(tmp_path, [row(0, 0.25), row(2, 0.75), *(row(4 + k, None) for k in range(5000))])
    await recorded(tmp_path, [boundary(6000)])
    await recorded(tmp_path, [row(86_400, None)])
    await recorded(tmp_path, [row(172_800, 0.1)], plant=PlantId("second_lib"))
    with (tmp_path / NAME).open("a") as file:
        file.write("2026-06-01T23:00:00+02:00,1,1,1,1,0.9,1,1,1")

    assert await newest_soc_pu(tmp_path) == 0.75
    assert await newest_soc_pu(tmp_path, PlantId("second_lib")) == 0.1


async def test_newest_charge_skips_what_is_no_charge(tmp_path: Path) -> None:
    await recorded(tmp_path, [row(0, 0.25)])
    (tmp_path / "20260602_lib.csv").write_text("timestamp,soc_pu\nx,1.5\nx,nan\nx,y\nx\n")
    (tmp_path / "20260603_lib.csv").write_text("no,recording\n1,2\n")
    (tmp_path / "20260604_lib.csv").write_text("")
    (tmp_path / "20260605_lib.csv").mkdir()
    (tmp_path / "20260606_lib.csv.damaged-1").write_text("timestamp,soc_pu\nx,0.9\n")

    assert await newest_soc_pu(tmp_path) == 0.25


@pytest.mark.real_time
async def test_on_the_ordinary_loop_a_thread_writes(tmp_path: Path) -> None:
    await recorded(tmp_path, [row(0)], [row(2)])

    assert (tmp_path / NAME).read_text() == HEADER + line(0) + line(2)


async def test_equal_rows_give_equal_bytes_however_they_are_flushed(tmp_path: Path) -> None:
    rows = [boundary(0), *(row(2 * k, k / 40) for k in range(1, 30)), boundary(60)]
    await recorded(tmp_path / "a", rows)
    await recorded(tmp_path / "b", *([item] for item in rows))

    assert (tmp_path / "a" / NAME).read_bytes() == (tmp_path / "b" / NAME).read_bytes()
