"""Buckets: bounded, true to the peaks, the gaps and the time that values held."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.downsample import Buckets, bucketise
from hil.domain.errors import InvalidInput
from hil.domain.signals import Row

START = datetime(2026, 6, 1, tzinfo=UTC)
SPAN_S = 3600


def row(second: float, *values: float | None) -> Row:
    return Row(START + timedelta(seconds=second), values)


def boundary(second: float) -> Row:
    return Row(START + timedelta(seconds=second), None)


def bucketised(rows: list[Row], *, points: int, names: tuple[str, ...] = ("p",)) -> Buckets:
    return bucketise(rows, names, start=START, end=START + timedelta(seconds=SPAN_S), points=points)


def seconds(buckets: Buckets) -> list[float]:
    return [(time - START).total_seconds() for time in buckets.time]


def test_few_rows_are_their_own_buckets() -> None:
    got = bucketised([row(0, 1.0, None), boundary(2), row(4, 3.0)], points=3, names=("p", "q"))

    assert seconds(got) == [0, 2, 4]
    assert got.level_s == 0
    assert got.signals["p"].mean == [1.0, None, 3.0]
    assert got.signals["p"].min == got.signals["p"].max == got.signals["p"].last
    assert got.signals["q"].last == [None, None, None]


def test_value_counts_for_as_long_as_it_held() -> None:
    got = bucketised([row(0, 0.0), row(900, 8.0), row(1350, 2.0)], points=2)

    assert got.level_s == 1800
    assert seconds(got) == [0]
    assert got.signals["p"].mean == [(0 * 900 + 8 * 450 + 2 * 450) / 1800]
    assert got.signals["p"].last == [2.0]


def test_bucket_begins_with_the_value_still_in_force() -> None:
    got = bucketised([row(0, 5.0), row(10, 7.0), row(2700, 1.0)], points=2)

    assert got.signals["p"].max == [7.0, 7.0]
    assert got.signals["p"].mean[1] == pytest.approx((7 + 1) / 2)


def test_bucket_without_rows_shows_the_value_still_in_force() -> None:
    got = bucketised([row(0, 5.0), *(row(3590 + k, 1.0) for k in range(9))], points=6)

    assert seconds(got) == [0, 600, 1200, 1800, 2400, 3000]
    assert got.signals["p"].max == [5.0] * 6
    assert got.signals["p"].min == [5.0] * 5 + [1.0]


def test_gap_is_neither_filled_nor_averaged_away() -> None:
    rows = [*(row(k, 4.0) for k in range(20)), boundary(20), boundary(3000)]
    rows += [row(3001 + k, 6.0) for k in range(20)]

    got = bucketised(rows, points=10)

    assert seconds(got) == [0, 20, 3001]
    assert got.signals["p"].mean == [4.0, None, 6.0]


def test_unknown_value_is_no_zero() -> None:
    rows = [row(k, None if k % 2 else 10.0, None) for k in range(20)]

    got = bucketised(rows, points=2, names=("p", "q"))

    assert got.signals["p"].mean == [10.0]
    assert got.signals["p"].last == [None]
    assert got.signals["q"].max == [None]


@pytest.mark.parametrize("points", [-1, 0, 1])
def test_too_few_points_are_refused(points: int) -> None:
    with pytest.raises(InvalidInput, match="points"):
        bucketised([], points=points)


def test_empty_range_is_refused() -> None:
    with pytest.raises(InvalidInput, match="range"):
        bucketise([], ["p"], start=START, end=START, points=10)


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


@given(rows=recordings(), points=st.integers(2, 60))
def test_buckets_keep_bound_order_peaks_and_gaps(rows: list[Row], points: int) -> None:
    got = bucketised(rows, points=points, names=("p", "q"))

    assert len(got.time) <= points
    assert got.time == sorted(set(got.time))
    for place, name in enumerate(("p", "q")):
        known = [
            value
            for item in rows
            if item.values
            for value in [item.values[place]]
            if value is not None
        ]
        signal = got.signals[name]
        lows = [low for low in signal.min if low is not None]
        highs = [high for high in signal.max if high is not None]
        assert min(lows, default=None) == min(known, default=None)
        assert max(highs, default=None) == max(known, default=None)
        for low, mean, high in zip(signal.min, signal.mean, signal.max, strict=True):
            assert (low is None) == (mean is None) == (high is None)
            assert low is None or mean is None or high is None or low <= mean <= high
    nulls = [
        all(signal.last[k] is None for signal in got.signals.values()) for k in range(len(got.time))
    ]
    assert any(nulls) or all(item.values is not None for item in rows)
