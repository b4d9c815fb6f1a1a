"""A meter beside its plant: agreement, sign, scale, and what cannot be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.agreement import judge_beside
from hil.domain.finding import Finding, Severity
from hil.domain.signals import PointName
from metered import meter_point, metered_spec

OK, WARNING, FAILED = Severity.OK, Severity.WARNING, Severity.FAILED
NAMEPLATE = metered_spec().nameplate  # +-1000 kW
POINT = meter_point("meter_p", 0, "kW", 0.1)


def judged(value: float, low: float, high: float | None = None, *, same: bool = True) -> Finding:
    span = (low, low if high is None else high)
    return judge_beside(POINT, value, PointName.P_POI, span, NAMEPLATE, is_same=same)


@pytest.mark.parametrize(
    ("value", "low", "high", "severity", "said"),
    [
        (500.0, 500.1, None, OK, "they agree"),
        (-450.0, -500.0, None, OK, "they agree"),
        (300.0, 100.0, 500.0, OK, "they agree"),  # power that moves
        (3.0, 2.0, None, OK, "too little to compare"),
        (-0.5, 2.0, None, OK, "too little to compare"),
        (400.0, 2.0, None, WARNING, "carries next to nothing"),
        (-500.0, 500.0, None, FAILED, "negate the scale? -0.1 would fit"),
        (5000.0, 500.0, None, FAILED, "scale 0.1 too large? 0.01 would fit"),
        (0.5, 500.0, None, FAILED, "scale 0.1 too small? 100 would fit"),
        (-50.0, 500.0, None, FAILED, "too small and of the wrong sign? -1 would fit"),
        (166.7, 500.0, None, WARNING, "one phase of three?"),
        (0.0, 500.0, None, WARNING, "0 times as much"),
    ],
)
def test_what_a_meter_reads_is_judged_beside_its_plant(
    value: float, low: float, high: float | None, severity: Severity, said: str
) -> None:
    found = judged(value, low, high)

    assert found.severity is severity, found
    assert found.subject == "meter_p"
    assert said in f"{found.text} -> {found.cure}"


def test_power_of_the_battery_says_nothing_of_the_poi_while_it_is_small() -> None:
    assert judged(30.0, 60.0).severity is WARNING
    assert judged(30.0, 60.0, same=False).severity is OK


@given(st.floats(-1000, 1000), st.floats(-1e7, 1e7))
def test_a_cure_makes_them_agree(near_kw: float, value: float) -> None:
    found = judged(value, near_kw)

    if found.severity is FAILED:
        scale = float(str(found.cure).split("? ")[1].split(" ")[0])
        assert judged(value * scale / POINT.scale, near_kw).severity is OK
