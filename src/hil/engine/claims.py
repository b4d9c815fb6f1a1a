"""Which devices this engine claims: nobody else on the machine may write to them meanwhile."""

from collections.abc import Mapping

from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.ports import DeviceLocks


class Claims:
    """The plants' endpoints of the selected transport, and those left behind before their stop.

    Further devices of a plant are only read, and need no claim.

    Args:
        left: The transports whose endpoints an earlier run left behind.
    """

    def __init__(
        self,
        locks: DeviceLocks,
        specs: Mapping[PlantId, PlantSpec],
        *,
        left: Mapping[PlantId, Transport],
    ) -> None:
        self._locks = locks
        self._specs = specs
        self._left = dict(left)
        self._selected: tuple[Transport, ...] = ()

    def select(self, *transports: Transport) -> None:
        """Claim the endpoints of these transports only, during a switch those of both.

        Raises:
            HilError: One of them cannot be claimed (`Impossible`: another process holds it);
                what was claimed still is.
        """
        self._hold(transports, self._left)
        self._selected = transports

    def leave(self, plant: PlantId, transport: Transport) -> None:
        """Keep an endpoint that must still be stopped, whatever is selected."""
        self._left[plant] = transport

    def settle(self, plant: PlantId) -> None:
        """What was left behind of a plant is stopped."""
        self._left.pop(plant, None)
        self._hold(self._selected, self._left)

    def _hold(self, transports: tuple[Transport, ...], left: Mapping[PlantId, Transport]) -> None:
        wanted = {(plant, transport) for plant in self._specs for transport in transports}
        wanted |= set(left.items())
        self._locks.hold(
            [
                self._specs[plant].endpoints[transport].main
                for plant, transport in sorted(wanted)
                if transport in self._specs[plant].endpoints
            ]
        )
