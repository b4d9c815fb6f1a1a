"""The switches of the site: source, transport, posting, service, and the e-stop's latch."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from hil.domain.plant import PlantId, Source, Transport
from hil.domain.snapshot import Estop, Switching
from hil.domain.stored import Selectors, Service
from hil.engine.journal import Journal


class Site:
    """Holds the switches, keeps them over a restart, and tells of every change.

    Args:
        on_change: Told after every change.
    """

    def __init__(
        self,
        journal: Journal,
        selectors: Selectors,
        services: Mapping[PlantId, Service],
        *,
        estop: Estop,
        on_change: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._on_change = on_change
        self._services = dict(services)
        self.selectors = selectors
        self.estop = estop
        self.switching: Switching | None = None
        self._journal.put("selectors", selectors)

    def is_in_service(self, plant: PlantId) -> bool:
        """Whether the plant may be started."""
        return self._services[plant].in_service

    def set_service(self, plant: PlantId, service: Service) -> None:
        """Put a plant into service or out of it."""
        self._services[plant] = service
        self._journal.put(f"service/{plant}", service)
        self._on_change()

    def select_source(self, source: Source) -> None:
        """Dispatch another schedule from now on."""
        self._select(replace(self.selectors, source=source))

    def select_transport(self, transport: Transport) -> None:
        """Speak to other endpoints from now on."""
        self._select(replace(self.selectors, transport=transport))

    def select_posting(self, *, enabled: bool) -> None:
        """Post measurements, or keep them."""
        self._select(replace(self.selectors, posting_enabled=enabled))

    def _select(self, selectors: Selectors) -> None:
        self.selectors = selectors
        self._journal.put("selectors", selectors)
        self._on_change()

    def latch(self, estop: Estop) -> None:
        """Set or reset the emergency stop's latch: in memory first, durable soon."""
        self.estop = estop
        self._journal.put("estop", estop)
        self._on_change()

    def switch(self, switching: Switching | None) -> None:
        """A switch begins, or has ended."""
        self.switching = switching
        self._on_change()
