"""Locks on devices among engines of one process."""

from collections.abc import Collection

from hil.domain.errors import Impossible
from hil.domain.plant import Device

Held = dict[tuple[str, int, int], "MemoryLocks"]


class MemoryLocks:
    """Implements `DeviceLocks` for rehearsals.

    Args:
        held: Who holds what, shared by the engines of one bench.
    """

    def __init__(self, held: Held) -> None:
        self._held = held

    def hold(self, devices: Collection[Device]) -> None:
        """See `DeviceLocks.hold`."""
        wanted = {(device.host, device.port, device.unit_id) for device in devices}
        for host, port, unit_id in sorted(wanted):
            if self._held.get((host, port, unit_id), self) is not self:
                raise Impossible(f"another engine writes to {host}:{port} unit {unit_id}")
        for key in [key for key, by in self._held.items() if by is self and key not in wanted]:
            del self._held[key]
        self._held |= dict.fromkeys(wanted, self)
