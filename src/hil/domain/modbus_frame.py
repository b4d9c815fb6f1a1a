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

    @property
    def rest(self) -> bytes:
        """What has come in and is in no frame yet."""
        return self._data[self._at :]

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


def decode_reply(frame: Frame, request: Request, *, transaction: int, unit_id: int) -> Response:
    """What the device answered to `request`.

    Raises:
        ProtocolError: Another transaction or unit id, or no answer to this request.
    """
    if frame[0] != transaction:
        raise ProtocolError(f"transaction id {frame[0]} instead of {transaction}")
    if frame[1] != unit_id:
        raise ProtocolError(f"unit id {frame[1]} instead of {unit_id}")
    return decode_response(request, frame[2])


def check_reply_start(start: bytes, request: Request, *, transaction: int, unit_id: int) -> None:
    """See as early as possible that a reply that is not whole yet cannot be the one awaited.

    Args:
        start: The bytes that have come so far.

    Raises:
        ProtocolError: Another transaction or unit id, or a length that no answer to `request` has.
    """
    if len(start) >= 2 and (got := int.from_bytes(start[:2], "big")) != transaction:
        raise ProtocolError(f"transaction id {got} instead of {transaction}")
    wanted = 1 + response_bytes(request)
    if len(start) >= 6 and start[5] not in (wanted, _REFUSAL_LENGTH):
        raise ProtocolError(f"a length of {start[5]} bytes instead of {wanted}")
    if len(start) >= HEADER_BYTES and start[6] != unit_id:
        raise ProtocolError(f"unit id {start[6]} instead of {unit_id}")


def _check_header_start(start: bytes) -> None:
    if any(start[2:4]):
        raise ProtocolError(f"protocol id 0x{start[2:4].hex()} instead of 0x0000")
    length = int.from_bytes(start[4:6].ljust(2, b"\0"), "big")
    if length > MAX_LENGTH or (len(start) >= 6 and length < MIN_LENGTH):
        text = f"a length of {length} bytes instead of {MIN_LENGTH} to {MAX_LENGTH}"
        raise ProtocolError(text)
