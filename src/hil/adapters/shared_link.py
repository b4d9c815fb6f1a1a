"""Links that share one connection: plants behind a gateway that accepts no second one."""

import asyncio
from collections.abc import Sequence

from hil.adapters.modbus_client import TcpLink
from hil.domain.modbus_pdu import Request
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange, LinkProblem, PlantLink, Tap


class TcpLinks:
    """Makes the links to devices; those with `single_connection` share one a host and port.

    Args:
        timeout_s: As of `TcpLink`.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._shared: dict[tuple[str, int], _Gateway] = {}

    def link(self, device: Device) -> PlantLink:
        """A link to this device; the pauses of a shared connection are those of its first one."""
        if not device.quirks.single_connection:
            return TcpLink(device, timeout_s=self._timeout_s)
        where = (device.host, device.port)
        if where not in self._shared:
            self._shared[where] = _Gateway(device, TcpLink(device, timeout_s=self._timeout_s))
        return _SharedLink(self._shared[where], device.unit_id)


class _Gateway:
    """One connection, who uses it, and whose turn it is: first come, first served."""

    def __init__(self, device: Device, link: TcpLink) -> None:
        self.where = f"{device.host}:{device.port}"
        self.link = link
        self.turn = asyncio.Lock()
        self.users: set[_SharedLink] = set()


class _SharedLink:
    """A `PlantLink` to one unit behind a gateway; waiting for its turn counts as its time."""

    def __init__(self, gateway: _Gateway, unit_id: int) -> None:
        self._gateway = gateway
        self._unit_id = unit_id

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """See `PlantLink.exchange`."""
        gateway, loop = self._gateway, asyncio.get_running_loop()
        gateway.users.add(self)
        ends_at_s = loop.time() + within_s
        try:
            async with asyncio.timeout_at(ends_at_s):
                await gateway.turn.acquire()
        except TimeoutError:
            return Exchange((), _no_turn(gateway.where, within_s))
        try:
            left_s = ends_at_s - loop.time()
            if left_s <= 0:
                return Exchange((), _no_turn(gateway.where, within_s))
            return await gateway.link.exchange(
                requests, within_s=left_s, tap=tap, unit_id=self._unit_id
            )
        finally:
            gateway.turn.release()

    async def close(self) -> None:
        """See `PlantLink.close`; the connection stays while another plant uses it."""
        self._gateway.users.discard(self)
        if not self._gateway.users:
            await self._gateway.link.close()


def _no_turn(where: str, within_s: float) -> LinkProblem:
    return LinkProblem(
        LinkStatus.TIMEOUT,
        f"{where} was in use by the others that share its connection for {within_s:.3g} s;"
        " check whether one of them does not answer, or lengthen the periods",
    )
