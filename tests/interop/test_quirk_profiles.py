"""Each quirk profile of the emulated plant, seen from outside by an independent client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from emulated_bench import LIB_POINTS
from faulty_server import faulty_server, show
from hil.domain.faults import PROFILES, FaultKind
from hil.domain.point import Format, Point
from hil.emulation.faulty import FaultyPlant

pytestmark = pytest.mark.real_time

ENABLE, P_SETPOINT, P_BATTERY, SOC = 1, 86, 270, 281
TESTED = {
    "slow_controller",
    "old_gateway",
    "fc16_only_plc",
    "single_client_inverter",
    "reverting_inverter",
}


def test_every_profile_has_its_test() -> None:
    assert set(PROFILES) == TESTED


@asynccontextmanager
async def client_of(
    profile: str, points: list[Point] | None = None
) -> AsyncIterator[tuple[AsyncModbusTcpClient, FaultyPlant, int]]:
    async with faulty_server(points) as (port, plant):
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=3.0, retries=0)
        assert await client.connect()
        show(plant, profile)
        try:
            yield client, plant, port
        finally:
            client.close()


def neighbours() -> list[Point]:
    """The map with q_battery next to p_battery, and a block of 40 registers of its own."""
    extra = [
        replace(LIB_POINTS[4], name=f"extra_{at}", address=500 + 4 * at, format=Format.INT64)
        for at in range(10)
    ]
    moved = [replace(p, address=271) if p.name == "q_battery" else p for p in LIB_POINTS]
    return [*moved, *extra]


async def test_slow_controller_answers_late_and_shows_a_setpoint_later_still() -> None:
    async with client_of("slow_controller") as (client, plant, _):
        asked_s = asyncio.get_running_loop().time()
        assert not (await client.write_register(P_SETPOINT, 500)).isError()
        assert asyncio.get_running_loop().time() - asked_s >= 0.15

        assert (await client.read_holding_registers(P_SETPOINT, count=1)).registers == [0]
        plant.clear_fault(FaultKind.LAGGING_READBACK)
        assert (await client.read_holding_registers(P_SETPOINT, count=1)).registers == [500]


async def test_old_gateway_reads_point_by_point_and_knows_no_fc16() -> None:
    async with client_of("old_gateway", neighbours()) as (client, _, __):
        assert (await client.read_holding_registers(P_BATTERY, count=2)).exception_code == 2
        assert (await client.read_holding_registers(P_BATTERY, count=1)).registers == [0]
        assert (await client.read_holding_registers(500, count=40)).exception_code == 3
        assert (await client.write_registers(P_SETPOINT, [5])).exception_code == 1
        assert not (await client.write_register(P_SETPOINT, 5)).isError()


async def test_fc16_only_plc_takes_blocks_of_32() -> None:
    async with client_of("fc16_only_plc", neighbours()) as (client, _, __):
        assert (await client.write_register(P_SETPOINT, 5)).exception_code == 1
        assert not (await client.write_registers(P_SETPOINT, [5])).isError()
        assert (await client.read_holding_registers(500, count=36)).exception_code == 3
        assert len((await client.read_holding_registers(500, count=32)).registers) == 32


async def outsider(port: int, *, timeout_s: float = 0.5) -> AsyncModbusTcpClient:
    """One more client, connected if the device lets it."""
    client = AsyncModbusTcpClient(
        "127.0.0.1", port=port, timeout=timeout_s, retries=0, reconnect_delay=0
    )
    await client.connect()
    return client


async def is_answered(client: AsyncModbusTcpClient) -> bool:
    """Whether a read is answered before the client or the device ends it."""
    try:
        return (await client.read_holding_registers(SOC, count=1)).registers == [5000]
    except ModbusException:
        return False


async def test_single_client_inverter_is_silent_for_a_second_after_connecting() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "single_client_inverter")
        await asyncio.sleep(0)
        connected_s = asyncio.get_running_loop().time()
        client = await outsider(port, timeout_s=0.3)
        assert not await is_answered(client)
        client.close()
        plant.clear_fault(FaultKind.SINGLE_CONNECTION)  # or the place is held for 5 s now
        client = await outsider(port, timeout_s=0.3)
        while not await is_answered(client):
            if not client.connected:
                client.close()
                client = await outsider(port, timeout_s=2.0)
        client.close()
        assert asyncio.get_running_loop().time() - connected_s >= 1.0


async def test_single_client_inverter_sends_the_second_one_away() -> None:
    async with client_of("single_client_inverter") as (client, plant, port):
        # The first connection is older than the second for which the device says nothing.
        plant.clear_fault(FaultKind.SILENT_ACCEPT)
        assert await is_answered(client)
        second = await outsider(port)
        assert not await is_answered(second)
        second.close()
        assert await is_answered(client)


async def test_single_client_inverter_keeps_the_place_of_a_dead_connection() -> None:
    async with client_of("single_client_inverter") as (client, plant, port):
        plant.clear_fault(FaultKind.SILENT_ACCEPT)
        show(plant, "single_connection", hold_s=0.4)
        assert await is_answered(client)
        client.close()
        turned_away = 0
        while not await is_answered(again := await outsider(port)):
            again.close()
            turned_away += 1
            await asyncio.sleep(0.02)
        again.close()

        assert turned_away > 0


async def test_reverting_inverter_holds_back_and_takes_the_power_away() -> None:
    async with client_of("reverting_inverter") as (client, plant, _):
        show(plant, "revert_timer", s=0.2)
        assert not (await client.write_register(P_SETPOINT, 9000)).isError()
        held = (await client.read_holding_registers(P_SETPOINT, count=1)).registers
        while (await client.read_holding_registers(P_SETPOINT, count=1)).registers != [0]:
            pass

        assert held == [8000]
