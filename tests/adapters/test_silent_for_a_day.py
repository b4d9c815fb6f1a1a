"""40,000 steps against a device that accepts and never answers: nothing piles up."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hil.adapters.modbus_client import TcpLink
from hil.domain.commands import CommandKind
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.virtual.loop import VirtualLoop
from rig import LIB, SETTINGS, running
from scripted_device import READ, WRITE

STEPS = 40_000
WARM_UP = 1_000
# Whatever is kept of every step is a block of memory at least.
GROWTH_MAX_BLOCKS = STEPS // 20


class _SilentTransport(asyncio.Transport):
    """A connection whose other end never says anything; it owns a real socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        sock = socket.socket()
        super().__init__({"socket": sock})
        self._loop = loop
        self._protocol = protocol
        self._sock = sock
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Nobody reads it."""

    def is_closing(self) -> bool:
        return self._is_closing

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._lose)

    def _lose(self) -> None:
        self._sock.close()
        self._protocol.connection_lost(None)


class SilentLoop(VirtualLoop):
    """Virtual time, in which every connection is accepted at once and then silent."""

    connections = 0

    async def create_connection(self, *args: Any, **_: Any) -> Any:
        self.connections += 1
        protocol = args[0]()
        transport = _SilentTransport(self, protocol)
        protocol.connection_made(transport)
        return transport, protocol


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


async def assert_nothing_piles_up(steps: Callable[[int], Awaitable[None]]) -> None:
    """Tasks, sockets and memory are after 40,000 steps what they were after a thousand."""
    await steps(WARM_UP)
    gc.collect()
    tasks, opened, blocks = len(asyncio.all_tasks()), descriptors(), sys.getallocatedblocks()
    await steps(STEPS - WARM_UP)
    gc.collect()
    assert sys.getallocatedblocks() - blocks < GROWTH_MAX_BLOCKS
    assert len(asyncio.all_tasks()) == tasks
    assert descriptors() == opened


def run(test: Callable[[SilentLoop], Awaitable[None]]) -> None:
    async def on_loop() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SilentLoop)
        await test(loop)

    with asyncio.Runner(loop_factory=SilentLoop) as runner:
        runner.run(on_loop())


def test_link_has_one_connection_and_one_time_out_a_step() -> None:
    async def test(loop: SilentLoop) -> None:
        link = TcpLink(Device(host="192.0.2.1", port=502), timeout_s=1.0)

        async def steps(count: int) -> None:
            for _ in range(count):
                outcome = await link.exchange([WRITE, READ], within_s=1.6)
                assert outcome.problem is not None
                assert outcome.problem.status is LinkStatus.TIMEOUT
                await asyncio.sleep(1)

        await assert_nothing_piles_up(steps)
        await link.close()

        assert loop.connections == STEPS
        assert loop.time() == 2 * STEPS

    run(test)


def test_engine_keeps_nothing_of_the_steps_of_a_silent_plant() -> None:
    # Rows are kept for the plots of the day, even of what is not known: few of them.
    settings = replace(SETTINGS, measurement_period_s=400)

    async def test(loop: SilentLoop) -> None:
        async with running(
            settings=settings, link_of=lambda _, __, device: TcpLink(device, timeout_s=1.0)
        ) as rig:
            # A stop that cannot be delivered is tried at every step.
            rig.engine.submit(CommandKind.STOP, LIB, by="test")

            async def steps(count: int) -> None:
                await rig.wait(2 * count)

            await assert_nothing_piles_up(steps)

            assert rig.state().link.status is LinkStatus.TIMEOUT
            assert "stop_pending" in rig.alarms()
            assert loop.connections > STEPS * 0.9

    run(test)
