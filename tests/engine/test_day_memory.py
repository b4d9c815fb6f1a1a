"""Buckets of the newest rows: bounded, true to the peaks, the gaps and the time values held."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.downsample import Buckets, grid_of
from hil.domain.plant import PlantId
from hil.domain.signals import Row
from hil.engine.day_memory import PORTION, DayMemory
from row_history import Item, answer_of_rows

START = datetime(2026, 6, 1, tzinfo=UTC)
SPAN_S = 3600
LIB = PlantId("lib")


def row(second: float, *values: float | None) -> Row:
    return Row(START + timedelta(seconds=second), values)


def boundary(second: float) -> Row:
    return Row(START + timedelta(seconds=second), None)


def memory_of(rows: Sequence[Row], names: tuple[str, ...] = ("p",)) -> DayMemory:
    memory = DayMemory({LIB: names})
    for item in rows:
        memory.add(LIB, item)
    return memory


def asked(memory: DayMemory, *, points: int, first_s: float = 0, last_s: float = SPAN_S) -> Buckets:
    start, end = (START + timedelta(seconds=second) for second in (first_s, last_s))
    rows, gaps = memory.count(LIB, start, end)
    grid = grid_of(start, end, points=points, rows=rows, gaps=gaps)
    return memory.cut(LIB, start, end, grid)()


def seconds(buckets: Buckets) -> list[float]:
    return [(time - START).total_seconds() for time in buckets.time]


def test_few_rows_are_their_own_buckets() -> None:
    memory = memory_of([row(0, 1.0, None), boundary(2), row(4, 3.0)], ("p", "q"))

    got = asked(memory, points=3)

    assert seconds(got) == [0, 2, 4]
    assert got.level_s == 0
    assert got.signals["p"].mean == [1.0, None, 3.0]
    assert got.signals["p"].min == got.signals["p"].max == got.signals["p"].last
    assert got.signals["q"].last == [None, None, None]


def test_value_counts_for_as_long_as_it_held() -> None:
    rows = [row(0, 0.0), row(900, 8.0), row(1350, 2.0), boundary(1800)]

    got = asked(memory_of(rows), points=3)

    assert got.level_s == 3600
    assert seconds(got) == [0, 1800]
    assert got.signals["p"].mean == [(0 * 900 + 8 * 450 + 2 * 450) / 1800, None]
    assert got.signals["p"].last == [2.0, None]


def test_bucket_begins_with_the_value_still_in_force() -> None:
    got = asked(memory_of([row(1700, 5.0), row(1710, 7.0), row(2600, 1.0)]), points=2)

    assert got.signals["p"].max == [7.0, 7.0]
    assert got.signals["p"].last == [7.0, 1.0]
    assert got.signals["p"].mean == [5 + 2 * 90 / 100, 7.0]


def test_bucket_without_rows_shows_the_value_still_in_force() -> None:
    rows = [row(0, 5.0), *(row(890 + k / 10, 1.0) for k in range(9))]

    got = asked(memory_of(rows), points=6, last_s=900)

    assert seconds(got) == [0, 300, 600]
    assert got.signals["p"].max == [5.0] * 3
    assert got.signals["p"].min == [5.0, 5.0, 1.0]


def test_value_in_force_at_the_start_stands_there() -> None:
    memory = memory_of([row(0, 5.0), row(100, 1.0)])

    assert seconds(asked(memory, points=10, first_s=50)) == [50, 100]
    assert seconds(asked(memory, points=10, first_s=100)) == [100]


def test_nothing_is_known_when_no_row_follows_for_long() -> None:
    got = asked(memory_of([row(0, 5.0), row(1000, 1.0)]), points=10)

    assert seconds(got) == [0, 900, 1000]
    assert got.signals["p"].last == [5.0, None, 1.0]


def test_gap_is_neither_filled_nor_averaged_away() -> None:
    rows = [*(row(k, 4.0) for k in range(20)), boundary(20), boundary(3000)]
    rows += [row(3001 + k, 6.0) for k in range(20)]

    got = asked(memory_of(rows), points=10)

    assert seconds(got) == [0, 20, 3001]
    assert got.signals["p"].mean == [4.0, None, 6.0]


def test_gap_that_lasts_no_time_is_none() -> None:
    got = asked(memory_of([row(0, 4.0), boundary(2), row(2, 5.0)]), points=10)

    assert got.signals["p"].last == [4.0, 5.0]


def test_unknown_value_is_no_zero() -> None:
    rows = [row(k, None if k % 2 else 10.0, None, 1.0) for k in range(20)]

    got = asked(memory_of(rows, ("p", "q", "r")), points=2)

    assert got.signals["p"].mean == [10.0]
    assert got.signals["p"].last == [None]
    assert got.signals["q"].max == [None]


def test_rows_of_a_time_that_is_yet_to_come_are_forgotten() -> None:
    rows = [row(2 * k, float(k)) for k in range(600)]
    memory = memory_of(rows)
    memory.drop_from(LIB, START + timedelta(seconds=615))
    for item in (row(700, 7.0), row(1000, 9.0)):
        memory.add(LIB, item)

    again = memory_of([*rows[:308], row(700, 7.0), row(1000, 9.0)])
    for points in (10, 100, 300, 1000):
        assert asked(memory, points=points) == asked(again, points=points)


def test_memory_keeps_the_newest_rows_and_knows_since_when() -> None:
    memory = DayMemory({LIB: ("p",)}, rows_max=1000)
    assert memory.since(LIB) is None
    for k in range(1000 + 3 * PORTION):
        memory.add(LIB, row(2 * k, float(k)))

    since = memory.since(LIB)
    assert since is not None
    assert (since - START).total_seconds() == pytest.approx(2 * 3 * PORTION, abs=60)
    count, _ = memory.count(LIB, START, START + timedelta(days=1))
    assert 1000 <= count <= 1000 + PORTION
    memory.forget(LIB)
    assert memory.since(LIB) is None
    assert asked(memory, points=10).time == []


@st.composite
def recordings(draw: st.DrawFn) -> list[Row]:
    """Rows with boundaries in between, a value or None in each of two signals."""
    times = draw(st.lists(st.integers(0, SPAN_S * 10 - 1), unique=True, max_size=120))
    value = st.none() | st.floats(-1e3, 1e3)
    is_row = st.integers(0, draw(st.sampled_from([1, 3, 30])))
    return [
        row(tenth / 10, draw(value), draw(value)) if draw(is_row) else boundary(tenth / 10)
        for tenth in sorted(times)
    ]


@given(
    rows=recordings(),
    points=st.integers(2, 400),
    first_s=st.sampled_from([0, 0.5, 600, 1801]),
    length_s=st.sampled_from([10, 60, 700, SPAN_S]),
)
def test_buckets_are_what_the_rows_say(
    rows: list[Row], points: int, first_s: float, length_s: int
) -> None:
    got = asked(
        memory_of(rows, ("p", "q")), points=points, first_s=first_s, last_s=first_s + length_s
    )

    assert len(got.time) <= points
    assert all(a < b for a, b in pairwise(got.time))
    start = START + timedelta(seconds=first_s)
    items = [Item(item.at, item.values) for item in rows]
    expected = answer_of_rows(
        items, ("p", "q"), start, start + timedelta(seconds=length_s), points=points
    )
    assert got.level_s == expected.level_s
    assert got.time == expected.time
    for name, signal in got.signals.items():
        wanted = expected.signals[name]
        assert (signal.min, signal.max, signal.last) == (wanted.min, wanted.max, wanted.last)
        assert signal.mean == pytest.approx(wanted.mean, abs=2e-6)
