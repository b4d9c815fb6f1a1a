"""What tolerance compression keeps, and what can be read from it again."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hil.domain.compression import NOISE, Compressor, Values

TOLERANCES = (0.0, 0.1, 0.001)
MAX_GAP_S = 20.0
Sample = tuple[float, Values | None]


def compressed(
    rows: list[Sample], tolerances: tuple[float, ...] = TOLERANCES, max_gap_s: float = MAX_GAP_S
) -> list[Sample]:
    compressor: Compressor[Sample] = Compressor(tolerances, max_gap_s=max_gap_s)
    kept = [row for at_s, values in rows for row in compressor.add(at_s, values, (at_s, values))]
    return [*kept, *compressor.end()]


def one(*values: float | None) -> list[Sample]:
    return [(2.0 * k, (value,)) for k, value in enumerate(values)]


def times(rows: list[Sample]) -> list[float]:
    return [at_s for at_s, _ in rows]


def test_of_a_step_both_sides_stay() -> None:
    assert times(compressed(one(0, 0, 0, 0, 100, 100, 100))) == [0, 6, 8, 12]


def test_a_slow_ramp_is_compared_with_the_last_kept_row() -> None:
    rows: list[Sample] = [(2.0 * k, (0.04 * k,)) for k in range(6)]
    assert times(compressed(rows, (0.1,))) == [0, 4, 6, 10]


def test_a_change_of_exactly_the_tolerance_is_within_it() -> None:
    assert times(compressed(one(0, 0.5, 0, 1.0), (0.5,))) == [0, 4, 6]


def test_binary_fractions_are_no_difference() -> None:
    assert abs(400.1 - 400.0) > 0.1
    assert times(compressed(one(400.0, 400.1, 400.0, 400.1, 400.0), (0.1,))) == [0, 8]


def test_what_becomes_unknown_or_known_is_a_change() -> None:
    assert times(compressed(one(1, 1, 1, None, None, None, 1, 1))) == [0, 4, 6, 10, 12, 14]


def test_a_row_stays_at_least_every_gap() -> None:
    rows: list[Sample] = [(2.0 * k, (5.0,)) for k in range(31)]
    assert times(compressed(rows)) == [0, 20, 40, 60]


def test_the_last_row_before_a_boundary_and_the_first_after_it_stay() -> None:
    rows: list[Sample] = [*one(1, 1, 1, 1), (8.0, None), (10.0, (1.0,)), (12.0, (1.0,))]
    assert times(compressed(rows)) == [0, 6, 8, 10, 12]


def test_of_a_run_of_boundaries_the_first_and_the_last_stay() -> None:
    rows: list[Sample] = [(0.0, (1.0,)), *[(2.0 * k, None) for k in range(1, 9)], (18.0, (1.0,))]
    assert times(compressed(rows)) == [0, 2, 16, 18]


def test_a_boundary_is_not_held_back() -> None:
    compressor: Compressor[str] = Compressor(TOLERANCES, max_gap_s=MAX_GAP_S)
    assert compressor.add(0, (1.0,), "first") == ("first",)
    assert compressor.add(2, (1.0,), "last") == ()
    assert compressor.held == "last"
    assert compressor.add(4, None, "boundary") == ("last", "boundary")
    assert compressor.held is None


def test_a_signal_without_a_tolerance_is_exact() -> None:
    rows: list[Sample] = [(0.0, (1.0, 2.0)), (2.0, (1.0, 2.0)), (4.0, (1.0, 2.0 + 1e-9))]
    assert times(compressed(rows, (0.5,))) == [0, 2, 4]


def test_a_time_that_goes_back_is_kept() -> None:
    rows: list[Sample] = [(10.0, (1.0,)), (12.0, (1.0,)), (3.0, (1.0,)), (5.0, (1.0,))]
    assert times(compressed(rows)) == [10, 12, 3, 5]


numbers = st.one_of(
    st.none(),
    st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 100.0]),
    st.floats(-1e3, 1e3),
    st.floats(0, 0.3),
)
values = st.tuples(numbers, numbers, numbers)
recordings = st.lists(
    st.tuples(st.sampled_from([0.1, 2.0, 2.0, 2.0, 7.0, 19.9, 45.0]), st.none() | values | values),
    max_size=60,
).map(
    lambda steps: [
        (sum(step for step, _ in steps[: k + 1]), row) for k, (_, row) in enumerate(steps)
    ]
)


@given(recordings)
def test_held_until_the_next_kept_row_no_signal_is_off_by_more_than_its_tolerance(
    rows: list[Sample],
) -> None:
    kept = dict(compressed(rows))
    held: Values | None = None
    for at_s, row in rows:
        held = kept.get(at_s, held)
        assert (row is None) == (held is None)
        for value, shown, tolerance in zip(row or (), held or (), TOLERANCES, strict=False):
            if value is None or shown is None:
                assert value is shown
            else:
                assert abs(value - shown) <= tolerance + NOISE


@given(recordings)
def test_the_ends_of_sessions_and_their_boundaries_are_kept(rows: list[Sample]) -> None:
    kept = set(times(compressed(rows)))
    kinds = [None, *[row is None for _, row in rows], None]
    for place, (at_s, _) in enumerate(rows):
        before, this, after = kinds[place : place + 3]
        if before != this or after != this:
            assert at_s in kept


@given(recordings)
def test_kept_rows_are_no_further_apart_than_the_gap_where_there_were_rows(
    rows: list[Sample],
) -> None:
    kept = compressed(rows)
    for (left, before), (right, after) in pairwise(kept):
        if before is not None and after is not None and right - left > MAX_GAP_S:
            assert not [at_s for at_s, _ in rows if left < at_s < right]


@given(recordings)
def test_compressing_again_changes_nothing(rows: list[Sample]) -> None:
    once = compressed(rows)
    assert compressed(once) == once
    assert set(once) <= set(rows)


@given(recordings, st.integers(0, 60))
def test_a_step_stays_a_step(rows: list[Sample], place: int) -> None:
    """Where a signal moves by more than twice its tolerance, both sides are kept."""
    kept = set(times(compressed(rows)))
    for (left, before), (right, after) in pairwise(rows[:place]):
        if before is None or after is None or None in before or None in after:
            continue
        moves = [abs((b or 0) - (a or 0)) for a, b in zip(before, after, strict=True)]
        if any(m > 2 * t for m, t in zip(moves, TOLERANCES, strict=True)):
            assert {left, right} <= kept
