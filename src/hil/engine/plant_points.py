"""The owner's side of a plant's links: points in, measurement and health out."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hil.domain.modbus_pdu import Request
from hil.domain.plant import Device, Endpoint
from hil.domain.snapshot import Link
from hil.engine.cadence import NS_PER_S
from hil.engine.device_points import DevicePoints, Outcome
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, Exchange, PlantLink, Tap

__all__ = ["Outcome", "PlantPoints"]


class _SideDevice:
    """A device that is only read; `values` are those of its newest reading, if it has ended."""

    def __init__(self, points: DevicePoints) -> None:
        self.points = points
        self.reading: asyncio.Task[None] | None = None
        self.values: Mapping[str, float | None] = {}

    async def read(self, within_s: float) -> None:
        self.values = (await self.points.exchange({}, within_s=within_s)).values


class PlantPoints:
    """Speaks to one plant in points: to its own server, and to further devices such as a meter.

    Args:
        link_of: Makes the link to a device of the endpoint.
        within_s: A whole exchange ends within this.
        stale_after_s: A link that was fine and has not been used for this long is stale.
    """

    def __init__(
        self,
        plant: str,
        endpoint: Endpoint,
        link_of: Callable[[Device], PlantLink],
        clock: Clock,
        *,
        within_s: float,
        stale_after_s: float,
    ) -> None:
        self._plant = plant
        self.registers = endpoint.registers
        self._clock = clock
        self._within_s = within_s
        self._stale_after_s = stale_after_s
        self._main = DevicePoints(
            f"plant={plant}", endpoint.registers, endpoint.main, link_of(endpoint.main), clock
        )
        has_points = {point.device for point in endpoint.registers.points.values()}
        self._devices = {
            name: _SideDevice(
                DevicePoints(
                    f"plant={plant} device={name}",
                    endpoint.registers,
                    device,
                    link_of(device),
                    clock,
                    name=name,
                )
            )
            for name, device in endpoint.devices.items()
            if name in has_points
        }
        self._readers = Supervisor(clock)
        self.write_counts = self._main.write_counts

    @property
    def failures(self) -> int:
        """Exchanges in a row that the plant's own server did not answer."""
        return self._main.failures

    async def exchange(self, writes: Mapping[str, float]) -> Outcome:
        """Write these points in order, then read every point.

        The further devices come last, in what time is left; the points of one that does not
        answer are missing, and it is not waited for again until it has answered.
        """
        deadline_ns = self._clock.monotonic_ns() + int(self._within_s * NS_PER_S)
        outcome = await self._main.exchange(writes, within_s=self._within_s)
        if not self._devices:
            return outcome
        left_s = (deadline_ns - self._clock.monotonic_ns()) / NS_PER_S
        if left_s <= 0:
            return outcome
        return replace(outcome, values={**outcome.values, **await self._read_devices(left_s)})

    async def write(self, writes: Mapping[str, float], *, within_s: float) -> Outcome:
        """Write these points and read nothing, within this and the time of an exchange."""
        within_s = min(within_s, self._within_s)
        return await self._main.exchange(writes, within_s=within_s, read=False)

    async def _read_devices(self, left_s: float) -> dict[str, float | None]:
        """Read all at once, each in a task, so that one that is silent holds up nobody's writes."""
        awaited: list[_SideDevice] = []
        for name, device in self._devices.items():
            if device.reading is not None and not device.reading.done():
                continue
            if device.points.failures == 0:
                awaited.append(device)
            device.values = {}
            device.reading = self._readers.start(
                f"read {self._plant} {name}", partial(device.read, left_s)
            )
        tasks = [device.reading for device in awaited if device.reading is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=left_s)
        return {name: value for device in awaited for name, value in device.values.items()}

    def lost(self, failures: int) -> dict[str, str]:
        """The further devices that did not answer so often in a row, and the last problem."""
        return {
            name: device.points.error or ""
            for name, device in self._devices.items()
            if device.points.failures >= failures
        }

    async def lend(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """An exchange of somebody else's, which says nothing about the health of the link."""
        return await self._main.lend(requests, within_s=within_s, tap=tap)

    def health(self) -> Link:
        """The link as the state shows it; what further devices taught us follows their name."""
        link = self._main.health(stale_after_s=self._stale_after_s)
        more = tuple(
            f"{name}: {fact}"
            for name, device in self._devices.items()
            for fact in device.points.learned
        )
        return replace(link, learned=(*link.learned, *more)) if more else link

    async def close(self) -> None:
        """Drop the connections."""
        await self._readers.stop()
        await self._main.close()
        for device in self._devices.values():
            await device.points.close()
