"""What an earlier run of the engine left, and what of it this one takes up."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.domain.snapshot import Estop
from hil.domain.stored import Alive, Control, Selectors, Service
from hil.engine.journal import Journal
from hil.engine.settings import EngineSettings


class EarlierRun:
    """Reads a journal that is loaded.

    Attributes:
        crashed: It did not end orderly.
        is_resumed: Its dispatch and recordings are taken up where they stood.
        estop: The latch, as it was left.
    """

    def __init__(self, journal: Journal, settings: EngineSettings, *, now: datetime) -> None:
        self._journal = journal
        self._settings = settings
        alive = journal.get("alive", Alive)
        self.crashed = alive is not None and not alive.clean
        self.is_resumed = self.crashed and self._is_fresh(alive, now)
        self.estop = journal.get("estop", Estop) or Estop()

    def _is_fresh(self, alive: Alive | None, now: datetime) -> bool:
        if alive is None or not self._settings.resume:
            return False
        return timedelta(0) <= now - alive.at <= timedelta(seconds=self._settings.resume_max_age_s)

    def selectors(self) -> Selectors:
        """What is selected now: after an orderly end what the settings say."""
        stored = self._journal.get("selectors", Selectors) if self.crashed else None
        return stored or Selectors(
            source=self._settings.source,
            transport=self._settings.transport,
            posting_enabled=self._settings.posting_enabled,
        )

    def services(self, specs: Iterable[PlantSpec]) -> dict[PlantId, Service]:
        """Which plants are in service."""
        return {
            spec.id: self._journal.get(f"service/{spec.id}", Service)
            or Service(in_service=spec.in_service)
            for spec in specs
        }

    def control(self, plant: PlantId) -> Control:
        """How a plant was left: after an orderly end only a stop that is pending."""
        stored = self._journal.get(f"control/{plant}", Control) or Control()
        if stored.engaged and self.estop.active:
            return replace(stored, stop_pending=True)
        return stored if self.crashed else Control(stop_pending=stored.stop_pending)

    def leftovers(self, specs: Iterable[PlantSpec]) -> Mapping[PlantId, Transport]:
        """The transports whose endpoints were left before they were at zero."""
        found = {spec.id: self._journal.get(f"leftover/{spec.id}", Transport) for spec in specs}
        known = {spec.id: spec.endpoints for spec in specs}
        return {
            plant: transport
            for plant, transport in found.items()
            if transport is not None and transport in known[plant]
        }
