"""A link to an emulated plant in the same loop, without sockets or bytes."""

import asyncio
from collections.abc import Callable, Sequence

from hil.domain.modbus_pdu import Request, Response, describe
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange, LinkProblem


class MemoryLink:
    """A `PlantLink` that calls the handler which `ModbusServer` calls behind a socket.

    Args:
        handle: Answers a request at once; None is no answer at all, as of a silent device.
        timeout_s: Seconds that a silent device is waited for.
    """

    def __init__(self, handle: Callable[[Request], Response | None], *, timeout_s: float) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def exchange(self, requests: Sequence[Request], *, within_s: float) -> Exchange:
        """See `PlantLink.exchange`; a device that answers takes no time."""
        handle = self._handle
        responses: list[Response] = []
        for request in requests:
            response = handle(request)
            if response is None:
                wait_s = min(self._timeout_s, within_s)
                await _pass(wait_s)
                text = (
                    f"the emulated plant did not answer a {describe(request)} within"
                    f" {wait_s:.3g} s; check its faults"
                )
                return Exchange(tuple(responses), LinkProblem(LinkStatus.TIMEOUT, text))
            responses.append(response)
        return Exchange(tuple(responses))

    async def close(self) -> None:
        """See `PlantLink.close`; there is no connection."""


async def _pass(wait_s: float) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(wait_s, end)
    try:
        await waiter
    finally:
        timer.cancel()
