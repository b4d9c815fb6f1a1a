"""Answers from daily files and their cache are what the rows say, one by one."""

import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.domain.downsample import grid_of
from hil.domain.plant import PlantId
from hil.domain.recording_file import file_name, number_text
from hil.domain.signals import COLUMNS
from hil.domain.site_day import day_name, local_text, site_day
from hil.history.answer import Question, buckets, columns, survey
from hil.history.days import READ_MAX, Days, Later
from hil.history.listing import FOLDER, Owner
from row_history import HOLD, Item, answer_of_rows

LIB = PlantId("lib")
ZONE = ZoneInfo("Europe/Madrid")
LATER = date(2027, 1, 1)
HEADER = ",".join(("timestamp", *COLUMNS))
NAMES = ("p_setpoint_kw", "battery_active_power_kw")
# The day before the clocks go back, that of 25 hours, and the one after.
FIRST = datetime(2026, 10, 23, 22, tzinfo=UTC)


def write(folder: Path, items: Sequence[Item], *, suffix: str = LIB) -> None:
    """The rows as daily files."""
    lines: dict[str, list[str]] = {}
    for at, values in items:
        cells = [number_text(value) for value in values or ()] + [""] * len(COLUMNS)
        name = file_name(day_name(site_day(at, ZONE)), PlantId(suffix))
        line = ",".join((local_text(at, ZONE), *cells[: len(COLUMNS)]))
        lines.setdefault(name, [HEADER]).append(line)
    for name, rows in lines.items():
        (folder / name).write_text("".join(f"{row}\n" for row in rows))


def days_of(folder: Path) -> Days:
    owners = {LIB: Owner("LIB No. 1", 20.0)}
    return Days(folder, owners, ZONE, hold_us=HOLD // timedelta(microseconds=1))


def ask(
    days: Days, start: datetime, end: datetime, *, points: int, today: date = LATER
) -> dict[str, Any]:
    question = Question(LIB, start, end, None, today)
    days.begin()
    rows, gaps = survey(days, question, enough=points)
    grid = grid_of(start, end, points=points, rows=rows, gaps=gaps)
    found = columns(buckets(days, question, grid), NAMES, None)
    return {"level_s": float(grid.width_s), **found}


def check(answer: dict[str, Any], items: Sequence[Item], *asked: datetime, points: int) -> None:
    expected = answer_of_rows(items, NAMES, *asked, points=points)
    assert answer["level_s"] == expected.level_s
    assert answer["time"] == expected.time
    assert len(answer["time"]) <= points
    for name in NAMES:
        got, wanted = answer["signals"][name], expected.signals[name]
        assert (got["min"], got["max"], got["last"]) == (wanted.min, wanted.max, wanted.last)
        assert got["mean"] == pytest.approx(wanted.mean, abs=2e-6)


@st.composite
def recordings(draw: st.DrawFn) -> list[Item]:
    """Three days as a compressing recorder leaves them: pauses, holds, boundaries, steps."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 250))
    steps = [2, 2, 30, 300, *draw(st.lists(st.integers(2, 40_000), min_size=1, max_size=3))]
    at, items = FIRST + timedelta(seconds=draw(st.integers(0, 80_000))), []
    for _ in range(count):
        kind = rng.random()
        values = (rng.choice([None, 0.0, 1.5]), round(rng.uniform(-500, 500), 2))
        items.append(Item(at, None if kind < draw(st.sampled_from([0.02, 0.3])) else values))
        at += timedelta(seconds=rng.choice(steps), milliseconds=rng.choice([0, 0, 500]))
    return items


@settings(deadline=None, max_examples=60)
@given(
    items=recordings(),
    points=st.integers(2, 20) | st.integers(2, 700),
    first_s=st.integers(-4000, 3 * 86_400),
    length_s=st.sampled_from([30, 900, 7200, 86_400, 90_000, 4 * 86_400, 200 * 86_400]),
)
def test_answer_is_what_the_rows_say(
    items: list[Item], points: int, first_s: int, length_s: int
) -> None:
    start = FIRST + timedelta(seconds=first_s)
    asked = (start, start + timedelta(seconds=length_s))
    with TemporaryDirectory() as name:
        write(Path(name), items)

        check(ask(days_of(Path(name)), *asked, points=points), items, *asked, points=points)
        # From the cache, as another process finds it.
        check(ask(days_of(Path(name)), *asked, points=points), items, *asked, points=points)


def dense(start: datetime, count: int, *, peak: int = -1) -> list[Item]:
    """Rows of every 2 s, one of them a peak."""
    return [
        Item(start + timedelta(seconds=2 * k), (900.0 if k == peak else float(k % 7), 1.0))
        for k in range(count)
    ]


def cached(folder: Path) -> Iterator[Path]:
    return (folder / FOLDER).iterdir()


def test_peak_of_one_sample_survives_in_a_year(tmp_path: Path) -> None:
    items = dense(FIRST, 86_400, peak=50_001)
    write(tmp_path, items)

    got = ask(days_of(tmp_path), FIRST - timedelta(days=300), FIRST + timedelta(days=60), points=50)

    assert max(filter(None, got["signals"]["p_setpoint_kw"]["max"])) == 900.0


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"\0" * 4000])
@pytest.mark.parametrize("ending", ["parquet", "60.arrow", "900.arrow"])
@pytest.mark.parametrize("points", [20, 100, 4000])
def test_damaged_cache_is_made_anew(
    tmp_path: Path, damage: bytes, ending: str, points: int
) -> None:
    items = dense(FIRST, 4000)
    write(tmp_path, items)
    asked = (FIRST, FIRST + timedelta(hours=2, minutes=10))
    ask(days_of(tmp_path), *asked, points=points)
    days = days_of(tmp_path)
    for path in cached(tmp_path):
        if path.name.endswith(ending):
            path.write_bytes(damage)

    check(ask(days, *asked, points=points), items, *asked, points=points)
    check(ask(days_of(tmp_path), *asked, points=points), items, *asked, points=points)


def test_deleted_cache_is_made_anew(tmp_path: Path) -> None:
    items = dense(FIRST, 4000)
    write(tmp_path, items)
    asked = (FIRST, FIRST + timedelta(hours=2, minutes=10))
    days = days_of(tmp_path)
    ask(days, *asked, points=100)
    for path in cached(tmp_path):
        path.unlink()

    check(ask(days, *asked, points=20), items, *asked, points=20)


def test_file_that_changed_is_sealed_again(tmp_path: Path) -> None:
    asked = (FIRST, FIRST + timedelta(hours=3))
    write(tmp_path, dense(FIRST, 4000))
    days = days_of(tmp_path)
    ask(days, *asked, points=100)
    items = dense(FIRST, 5000, peak=4500)
    write(tmp_path, items)

    for _ in range(2):
        check(ask(days, *asked, points=100), items, *asked, points=100)
    (tmp_path / f"{day_name(site_day(FIRST, ZONE))}_lib.csv").unlink()
    assert ask(days, *asked, points=100)["time"] == []
    days.clear()
    assert list(cached(tmp_path)) == []


def test_present_day_is_read_and_not_sealed(tmp_path: Path) -> None:
    items = dense(FIRST, 4000)
    write(tmp_path, items)
    asked = (FIRST, FIRST + timedelta(hours=2, minutes=10))
    today = site_day(FIRST, ZONE)

    got = ask(days_of(tmp_path), *asked, points=100, today=today)

    check(got, items, *asked, points=100)
    assert not (tmp_path / FOLDER).exists()


def test_files_under_the_former_name_belong_to_the_plant(tmp_path: Path) -> None:
    before, after = dense(FIRST, 100), dense(FIRST + timedelta(seconds=200), 100)
    write(tmp_path, before, suffix="LIB_No._1")
    write(tmp_path, after)
    write(tmp_path, dense(FIRST, 100), suffix="somebody_else")
    asked = (FIRST, FIRST + timedelta(minutes=10))

    check(ask(days_of(tmp_path), *asked, points=300), [*before, *after], *asked, points=300)


def test_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    items = dense(FIRST, 100)
    write(tmp_path, items)
    (tmp_path / FOLDER).write_text("in the way")
    asked = (FIRST, FIRST + timedelta(minutes=10))

    check(ask(days_of(tmp_path), *asked, points=300), items, *asked, points=300)


def test_too_many_days_at_once_are_asked_for_again(tmp_path: Path) -> None:
    items = [Item(FIRST + timedelta(days=k), (1.0,)) for k in range(READ_MAX + 10)]
    write(tmp_path, items)
    asked = (FIRST, FIRST + timedelta(days=READ_MAX + 10))
    days = days_of(tmp_path)

    with pytest.raises(Later, match="again"):
        ask(days, *asked, points=1000)
    got = ask(days, *asked, points=1000)
    assert got["signals"]["p_setpoint_kw"]["last"].count(1.0) == READ_MAX + 10


def test_missing_folder_has_no_history(tmp_path: Path) -> None:
    got = ask(days_of(tmp_path / "none"), FIRST, FIRST + timedelta(days=1), points=10)

    assert got["time"] == []
    assert set(got["signals"]) == set(NAMES)


def test_instants_of_an_answer_are_in_order_of_utc(tmp_path: Path) -> None:
    items = dense(FIRST + timedelta(days=1), 43_200 + 1800)
    write(tmp_path, items)

    got = ask(days_of(tmp_path), FIRST, FIRST + timedelta(days=3), points=500)

    assert all(a < b for a, b in pairwise(got["time"]))
    assert os.listdir(tmp_path / FOLDER)
