"""Setpoints that the nameplate does not hold."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hil.domain.plant import Nameplate
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.schedule_check import Beyond, beyond_nameplate

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
PLATE = Nameplate(
    p_max_kw=100, p_min_kw=-50, q_max_kvar=0, q_min_kvar=-10, capacity_kwh=1, v_nominal_kv=1
)
VALUES = st.one_of(st.none(), st.floats(-200, 200))


def series(values: list[float | None]) -> Series:
    times = (NOON + timedelta(minutes=index) for index in range(len(values)))
    return Series(tuple(times), tuple(values))


def test_each_signal_has_its_own_limits_and_its_edges_belong_to_it() -> None:
    schedule = Schedule(p=series([100.0, -50.0, 100.5, None]), q=series([0.5, -10.0]))

    assert beyond_nameplate(schedule, PLATE) == (
        Beyond(time=NOON, signal=Signal.Q, asked=0.5, least=-10, most=0),
        Beyond(time=NOON + timedelta(minutes=2), signal=Signal.P, asked=100.5, least=-50, most=100),
    )


@given(p=st.lists(VALUES, max_size=8), q=st.lists(VALUES, max_size=8))
def test_what_is_not_named_is_inside(p: list[float | None], q: list[float | None]) -> None:
    found = beyond_nameplate(Schedule(p=series(p), q=series(q)), PLATE)

    assert list(found) == sorted(found, key=lambda one: one.time)
    outside = sum(value is not None and not -50 <= value <= 100 for value in p)
    outside += sum(value is not None and not -10 <= value <= 0 for value in q)
    assert len(found) == outside
