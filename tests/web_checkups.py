"""Checkups over a fake engine: its plants answer from memory."""

from dataclasses import dataclass, field

from hil.checkup.through_engine import Checkups
from hil.domain.plant import PlantId
from hil.domain.snapshot import Snapshot
from hil.ports import Clock, PlantLink
from hil.virtual.memory_link import MemoryLink
from specimen import FakeRegisters, spec
from web_support import FakeEngine, FixedClock


@dataclass
class FakeLender:
    """Lends links to fake registers."""

    engine: FakeEngine
    registers: FakeRegisters = field(default_factory=FakeRegisters)

    def snapshot(self) -> Snapshot:
        return self.engine.snapshot()

    def lend(self, plant: PlantId, device: str | None = None) -> PlantLink:
        assert device is None, device
        return MemoryLink(self.registers.handle, timeout_s=1)


def checkups_of(engine: FakeEngine, clock: Clock | None = None) -> Checkups:
    """Smoke checks and registers of the fake engine's two plants."""
    specs = [spec(plant) for plant in ("lib", "vrfb")]
    return Checkups(FakeLender(engine), specs, clock or FixedClock(), within_s=1)
