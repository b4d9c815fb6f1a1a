"""Modbus TCP framing: the header before each PDU, and frames cut out of a stream of bytes.

The header (MBAP) is that of the Modbus Messaging on TCP/IP Implementation Guide v1.0b, 3.1.3.
"""

from struct import Struct

from hil.domain.modbus_pdu import (
    MAX_PDU_BYTES,
    ProtocolError,
    Request,
    Response,
    decode_response,
    response_bytes,
)

HEADER_BYTES = 7
MIN_LENGTH = 2  # unit id and function code
MAX_LENGTH = 1 + MAX_PDU_BYTES  # the header counts the unit id as part of what follows
_REFUSAL_LENGTH = 3  # unit id, function code, exception code

_HEADER = Struct(">HHHB")  # transaction, protocol (0: Modbus), length, unit

Frame = tuple[int, int, bytes]
"""Transaction id, unit id and PDU."""


def encode_frame(transaction: int, unit_id: int, pdu: bytes) -> bytes:
    """The bytes on the wire; unit ids 0..255 go out unchanged."""
    return _HEADER.pack(transaction, 0, 1 + len(pdu), unit_id) + pdu


class FrameSplitter:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    __slots__ = ("_at", "_data")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data = data if self._at == len(self._data) else self._data[self._at :] + data
        self._at = 0

    def next(self) -> Frame | None:
        """The next whole frame; None when more bytes must come first.

        Raises:
            ProtocolError: What has come is no Modbus header, as soon as that can be seen;
                nothing that follows can be trusted.
        """
        at = self._at
        data = self._data
        left = len(data) - at
        if left < HEADER_BYTES:
            _check_header_start(data[at:])
            return None
        transaction, protocol, length, unit_id = _HEADER.unpack_from(data, at)
        if protocol or not MIN_LENGTH <= length <= MAX_LENGTH:
            _check_header_start(data[at : at + HEADER_BYTES])
        start = at + HEADER_BYTES
        end = start + length - 1
        if end > len(data):
            return None
        self._at = end
        return transaction, unit_id, data[start:end]


def decode_reply(
    data: bytes, request: Request, *, transaction: int, unit_id: int
) -> Response | None:
    """What the device answered to `request`; None when more bytes must come first.

    Args:
        data: All that has come since the request was sent; no other one was under way.

    Raises:
        ProtocolError: As soon as it can be seen that this is not the answer to this request: no
            Modbus header, another transaction or unit id, a length that no answer to it has,
            bytes beyond the answer, or a PDU that `decode_response` refuses.
    """
    size = len(data)
    if size > HEADER_BYTES:
        got_transaction, protocol, length, got_unit_id = _HEADER.unpack_from(data)
        if (
            size == HEADER_BYTES - 1 + length
            and got_transaction == transaction
            and protocol == 0
            and got_unit_id == unit_id
        ):
            return decode_response(request, data[HEADER_BYTES:])
    _check_header_start(data[:HEADER_BYTES])
    if size >= 2 and (got := int.from_bytes(data[:2], "big")) != transaction:
        raise ProtocolError(f"transaction id {got} instead of {transaction}")
    if size >= HEADER_BYTES and data[6] != unit_id:
        raise ProtocolError(f"unit id {data[6]} instead of {unit_id}")
    wanted = 1 + response_bytes(request)
    if size >= 6 and data[5] not in (wanted, _REFUSAL_LENGTH):
        raise ProtocolError(f"a length of {data[5]} bytes instead of {wanted}")
    if size > HEADER_BYTES and size > HEADER_BYTES - 1 + data[5]:
        raise ProtocolError(f"{size - HEADER_BYTES + 1 - data[5]} bytes beyond the answer")
    return None


def _check_header_start(start: bytes) -> None:
    if any(start[2:4]):
        raise ProtocolError(f"protocol id 0x{start[2:4].hex()} instead of 0x0000")
    length = int.from_bytes(start[4:6].ljust(2, b"\0"), "big")
    if length > MAX_LENGTH or (len(start) >= 6 and length < MIN_LENGTH):
        text = f"a length of {length} bytes instead of {MIN_LENGTH} to {MAX_LENGTH}"
        raise ProtocolError(text)
