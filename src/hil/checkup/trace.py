"""What goes over a link, as hex and in words."""

from collections.abc import Iterator, Sequence
from itertools import count

from hil.domain.modbus_frame import Frame, FrameSplitter, encode_frame
from hil.domain.modbus_pdu import (
    ProtocolError,
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    decode_request,
    decode_response,
    describe,
    encode_request,
    encode_response,
)
from hil.domain.registers import RegisterMap
from hil.ports import Exchange, PlantLink, Tap


class TracingLink:
    """A `PlantLink` that keeps a line for every frame that it sends and gets.

    A line has the direction, the bytes of the frame (header and PDU) in hex, the transaction
    and unit ids, the function, and what it means. Of a link without a wire, such as one in
    memory, the frames are those that a wire would carry.

    Args:
        unit_id: The unit id of frames that no wire has carried.
        lines: Where the lines are added.
    """

    def __init__(
        self, link: PlantLink, registers: RegisterMap, *, unit_id: int, lines: list[str]
    ) -> None:
        self._link = link
        self._registers = registers
        self._unit_id = unit_id
        self._lines = lines
        self._transactions = count(1)

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """See `PlantLink.exchange`; what goes over the wire is told to nobody but the lines."""
        wire = _Wire(self._registers)
        got = await self._link.exchange(requests, within_s=within_s, tap=wire)
        if got.responses and not wire.lines:
            self._imagine(wire, requests, got)
        self._lines += wire.lines
        if got.problem is not None:
            is_silent = not wire.lines or wire.lines[-1].startswith("->")
            self._lines.append(f"{'<- nothing' if is_silent else '-- the end'}: {got.problem.text}")
        return got

    def _imagine(self, wire: "_Wire", requests: Sequence[Request], got: Exchange) -> None:
        for request, response in zip(requests, got.responses, strict=False):
            transaction = next(self._transactions) & 0xFFFF
            wire.sent(encode_frame(transaction, self._unit_id, encode_request(request)))
            answer = encode_response(request, response)
            wire.got(encode_frame(transaction, self._unit_id, answer))

    async def close(self) -> None:
        """See `PlantLink.close`."""
        await self._link.close()


class _Wire:
    """The `Tap` of one exchange; requests are on the wire one at a time."""

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        self._request: Request | None = None
        self._splitter = FrameSplitter()
        self.lines: list[str] = []

    def sent(self, data: bytes) -> None:
        """See `Tap.sent`."""
        self._splitter = FrameSplitter()
        for transaction, unit_id, pdu in _frames(data):
            self._request = request = decode_request(pdu)
            self._add("->", (transaction, unit_id, pdu), _asked(request))

    def got(self, data: bytes) -> None:
        """See `Tap.got`."""
        self._splitter.feed(data)
        try:
            whole = list(iter(self._splitter.next, None))
        except ProtocolError as error:
            self.lines.append(f"<- {data.hex(' ')}  no Modbus: {error}")
            return
        for frame in whole:
            self._add("<-", frame, self._answered(frame[2]))
        if not whole:
            self.lines.append(f"<- {data.hex(' ')}  a part of a frame")

    def _add(self, way: str, frame: Frame, words: str) -> None:
        transaction, unit_id, pdu = frame
        data = encode_frame(transaction, unit_id, pdu)
        code = pdu[0] & 0x7F
        self.lines.append(
            f"{way} {data.hex(' ')}  transaction {transaction} unit {unit_id} FC{code} {words}"
        )

    def _answered(self, pdu: bytes) -> str:
        assert self._request is not None
        try:
            response = decode_response(self._request, pdu)
        except ProtocolError as error:
            return f"no answer to this request: {error}"
        return self._meaning(self._request, response)

    def _meaning(self, request: Request, response: Response) -> str:
        if isinstance(response, Refusal):
            return f"refused: {response.text}"
        if not isinstance(response, ReadReply):
            return f"acknowledged: {describe(request)}"
        if not isinstance(request, ReadRequest):
            return f"values {' '.join(map(str, response.values))}"
        points = [
            f"{point.name}={'not known' if value is None else f'{value:.8g}'}"
            for point in self._registers.points.values()
            if point.table is request.table
            and point.device is None
            and request.address <= point.address
            and point.end <= request.address + request.count
            for at in (point.address - request.address,)
            for value in (
                self._registers.decode(point.name, response.values[at : at + point.length]),
            )
        ]
        return " ".join(points) or f"values {' '.join(map(str, response.values))}"


def _frames(data: bytes) -> Iterator[Frame]:
    splitter = FrameSplitter()
    splitter.feed(data)
    return iter(splitter.next, None)


def _asked(request: Request) -> str:
    if isinstance(request, ReadRequest):
        return describe(request)
    return f"{describe(request)}: {' '.join(map(str, request.values))}"
