"""The register map: fixed vectors, round trips, refusals, the read plan and the writes."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hil.domain.modbus_pdu import ReadRequest, Table, WriteRequest
from hil.domain.registers import (
    WORDS,
    Access,
    ByteOrder,
    DoesNotFit,
    Format,
    Point,
    RegisterMap,
    WordOrder,
    WriteFunction,
)

NEAR = 1e-9


def point(name: str = "p_poi", address: int = 0, **given_fields: object) -> Point:
    """A point with the fields that a test does not care about filled in."""
    fields: dict[str, object] = {"format": Format.INT16, "access": Access.RW, "unit": "kW"}
    return Point(name=name, address=address, **{**fields, **given_fields})  # type: ignore[arg-type]  # a test's shorthand


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
    fields: dict[str, object], words: list[int]
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
    fields: dict[str, object], value: float, text: str
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


def default_lib() -> RegisterMap:
    """The addresses of the packaged LIB plant."""
    rw, r, uint16 = Access.RW, Access.R, Format.UINT16
    return bank(
        point("enable", 1, format=uint16, access=rw, unit="raw"),
        point("stop_command", 85, format=uint16, access=rw, unit="raw"),
        point("p_setpoint", 86, access=rw, scale=0.1),
        point("q_setpoint", 88, access=rw, unit="kvar", scale=0.1),
        point("p_battery", 270, access=r, scale=0.1),
        point("q_battery", 272, access=r, unit="kvar", scale=0.1),
        point("soc", 281, access=r, format=uint16, unit="pu", scale=0.0001),
        point("p_poi", 290, access=r, scale=0.1),
    )


def test_a_map_full_of_gaps_is_read_without_touching_them() -> None:
    plan = default_lib().blocks(None, max_registers=125, max_fill=0)

    assert [(b.request.address, b.request.count) for b in plan] == [
        (1, 1),
        (85, 2),
        (88, 1),
        (270, 1),
        (272, 1),
        (281, 1),
        (290, 1),
    ]


def test_gaps_are_filled_as_far_as_allowed() -> None:
    plan = default_lib().blocks(None, max_registers=125, max_fill=1)

    assert [(b.request.address, b.request.count) for b in plan] == [
        (1, 1),
        (85, 4),
        (270, 3),
        (281, 1),
        (290, 1),
    ]


def test_a_block_becomes_values_by_name() -> None:
    registers = default_lib()
    block = registers.blocks(None, max_registers=125, max_fill=1)[2]

    assert registers.decode_block(block, [1234, 7, 0xFFFF]) == {
        "p_battery": 123.4,
        "q_battery": -0.1,
    }


def test_points_that_share_a_register_are_both_read_from_it() -> None:
    registers = bank(
        point("p_poi", 14, access=Access.R, scale=0.1),
        point("p_battery", 14, access=Access.R, scale=0.1),
    )

    (block,) = registers.blocks(None, max_registers=125, max_fill=0)

    assert block.request == ReadRequest(Table.HOLDING, 14, 1)
    assert registers.decode_block(block, [1234]) == {"p_poi": 123.4, "p_battery": 123.4}


def test_points_of_a_meter_are_read_from_the_meter() -> None:
    registers = bank(point("p_poi", 0, device="meter"), point("p_battery", 1))

    assert [b.points[0][0] for b in registers.blocks("meter", max_registers=9, max_fill=0)] == [
        "p_poi"
    ]
    assert [b.points[0][0] for b in registers.blocks(None, max_registers=9, max_fill=0)] == [
        "p_battery"
    ]


@st.composite
def maps(draw: st.DrawFn) -> RegisterMap:
    """Points that do not overlap, in any table, with gaps of any size, in any order."""
    made: list[Point] = []
    address = dict.fromkeys(Table, 0)
    for index in range(draw(st.integers(0, 25))):
        table = draw(st.sampled_from(Table))
        at = address[table] + draw(st.sampled_from([0, 0, 1, 2, 3, 30]))
        made.append(
            point(
                f"x{index}",
                at,
                table=table,
                format=draw(formats),
                access=draw(st.sampled_from(Access)),
                device=draw(st.sampled_from([None, None, "meter"])),
                unit="raw",
            )
        )
        address[table] = made[-1].end
    return bank(*draw(st.permutations(made)))


@given(maps(), st.integers(4, 125), st.integers(0, 4), st.sampled_from([None, "meter"]))
def test_blocks_cover_each_readable_point_once_and_nothing_undeclared(
    registers: RegisterMap, max_registers: int, max_fill: int, device: str | None
) -> None:
    plan = registers.blocks(device, max_registers=max_registers, max_fill=max_fill)

    wanted = {p.name: p for p in registers.points.values() if p.is_readable and p.device == device}
    seen = [name for block in plan for name, _, _ in block.points]
    assert sorted(seen) == sorted(wanted)
    for block in plan:
        request = block.request
        assert 1 <= request.count <= max_registers
        declared = set()
        for name, offset, length in block.points:
            p = wanted[name]
            assert (p.table, p.address, p.length) == (
                request.table,
                request.address + offset,
                length,
            )
            assert offset + length <= request.count
            declared |= set(range(offset, offset + length))
        gaps = "".join("x" if at in declared else "." for at in range(request.count)).split("x")
        assert max(map(len, gaps)) <= max_fill


@pytest.mark.parametrize(
    ("function", "requests"),
    [
        (WriteFunction.AUTO, [(1, (1000, 0xFFFF), True)]),
        (WriteFunction.MULTIPLE, [(1, (1000, 0xFFFF), True)]),
        (WriteFunction.SINGLE, [(1, (1000,), False), (2, (0xFFFF,), False)]),
    ],
)
def test_adjacent_setpoints_go_together(
    function: WriteFunction, requests: list[tuple[int, tuple[int, ...], bool]]
) -> None:
    registers = bank(
        point("p_setpoint", 1, scale=0.1), point("q_setpoint", 2, unit="kvar", scale=0.1)
    )

    got = registers.write_requests({"p_setpoint": 100.0, "q_setpoint": -0.1}, function=function)

    assert got == tuple(WriteRequest(Table.HOLDING, *request) for request in requests)


@pytest.mark.parametrize(
    ("function", "multiple"),
    [(WriteFunction.AUTO, False), (WriteFunction.SINGLE, False), (WriteFunction.MULTIPLE, True)],
)
def test_setpoints_apart_go_one_by_one_in_the_order_given(
    function: WriteFunction, multiple: bool
) -> None:
    registers = default_lib()

    got = registers.write_requests({"q_setpoint": 1.0, "p_setpoint": 2.0}, function=function)

    assert got == (
        WriteRequest(Table.HOLDING, 88, (10,), multiple),
        WriteRequest(Table.HOLDING, 86, (20,), multiple),
    )


def test_a_wide_value_goes_in_one_request() -> None:
    registers = bank(point("p_setpoint", 86, format=Format.INT32))

    assert registers.write_requests({"p_setpoint": -2.0}, function=WriteFunction.AUTO) == (
        WriteRequest(Table.HOLDING, 86, (0xFFFF, 0xFFFE), True),
    )


@pytest.mark.parametrize(("function", "multiple"), [("auto", False), ("multiple", True)])
def test_a_coil_is_written_as_a_bit(function: str, multiple: bool) -> None:
    registers = bank(point("enable", 3, unit="raw", table=Table.COIL))

    assert registers.write_requests({"enable": 1}, function=WriteFunction(function)) == (
        WriteRequest(Table.COIL, 3, (1,), multiple),
    )


def test_nothing_is_written_when_one_value_does_not_fit() -> None:
    registers = default_lib()

    with pytest.raises(DoesNotFit, match="q_setpoint"):
        registers.write_requests(
            {"p_setpoint": 1.0, "q_setpoint": 4000.0}, function=WriteFunction.AUTO
        )


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
