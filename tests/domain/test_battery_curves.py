"""The taper of power near the ends of the state of charge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.battery_curves import soc_taper


def tapered(soc_pu: float, *, taper_pu: float = 0.05) -> tuple[float, float]:
    return soc_taper(
        p_min_kw=-800.0,
        p_max_kw=1000.0,
        soc_pu=soc_pu,
        soc_min_pu=0.1,
        soc_max_pu=0.9,
        taper_pu=taper_pu,
    )


@pytest.mark.parametrize(
    ("soc_pu", "p_min_kw", "p_max_kw"),
    [
        (0.0, -800, 0),
        (0.1, -800, 0),
        (0.11, -800, 200),
        (0.125, -800, 500),
        (0.15, -800, 1000),
        (0.5, -800, 1000),
        (0.85, -800, 1000),
        (0.89, -160, 1000),
        (0.9, 0, 1000),
        (1.0, 0, 1000),
    ],
)
def test_power_falls_in_a_straight_line_to_the_limit(
    soc_pu: float, p_min_kw: float, p_max_kw: float
) -> None:
    assert tapered(soc_pu) == pytest.approx((p_min_kw, p_max_kw))


@given(soc_pu=st.floats(0, 1))
def test_taper_of_nothing_cuts_off_at_the_limit(soc_pu: float) -> None:
    p_min_kw, p_max_kw = tapered(soc_pu, taper_pu=0.0)

    assert p_max_kw == (1000 if soc_pu > 0.1 else 0)
    assert p_min_kw == (-800 if soc_pu < 0.9 else 0)


@given(low=st.floats(0, 1), high=st.floats(0, 1), taper_pu=st.floats(0, 0.8))
def test_more_charge_allows_more_discharge_and_less_charge(
    low: float, high: float, taper_pu: float
) -> None:
    low, high = sorted((low, high))
    emptier, fuller = tapered(low, taper_pu=taper_pu), tapered(high, taper_pu=taper_pu)

    assert emptier[1] <= fuller[1]
    assert emptier[0] <= fuller[0] <= 0
