"""What goes over a link, as hex and in words."""

from collections.abc import Sequence

from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    describe,
    encode_request,
    encode_response,
)
from hil.domain.plant import Endpoint
from hil.ports import Exchange, PlantLink


class TracingLink:
    """A `PlantLink` that keeps a line for each PDU that it sends and gets.

    Args:
        device: The further device of the endpoint that is spoken to; None: the plant's own server.
        lines: Where the lines are added.
    """

    def __init__(
        self, link: PlantLink, endpoint: Endpoint, *, device: str | None, lines: list[str]
    ) -> None:
        self._link = link
        self._registers = endpoint.registers
        self._device = device
        self._unit_id = (endpoint.main if device is None else endpoint.devices[device]).unit_id
        self._lines = lines

    async def exchange(self, requests: Sequence[Request], *, within_s: float) -> Exchange:
        """See `PlantLink.exchange`."""
        got = await self._link.exchange(requests, within_s=within_s)
        for request, response in zip(requests, got.responses, strict=False):
            self._add("->", encode_request(request), self._asked(request))
            self._add("<-", encode_response(request, response), self._answered(request, response))
        if got.problem is not None and len(got.responses) < len(requests):
            request = requests[len(got.responses)]
            self._add("->", encode_request(request), self._asked(request))
            self._lines.append(f"<- nothing: {got.problem.text}")
        return got

    async def close(self) -> None:
        """See `PlantLink.close`."""
        await self._link.close()

    def _add(self, way: str, pdu: bytes, words: str) -> None:
        self._lines.append(f"{way} {bytes((self._unit_id,)).hex()} {pdu.hex(' ')}  {words}")

    def _asked(self, request: Request) -> str:
        if isinstance(request, ReadRequest):
            return describe(request)
        return f"{describe(request)}: {' '.join(map(str, request.values))}"

    def _answered(self, request: Request, response: Response) -> str:
        if isinstance(response, Refusal):
            return f"refused: {response.text}"
        if not isinstance(response, ReadReply) or not isinstance(request, ReadRequest):
            return "acknowledged"
        points = [
            f"{point.name}={'not known' if value is None else f'{value:.8g}'}"
            for point in self._registers.points.values()
            if point.table is request.table
            and point.device == self._device
            and request.address <= point.address
            and point.end <= request.address + request.count
            for at in (point.address - request.address,)
            for value in (
                self._registers.decode(point.name, response.values[at : at + point.length]),
            )
        ]
        return " ".join(points) or f"values {' '.join(map(str, response.values))}"
