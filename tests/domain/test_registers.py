"""The register map: fixed vectors, round trips, refusals."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hil.domain.modbus_pdu import Table
from hil.domain.registers import (
    WORDS,
    Access,
    ByteOrder,
    DoesNotFit,
    Format,
    Point,
    RegisterMap,
    WordOrder,
)

NEAR = 1e-9


def point(name: str = "p_poi", address: int = 0, **given_fields: Any) -> Point:
    """A point with the fields that a test does not care about filled in."""
    fields: dict[str, Any] = {"format": Format.INT16, "access": Access.RW, "unit": "kW"}
    return Point(name=name, address=address, **{**fields, **given_fields})


def bank(*points: Point, v_nominal_kv: float = 20.0) -> RegisterMap:
    """A register map of these points."""
    return RegisterMap(points={p.name: p for p in points}, v_nominal_kv=v_nominal_kv)


@pytest.mark.parametrize(
    ("order", "value"),
    [(WordOrder.LSW_FIRST, -221.0), (WordOrder.MSW_FIRST, -14417921.0)],
)
def test_int32_words_are_read_in_the_order_of_the_map(order: WordOrder, value: float) -> None:
    registers = bank(point(format=Format.INT32, word_order=order))

    assert registers.decode("p_poi", [0xFF23, 0xFFFF]) == value
    assert registers.encode("p_poi", value) == (0xFF23, 0xFFFF)


@pytest.mark.parametrize(
    ("byte_order", "word_order", "words"),
    [
        (ByteOrder.BIG, WordOrder.MSW_FIRST, (0x43CA, 0x15C3)),
        (ByteOrder.BIG, WordOrder.LSW_FIRST, (0x15C3, 0x43CA)),
        (ByteOrder.LITTLE, WordOrder.MSW_FIRST, (0xCA43, 0xC315)),
        (ByteOrder.LITTLE, WordOrder.LSW_FIRST, (0xC315, 0xCA43)),
    ],
)
def test_float32_of_all_four_orders(
    byte_order: ByteOrder, word_order: WordOrder, words: tuple[int, ...]
) -> None:
    registers = bank(point(format=Format.FLOAT32, byte_order=byte_order, word_order=word_order))

    assert registers.encode("p_poi", 404.17) == words
    assert registers.decode("p_poi", words) == 404.17


@pytest.mark.parametrize(
    ("number_format", "value", "words"),
    [
        (Format.INT16, -2.0, (0xFFFE,)),
        (Format.UINT16, 65535.0, (0xFFFF,)),
        (Format.INT32, -2.0, (0xFFFF, 0xFFFE)),
        (Format.UINT32, 4_000_000_000.0, (0xEE6B, 0x2800)),
        (Format.INT64, -2.0, (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE)),
        (Format.UINT64, 65536.0, (0, 0, 1, 0)),
        (Format.FLOAT32, -1.5, (0xBFC0, 0)),
        (Format.FLOAT64, 404.17, (0x4079, 0x42B8, 0x51EB, 0x851F)),
    ],
)
def test_each_format_most_significant_first(
    number_format: Format, value: float, words: tuple[int, ...]
) -> None:
    registers = bank(point(format=number_format))

    assert registers.encode("p_poi", value) == words
    assert registers.decode("p_poi", words) == value


def test_a_16_bit_register_of_little_endian_bytes() -> None:
    registers = bank(point(byte_order=ByteOrder.LITTLE))

    assert registers.encode("p_poi", 0x1234) == (0x3412,)
    assert registers.decode("p_poi", [0x3412]) == 0x1234


@pytest.mark.parametrize(
    ("name", "unit", "value"),
    [
        ("p_poi", "kW", 1234.0),
        ("p_poi", "W", 1.234),
        ("p_poi", "MW", 1_234_000.0),
        ("p_poi", "hW", 123.4),
        ("q_poi", "kvar", 1234.0),
        ("q_poi", "var", 1.234),
        ("q_poi", "Mvar", 1_234_000.0),
        ("v_poi", "V", 1.234),
        ("v_poi", "kV", 1234.0),
        ("v_poi", "pu", 271.48),
        ("soc", "pu", 1234.0),
        ("soc", "%", 12.34),
        ("rack_temperature", "raw", 1234.0),
    ],
)
def test_units_become_kilowatts_kilovars_kilovolts_and_per_unit(
    name: str, unit: str, value: float
) -> None:
    registers = bank(point(name, unit=unit), v_nominal_kv=0.22)

    assert registers.decode(name, [1234]) == value
    assert registers.encode(name, value) == (1234,)


def test_values_have_no_float_noise() -> None:
    registers = bank(point(scale=0.1))

    values = [registers.decode("p_poi", [raw]) for raw in range(32768)]

    assert values == [float(f"{raw / 10:.1f}") for raw in range(32768)]


def test_float32_scaled_has_no_noise_either() -> None:
    registers = bank(point(format=Format.FLOAT32, scale=0.1))

    assert registers.decode("p_poi", registers.encode("p_poi", 40.417)) == 40.417


def test_negative_scale_turns_the_sign() -> None:
    registers = bank(point(scale=-0.1))

    assert registers.decode("p_poi", [1000]) == -100.0
    assert registers.encode("p_poi", -100.0) == (1000,)
    assert registers.span("p_poi") == (-3276.7, 3276.8)


def test_offset_is_in_the_units_of_the_device() -> None:
    registers = bank(point(unit="W", scale=10, offset=-500))

    assert registers.decode("p_poi", [60]) == 0.1
    assert registers.encode("p_poi", 0.1) == (60,)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"invalid": (0x8000,)}, [0x8000]),
        ({"invalid": (-32768,)}, [0x8000]),
        ({"invalid": (-1,), "byte_order": ByteOrder.LITTLE}, [0xFFFF]),
        ({"format": Format.UINT16, "invalid": (0xFFFF,)}, [0xFFFF]),
        ({"format": Format.INT32, "invalid": (0x80000000,)}, [0x8000, 0]),
        ({"format": Format.FLOAT32, "invalid": (404.17,)}, [0x43CA, 0x15C3]),
        ({"format": Format.FLOAT32}, [0x7FC0, 0]),
        ({"format": Format.FLOAT32}, [0xFF80, 0]),
        ({"format": Format.FLOAT64}, [0x7FF8, 0, 0, 0]),
        ({"format": Format.FLOAT64}, [0x7FF0, 0, 0, 0]),
        ({"unit": "MW", "scale": 0.001, "max": 1.0}, [1001]),
        ({"unit": "MW", "scale": 0.001, "min": 0.0}, [0xFFFF]),
        ({"format": Format.FLOAT32, "max": 1.0}, [0x43CA, 0x15C3]),
    ],
)
def test_sentinels_and_the_implausible_are_not_known(
    fields: dict[str, Any], words: list[int]
) -> None:
    assert bank(point(**fields)).decode("p_poi", words) is None


def test_the_plausible_bounds_themselves_are_known() -> None:
    registers = bank(point(unit="MW", scale=0.001, min=-1.0, max=1.0))

    assert registers.decode("p_poi", [1000]) == 1000.0
    assert registers.decode("p_poi", [0x10000 - 1000]) == -1000.0


def test_bits_are_zero_and_one() -> None:
    registers = bank(point("enable", unit="raw", format=Format.UINT16, table=Table.COIL))

    assert registers.encode("enable", 1) == (1,)
    assert registers.decode("enable", [1]) == 1.0
    assert registers.span("enable") == (0.0, 1.0)
    with pytest.raises(DoesNotFit, match="a bit spans 0 to 1"):
        registers.encode("enable", 2)


@pytest.mark.parametrize(
    ("fields", "value", "text"),
    [
        (
            {"scale": 0.1},
            4000.0,
            (
                "p_poi cannot encode 4000 kW: int16 at scale 0.1 kW spans -3276.8 to 3276.7 kW; "
                "a scale of 0.2 would fit"
            ),
        ),
        (
            {"format": Format.UINT16},
            -1000.0,
            (
                "p_poi cannot encode -1000 kW: uint16 at scale 1 kW spans 0 to 65535 kW; "
                "a signed format would fit"
            ),
        ),
        (
            {"unit": "W"},
            1000.0,
            (
                "p_poi cannot encode 1000 kW: int16 at scale 1 W spans -32.768 to 32.767 kW; "
                "a scale of 50 would fit"
            ),
        ),
        ({}, math.nan, "p_poi cannot encode nan kW: it is not a finite number"),
        ({}, math.inf, "p_poi cannot encode inf kW: it is not a finite number"),
        (
            {"invalid": (0,)},
            0.0,
            (
                "p_poi cannot encode 0 kW: its raw number is one of the `invalid` ones "
                "that mean not known"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    fields: dict[str, Any], value: float, text: str
) -> None:
    with pytest.raises(DoesNotFit) as refused:
        bank(point(**fields)).encode("p_poi", value)

    assert str(refused.value) == text


def test_the_scale_that_is_suggested_does_fit() -> None:
    assert bank(point(scale=0.2)).encode("p_poi", 4000.0) == (20000,)
    assert bank(point(scale=50, unit="W")).encode("p_poi", 1000.0) == (20000,)


formats = st.sampled_from(Format)
orders = st.tuples(st.sampled_from(ByteOrder), st.sampled_from(WordOrder))
scales = st.sampled_from([1.0, 0.1, 0.0001, -0.1, 10.0, 0.3333333333333333, 123.456])
offsets = st.sampled_from([0.0, -500.0, 0.05])
units = st.sampled_from(["kW", "W", "MW", "hW"])


@st.composite
def points(draw: st.DrawFn) -> Point:
    byte_order, word_order = draw(orders)
    return point(
        format=draw(formats),
        byte_order=byte_order,
        word_order=word_order,
        scale=draw(scales),
        offset=draw(offsets),
        unit=draw(units),
    )


@given(points(), st.data())
def test_a_value_in_the_span_comes_back_within_half_a_count(
    any_point: Point, data: st.DataObject
) -> None:
    registers = bank(any_point)
    low, high = registers.span("p_poi")
    value = data.draw(st.floats(low, high))

    words = registers.encode("p_poi", value)
    back = registers.decode("p_poi", words)

    assert len(words) == WORDS[any_point.format]
    assert all(0 <= word <= 0xFFFF for word in words)
    assert back is not None
    count = registers.resolution("p_poi", near=value)
    shift = abs(any_point.offset) * 1000
    # A float is rounded twice: to the register, and to the shortest decimal that it can be.
    counts = 1 if any_point.format in {Format.FLOAT32, Format.FLOAT64} else 0.5
    assert abs(back - value) <= count * (counts + NEAR) + (abs(value) + shift) * 2.0**-50


@given(points(), st.floats())
def test_a_value_outside_the_span_is_refused(any_point: Point, value: float) -> None:
    registers = bank(any_point)
    low, high = registers.span("p_poi")
    assume(not low <= value <= high)

    with pytest.raises(DoesNotFit):
        registers.encode("p_poi", value)


@given(points(), st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4))
def test_registers_that_decode_encode_to_themselves(any_point: Point, words: list[int]) -> None:
    registers = bank(any_point)
    words = words[: any_point.length]
    value = registers.decode("p_poi", words)
    assume(value is not None)
    assert value is not None
    if any_point.length < 4 and any_point.format is not Format.FLOAT32:
        assert registers.encode("p_poi", value) == tuple(words)
    else:  # a double has fewer digits than 64 bits, and 0.0 is also -0.0
        low, high = registers.span("p_poi")
        back = registers.decode("p_poi", registers.encode("p_poi", min(max(value, low), high)))
        assert back is not None
        assert math.isclose(back, value, rel_tol=1e-6, abs_tol=1e-6)


@given(st.integers(-32768, 32767), st.sampled_from([0.1, 0.01, 0.7, 3.0]), units)
def test_a_value_is_the_double_nearest_to_the_exact_one(raw: int, scale: float, unit: str) -> None:
    factor = {"kW": "1", "W": "0.001", "MW": "1000", "hW": "0.1"}[unit]

    value = bank(point(scale=scale, unit=unit)).decode("p_poi", [raw % 0x10000])

    assert value == float(raw * Fraction(repr(scale)) * Fraction(factor))


def test_resolution_is_the_value_of_one_count() -> None:
    registers = bank(
        point("p_poi", scale=-0.1),
        point("v_poi", unit="V"),
        point("p_battery", unit="W", format=Format.FLOAT32),
    )

    assert registers.resolution("p_poi") == 0.1
    assert registers.resolution("v_poi") == 0.001
    assert registers.resolution("p_battery") == 1e-6
    assert registers.resolution("p_battery", near=1000.0) == 1000.0 * 2**-23
