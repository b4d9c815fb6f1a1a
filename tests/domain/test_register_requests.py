"""The register map's requests: the read plan and the writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.domain.modbus_pdu import ReadRequest, Table, WriteRequest
from hil.domain.registers import (
    Access,
    Block,
    DoesNotFit,
    Format,
    Point,
    RegisterMap,
    WriteFunction,
)


def point(name: str = "p_poi", address: int = 0, **given_fields: Any) -> Point:
    """A point with the fields that a test does not care about filled in."""
    fields: dict[str, Any] = {"format": Format.INT16, "access": Access.RW, "unit": "kW"}
    return Point(name=name, address=address, **{**fields, **given_fields})


def bank(*points: Point) -> RegisterMap:
    """A register map of these points."""
    return RegisterMap(points={p.name: p for p in points}, v_nominal_kv=20.0)


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
                format=draw(st.sampled_from(Format)),
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


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1, 2, 4])), min_size=1, max_size=12))
def test_a_block_taken_apart_has_the_same_points_alone(spans: list[tuple[int, int]]) -> None:
    points = tuple((f"p{at}", start, length) for at, (start, length) in enumerate(spans))
    block = Block(ReadRequest(Table.HOLDING, 100, 50), points)

    parts = block.apart()

    assert len(parts) == len(set(spans))
    assert sorted(
        (name, part.request.address - 100 + at, length)
        for part in parts
        for name, at, length in part.points
    ) == sorted(points)
    assert all(at == 0 and part.request.count == n for part in parts for _, at, n in part.points)
