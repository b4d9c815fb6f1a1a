"""The dispatch rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hil.domain.control import ControlInput, decide
from hil.domain.limits import Setpoint, SocLatch
from hil.domain.plant import Source
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.snapshot import LimitName, Origin
from specimen import LIMITS, PLATE

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
GIVEN = ControlInput(
    now=NOON,
    gate_open=True,
    source=Source.MANUAL,
    base=Schedule(p=Series((NOON,), (100.0,))),
    overrides={},
    stale_after_s=None,
    nameplate=PLATE,
    limits=LIMITS,
    soc_pu=0.5,
    soc_age_s=0.0,
    latch=SocLatch(),
    taken=None,
    since_last_s=2.0,
    period_s=2.0,
    measurement_period_s=2.0,
)


def test_schedule_holds_from_its_step_on() -> None:
    before = decide(replace(GIVEN, now=NOON - timedelta(microseconds=1)))
    at = decide(GIVEN)
    later = decide(replace(GIVEN, now=NOON + timedelta(days=2)))

    assert (before.setpoint.p_kw, before.origins.p) == (0.0, Origin.NONE)
    assert (at.setpoint.p_kw, at.origins.p) == (100.0, Origin.MANUAL)
    assert later.setpoint.p_kw == 100.0


def test_zero_in_a_schedule_is_a_setpoint() -> None:
    got = decide(replace(GIVEN, base=Schedule(p=Series((NOON,), (0.0,)))))

    assert (got.setpoint.p_kw, got.origins.p) == (0.0, Origin.MANUAL)


def test_after_the_end_there_is_no_setpoint() -> None:
    end = NOON + timedelta(hours=1)
    base = Schedule(p=Series((NOON, end), (100.0, None)))

    got = decide(replace(GIVEN, base=base, now=end))

    assert (got.setpoint.p_kw, got.origins.p) == (0.0, Origin.NONE)


def test_api_setpoint_is_stale_at_exactly_its_age() -> None:
    given = replace(GIVEN, source=Source.API, stale_after_s=900.0)

    fresh = decide(replace(given, now=NOON + timedelta(seconds=899.999)))
    stale = decide(replace(given, now=NOON + timedelta(seconds=900)))

    assert (fresh.setpoint.p_kw, fresh.origins.p) == (100.0, Origin.API)
    assert (stale.setpoint.p_kw, stale.origins.p) == (0.0, Origin.STALE)


def test_closed_gate_means_zero_without_a_ramp() -> None:
    limits = replace(LIMITS, ramp_kw_per_s=1.0)
    written = Setpoint(p_kw=500.0, q_kvar=10.0)

    got = decide(replace(GIVEN, gate_open=False, limits=limits, taken=written))

    assert got.setpoint == Setpoint(p_kw=0.0, q_kvar=0.0)


def test_state_of_charge_unread_for_ten_seconds_stops_active_power() -> None:
    just_known = decide(replace(GIVEN, soc_age_s=9.9))
    unknown = decide(replace(GIVEN, soc_age_s=10.0))

    assert just_known.setpoint.p_kw == 100.0
    assert unknown.setpoint.p_kw == 0.0
    assert unknown.limited_by == (LimitName.SOC_UNKNOWN,)


def test_bench_that_measures_rarely_must_miss_two_readings() -> None:
    rarely = replace(GIVEN, measurement_period_s=60.0)

    assert decide(replace(rarely, soc_age_s=119.0)).setpoint.p_kw == 100.0
    assert decide(replace(rarely, soc_age_s=120.0)).setpoint.p_kw == 0.0


def test_ramp_moves_from_the_written_setpoint_through_zero() -> None:
    limits = replace(LIMITS, ramp_kw_per_s=40.0)
    written = Setpoint(p_kw=-50.0, q_kvar=0.0)

    one = decide(replace(GIVEN, limits=limits, taken=written))
    two = decide(replace(GIVEN, limits=limits, taken=one.setpoint))

    assert (one.setpoint.p_kw, one.limited_by) == (30.0, (LimitName.RAMP,))
    assert (two.setpoint.p_kw, two.limited_by) == (100.0, ())


def test_ramp_never_leaves_the_state_of_charge_window() -> None:
    limits = replace(LIMITS, ramp_kw_per_s=1.0)
    written = Setpoint(p_kw=500.0, q_kvar=0.0)

    got = decide(replace(GIVEN, limits=limits, taken=written, soc_pu=0.0))

    assert got.setpoint.p_kw == 0.0
    assert got.limited_by == (LimitName.SOC, LimitName.RAMP)


def test_deadband_with_a_slow_ramp_does_not_stick_at_zero() -> None:
    limits = replace(LIMITS, ramp_kw_per_s=1.0, p_deadband_kw=10.0)
    written = Setpoint(p_kw=0.0, q_kvar=0.0)

    got = decide(replace(GIVEN, limits=limits, taken=written))

    assert got.setpoint.p_kw == 2.0


def test_the_requested_setpoint_is_kept_beside_the_limited_one() -> None:
    base = Schedule(p=Series((NOON,), (5000.0,)), q=Series((NOON,), (50.0,)))

    got = decide(replace(GIVEN, base=base))

    assert got.requested == Setpoint(p_kw=5000.0, q_kvar=50.0)
    assert got.setpoint == Setpoint(p_kw=1000.0, q_kvar=50.0)
    assert got.limited_by == (LimitName.NAMEPLATE,)


def test_override_replaces_its_signal_alone_and_is_never_stale() -> None:
    given = replace(
        GIVEN,
        source=Source.API,
        stale_after_s=900.0,
        base=Schedule(p=Series((NOON,), (100.0,)), q=Series((NOON,), (30.0,))),
        overrides={
            Signal.P: Series((NOON - timedelta(days=1), NOON + timedelta(hours=1)), (0.0, None))
        },
    )

    got = decide(given)
    stale = decide(replace(given, now=NOON + timedelta(minutes=30)))
    over = decide(replace(given, now=NOON + timedelta(hours=1)))

    # Zero of an override wins over the base, and one that began yesterday runs on.
    assert got.requested == Setpoint(p_kw=0.0, q_kvar=30.0)
    assert (got.origins.p, got.origins.q) == (Origin.OVERRIDE, Origin.API)
    assert (stale.origins.p, stale.origins.q) == (Origin.OVERRIDE, Origin.STALE)
    assert over.origins.p is Origin.STALE


def test_decision_again_at_once_does_not_ramp_twice() -> None:
    limits = replace(LIMITS, ramp_kw_per_s=10.0)
    written = Setpoint(p_kw=20.0, q_kvar=0.0)

    got = decide(replace(GIVEN, limits=limits, taken=written, since_last_s=0.5))

    assert got.setpoint.p_kw == 25.0
