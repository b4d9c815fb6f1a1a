"""How a range is divided into cells."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.downsample import US_PER_S, WIDTHS_S, grid_of, us
from hil.domain.errors import InvalidInput

START = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("points", [-1, 0, 1])
def test_too_few_points_are_refused(points: int) -> None:
    with pytest.raises(InvalidInput, match="points"):
        grid_of(START, START + timedelta(hours=1), points=points, rows=0, gaps=0)


def test_empty_range_is_refused() -> None:
    with pytest.raises(InvalidInput, match="range"):
        grid_of(START, START, points=10, rows=0, gaps=0)


def test_few_rows_are_not_divided() -> None:
    end = START + timedelta(days=365)
    assert grid_of(START, end, points=10, rows=7, gaps=3).width_s == 0
    assert grid_of(START, end, points=10, rows=8, gaps=3).width_s > 0


@pytest.mark.parametrize(
    ("length", "width_s"),
    [
        (timedelta(minutes=15), 1),
        (timedelta(days=1), 60),
        (timedelta(days=7), 600),
        (timedelta(days=30), 1800),
        (timedelta(days=366), 21600),
    ],
)
def test_cells_have_widths_that_a_clock_knows(length: timedelta, width_s: int) -> None:
    assert grid_of(START, START + length, points=2000, rows=10**6, gaps=0).width_s == width_s


@given(
    start_s=st.integers(0, 10**9),
    length_s=st.integers(1, 366 * 86400),
    points=st.integers(2, 20_000),
    gaps=st.integers(0, 30_000),
)
def test_cells_and_gaps_are_within_the_points(
    start_s: int, length_s: int, points: int, gaps: int
) -> None:
    start = datetime(1990, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC) + timedelta(seconds=start_s)
    end = start + timedelta(seconds=length_s)

    grid = grid_of(start, end, points=points, rows=10**9, gaps=gaps)

    first, last = grid.whole(us(start), us(end))
    assert first <= us(start) < us(end) <= last
    assert grid.cell(first) * grid.width_s + grid.anchor_s == first / US_PER_S
    cells = grid.cell(last) - grid.cell(first)
    assert cells + (2 * gaps if grid.is_cut else min(gaps, cells)) <= points
    assert grid.width_s in WIDTHS_S or grid.width_s % 900 == 0
