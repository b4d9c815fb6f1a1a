"""Readings that cannot be true, and the likely cure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.finding import Severity
from hil.domain.plausibility import Sample, judge_reading, judge_slope, judge_width
from hil.domain.registers import Access, Format, Point, RegisterMap, WordOrder
from specimen import PLATE, REGISTERS

P_BATTERY = REGISTERS.points["p_battery"]
SOC = REGISTERS.points["soc"]
V_POI = REGISTERS.points["v_poi"]
WIDE = Point(
    name="p_battery", address=270, format=Format.INT32, access=Access.R, unit="kW", scale=1.0
)


def value_of(point: Point, words: tuple[int, ...]) -> float | None:
    return RegisterMap(points={point.name: point}, v_nominal_kv=20.0).decode(point.name, words)


def test_words_of_another_order_are_read_and_named() -> None:
    words = (0xFF23, 0xFFFF)
    right = replace(WIDE, word_order=WordOrder.LSW_FIRST)

    found = judge_reading(WIDE, words, PLATE)

    assert value_of(WIDE, words) == -14417921
    assert value_of(right, words) == -221
    assert judge_reading(right, words, PLATE) is None
    assert found is not None
    assert found.severity is Severity.FAILED
    assert found.cure == "swap words? word_order lsw_first reads -221 kW"


def test_a_float_with_swapped_words_is_astronomically_small() -> None:
    point = replace(WIDE, format=Format.FLOAT32)

    found = judge_reading(point, (0x15C3, 0x43CA), PLATE)

    assert found is not None
    assert found.cure == "swap words? word_order lsw_first reads 404.17 kW"


@pytest.mark.parametrize(
    ("point", "word", "cure"),
    [
        (replace(P_BATTERY, scale=1.0), 5000, "scale 1 too large? 0.1 reads 500 kW"),
        (replace(SOC, scale=0.01), 5000, "scale 0.01 too large? 0.0001 reads 0.5 pu"),
        (replace(SOC, scale=0.001), 5000, "scale 0.001 too large? 0.0001 reads 0.5 pu"),
        (replace(V_POI, scale=10.0), 20000, "scale 10 too large? 1 reads 20 kV"),
        (replace(V_POI, scale=0.1), 20000, "scale 0.1 too small? 1 reads 20 kV"),
        (V_POI, 11547, "phase voltage? Times 1.732 it is 19.99"),
    ],
)
def test_a_value_out_of_range_names_the_scale_that_would_fit(
    point: Point, word: int, cure: str
) -> None:
    found = judge_reading(point, (word,), PLATE)

    assert found is not None
    assert found.severity is Severity.FAILED
    assert found.cure is not None
    assert found.cure.startswith(cure)


def test_swapped_bytes_are_named_beside_the_scale() -> None:
    found = judge_reading(replace(V_POI, unit="V"), (0x204E,), PLATE)

    assert found is not None
    assert str(found.cure).endswith("swap bytes? byte_order little reads 20 kV")


def test_swapped_words_are_named_where_bounds_hide_the_value() -> None:
    found = judge_reading(replace(WIDE, min=-1000.0, max=1000.0), (0xFF23, 0xFFFF), PLATE)

    assert found is not None
    assert found.cure == "swap words? word_order lsw_first reads -221 kW"


@given(words=st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)))
def test_any_registers_are_judged_without_an_error(words: tuple[int, int]) -> None:
    for format_ in (Format.INT32, Format.UINT32, Format.FLOAT32):
        found = judge_reading(replace(WIDE, format=format_), words, PLATE)
        assert found is None or found.cure
    for point in (P_BATTERY, SOC, V_POI):
        judge_width(point, words, PLATE)
        judge_reading(point, words[:1], PLATE)


def test_a_dead_busbar_is_a_warning() -> None:
    found = judge_reading(V_POI, (0,), PLATE)

    assert found is not None
    assert found.severity is Severity.WARNING
    assert "energised" in str(found.cure)


def test_a_soc_that_may_be_a_percentage_is_a_warning() -> None:
    found = judge_reading(SOC, (46,), PLATE)

    assert found is not None
    assert found.severity is Severity.WARNING
    assert "scale?" in str(found.cure)


@pytest.mark.parametrize(("point", "word"), [(P_BATTERY, 9000), (SOC, 4600), (V_POI, 20100)])
def test_what_can_be_is_no_finding(point: Point, word: int) -> None:
    assert judge_reading(point, (word,), PLATE) is None


def test_a_sentinel_is_a_warning_with_its_registers() -> None:
    found = judge_reading(replace(P_BATTERY, invalid=(0x8000,)), (0x8000,), PLATE)

    assert found is not None
    assert found.text == "reads as not known (0x8000)"


def test_the_scale_of_a_soc_is_judged_by_what_the_power_moves() -> None:
    plate = replace(PLATE, p_max_kw=2, p_min_kw=-2, capacity_kwh=10)
    samples = [Sample(0, -1.4, 0.0046), Sample(33 * 60, -1.4, 0.0053)]

    found = judge_slope(samples, SOC, plate, count_pu=0.0001)

    assert found is not None
    assert found.severity is Severity.FAILED
    assert found.cure == "scale? 0.01 would fit instead of 0.0001"


def test_a_battery_that_fills_while_it_discharges_has_its_sign_inverted() -> None:
    samples = [Sample(0, 500, 0.50), Sample(60, 500, 0.52)]

    found = judge_slope(samples, SOC, PLATE, count_pu=0.0001)

    assert found is not None
    assert found.text.startswith("the sign of p_battery contradicts the SoC slope")


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [Sample(0, 500, 0.5)],
        [Sample(0, 500, 0.5), Sample(1, 500, 0.4998)],  # too few counts
        [Sample(0, 1, 0.5), Sample(60, 1, 0.6)],  # its own consumption
        [Sample(0, 500, 0.5), Sample(0, 500, 0.4)],  # no time
    ],
)
def test_too_little_is_not_judged(samples: list[Sample]) -> None:
    assert judge_slope(samples, SOC, PLATE, count_pu=0.0001) is None


def test_a_soc_that_follows_the_power_is_fine() -> None:
    samples = [Sample(0, 500, 0.5), Sample(36, 500, 0.49)]

    found = judge_slope(samples, SOC, PLATE, count_pu=0.0001)

    assert found is not None
    assert found.severity is Severity.OK


@pytest.mark.parametrize(
    ("words", "severity", "said"),
    [
        ((0, 5000), Severity.WARNING, "500 kW as int32 msw_first"),
        ((0xFFFF, 0xEC78), Severity.WARNING, "-500 kW as int32 msw_first"),
        ((5000, 0), Severity.OK, "500 kW as 16 bit, which is plausible"),
        ((5000, 777), Severity.OK, "as 16 bit, which is plausible"),
        ((0, 0), Severity.OK, "look again"),
    ],
)
def test_the_plausible_width_is_named(
    words: tuple[int, int], severity: Severity, said: str
) -> None:
    found = judge_width(P_BATTERY, words, PLATE)

    assert found is not None
    assert found.severity is severity
    assert said in found.text


def test_a_point_without_a_rating_has_no_width_to_judge() -> None:
    assert judge_width(REGISTERS.points["enable"], (0, 1), PLATE) is None
