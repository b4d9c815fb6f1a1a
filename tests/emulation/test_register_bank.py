"""The registers of an emulated plant: what is refused, and every table and format."""

from dataclasses import replace

import pytest

from emulated_bench import LIB_POINTS, bench
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.registers import Format


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ReadRequest(Table.HOLDING, 0, 1), 2),
        (ReadRequest(Table.HOLDING, 86, 2), 2),
        (ReadRequest(Table.HOLDING, 86, 3), 2),
        (ReadRequest(Table.INPUT, 86, 1), 2),
        (ReadRequest(Table.COIL, 1, 1), 2),
        (ReadRequest(Table.HOLDING, 65535, 1), 2),
        (ReadRequest(Table.HOLDING, 86, 0), 3),
        (ReadRequest(Table.HOLDING, 86, 126), 3),
        (WriteRequest(Table.HOLDING, 0, (1,), False), 2),
        (WriteRequest(Table.HOLDING, 270, (1,), False), 2),
        (WriteRequest(Table.HOLDING, 86, (1, 2), True), 2),
        (WriteRequest(Table.HOLDING, 86, (), True), 3),
        (WriteRequest(Table.HOLDING, 86, (1, 1), False), 3),
        (WriteRequest(Table.HOLDING, 86, (65536,), False), 3),
        (WriteRequest(Table.HOLDING, 86, (-1,), False), 3),
        (WriteRequest(Table.HOLDING, 86, (0,) * 124, True), 3),
        (WriteRequest(Table.COIL, 86, (2,), False), 3),
        (WriteRequest(Table.INPUT, 86, (2,), False), 3),
        (ReadWriteRequest(87, 1, 86, (1000,)), 2),
        (ReadWriteRequest(270, 1, 270, (1000,)), 2),
        (ReadWriteRequest(270, 1, 86, (0,) * 122), 3),
    ],
)
def test_what_the_device_does_not_have_is_refused_and_changes_nothing(
    request_: Request, code: int
) -> None:
    got = bench()

    assert got.plant.handle(request_) == Refusal(code)
    assert got.read("p_setpoint") == 0


def test_write_and_read_in_one_request_writes_first() -> None:
    got = bench()

    assert got.plant.handle(ReadWriteRequest(85, 2, 86, (1000,))) == ReadReply((0, 1000))


def test_coils_and_inputs_are_served_like_registers() -> None:
    points = [
        replace(item, table=Table.COIL) if item.name == "enable" else item for item in LIB_POINTS
    ]
    points = [replace(item, table=Table.INPUT) if item.name == "soc" else item for item in points]
    got = bench(points)

    assert got.plant.handle(WriteRequest(Table.COIL, 1, (1,), False)) == WriteReply()
    got.write(p_setpoint=10.0)
    got.clock.wait(3.0)

    assert got.read("enable") == 1
    assert got.read("p_battery") == 10.0
    assert got.read("soc") is not None


def test_wide_points_are_read_whole_and_in_any_order() -> None:
    points = [
        replace(item, format=Format.FLOAT32, scale=1.0) if item.name == "p_poi" else item
        for item in LIB_POINTS
        if item.name != "q_poi"
    ]
    got = bench(points)
    got.start()
    got.write(p_setpoint=404.2)
    got.clock.wait(10.0)

    assert got.read("p_poi") == pytest.approx(404.2)
    assert got.plant.handle(ReadRequest(Table.HOLDING, 290, 1)) != Refusal(2)
