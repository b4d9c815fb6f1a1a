"""What a forecast says of a schedule: energy, limits, and the schedule that can be followed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.domain.feasibility import POINTS_MAX, Forecast, Subject, forecast
from hil.domain.plant import ControlLimits, Nameplate, Priority
from hil.domain.schedule import EffectivePoint
from hil.domain.snapshot import Feasibility, LimitName, Origin

START = datetime(2026, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLATE = Nameplate(
    p_max_kw=160.0,
    p_min_kw=-120.0,
    q_max_kvar=64.0,
    q_min_kvar=-64.0,
    capacity_kwh=400.0,
    v_nominal_kv=0.22,
)
LIMITS = ControlLimits(
    soc_min_pu=0.05,
    soc_max_pu=0.95,
    soc_taper_pu=0.05,
    soc_hysteresis_pu=0.01,
    ramp_kw_per_s=None,
    s_max_kva=None,
    priority=Priority.P,
    p_deadband_kw=0.0,
)
LOSSLESS = Subject(
    nameplate=PLATE,
    limits=LIMITS,
    period_s=2.0,
    loss_kw=lambda _p, _q, _soc: 0.0,
    idle_after_s=60.0,
)
LOSSY = replace(LOSSLESS, loss_kw=lambda p, q, soc: 1.0 + 0.05 * abs(p) + 0.001 * abs(q) + soc)


def asked(*steps: tuple[float, float, float]) -> tuple[EffectivePoint, ...]:
    """Points of hour, kW and kvar."""
    return tuple(
        EffectivePoint(time=START + h * HOUR, p_kw=p, q_kvar=q, origin=Origin.MANUAL)
        for h, p, q in steps
    )


def day(points: Sequence[EffectivePoint], subject: Subject, soc_pu: float) -> Forecast:
    return forecast(points, subject, end=START + 24 * HOUR, soc_pu=soc_pu)


def test_what_fits_is_followed_to_the_end() -> None:
    got = day(asked((0, 100, 0), (1, -50, 10), (2, 0, 0)), LOSSLESS, 0.5)

    assert got.ok
    assert (got.violations, got.missing_kwh) == ((), 0.0)
    assert got.soc.soc_pu[-1] == pytest.approx(0.5 - 100 / 400 + 50 / 400)
    assert [(p.time, p.p_kw, p.q_kvar) for p in got.feasible.points] == [
        (START, 100, 0),
        (START + HOUR, -50, 10),
        (START + 2 * HOUR, 0, 0),
    ]
    assert got.short() == Feasibility(first_limit=None, at=None, missing_kwh=0.0)


def test_the_nameplate_is_missed_from_the_first_moment_on() -> None:
    got = day(asked((0, 0, 0), (1, 200, 0), (2, 0, 0)), LOSSLESS, 0.9)

    [one] = got.violations
    assert (one.limit, one.at, one.until) == (
        LimitName.NAMEPLATE,
        START + HOUR,
        START + 2 * HOUR,
    )
    assert (one.asked_kw, one.possible_kw) == (200, 160)
    assert one.missing_kwh == pytest.approx(40)
    assert not got.ok


@pytest.mark.parametrize("loses", [False, True])
def test_an_empty_battery_gives_what_is_in_it(loses: bool) -> None:
    subject = LOSSY if loses else LOSSLESS

    got = day(asked((0, 160, 0), (5, 0, 0)), subject, 0.55)

    [one] = got.violations
    assert one.limit is LimitName.SOC
    given_kwh = 5 * 160 - got.missing_kwh
    # Without losses 200 kWh come out, and the band of the taper is begun 180 kWh after the start.
    assert given_kwh == pytest.approx(188 if loses else 200, abs=5 if loses else 0.05)
    assert one.possible_kw == pytest.approx(0, abs=0.01)
    first_s = (one.at - START).total_seconds()
    assert first_s < 3600 * 180 / 160 + 1 if loses else first_s == pytest.approx(4050, abs=1)


def test_a_full_battery_that_loses_takes_what_it_loses() -> None:
    subject = replace(LOSSLESS, loss_kw=lambda _p, _q, _soc: 5.0)

    got = day(asked((0, -100, 0)), subject, 0.94)

    # Charging equals the loss where 120 kW * room / 0.05 is 5 kW.
    assert got.soc.soc_pu[-1] == pytest.approx(0.95 - 0.05 * 5 / 120, abs=1e-4)
    assert got.feasible.points[-1].p_kw == pytest.approx(-5, abs=0.5)


def test_a_converter_at_rest_blocks_after_a_while() -> None:
    subject = replace(LOSSLESS, loss_kw=lambda _p, _q, _soc: 10.0)

    rested = day(asked((0, 0, 0)), subject, 0.5)
    never = day(asked((0, 0, 0)), replace(subject, idle_after_s=None), 0.5)

    assert rested.soc.soc_pu[-1] == pytest.approx(0.5 - 10 / 60 / 400)
    assert never.soc.soc_pu[-1] == pytest.approx(0.5 - 240 / 400 if 0.5 > 240 / 400 else 0.0)


def test_reactive_power_beyond_the_circle_is_said_without_energy() -> None:
    subject = replace(LOSSLESS, limits=replace(LIMITS, s_max_kva=100.0))

    got = day(asked((0, 80, 64), (1, 0, 0)), subject, 0.9)

    [one] = got.violations
    assert (one.limit, one.missing_kwh) == (LimitName.PQ_CIRCLE, 0.0)
    assert one.asked_kvar == 64
    assert one.possible_kvar == pytest.approx(60)


def test_a_ramp_delays_power_and_is_no_violation() -> None:
    subject = replace(LOSSLESS, limits=replace(LIMITS, ramp_kw_per_s=0.1))

    got = day(asked((0, 0, 0), (1, 120, 0), (2, 0, 0)), subject, 0.9)

    assert got.ok
    # 1200 s up and as long down: what is late at first comes after the end.
    assert got.soc.soc_pu[-1] == pytest.approx(0.9 - 120 / 400, abs=0.001)


def test_a_fine_schedule_gives_a_bounded_answer() -> None:
    points = [
        EffectivePoint(
            time=START + timedelta(seconds=20 * k), p_kw=k % 7, q_kvar=0.0, origin=origin
        )
        for k, origin in enumerate([Origin.MANUAL] * 4000)
    ]

    got = day(points, LOSSLESS, 0.9)

    assert len(got.soc.time) == len(got.soc.soc_pu) <= POINTS_MAX
    assert got.soc.time[0] == START
    assert got.soc.time[-1] == START + 24 * HOUR


powers = st.floats(-300, 300).map(lambda value: round(value, 1))
steps = st.lists(st.tuples(powers, st.floats(-80, 80)), min_size=1, max_size=24)


@settings(max_examples=40, deadline=None)
@given(
    hourly=steps,
    soc_pu=st.floats(0, 1),
    taper_pu=st.sampled_from([0.0, 0.05, 0.1]),
    s_max_kva=st.sampled_from([None, 100.0]),
    ramp_kw_per_s=st.sampled_from([None, 0.05, 10.0]),
    loses=st.booleans(),
)
def test_forecasts_hold_together(
    hourly: list[tuple[float, float]],
    soc_pu: float,
    taper_pu: float,
    s_max_kva: float | None,
    ramp_kw_per_s: float | None,
    loses: bool,
) -> None:
    limits = replace(
        LIMITS, soc_taper_pu=taper_pu, s_max_kva=s_max_kva, ramp_kw_per_s=ramp_kw_per_s
    )
    subject = replace(LOSSY if loses else LOSSLESS, limits=limits)
    wanted = asked(*((k, p, q) for k, (p, q) in enumerate(hourly)))

    got = day(wanted, subject, soc_pu)

    assert got.missing_kwh >= 0
    assert all(one.missing_kwh >= 0 for one in got.violations)
    assert all(0 <= pu <= 1 for pu in got.soc.soc_pu)
    assert all(a < b for a, b in zip(got.soc.time, got.soc.time[1:], strict=False))
    for point in got.feasible.points:
        before = next(one for one in reversed(wanted) if one.time <= point.time)
        assert point.p_kw is not None
        assert point.q_kvar is not None
        if ramp_kw_per_s is None:  # else power of before is still on its way down
            assert point.p_kw * before.p_kw >= 0
            assert abs(point.p_kw) <= abs(before.p_kw) + 1e-3
        assert point.q_kvar * before.q_kvar >= 0
        assert abs(point.q_kvar) <= abs(before.q_kvar)


@settings(max_examples=40, deadline=None)
@given(hourly=steps, soc_pu=st.floats(0, 1), loses=st.booleans())
def test_a_feasible_schedule_is_feasible(
    hourly: list[tuple[float, float]], soc_pu: float, loses: bool
) -> None:
    subject = LOSSY if loses else LOSSLESS
    got = day(asked(*((k, p, q) for k, (p, q) in enumerate(hourly))), subject, soc_pu)

    again = day(
        [
            EffectivePoint(
                time=point.time,
                p_kw=point.p_kw or 0.0,
                q_kvar=point.q_kvar or 0.0,
                origin=Origin.MANUAL,
            )
            for point in got.feasible.points
        ],
        subject,
        soc_pu,
    )

    assert again.missing_kwh <= 1e-3 * PLATE.capacity_kwh + 1e-3 * got.missing_kwh
    assert not any(one.limit is LimitName.NAMEPLATE for one in again.violations)
