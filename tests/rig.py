"""An engine on virtual time with fake plants behind in-memory links."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count

from hil.domain.commands import Command, CommandKind
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.schedule import Schedule, Series
from hil.domain.signals import Row
from hil.domain.snapshot import PlantState, SiteInfo
from hil.engine.engine import Engine, EngineSettings
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from specimen import FakeRegisters, spec

START = datetime(2026, 5, 1, 10, 0, 0, tzinfo=UTC)
SETTINGS = EngineSettings(
    site=SiteInfo(name="Bench", timezone="Europe/Madrid"),
    source=Source.MANUAL,
    transport=Transport.LOCAL,
    posting_enabled=False,
    dispatch_period_s=2,
    measurement_period_s=2,
    modbus_timeout_s=1,
    start_timeout_s=10,
    stop_timeout_s=30,
    threshold_kw=1,
    threshold_kvar=1,
    flush_period_s=5,
    initial_soc_pu=0.5,
    soc_from_recording=True,
    version="test",
)
LIB = PlantId("lib")


class FakeSink:
    """Keeps rows in memory; `failing` makes every append fail."""

    def __init__(self) -> None:
        self.rows: dict[PlantId, list[Row]] = {}
        self.failing = False
        self.closed = False

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        if self.failing:
            raise OSError("no space left on device")
        for plant, rows in batch.items():
            self.rows.setdefault(plant, []).extend(rows)

    def file_name(self, plant: PlantId, at: datetime) -> str:
        return f"{at:%Y%m%d}_{plant}.csv"

    async def newest_soc_pu(self, plant: PlantId) -> float | None:
        return None

    async def close(self) -> None:
        self.closed = True


@dataclass
class Rig:
    """A running engine and what stands around it."""

    engine: Engine
    clock: VirtualClock
    sink: FakeSink
    plants: dict[PlantId, FakeRegisters]

    def state(self, plant: PlantId = LIB) -> PlantState:
        return self.engine.snapshot().plants[plant]

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def carry_out(self, kind: CommandKind, plant: PlantId | None = LIB) -> Command:
        """Submit a command and wait for its end."""
        return await self.ended(self.engine.submit(kind, plant, by="test"))

    async def ended(self, command: Command) -> Command:
        while not (command := self.engine.command(command.id)).status.is_final:
            await asyncio.sleep(0.01)
        return command

    def plan(self, p_kw: float, plant: PlantId = LIB) -> None:
        """Put a constant active power into the manual schedule from now on."""
        schedule = Schedule(p=Series((self.clock.now(),), (p_kw,)))
        self.engine.put_manual_schedule(plant, schedule, by="test")


@asynccontextmanager
async def running(*plants: str, settings: EngineSettings = SETTINGS) -> AsyncIterator[Rig]:
    """A started engine; leaving the block closes it without a safe stop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, START)
    registers = {PlantId(plant): FakeRegisters() for plant in plants or ("lib",)}
    sink, ids = FakeSink(), count(1)
    engine = Engine(
        settings,
        [replace(spec(plant)) for plant in registers],
        {
            plant: MemoryLink(fake.handle, timeout_s=settings.modbus_timeout_s)
            for plant, fake in registers.items()
        },
        sink,
        clock,
        emulator=None,
        new_id=lambda: f"id-{next(ids)}",
    )
    engine.start()
    try:
        yield Rig(engine, clock, sink, registers)
    finally:
        await engine.close()
