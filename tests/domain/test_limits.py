"""The limits of a setpoint: each narrows, none flips a sign, each is named."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hil.domain.limits import Limited, Setpoint, SocLatch, deadband, latched, narrow
from hil.domain.plant import ControlLimits, Priority
from hil.domain.snapshot import LimitName
from specimen import LIMITS, PLATE

FREE = SocLatch()


def narrowed(
    p_kw: float,
    q_kvar: float = 0.0,
    *,
    limits: ControlLimits = LIMITS,
    soc_pu: float | None = 0.5,
    latch: SocLatch = FREE,
    horizon_h: float = 2 / 3600,
) -> Limited:
    return narrow(
        Setpoint(p_kw=p_kw, q_kvar=q_kvar),
        PLATE,
        limits,
        soc_pu=soc_pu,
        latch=latch,
        horizon_h=horizon_h,
    )


def test_setpoint_beyond_the_nameplate_is_cut_and_named() -> None:
    got = narrowed(1500.0, -700.0)

    assert got.setpoint == Setpoint(p_kw=1000, q_kvar=-600)
    assert got.limited_by == {LimitName.NAMEPLATE}


def test_energy_left_caps_discharge_and_is_named() -> None:
    got = narrowed(900.0, soc_pu=0.1, horizon_h=0.25)

    assert got.setpoint.p_kw == 200.0
    assert got.limited_by == {LimitName.SOC}


def test_taper_falls_in_a_straight_line_to_the_end_of_the_window() -> None:
    limits = replace(LIMITS, soc_taper_pu=0.05)

    assert [
        narrowed(1000, limits=limits, soc_pu=s).setpoint.p_kw for s in (0.0125, 0.025, 0.05)
    ] == [
        250.0,
        500.0,
        1000.0,
    ]


def test_circle_keeps_the_priority_that_is_configured() -> None:
    p_first = replace(LIMITS, s_max_kva=1000.0)
    q_first = replace(p_first, priority=Priority.Q)

    assert narrowed(800, 700, limits=p_first).setpoint == Setpoint(p_kw=800, q_kvar=600)
    assert narrowed(900, 600, limits=q_first).setpoint == Setpoint(p_kw=800, q_kvar=600)
    assert narrowed(900, 600, limits=q_first).limited_by == {LimitName.PQ_CIRCLE}


def test_unknown_state_of_charge_means_zero_and_leaves_reactive_power() -> None:
    got = narrowed(500.0, 100.0, soc_pu=None)

    assert got.setpoint == Setpoint(p_kw=0, q_kvar=100)
    assert got.limited_by == {LimitName.SOC_UNKNOWN}


def test_zero_is_not_limited_by_anything() -> None:
    assert narrowed(0.0, soc_pu=None) == Limited(
        setpoint=Setpoint(p_kw=0, q_kvar=0), limited_by=frozenset()
    )


def test_empty_battery_stays_blocked_until_past_the_hysteresis() -> None:
    latch = latched(FREE, LIMITS, soc_pu=0.0)
    still = latched(latch, LIMITS, soc_pu=0.004)

    assert narrowed(100, soc_pu=0.004, latch=still).setpoint.p_kw == 0
    assert narrowed(-100, soc_pu=0.004, latch=still).setpoint.p_kw == -100
    assert latched(still, LIMITS, soc_pu=0.005) == FREE


def test_deadband_swallows_small_power_only() -> None:
    limits = replace(LIMITS, p_deadband_kw=5.0)

    small = deadband(Setpoint(p_kw=-4.9, q_kvar=3), limits)
    large = deadband(Setpoint(p_kw=-5.0, q_kvar=3), limits)

    assert small.setpoint == Setpoint(p_kw=0, q_kvar=3)
    assert small.limited_by == {LimitName.DEADBAND}
    assert large.setpoint.p_kw == -5.0


power = st.floats(-5000, 5000)


@given(
    p_kw=power,
    q_kvar=power,
    soc_pu=st.none() | st.floats(-0.1, 1.1),
    s_max_kva=st.none() | st.floats(0, 2000),
    priority=st.sampled_from(Priority),
    taper=st.floats(0, 0.3),
    latch=st.builds(SocLatch, discharge=st.booleans(), charge=st.booleans()),
)
def test_narrowing_never_grows_flips_a_sign_or_changes_on_a_second_pass(
    p_kw: float,
    q_kvar: float,
    soc_pu: float | None,
    s_max_kva: float | None,
    priority: Priority,
    taper: float,
    latch: SocLatch,
) -> None:
    limits = replace(LIMITS, s_max_kva=s_max_kva, priority=priority, soc_taper_pu=taper)

    once = narrowed(p_kw, q_kvar, limits=limits, soc_pu=soc_pu, latch=latch)
    twice = narrowed(
        once.setpoint.p_kw, once.setpoint.q_kvar, limits=limits, soc_pu=soc_pu, latch=latch
    )

    got = once.setpoint
    assert abs(got.p_kw) <= abs(p_kw)
    assert got.p_kw * p_kw >= 0
    assert abs(got.q_kvar) <= abs(q_kvar)
    assert got.q_kvar * q_kvar >= 0
    assert PLATE.p_min_kw <= got.p_kw <= PLATE.p_max_kw
    if s_max_kva is not None:
        assert (got.p_kw**2 + got.q_kvar**2) ** 0.5 <= s_max_kva + 1e-6
    assert abs(twice.setpoint.p_kw - got.p_kw) <= 1e-9
    assert abs(twice.setpoint.q_kvar - got.q_kvar) <= 1e-6
