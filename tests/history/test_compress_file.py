"""Offline compression: what is kept, what is proved before the original goes, what is refused."""

import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dense_day import HEADER, ZONE, dense_day, write_days
from hil.domain.errors import HilError
from hil.domain.site_day import local_text
from hil.history.compress import Compressed, Rules, check, compress_file, kept
from hil.history.open_files import opened_by
from hil.history.read import rows_of
from hil.history.recording_lines import split_lines

RULES = Rules(
    tolerances={
        "p_setpoint_kw": 0.0,
        "battery_active_power_kw": 0.1,
        "q_setpoint_kvar": 0.0,
        "battery_reactive_power_kvar": 0.1,
        "soc_pu": 0.001,
        "p_poi_kw": 0.1,
        "q_poi_kvar": 0.1,
        "v_poi_kV": 0.001,
    },
    max_gap_s=360,
)
TODAY_AT = datetime(2026, 5, 10, 22, tzinfo=UTC)
START = datetime(2026, 5, 3, 22, tzinfo=UTC)
KILLS = int(os.environ.get("HIL_KILLS", "5"))


@pytest.fixture
def day(tmp_path: Path) -> Path:
    path = tmp_path / "20260504_lib.csv"
    path.write_bytes(dense_day(START, rows=3_000))
    return path


def compress(path: Path, target: Path | None = None) -> Compressed:
    return compress_file(path, RULES, target=target, today_at=TODAY_AT)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lines(*rows: str) -> bytes:
    return HEADER + "".join(f"{row}\n" for row in rows).encode()


def test_kept_rows_stay_byte_for_byte_and_the_original_stays(day: Path) -> None:
    before = day.read_bytes()

    facts = compress(day, day.with_name("small.csv"))

    assert facts.path == day.with_name("small.csv")
    small = facts.path.read_bytes()
    assert day.read_bytes() == before
    assert (len(before), len(small)) == (facts.bytes_before, facts.bytes_after)
    assert (facts.rows, facts.rows_kept) == (3_000, small.count(b"\n") - 1)
    assert facts.rows_kept < 1_500
    assert set(small.splitlines()) < set(before.splitlines())
    assert small.splitlines()[0 :: len(small.splitlines()) - 1] == [
        before.splitlines()[0],
        before.splitlines()[-1],
    ]
    assert names(day.parent) == ["20260504_lib.csv", "small.csv"]


def test_in_place_keeps_name_and_mode(day: Path) -> None:
    day.chmod(0o640)
    reckoned = compress(day)

    facts = compress(day, day)

    assert (facts.bytes_after, facts.path) == (reckoned.bytes_after, day)
    assert day.stat().st_size == facts.bytes_after
    assert day.stat().st_mode & 0o777 == 0o640
    assert names(day.parent) == ["20260504_lib.csv"]


def test_a_dry_run_writes_nothing(day: Path) -> None:
    before = day.stat()

    facts = compress(day)

    assert facts.path is None
    assert facts.is_smaller
    assert day.stat() == before
    assert names(day.parent) == ["20260504_lib.csv"]


def test_what_was_compressed_once_has_nothing_to_save(day: Path) -> None:
    compress(day, day)
    before = day.stat()

    facts = compress(day, day)

    assert not facts.is_smaller
    assert facts.path is None
    assert day.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not name the columns"),
        (b"a,b\n1,2\n", "does not name the columns"),
        (lines("2026-05-04T10:00:00+02:00,1,1,1,1,0.5,1,1,20")[:-1], "last line is cut off"),
        (lines("2026-05-04T10:00:00+02:00,1,1"), "row 1 has 3 cells, not 9"),
        (lines("2026-05-04T10:00:00+02:00,1,1,1,1,0.5,1,x,20"), "a cell is not a number"),
        (lines("2026-05-04T10:00:00+02:00,1,1,1,1,0.5,1,\0,20"), "it has NUL bytes"),
        (lines("yesterday,1,1,1,1,0.5,1,1,20"), "row 1 has no time"),
        (
            lines(
                "2026-05-04T10:00:02+02:00,1,1,1,1,0.5,1,1,20",
                "2026-05-04T10:00:00+02:00,1,1,1,1,0.5,1,1,20",
            ),
            "not in the order of time",
        ),
        (lines("2026-05-11T00:00:00+02:00,,,,,,,,"), "it is today's"),
    ],
)
def test_what_is_damaged_or_of_today_is_refused_and_stays(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    with pytest.raises(HilError, match=said):
        compress(path, path)

    assert path.read_bytes() == content
    assert names(tmp_path) == ["odd.csv"]


def test_a_missing_file_and_a_folder_that_cannot_be_written_are_said(day: Path) -> None:
    with pytest.raises(HilError, match="No such file"):
        compress(day.with_name("none.csv"))
    with pytest.raises(HilError, match="No such file"):
        compress(day, day.parent / "gone" / "x.csv")


def test_a_disk_that_fills_up_leaves_the_original_alone(day: Path) -> None:
    before = day.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(HilError, match="File too large"):
            compress(day, day)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert day.read_bytes() == before
    assert names(day.parent) == ["20260504_lib.csv"]


def test_files_of_old_keep_their_line_ends_and_mark(tmp_path: Path) -> None:
    row = "2026-05-04 10:00:{:02d}+02:00,1.0,1.0000000000000002,0,0,0.5,1,0,1.0\r\n"
    rows = "".join(row.format(second) for second in range(0, 20, 2))
    head = "\ufeff" + HEADER.decode().replace("v_poi_kV\n", "v_poi_pu\r\n")
    path = tmp_path / "20260504_Lithium.csv"
    path.write_bytes((head + rows + "\r\n").encode())

    facts = compress(path, path)

    assert (facts.rows, facts.rows_kept) == (10, 2)
    assert path.read_bytes() == (head + row.format(0) + row.format(18)).encode()


def test_a_day_of_a_clock_change_keeps_its_order(tmp_path: Path) -> None:
    start = datetime(2025, 10, 25, 23, 59, 50, tzinfo=UTC)
    path = tmp_path / "20251026_lib.csv"
    path.write_bytes(dense_day(start, rows=2_000))

    compress(path, path)

    stamps = [line[:25] for line in path.read_text().splitlines()[1:]]
    assert stamps[0].endswith("+02:00")
    assert stamps[-1].endswith("+01:00")
    assert stamps != sorted(stamps)
    times = [datetime.fromisoformat(stamp) for stamp in stamps]
    assert times == sorted(times)


cells = st.sampled_from(["", "0", "1", "1.05", "1.1", "-3", "100", "nan"])
drawn_rows = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 2, 2, 400]), st.booleans(), cells, cells), max_size=40
)


@settings(max_examples=150, deadline=None)
@given(drawn_rows)
def test_any_recording_compresses_to_one_that_shows_the_same(
    rows: list[tuple[int, bool, str, str]],
) -> None:
    at, text = START, []
    for step_s, is_boundary, p_kw, soc_pu in rows:
        at += timedelta(seconds=step_s)
        row = ",,,,,,,," if is_boundary else f",{p_kw},{p_kw},,,{soc_pu},,,20"
        text.append(f"{local_text(at, ZONE)}{row}")
    original = split_lines(lines(*text))
    places = kept(original, RULES)

    if rows:
        check(original, places, RULES)
    again = split_lines(original.head + b"".join(original.lines[place] for place in places))
    assert kept(again, RULES) == list(range(len(again.lines)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1:], "begin and end"),
        (lambda rows: rows[:-1], "begin and end"),
        (lambda rows: [], "begin and end"),
        (lambda rows: [rows[0], *rows[2:]], "first or last row"),
        (lambda rows: [*rows[:-2], rows[-1]], "first or last row"),
        (lambda rows: [rows[0], rows[1], *rows[-2:]], "within its tolerance"),
    ],
)
def test_lines_that_do_not_show_the_original_are_found_out(
    change: Callable[[list[int]], list[int]], said: str
) -> None:
    original = split_lines(dense_day(START, rows=2_000))

    with pytest.raises(HilError, match=said):
        check(original, change(kept(original, RULES)), RULES)


def test_a_gap_that_is_too_long_is_found_out() -> None:
    times = [local_text(START + timedelta(minutes=k), ZONE) for k in range(20)]
    steady = split_lines(lines(*(f"{time},1,1,1,1,0.5,1,1,20" for time in times)))

    with pytest.raises(HilError, match="a gap that is too long"):
        check(steady, [0, 19], RULES)
    check(steady, [0, 6, 12, 18, 19], RULES)


class Appending(dict[str, float]):
    """Tolerances; who asks for one makes a file longer, as an engine would meanwhile."""

    def __init__(self, path: Path) -> None:
        super().__init__(RULES.tolerances)
        self._path = path

    def get(self, key: str, default: float | None = None) -> float:  # type: ignore[override]  # simpler
        with self._path.open("ab") as file:
            file.write(b"2026-05-04T23:00:00+02:00,,,,,,,,\n")
        return self[key]


def test_a_file_that_grows_meanwhile_is_left_alone(day: Path) -> None:
    rules = Rules(tolerances=Appending(day), max_gap_s=360)

    with pytest.raises(HilError, match="it changed meanwhile"):
        compress_file(day, rules, target=day, today_at=TODAY_AT)

    assert day.read_bytes().startswith(dense_day(START, rows=3_000))
    assert names(day.parent) == ["20260504_lib.csv"]


def test_two_at_the_same_file_do_not_disturb_each_other(day: Path) -> None:
    part = day.with_name(day.name + ".part")
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(HilError, match="is being written by another process"):
            compress(day, day)
        assert part.exists()
    assert compress(day, day).is_smaller
    assert names(day.parent) == ["20260504_lib.csv"]


def test_who_has_a_file_open_is_told(day: Path) -> None:
    assert opened_by(day) is None
    script = f"f = open({str(day)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert opened_by(day) == other.pid
        other.communicate(b"\n")
    assert opened_by(day) is None
    assert opened_by(day.with_name("none.csv")) is None


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import polars
from test_compress_file import compress
print("ready", flush=True)
for path in sorted(Path(sys.argv[1]).glob("*.csv")):
    compress(path, path)
print("done", flush=True)
"""


@pytest.mark.real_time
def test_killed_at_any_instant_every_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    draw = random.Random(7)
    folder = tmp_path / "days"
    paths = write_days(folder, 6, rows=10_000)
    dense = {path: path.read_bytes() for path in paths}
    small = {}
    for path in paths:
        facts = compress(path, path.with_suffix(".small"))
        assert facts.path is not None
        small[path] = facts.path.read_bytes()
        facts.path.unlink()
    for _ in range(KILLS):
        for path, data in dense.items():
            path.write_bytes(data)
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            with suppress(subprocess.TimeoutExpired):
                child.wait(draw.uniform(0.0, 0.3))
            child.send_signal(signal.SIGKILL)
        for path in paths:
            assert path.read_bytes() in {dense[path], small[path]}
            compress(path, path)
            assert path.read_bytes() == small[path]
        assert names(folder) == sorted(path.name for path in paths)


def test_the_compressed_file_reads_as_the_original_did(day: Path) -> None:
    before = rows_of(day.read_bytes(), v_nominal_kv=None)
    compress(day, day)
    after = rows_of(day.read_bytes(), v_nominal_kv=None)

    held = before.frame.select("time").join_asof(after.frame, on="time")
    assert after.left_out == before.left_out == 0
    for name, tolerance in RULES.tolerances.items():
        assert ((held[name] - before.frame[name]).abs() <= tolerance + 1e-9).all()
