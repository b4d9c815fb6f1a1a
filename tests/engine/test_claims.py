"""Two engines, one plant: only one of them may write to it."""

import pytest

from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.phase import Phase
from hil.domain.plant import Device, Transport
from hil.virtual.memory_locks import Held, MemoryLocks
from hil.virtual.memory_store import MemoryStore
from rig import LIB, Rig, running
from specimen import FakeRegisters

LOCAL, REMOTE = ("127.0.0.1", 5020, 1), ("192.0.2.21", 502, 1)


async def to(rig: Rig, transport: Transport, *, force: bool = False) -> Command:
    asked = {"to": transport, "force": force}
    return await rig.ended(rig.engine.submit(CommandKind.TRANSPORT, None, by="test", asked=asked))


def holder(held: Held, host: str, port: int) -> MemoryLocks:
    """Another program that writes to a device."""
    other = MemoryLocks(held)
    other.hold([Device(host=host, port=port)])
    return other


async def test_second_engine_does_not_start_and_writes_nothing() -> None:
    held: Held = {}
    plant = FakeRegisters()
    async with running(held=held, registers={LIB: plant}):
        with pytest.raises(Impossible, match=r"writes to 127\.0\.0\.1:5020 unit 1"):
            async with running(held=held, registers={LIB: plant}):
                pass
        assert set(held) == {LOCAL}

    async with running(held=held, registers={LIB: plant}):
        assert set(held) == {LOCAL}
    assert not held


async def test_refused_start_keeps_that_the_run_before_had_crashed() -> None:
    held: Held = {}
    store, plant = MemoryStore(), FakeRegisters()
    async with running(store=store, registers={LIB: plant}) as rig:
        await rig.carry_out(CommandKind.START)
        await rig.wait(11)
        left = dict(store.documents)  # as a kill leaves it
    store.documents = left
    other = holder(held, *LOCAL[:2])

    with pytest.raises(Impossible):
        async with running(store=store, registers={LIB: plant}, held=held):
            pass
    other.hold([])
    async with running(store=store, registers={LIB: plant}, held=held) as rig:
        await rig.wait(3)

        assert "restarted" in rig.alarms()
        assert rig.state().phase is Phase.RUNNING


async def test_switch_claims_the_other_endpoint_and_lets_go_of_the_first() -> None:
    held: Held = {}
    async with running(held=held, remote={LIB: FakeRegisters()}) as rig:
        assert (await to(rig, Transport.REMOTE)).status is CommandStatus.DONE
        assert set(held) == {REMOTE}
        assert (await to(rig, Transport.REMOTE)).status is CommandStatus.DONE
        assert set(held) == {REMOTE}


async def test_switch_to_a_plant_of_another_process_stops_nothing() -> None:
    held: Held = {}
    holder(held, *REMOTE[:2])
    async with running(held=held, remote={LIB: FakeRegisters()}) as rig:
        await rig.carry_out(CommandKind.START)
        with pytest.raises(Impossible, match=r"writes to 192\.0\.2\.21:502 unit 1"):
            await to(rig, Transport.REMOTE)

        assert rig.state().phase is Phase.RUNNING
        assert rig.engine.snapshot().switching is None
        assert rig.engine.snapshot().transport is Transport.LOCAL
        assert [key for key, by in held.items() if by is not held[REMOTE]] == [LOCAL]


async def test_failed_switch_gives_the_other_endpoint_back() -> None:
    held: Held = {}
    async with running(held=held, remote={LIB: FakeRegisters()}) as rig:
        await rig.carry_out(CommandKind.START)
        rig.plants[LIB].silent = True
        assert (await to(rig, Transport.REMOTE)).status is CommandStatus.FAILED

        assert set(held) == {LOCAL}


async def test_endpoint_that_must_still_be_stopped_stays_claimed_over_a_restart() -> None:
    held: Held = {}
    store, plant = MemoryStore(), FakeRegisters()
    remote = {LIB: FakeRegisters()}
    async with running(held=held, store=store, registers={LIB: plant}, remote=remote) as rig:
        await rig.carry_out(CommandKind.START)
        plant.silent = True
        await to(rig, Transport.REMOTE, force=True)
        assert set(held) == {LOCAL, REMOTE}
        await rig.wait(11)
        left = dict(store.documents)
    store.documents = left

    async with running(held=held, store=store, registers={LIB: plant}, remote=remote) as rig:
        assert set(held) == {LOCAL, REMOTE}
        plant.silent = False
        await rig.wait(30)
        assert set(held) == {REMOTE}
