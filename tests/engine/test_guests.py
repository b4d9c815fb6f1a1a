"""Registers and smoke checks over the link of a running engine, whose owner comes first."""

import asyncio

import pytest

from hil.checkup.through_engine import Checkups
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible, InvalidInput, NotFound, QueueFull
from hil.domain.finding import Severity
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Table, WriteRequest
from hil.domain.phase import Phase
from hil.domain.plant import PlantId
from hil.engine.guests import WAITING_MAX
from hil.ports import Exchange
from rig import LIB, Rig, running
from specimen import FakeRegisters, spec

SOC = ReadRequest(Table.HOLDING, 281, 1)
ZERO = WriteRequest(Table.HOLDING, 86, (0,), multiple=False)


def checkups(rig: Rig) -> Checkups:
    return Checkups(rig.engine, [spec()], rig.clock, within_s=1)


async def ask(rig: Rig, request: ReadRequest | WriteRequest = SOC) -> Exchange:
    return await rig.engine.lend(LIB).exchange([request], within_s=1)


async def test_registers_of_a_running_plant_are_read_through_its_owner() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(4.5)

        found = await checkups(rig).registers(LIB, ["p_battery", "soc"])

        assert [(one.point, one.words, one.value) for one in found] == [
            ("p_battery", (1000,), 100.0),
            ("soc", (5000,), 0.5),
        ]
        assert rig.state().phase is Phase.RUNNING


async def test_a_smoke_check_of_a_running_plant_finds_nothing_and_delays_no_step() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)

        report = await checkups(rig).smoke(LIB, write_zero=False, trace=True)

        assert report.severity is Severity.OK, report.findings
        assert report.reads == 50
        assert report.trace
        await rig.wait(4)
        engine = rig.engine.snapshot().engine
        assert engine.missed_steps == 0
        assert engine.dispatch_lateness_ms.max == 0
        assert rig.plants[LIB].p_kw() == 100


async def test_a_silent_plant_delays_no_step_for_a_guest() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(2.2)
        rig.plants[LIB].silent = True

        got = await ask(rig)

        rig.plants[LIB].silent = False
        assert got.problem is not None
        await rig.wait(4)
        assert rig.engine.snapshot().engine.dispatch_lateness_ms.max == 0
        assert "link_lost" not in rig.alarms()


async def test_a_stop_waits_for_one_lent_exchange_at_most() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(2.2)
        rig.plants[LIB].silent = True
        asking = [asyncio.ensure_future(ask(rig)) for _ in range(5)]
        await rig.wait(0.01)
        stop = rig.engine.submit(CommandKind.STOP, LIB, by="test")
        began_ns = rig.clock.monotonic_ns()
        await rig.wait(0.5)
        rig.plants[LIB].silent = False
        ended = await rig.ended(stop)

        assert ended.status is CommandStatus.DONE
        assert rig.clock.monotonic_ns() - began_ns < 1_200_000_000
        await asyncio.gather(*asking)


async def test_an_emergency_stop_cuts_a_lent_exchange_off() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(2.2)
        rig.plants[LIB].silent = True
        asking = asyncio.ensure_future(ask(rig))
        await rig.wait(0.1)
        rig.plants[LIB].silent = False
        began_ns = rig.clock.monotonic_ns()
        command = await rig.carry_out(CommandKind.FLEET_ESTOP, None)

        assert command.status is CommandStatus.DONE
        assert rig.clock.monotonic_ns() - began_ns < 100_000_000
        got = await asking
        assert got.problem is not None
        assert got.problem.text == "cut off by an e-stop"


async def test_zero_is_written_only_to_a_stopped_plant() -> None:
    async with running() as rig:
        stopped = await checkups(rig).smoke(LIB, write_zero=True, trace=False)
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].writes.clear()

        assert stopped.severity is Severity.OK
        with pytest.raises(Impossible, match="running"):
            await checkups(rig).smoke(LIB, write_zero=True, trace=False)
        got = await ask(rig, ZERO)
        assert got.problem is not None
        assert "not stopped" in got.problem.text
        assert rig.plants[LIB].writes == []
        assert "foreign_writer" not in rig.alarms()


async def test_a_link_that_was_lent_ends_with_a_switch_of_the_transport() -> None:
    async with running(remote={LIB: FakeRegisters()}) as rig:
        link = rig.engine.lend(LIB)
        before = await link.exchange([SOC], within_s=1)
        asked = {"to": "remote"}
        await rig.ended(rig.engine.submit(CommandKind.TRANSPORT, None, by="test", asked=asked))
        after = await link.exchange([SOC], within_s=1)

        assert before.responses == (ReadReply((5000,)),)
        assert after.problem is not None
        assert "another endpoint" in after.problem.text


async def test_who_waits_when_the_engine_ends_is_answered() -> None:
    async with running() as rig:
        rig.plants[LIB].silent = True
        await rig.wait(2.1)
        asking = [asyncio.ensure_future(ask(rig)) for _ in range(3)]
        await rig.wait(0.01)
    for got in await asyncio.gather(*asking):
        assert got.problem is not None


async def test_too_many_guests_are_turned_away() -> None:
    async with running() as rig:
        rig.plants[LIB].silent = True
        await rig.wait(2.1)
        asking = [asyncio.ensure_future(ask(rig)) for _ in range(WAITING_MAX)]
        await rig.wait(0)

        with pytest.raises(QueueFull):
            await ask(rig)
        await asyncio.gather(*asking)


async def test_two_checks_of_a_plant_do_not_run_at_the_same_time() -> None:
    async with running() as rig:
        checks = checkups(rig)
        first = asyncio.ensure_future(checks.smoke(LIB, write_zero=False, trace=False))
        await rig.wait(0)

        with pytest.raises(Impossible, match="under way"):
            await checks.smoke(LIB, write_zero=False, trace=False)
        assert (await first).severity is Severity.OK


async def test_unknown_plants_and_points_are_named() -> None:
    async with running() as rig:
        with pytest.raises(NotFound, match="nix"):
            await checkups(rig).registers(PlantId("nix"), [])
        with pytest.raises(InvalidInput, match="'nix'"):
            await checkups(rig).registers(LIB, ["soc", "nix"])


async def test_registers_of_a_silent_plant_say_why() -> None:
    async with running() as rig:
        rig.plants[LIB].silent = True

        found = await checkups(rig).registers(LIB, [])

        assert len(found) == 10
        assert all(one.words is None and one.problem for one in found)
