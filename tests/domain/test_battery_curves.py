"""The taper of power near the ends of the state of charge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.battery_curves import soc_taper


@pytest.mark.parametrize(
    ("room_pu", "share"),
    [(-0.1, 0), (0, 0), (0.01, 0.2), (0.025, 0.5), (0.05, 1), (0.9, 1)],
)
def test_power_falls_in_a_straight_line_to_the_limit(room_pu: float, share: float) -> None:
    assert soc_taper(room_pu, 0.05) == pytest.approx(share)


@given(room_pu=st.floats(-1, 1))
def test_taper_of_nothing_cuts_off_at_the_limit(room_pu: float) -> None:
    assert soc_taper(room_pu, 0.0) == (1 if room_pu > 0 else 0)


@given(low=st.floats(-1, 1), high=st.floats(-1, 1), taper_pu=st.floats(0, 1))
def test_more_room_never_allows_less_power(low: float, high: float, taper_pu: float) -> None:
    low, high = sorted((low, high))

    assert 0 <= soc_taper(low, taper_pu) <= soc_taper(high, taper_pu) <= 1
