"""An engine on virtual time with fake plants behind in-memory links."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from fake_source import FakeSource, market_access
from hil.domain.commands import Command, CommandKind
from hil.domain.downsample import Buckets, grid_of
from hil.domain.plant import Device, PlantId, PlantSpec, Source, Transport
from hil.domain.schedule import Schedule, Series
from hil.domain.session import NewestRow, Session
from hil.domain.signals import Row
from hil.domain.snapshot import PlantState, SiteInfo
from hil.engine.engine import Engine
from hil.engine.fleet import LinkOf
from hil.engine.market import MarketAccess
from hil.engine.settings import EngineSettings
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_locks import Held, MemoryLocks
from hil.virtual.memory_store import MemoryStore
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
    compression=None,  # most tests look at every row
    initial_soc_pu=0.5,
    soc_from_recording=True,
    stale_after_s=900,
    resume=False,
    resume_max_age_s=300,
    version="test",
    config_hash="0123456789abcdef",
)
LIB = PlantId("lib")


class FakeSink:
    """Keeps rows in memory; `failing` makes every append fail."""

    def __init__(self) -> None:
        self.rows: dict[PlantId, list[Row]] = {}
        self.sessions: dict[str, Session] = {}
        self.failing = False
        self.closed = False

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        if self.failing:
            raise OSError("no space left on device")
        for plant, rows in batch.items():
            self.rows.setdefault(plant, []).extend(rows)

    async def save_sessions(self, sessions: Mapping[str, Session]) -> None:
        if self.failing:
            raise OSError("no space left on device")
        self.sessions |= sessions

    async def newest(self, plant: PlantId) -> NewestRow | None:
        row = self.rows[plant][-1] if self.rows.get(plant) else None
        return None if row is None else NewestRow(row.at, is_boundary=row.values is None)

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

    def measured(self, plant: PlantId, start: datetime, end: datetime, *, points: int) -> Buckets:
        """What the memory has of the range."""
        rows, gaps = self.engine.memory.count(plant, start, end)
        grid = grid_of(start, end, points=points, rows=rows, gaps=gaps)
        return self.engine.memory.cut(plant, start, end, grid)()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def carry_out(self, kind: CommandKind, plant: PlantId | None = LIB) -> Command:
        """Submit a command and wait for its end."""
        return await self.ended(self.engine.submit(kind, plant, by="test"))

    async def ended(self, command: Command) -> Command:
        while not (command := self.engine.command(command.id)).status.is_final:
            await asyncio.sleep(0.01)
        return command

    async def plan(self, p_kw: float, plant: PlantId = LIB) -> None:
        """Put a constant active power into the manual schedule from now on."""
        schedule = Schedule(p=Series((self.clock.now(),), (p_kw,)))
        await self.engine.put_manual_schedule(plant, schedule, by="test")

    def alarms(self, plant: PlantId | None = LIB) -> set[str]:
        """The kinds of the active alarms of a plant (None: of the site)."""
        return {
            alarm.kind
            for alarm in self.engine.snapshot().alarms
            if alarm.plant == plant and alarm.cleared_at is None
        }


@asynccontextmanager
async def running(
    *plants: str,
    settings: EngineSettings = SETTINGS,
    store: MemoryStore | None = None,
    registers: dict[PlantId, FakeRegisters] | None = None,
    remote: dict[PlantId, FakeRegisters] | None = None,
    plant_spec: PlantSpec | None = None,
    meters: dict[str, FakeRegisters] | None = None,
    held: Held | None = None,
    link_of: LinkOf | None = None,
    source: FakeSource | None = None,
    market: MarketAccess | None = None,
    clock: VirtualClock | None = None,
    sink: FakeSink | None = None,
) -> AsyncIterator[Rig]:
    """A started engine; leaving the block closes it without a safe stop.

    Args:
        store: What an earlier engine left, and the next one finds.
        registers: Plants that are there already.
        remote: The plants behind the remote endpoints, where there are any.
        meters: The further devices of the plants, by host.
        held: The locks that several engines compete for.
        link_of: Makes other links than those to these plants.
        source: A market that answers by script, or `market`: any; None: there is none.
        clock: None: one that starts at `START`.
        sink: What an earlier engine has recorded.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = clock or VirtualClock(
        loop, START + timedelta(microseconds=loop.monotonic_ns() // 1_000)
    )
    local = registers or {PlantId(plant): FakeRegisters() for plant in plants or ("lib",)}
    behind = {Transport.LOCAL: local, Transport.REMOTE: remote or {}}
    # An engine that is started later on the same store gives other ids.
    sink, ids = sink or FakeSink(), count(1 + loop.monotonic_ns() // 1_000_000)

    def to_memory(of: PlantSpec, transport: Transport, device: Device) -> MemoryLink:
        is_main = device is of.endpoints[transport].main
        there = behind[transport][of.id] if is_main else (meters or {})[device.host]
        return MemoryLink(there.handle, timeout_s=settings.modbus_timeout_s)

    engine = Engine(
        settings,
        [_with_remote(plant_spec or spec(plant), remote) for plant in local],
        link_of or to_memory,
        sink,
        store or MemoryStore(),
        clock,
        locks=MemoryLocks({} if held is None else held),
        emulator=None,
        market=market if source is None else market_access(source),
        new_id=lambda: f"id-{next(ids)}",
    )
    await engine.start()
    try:
        yield Rig(engine, clock, sink, local)
    finally:
        await engine.close()


def _with_remote(local: PlantSpec, remote: dict[PlantId, FakeRegisters] | None) -> PlantSpec:
    if not remote or local.id not in remote:
        return local
    main = Device(host="192.0.2.21", port=502)
    endpoint = replace(local.endpoints[Transport.LOCAL], main=main)
    return replace(local, endpoints={**local.endpoints, Transport.REMOTE: endpoint})
