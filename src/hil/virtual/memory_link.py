"""A link to an emulated plant in the same loop, without sockets or bytes."""

import asyncio
from collections.abc import Callable, Sequence

from hil.domain.modbus_pdu import Request, Response, describe
from hil.domain.snapshot import LinkStatus
from hil.ports import Answer, Exchange, LinkProblem, Manner, Tap

# What an answer comes to that is none, as `TcpLink` would say it.
_PROBLEMS = {
    Manner.STALE: (LinkStatus.ERROR, "answered a {} with the answer to an earlier request"),
    Manner.CLOSE: (LinkStatus.ERROR, "closed the connection before it answered a {}"),
    Manner.RESET: (LinkStatus.ERROR, "reset the connection before it answered a {}"),
    Manner.REFUSE: (LinkStatus.REFUSED, "takes no connection for a {}"),
}


class MemoryLink:
    """A `PlantLink` that calls the handler which `ModbusServer` calls behind a socket.

    Args:
        handle: Answers a request at once; None is no answer at all, as of a silent device, and
            an `Answer` may take its time, which passes on the loop's clock.
        timeout_s: Seconds that a silent device is waited for.
    """

    def __init__(
        self, handle: Callable[[Request], Response | Answer | None], *, timeout_s: float
    ) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """See `PlantLink.exchange`; a device that answers takes no time."""
        handle = self._handle
        responses: list[Response] = []
        left_s = within_s
        for request in requests:
            response = handle(request)
            if response is None or isinstance(response, Answer):
                wait_s = min(self._timeout_s, left_s)
                got = await _odd(request, response, wait_s)
                if isinstance(got, LinkProblem):
                    return Exchange(tuple(responses), got)
                assert response is not None
                left_s -= response.after_s
                response = got
            responses.append(response)
        return Exchange(tuple(responses))

    async def close(self) -> None:
        """See `PlantLink.close`; there is no connection."""


async def _odd(request: Request, answer: Answer | None, wait_s: float) -> Response | LinkProblem:
    """What comes of an answer that is not a response at once, within a time."""
    what = describe(request)
    after_s = wait_s if answer is None else answer.after_s
    if after_s > 0:
        await _pass(min(after_s, wait_s))
    if answer is None or after_s >= wait_s:
        text = f"the emulated plant did not answer a {what} within {wait_s:.3g} s; check its faults"
        return LinkProblem(LinkStatus.TIMEOUT, text)
    if answer.manner in _PROBLEMS:
        status, words = _PROBLEMS[answer.manner]
        return LinkProblem(status, f"the emulated plant {words.format(what)}; check its faults")
    if answer.unit_id is not None:
        text = f"the emulated plant answered a {what} as unit {answer.unit_id}; check its faults"
        return LinkProblem(LinkStatus.ERROR, text)
    assert answer.response is not None, answer
    return answer.response


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
