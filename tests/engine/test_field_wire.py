"""What broke systems like this one on the wire, each kind on real sockets."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from emulated_bench import LIB_POINTS
from hil.domain.commands import CommandStatus
from hil.domain.modbus_pdu import ReadRequest, Request, WriteRequest
from hil.domain.point import Format, Point
from hil.domain.snapshot import LinkStatus, WriteStatus
from remote_devices import neighbours, wide_block
from wire_bench import WireBench, wired_engine

pytestmark = pytest.mark.real_time


def wide_power() -> list[Point]:
    """Battery power as 32 bit, so fine that its high word moves with it."""
    changes = {"format": Format.INT32, "scale": 0.0001}
    return [
        replace(point, **changes) if point.name == "p_battery" else point  # type: ignore[arg-type]  # fields of a point
        for point in LIB_POINTS
    ]


def reads(seen: Iterable[Request]) -> list[ReadRequest]:
    return [one for one in seen if isinstance(one, ReadRequest)]


def ways(seen: Iterable[Request]) -> list[bool]:
    """Of each write whether it went by the function for several registers."""
    return [one.multiple for one in seen if isinstance(one, WriteRequest)]


async def outside(bench: WireBench, address: int, count: int) -> list[int]:
    """What an independent client reads."""
    client = AsyncModbusTcpClient("127.0.0.1", port=bench.port, timeout=3.0, retries=0)
    assert await client.connect()
    try:
        return list((await client.read_holding_registers(address, count=count)).registers)
    finally:
        client.close()


async def test_a_value_of_two_registers_is_read_whole() -> None:
    async with wired_engine(wide_power()) as bench:
        assert (await bench.start(300.0)).status is CommandStatus.DONE
        await bench.steps(5)

        asked = {(one.address, one.address + one.count) for one in reads(bench.seen)}
        parts = [span for span in asked if span[0] < 272 and span[1] > 270]
        assert parts
        assert all(start <= 270 and end >= 272 for start, end in parts)


async def test_gaps_that_are_refused_are_learned_once() -> None:
    async with wired_engine(max_fill=125) as bench:
        await bench.until(lambda now: now.measurement)
        await bench.steps(2)
        learned = bench.state().link.learned
        bench.seen.clear()
        await bench.steps(10)
        asked = [one.count for one in reads(bench.seen)]

        state = bench.state()
        assert len(learned) == 1
        assert learned[0].startswith("gaps refused: holding ")
        assert (state.link.learned, state.link.last_error) == (learned, None)
        assert max(asked) == 2
        assert 9 * 9 <= len(asked) <= 9 * 12
        assert state.measurement is not None
        assert None not in (state.measurement.soc_pu, state.measurement.v_poi_kV)

        bench.show("reset", for_s=0.3)
        await bench.until(lambda now: now.link.status is LinkStatus.ERROR)
        await bench.until(lambda now: now.link.status is LinkStatus.OK)
        assert bench.state().link.learned == learned


@pytest.mark.parametrize(("registers", "is_read"), [(125, False), (20, True)])
async def test_short_blocks_need_their_quirk_and_are_named_without_it(
    registers: int, is_read: bool
) -> None:
    short = [{"kind": "max_block", "registers": 20}]
    async with wired_engine(wide_block(), faults=short, max_registers=registers) as bench:
        await bench.until(lambda now: now.measurement)
        await bench.steps(2)

        state = bench.state()
        assert state.measurement is not None
        assert (state.measurement.extra["extra_9"] is not None) is is_read
        assert state.measurement.soc_pu == 0.5
        assert state.link.status is LinkStatus.OK
        assert ("set quirks.max_registers" in str(state.link.last_error)) is not is_read


async def test_a_slow_accept_is_one_clear_message() -> None:
    slow = [{"kind": "silent_accept", "first_s": 0.5}]
    async with wired_engine(faults=slow) as bench:
        await bench.until(lambda now: now.link.consecutive_failures >= 6)

        assert "set quirks.pause_after_connect_ms" in str(bench.state().link.last_error)
        assert list(bench.alarms()) == ["link_lost"]
        assert "set quirks.pause_after_connect_ms" in bench.alarms()["link_lost"]


async def test_a_slow_accept_is_waited_for_with_its_quirk() -> None:
    slow = [{"kind": "silent_accept", "first_s": 0.5}]
    async with wired_engine(faults=slow, pause_after_connect_ms=550) as bench:
        await bench.until(lambda now: now.link.status is LinkStatus.OK)
        assert (await bench.start()).status is CommandStatus.DONE


async def test_an_answer_of_another_unit_is_never_taken() -> None:
    async with wired_engine() as bench:
        await bench.until(lambda now: now.measurement)
        bench.show("wrong_unit_id", unit_id=9)
        state = await bench.until(lambda now: now.link.status is LinkStatus.ERROR)
        assert "unit id 9 instead of 1" in str(state.link.last_error)
        bench.plant.clear_fault(None)
        await bench.until(lambda now: now.link.status is LinkStatus.OK)


@pytest.mark.parametrize(("kind", "multiple"), [("fc16_only", True), ("fc6_only", False)])
async def test_the_write_function_is_found_and_remembered(kind: str, multiple: bool) -> None:
    points = neighbours() if multiple else _setpoints_beside()
    async with wired_engine(points, faults=[{"kind": kind}]) as bench:
        assert (await bench.start()).status is CommandStatus.DONE
        await bench.until(lambda now: now.setpoint.write.status is WriteStatus.CONFIRMED)
        assert len(bench.state().link.learned) == 1
        bench.show("reset", for_s=0.3)
        await bench.until(lambda now: now.link.status is LinkStatus.ERROR)
        await bench.until(lambda now: now.link.status is LinkStatus.OK)
        bench.seen.clear()
        await bench.plan(200.0)
        await bench.until(
            lambda now: (
                now.setpoint.p_kw == 200.0 and now.setpoint.write.status is WriteStatus.CONFIRMED
            )
        )

        assert set(ways(bench.seen)) == {multiple}
        assert await outside(bench, 86, 1) == [2000]


def _setpoints_beside() -> list[Point]:
    return [
        replace(point, address=87) if point.name == "q_setpoint" else point for point in LIB_POINTS
    ]


@pytest.mark.parametrize("code", [1, 3, 4, 6])
async def test_a_refused_setpoint_is_no_lost_link(code: int) -> None:
    async with wired_engine() as bench:
        await bench.start()
        await bench.until(
            lambda now: (
                now.setpoint.p_kw == 100.0 and now.setpoint.write.status is WriteStatus.CONFIRMED
            )
        )
        bench.show("exception", code=code, on="writes", address=86)
        await bench.plan(800.0)
        await bench.until(lambda now: now.setpoint.write.status is WriteStatus.REFUSED)
        await bench.steps(5)

        state = bench.state()
        assert (state.link.status, state.link.consecutive_failures) == (LinkStatus.OK, 0)
        assert f"(exception {code})" in bench.alarms()["write_refused"]
        assert await outside(bench, 86, 1) == [1000]


async def test_frozen_measurements_are_said_over_a_healthy_link() -> None:
    async with wired_engine() as bench:
        await bench.start(300.0)
        bench.clock.leap(10)
        await bench.until(
            lambda now: now.measurement and now.measurement.battery_active_power_kw == 300.0
        )
        bench.show("frozen_registers")
        await bench.plan(600.0)
        await bench.until(lambda now: now.setpoint.p_kw == 600.0)
        await bench.steps(2)
        # A leap in the middle of an exchange looks like a lost link, and the watch begins anew.
        while "measurement_frozen" not in bench.alarms():
            bench.clock.leap(40)
            await bench.steps(3)

        assert bench.state().link.status is LinkStatus.OK
        assert await outside(bench, 270, 1) == [3000]


REVERT_S = 1.0


@pytest.mark.parametrize("rewrite_s", [0.3, None])
async def test_a_plant_that_reverts_is_kept_or_told_again(rewrite_s: float | None) -> None:
    policy: dict[str, Any] = {"rewrite_period_s": rewrite_s, "settle_s": 0.2}
    async with wired_engine(setpoint=policy) as bench:
        await bench.start()
        bench.show("revert_timer", s=REVERT_S)
        await bench.until(lambda now: now.setpoint.write.readback_p_kw == 100.0)
        held = [bench.state().setpoint.write.readback_p_kw]
        for _ in range(25):
            await bench.steps(1)
            held.append(bench.state().setpoint.write.readback_p_kw)

        if rewrite_s is not None:
            assert set(held) == {100.0}
        else:
            assert 0.0 in held
            await bench.until(lambda now: now.setpoint.write.readback_p_kw == 100.0)
