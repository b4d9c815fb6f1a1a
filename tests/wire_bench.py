"""An engine over real sockets to an emulated plant that can be out of order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from emulated_bench import LIB_POINTS, spec_of
from faulty_server import LeapingClock, faulty_server, show
from hil.adapters.shared_link import TcpLinks
from hil.domain.commands import Command, CommandKind
from hil.domain.modbus_pdu import Request
from hil.domain.plant import PlantSpec, Quirks, Transport
from hil.domain.point import Point
from hil.domain.schedule import Schedule, Series
from hil.domain.snapshot import PlantState
from hil.emulation.faulty import FaultyPlant
from hil.engine.engine import Engine
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, FakeSink

PERIOD_S = 0.1
WIRE_SETTINGS = replace(
    SETTINGS, dispatch_period_s=PERIOD_S, measurement_period_s=PERIOD_S, modbus_timeout_s=0.2
)


@dataclass
class WireBench:
    """The engine, the plant, its port, and every request that went over the wire."""

    engine: Engine
    plant: FaultyPlant
    port: int
    clock: LeapingClock
    seen: list[Request] = field(default_factory=list)

    def state(self) -> PlantState:
        return self.engine.snapshot().plants[LIB]

    def alarms(self) -> dict[str, str]:
        """The active alarms, by kind, with their texts."""
        alarms = self.engine.snapshot().alarms
        return {one.kind: one.text for one in alarms if one.cleared_at is None}

    def show(self, kind: str, **params: Any) -> None:
        show(self.plant, kind, **params)

    async def until(self, is_so: Callable[[PlantState], object]) -> PlantState:
        """The first picture of the plant that is so; the test's own limit ends the wait."""
        while not is_so(self.state()):
            await self.engine.changed(self.engine.snapshot().seq)
        return self.state()

    async def steps(self, number: int) -> None:
        """Wait for so many newer measurements."""
        for _ in range(number):
            before = self.state().measurement
            await self.until(lambda now, before=before: now.measurement != before)  # type: ignore[misc]  # bound

    async def plan(self, p_kw: float) -> None:
        schedule = Schedule(p=Series((self.clock.now(),), (p_kw,)))
        await self.engine.put_manual_schedule(LIB, schedule, by="test")

    async def start(self, p_kw: float = 100.0) -> Command:
        """Plan this power, start the plant, and follow the command to its end."""
        await self.plan(p_kw)
        command = self.engine.submit(CommandKind.START, LIB, by="test")
        while not (command := self.engine.command(command.id)).status.is_final:
            await self.engine.changed(self.engine.snapshot().seq)
        return command


@asynccontextmanager
async def wired_engine(
    points: Sequence[Point] = LIB_POINTS,
    *,
    faults: Sequence[dict[str, Any]] = (),
    setpoint: dict[str, Any] | None = None,
    **quirks: Any,
) -> AsyncIterator[WireBench]:
    """A started engine whose only plant stands behind a socket.

    Args:
        faults: Shown before the engine connects.
        setpoint: What differs in the plant's setpoint policy.
    """
    clock, seen, ids = LeapingClock(), list[Request](), count(1)
    async with faulty_server(list(points), clock=clock, seen=seen) as (port, plant):
        for fault in faults:
            show(plant, **fault)
        await asyncio.sleep(0)  # its server attends to the door
        links = TcpLinks(timeout_s=WIRE_SETTINGS.modbus_timeout_s)
        engine = Engine(
            WIRE_SETTINGS,
            [_spec(points, port, setpoint or {}, quirks)],
            lambda _, __, device: links.link(device),
            FakeSink(),
            MemoryStore(),
            clock,
            emulator=None,
            new_id=lambda: f"id-{next(ids)}",
        )
        await engine.start()
        try:
            yield WireBench(engine, plant, port, clock, seen)
        finally:
            await engine.close()


def _spec(
    points: Sequence[Point], port: int, setpoint: dict[str, Any], quirks: dict[str, Any]
) -> PlantSpec:
    plain = spec_of(list(points))
    endpoint = plain.endpoints[Transport.LOCAL]
    main = replace(endpoint.main, port=port, quirks=Quirks(**quirks))
    return replace(
        plain,
        setpoint=replace(plain.setpoint, **setpoint),
        endpoints={Transport.LOCAL: replace(endpoint, main=main)},
    )
