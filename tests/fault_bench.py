"""An engine on virtual time over emulated plants that can be out of order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

from emulated_bench import LIB_POINTS, spec_of
from hil.domain.commands import CommandKind
from hil.domain.faults import kinds_of, parse_faults
from hil.domain.plant import Device, PlantSpec, Transport
from hil.emulation.fleet import EmulatedFleet
from hil.engine.engine import Engine
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore
from rig import LIB, SETTINGS, START, FakeSink, Rig


def lib_spec() -> PlantSpec:
    return spec_of(LIB_POINTS)


@dataclass
class FaultBench:
    """The rig of an engine, and the faults of its plant through the engine."""

    rig: Rig
    fleet: EmulatedFleet

    async def show(self, kind: str, **params: object) -> None:
        faults = parse_faults({"kind": kind, **params})
        await self.rig.engine.set_fault(LIB, faults, by="test")

    async def clear(self, kind: str) -> None:
        await self.rig.engine.clear_fault(LIB, kinds_of(kind), by="test")


@asynccontextmanager
async def faulty_engine(
    *, p_kw: float | None = 100.0, spec: PlantSpec | None = None
) -> AsyncIterator[FaultBench]:
    """An engine whose plant runs at this power; None: it is not started."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, START)
    spec = lib_spec() if spec is None else spec
    endpoint = spec.endpoints[Transport.LOCAL]
    spec = replace(spec, endpoints={Transport.LOCAL: endpoint, Transport.REMOTE: endpoint})
    fleet = EmulatedFleet(
        [spec],
        kinds={LIB: "lithium_ion"},
        clock=clock,
        step_s=1.0,
        initial_soc_pu=0.5,
        v_source_pu=1.0,
        f_hz=50.0,
        faults={},
    )

    def link_of(of: PlantSpec, transport: Transport, device: Device) -> MemoryLink:
        names = {id(one): name for name, one in of.endpoints[transport].devices.items()}
        served = fleet.served(of.id)[names.get(id(device))]
        return MemoryLink(served.handle, timeout_s=SETTINGS.modbus_timeout_s)

    ids = count(1)
    engine = Engine(
        SETTINGS,
        [spec],
        link_of,
        FakeSink(),
        MemoryStore(),
        clock,
        locks=MemoryLocks({}),
        emulator=fleet,
        new_id=lambda: f"id-{next(ids)}",
    )
    await engine.start()
    rig = Rig(engine, clock, FakeSink(), {})
    try:
        if p_kw is not None:
            await rig.plan(p_kw)
            await rig.carry_out(CommandKind.START)
            await rig.wait(6)
            assert rig.state().link.status == "ok"
        yield FaultBench(rig, fleet)
    finally:
        await engine.close()
