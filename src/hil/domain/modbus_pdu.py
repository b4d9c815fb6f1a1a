"""Modbus requests and responses as values, and their bytes: the PDUs of FC 1-6, 15, 16 and 23.

Limits and layouts are those of the Modbus Application Protocol Specification v1.1b3, section 6.
Addresses are 0-based, as on the wire.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from struct import Struct

MAX_READ_BITS = 2000  # 6.1, 6.2
MAX_READ_REGISTERS = 125  # 6.3, 6.4, 6.17
MAX_WRITE_BITS = 1968  # 6.11
MAX_WRITE_REGISTERS = 123  # 6.12
MAX_READ_WRITE_REGISTERS = 121  # 6.17: the write half of FC23
MAX_PDU_BYTES = 253  # 4.1: 256 bytes of a serial frame without address and checksum
ADDRESSES = 0x10000  # 4.3: each table has 65,536 elements


class Table(StrEnum):
    """The four tables of a Modbus device; coils and discrete inputs are bits."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"


class ExceptionCode(IntEnum):
    """Why a device refuses a request (section 7)."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    SERVER_DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    SERVER_DEVICE_BUSY = 6
    MEMORY_PARITY_ERROR = 8
    GATEWAY_PATH_UNAVAILABLE = 10
    GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND = 11


class ProtocolError(Exception):
    """Bytes that are not what the protocol demands; the text names what is wrong with them.

    `code` is the exception with which a server answers a request like that.
    """

    def __init__(self, text: str, code: ExceptionCode = ExceptionCode.ILLEGAL_DATA_VALUE) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read `count` registers or bits from `address` (0-based, as on the wire)."""

    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Write registers (0..65535) or bits (0, 1) from `address`.

    `multiple` False: FC5 or FC6 and exactly one value. True: FC15 or FC16.
    """

    table: Table
    address: int
    values: tuple[int, ...]
    multiple: bool


@dataclass(frozen=True, slots=True)
class ReadWriteRequest:
    """Write holding registers, then read some, in one request (FC23)."""

    read_address: int
    read_count: int
    write_address: int
    values: tuple[int, ...]


Request = ReadRequest | WriteRequest | ReadWriteRequest


@dataclass(frozen=True, slots=True)
class ReadReply:
    """The registers or bits that were asked for, as many as asked."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WriteReply:
    """The device acknowledged the write."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Modbus exception: the device answered, and said no."""

    code: int

    @property
    def text(self) -> str:
        """The exception in words, such as "illegal data address (exception 2)"."""
        try:
            words = ExceptionCode(self.code).name.lower().replace("_", " ")
        except ValueError:
            words = "unknown reason"
        return f"{words} (exception {self.code})"


Response = ReadReply | WriteReply | Refusal

_READ_FUNCTION = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
_READ_TABLE = {function: table for table, function in _READ_FUNCTION.items()}
_WRITE_FUNCTION = {  # by table and `multiple`
    (Table.COIL, False): 5,
    (Table.HOLDING, False): 6,
    (Table.COIL, True): 15,
    (Table.HOLDING, True): 16,
}
_WRITE_KIND = {function: kind for kind, function in _WRITE_FUNCTION.items()}
_READ_WRITE_FUNCTION = 23
_EXCEPTION_BIT = 0x80
_BIT_TABLES = frozenset((Table.COIL, Table.DISCRETE))
_COIL_ON = 0xFF00  # 6.5: any other value than this and 0 is illegal
_NOUN = {
    Table.HOLDING: "holding register",
    Table.INPUT: "input register",
    Table.COIL: "coil",
    Table.DISCRETE: "discrete input",
}

_HEAD = Struct(">BHH")  # function, address, count or value
_COUNTED_HEAD = Struct(">BHHB")  # the same and a byte count
_READ_WRITE_HEAD = Struct(">BHHHHB")
_WORDS = tuple(Struct(f">{count}H") for count in range(MAX_READ_REGISTERS + 1))
_WRITE_REPLY = WriteReply()


def function_code(request: Request) -> int:
    """The function that carries the request, 1..23."""
    if isinstance(request, ReadRequest):
        return _READ_FUNCTION[request.table]
    if isinstance(request, WriteRequest):
        return _WRITE_FUNCTION[request.table, request.multiple]
    return _READ_WRITE_FUNCTION


def describe(request: Request) -> str:
    """The request in words, such as "read of 10 holding registers from 270"."""
    if isinstance(request, ReadRequest):
        return f"read of {_amount(request.table, request.count)} from {request.address}"
    if isinstance(request, WriteRequest):
        return f"write of {_amount(request.table, len(request.values))} from {request.address}"
    written = _amount(Table.HOLDING, len(request.values))
    return (
        f"write of {written} from {request.write_address}"
        f" and read of {request.read_count} from {request.read_address}"
    )


def encode_request(request: Request) -> bytes:
    """The PDU of a request; one of an impossible quantity or value is an AssertionError."""
    if isinstance(request, ReadRequest):
        limit = MAX_READ_BITS if request.table in _BIT_TABLES else MAX_READ_REGISTERS
        assert 0 < request.count <= limit, request
        return _HEAD.pack(_READ_FUNCTION[request.table], request.address, request.count)
    values = request.values
    count = len(values)
    if isinstance(request, ReadWriteRequest):
        assert 0 < request.read_count <= MAX_READ_REGISTERS, request
        assert 0 < count <= MAX_READ_WRITE_REGISTERS, request
        asked = (request.read_address, request.read_count, request.write_address, count)
        head = _READ_WRITE_HEAD.pack(_READ_WRITE_FUNCTION, *asked, 2 * count)
        return head + _WORDS[count].pack(*values)
    function = function_code(request)
    if not request.multiple:
        assert count == 1, request
        value = values[0]
        if request.table is Table.COIL:
            assert 0 <= value <= 1, request
            value *= _COIL_ON
        return _HEAD.pack(function, request.address, value)
    if request.table is Table.COIL:
        assert 0 < count <= MAX_WRITE_BITS, request
        data = _pack_bits(values)
    else:
        assert 0 < count <= MAX_WRITE_REGISTERS, request
        data = _WORDS[count].pack(*values)
    return _COUNTED_HEAD.pack(function, request.address, count, len(data)) + data


def decode_request(pdu: bytes) -> Request:
    """The request that a client sent.

    Raises:
        ProtocolError: Unknown function (code 1), addresses beyond 65535 (code 2), or an illegal
            quantity, value, byte count or length (code 3).
    """
    function = pdu[0] if pdu else 0
    if (table := _READ_TABLE.get(function)) is not None:
        _check_length(pdu, _HEAD.size)
        _, address, count = _HEAD.unpack(pdu)
        limit = MAX_READ_BITS if table in _BIT_TABLES else MAX_READ_REGISTERS
        _check_span(address, count, limit)
        return ReadRequest(table, address, count)
    if (kind := _WRITE_KIND.get(function)) is not None:
        table, multiple = kind
        return _decode_write_many(pdu, table) if multiple else _decode_write_one(pdu, table)
    if function == _READ_WRITE_FUNCTION:
        return _decode_read_write(pdu)
    raise ProtocolError(f"unknown function {function}", ExceptionCode.ILLEGAL_FUNCTION)


def encode_response(request: Request, response: Response) -> bytes:
    """The PDU that answers `request`; a response of another kind or size is an AssertionError."""
    function = function_code(request)
    if isinstance(response, Refusal):
        return encode_refusal(function, response.code)
    if isinstance(request, WriteRequest):
        assert isinstance(response, WriteReply), response
        if not request.multiple:
            return encode_request(request)  # 6.5, 6.6: the answer is an echo
        return _HEAD.pack(function, request.address, len(request.values))
    assert isinstance(response, ReadReply), response
    count = len(response.values)
    if isinstance(request, ReadRequest) and request.table in _BIT_TABLES:
        assert count == request.count, (request, count)
        data = _pack_bits(response.values)
        return bytes((function, len(data))) + data
    assert 2 * count == _data_bytes(request), (request, count)
    return bytes((function, 2 * count)) + _WORDS[count].pack(*response.values)


def encode_refusal(function: int, code: int) -> bytes:
    """The PDU of an exception; `function` as it came, so that it need not be one we know."""
    return bytes((function | _EXCEPTION_BIT, code))


def response_bytes(request: Request) -> int:
    """How long the PDU is that grants `request`; that of a refusal has 2 bytes."""
    return _HEAD.size if isinstance(request, WriteRequest) else 2 + _data_bytes(request)


def decode_response(request: Request, pdu: bytes) -> Response:
    """What the device answered to `request`.

    Raises:
        ProtocolError: Another function, another size than asked for, or an echo of another
            address, count or value.
    """
    function = function_code(request)
    if not pdu or pdu[0] != function:
        if len(pdu) == 2 and pdu[0] == function | _EXCEPTION_BIT:
            return Refusal(pdu[1])
        raise ProtocolError(f"function {pdu[0] if pdu else 0} instead of {function}")
    if isinstance(request, WriteRequest):
        _check_echo(request, pdu)
        return _WRITE_REPLY
    size = _data_bytes(request)
    if len(pdu) != 2 + size or pdu[1] != size:
        raise _wrong_size(len(pdu) - 2, pdu[1] if len(pdu) > 1 else 0, size)
    if isinstance(request, ReadRequest) and request.table in _BIT_TABLES:
        return ReadReply(_unpack_bits(pdu[2:], request.count))
    return ReadReply(_WORDS[size >> 1].unpack_from(pdu, 2))


def _amount(table: Table, count: int) -> str:
    return f"{count} {_NOUN[table]}{'' if count == 1 else 's'}"


def _data_bytes(request: ReadRequest | ReadWriteRequest) -> int:
    if isinstance(request, ReadWriteRequest):
        return 2 * request.read_count
    return (request.count + 7) // 8 if request.table in _BIT_TABLES else 2 * request.count


def _decode_write_one(pdu: bytes, table: Table) -> WriteRequest:
    _check_length(pdu, _HEAD.size)
    _, address, value = _HEAD.unpack(pdu)
    if table is Table.COIL:
        if value not in (0, _COIL_ON):
            raise ProtocolError(f"coil value 0x{value:04X} instead of 0x0000 or 0xFF00")
        value //= _COIL_ON
    return WriteRequest(table, address, (value,), multiple=False)


def _decode_write_many(pdu: bytes, table: Table) -> WriteRequest:
    start = _COUNTED_HEAD.size
    _check_length(pdu, start, more=True)
    _, address, count, size = _COUNTED_HEAD.unpack_from(pdu)
    if table is Table.COIL:
        _check_span(address, count, MAX_WRITE_BITS)
        _check_size(pdu, start, size, (count + 7) // 8)
        return WriteRequest(table, address, _unpack_bits(pdu[start:], count), multiple=True)
    _check_span(address, count, MAX_WRITE_REGISTERS)
    _check_size(pdu, start, size, 2 * count)
    return WriteRequest(table, address, _WORDS[count].unpack_from(pdu, start), multiple=True)


def _decode_read_write(pdu: bytes) -> ReadWriteRequest:
    start = _READ_WRITE_HEAD.size
    _check_length(pdu, start, more=True)
    _, read_address, read_count, write_address, count, size = _READ_WRITE_HEAD.unpack_from(pdu)
    _check_span(read_address, read_count, MAX_READ_REGISTERS)
    _check_span(write_address, count, MAX_READ_WRITE_REGISTERS)
    _check_size(pdu, start, size, 2 * count)
    values = _WORDS[count].unpack_from(pdu, start)
    return ReadWriteRequest(read_address, read_count, write_address, values)


def _check_length(pdu: bytes, size: int, *, more: bool = False) -> None:
    if len(pdu) < size or (len(pdu) > size and not more):
        raise ProtocolError(f"{len(pdu)} bytes for function {pdu[0]}, which needs {size}")


def _check_span(address: int, count: int, limit: int) -> None:
    if not 0 < count <= limit:
        raise ProtocolError(f"quantity {count} instead of 1 to {limit}")
    if address + count > ADDRESSES:
        text = f"{count} from address {address} end beyond {ADDRESSES - 1}"
        raise ProtocolError(text, ExceptionCode.ILLEGAL_DATA_ADDRESS)


def _check_size(pdu: bytes, start: int, announced: int, wanted: int) -> None:
    if len(pdu) - start != wanted or announced != wanted:
        raise _wrong_size(len(pdu) - start, announced, wanted)


def _wrong_size(present: int, announced: int, wanted: int) -> ProtocolError:
    return ProtocolError(f"{present} data bytes, announced as {announced}, instead of {wanted}")


def _check_echo(request: WriteRequest, pdu: bytes) -> None:
    """A granted write repeats its head: address, and count or value."""
    wanted = encode_request(request)[: _HEAD.size]
    if pdu == wanted:
        return
    if len(pdu) != _HEAD.size:
        raise ProtocolError(f"an echo of {len(pdu)} bytes instead of {_HEAD.size}")
    _, address, number = _HEAD.unpack(pdu)
    _, wanted_address, wanted_number = _HEAD.unpack(wanted)
    noun = "count" if request.multiple else "value"
    raise ProtocolError(
        f"an echo of address {address} and {noun} {number}"
        f" instead of {wanted_address} and {wanted_number}"
    )


def _pack_bits(values: tuple[int, ...]) -> bytes:
    """Eight bits a byte, the first value in the lowest bit of the first byte."""
    number = int("".join("1" if value else "0" for value in reversed(values)), 2)
    return number.to_bytes((len(values) + 7) // 8, "little")


def _unpack_bits(data: bytes, count: int) -> tuple[int, ...]:
    number = int.from_bytes(data, "little")
    return tuple((number >> index) & 1 for index in range(count))
