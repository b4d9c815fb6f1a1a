"""Source, transport, posting and service: stopped first, then switched."""

import pytest

from fake_source import FakeSource
from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.phase import Phase
from hil.domain.plant import Source, Transport
from rig import LIB, Rig, running
from specimen import FakeRegisters

ENABLE = 1


async def switch(rig: Rig, kind: CommandKind, to: str, *, force: bool = False) -> Command:
    asked = {"to": to, "force": True} if force else {"to": to}
    return await rig.ended(rig.engine.submit(kind, None, by="test", asked=asked))


async def test_source_is_switched_after_a_safe_stop() -> None:
    async with running(source=FakeSource()) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(3)
        command = await switch(rig, CommandKind.SOURCE, "api")

        assert command.result == {"lib": {"threshold_reached": True, "disable_ok": True}}
        assert rig.engine.snapshot().source is Source.API
        assert rig.state().phase is Phase.STOPPED
        assert rig.state().recording  # a switch of the source goes on recording


async def test_switch_to_what_is_selected_is_done_at_once() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)
        command = await switch(rig, CommandKind.SOURCE, "manual")

        assert command.status is CommandStatus.DONE
        assert rig.state().phase is Phase.RUNNING


async def test_what_is_not_there_cannot_be_switched_to() -> None:
    async with running() as rig:
        with pytest.raises(Impossible, match="no market API is configured"):
            await switch(rig, CommandKind.SOURCE, "api")
        with pytest.raises(Impossible, match="LIB: no remote endpoint is configured"):
            await switch(rig, CommandKind.TRANSPORT, "remote")


async def test_failed_safe_stop_fails_the_switch() -> None:
    async with running(source=FakeSource()) as rig:
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].silent = True
        command = await switch(rig, CommandKind.SOURCE, "api")

        assert command.status is CommandStatus.FAILED
        assert rig.engine.snapshot().source is Source.MANUAL
        assert rig.engine.snapshot().switching is None


async def test_nothing_starts_during_a_switch() -> None:
    async with running(source=FakeSource()) as rig:
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].silent = True
        command = rig.engine.submit(CommandKind.SOURCE, None, by="test", asked={"to": "api"})

        assert rig.engine.snapshot().switching is not None
        with pytest.raises(Impossible, match="the source is being switched"):
            rig.engine.submit(CommandKind.START, LIB, by="test")
        await rig.ended(command)


async def test_transport_switch_drops_what_belongs_to_the_old_one() -> None:
    remote = {LIB: FakeRegisters()}
    remote[LIB].values[281] = 7_000
    async with running(remote=remote) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.FLEET_START, None)
        await rig.wait(6)
        command = await switch(rig, CommandKind.TRANSPORT, "remote")

        assert command.status is CommandStatus.DONE
        assert rig.engine.snapshot().transport is Transport.REMOTE
        assert rig.state().measurement is None
        assert not rig.state().recording
        assert rig.plants[LIB].values[ENABLE] == 0
        await rig.wait(2)
        measurement = rig.state().measurement
        assert measurement is not None
        assert measurement.soc_pu == 0.7
        await rig.carry_out(CommandKind.START)
        assert remote[LIB].values[ENABLE] == 1
        assert rig.plants[LIB].values[ENABLE] == 0
        assert "no_watchdog" in rig.alarms()


async def test_forced_switch_leaves_the_old_endpoint_to_be_stopped() -> None:
    remote = {LIB: FakeRegisters()}
    async with running(remote=remote) as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3)
        rig.plants[LIB].silent = True
        refused = await switch(rig, CommandKind.TRANSPORT, "remote")
        assert refused.status is CommandStatus.FAILED
        assert rig.engine.snapshot().transport is Transport.LOCAL
        forced = await switch(rig, CommandKind.TRANSPORT, "remote", force=True)

        assert forced.status is CommandStatus.FAILED  # the stop did fail, and it says so
        assert rig.engine.snapshot().transport is Transport.REMOTE
        assert forced.asked == {"to": "remote", "force": True}
        await rig.wait(5)
        assert "stop_pending" in rig.alarms()
        rig.plants[LIB].silent = False
        await rig.wait(5)
        assert rig.plants[LIB].p_kw() == 0
        assert rig.plants[LIB].values[ENABLE] == 0
        assert "stop_pending" not in rig.alarms()
        assert remote[LIB].writes == []


async def test_plant_out_of_service_is_refused_and_skipped() -> None:
    async with running("lib", "vrfb") as rig:
        out = rig.engine.submit(
            CommandKind.SERVICE, LIB, by="test", asked={"in_service": False, "note": "pump"}
        )
        assert (await rig.ended(out)).status is CommandStatus.DONE
        assert not rig.state().in_service
        with pytest.raises(Impossible, match="LIB is out of service"):
            rig.engine.submit(CommandKind.START, LIB, by="test")
        started = await rig.carry_out(CommandKind.FLEET_START, None)

        assert started.result == {"vrfb": {}}
        assert rig.state().phase is Phase.STOPPED


async def test_running_plant_is_not_taken_out_of_service() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.START)

        with pytest.raises(Impossible, match="stop it before it is taken out of service"):
            rig.engine.submit(
                CommandKind.SERVICE, LIB, by="test", asked={"in_service": False, "note": None}
            )


async def test_posting_is_switched_at_once() -> None:
    async with running() as rig:
        command = rig.engine.submit(CommandKind.POSTING, None, by="t", asked={"enabled": True})

        assert command.status is CommandStatus.DONE
        assert rig.engine.snapshot().posting.enabled
