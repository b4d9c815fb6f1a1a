"""The Modbus codec: what goes in comes out, and nothing else is taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.domain.modbus_pdu import (
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_READ_WRITE_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    ExceptionCode,
    ProtocolError,
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
    decode_request,
    decode_response,
    describe,
    encode_refusal,
    encode_request,
    encode_response,
    function_code,
    response_bytes,
)

WORD = st.integers(0, 0xFFFF)
BIT = st.integers(0, 1)


@st.composite
def reads(draw: st.DrawFn, table: Table, limit: int) -> ReadRequest:
    count = draw(st.integers(1, limit))
    return ReadRequest(table, draw(st.integers(0, 0x10000 - count)), count)


@st.composite
def writes(draw: st.DrawFn, table: Table, limit: int, value: st.SearchStrategy[int]) -> Request:
    if draw(st.booleans()):
        return WriteRequest(table, draw(WORD), (draw(value),), multiple=False)
    values = tuple(draw(st.lists(value, min_size=1, max_size=limit)))
    address = draw(st.integers(0, 0x10000 - len(values)))
    return WriteRequest(table, address, values, multiple=True)


@st.composite
def read_writes(draw: st.DrawFn) -> ReadWriteRequest:
    read = draw(reads(Table.HOLDING, MAX_READ_REGISTERS))
    values = draw(st.lists(WORD, min_size=1, max_size=MAX_READ_WRITE_REGISTERS))
    write_address = draw(st.integers(0, 0x10000 - len(values)))
    return ReadWriteRequest(read.address, read.count, write_address, tuple(values))


REQUESTS: st.SearchStrategy[Request] = st.one_of(
    reads(Table.COIL, MAX_READ_BITS),
    reads(Table.DISCRETE, MAX_READ_BITS),
    reads(Table.HOLDING, MAX_READ_REGISTERS),
    reads(Table.INPUT, MAX_READ_REGISTERS),
    writes(Table.COIL, MAX_WRITE_BITS, BIT),
    writes(Table.HOLDING, MAX_WRITE_REGISTERS, WORD),
    read_writes(),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Request, Response]:
    request = draw(REQUESTS)
    if draw(st.integers(0, 3)) == 0:
        return request, Refusal(draw(st.integers(0, 255)))
    if isinstance(request, WriteRequest):
        return request, WriteReply()
    if isinstance(request, ReadWriteRequest):
        count, value = request.read_count, WORD
    else:
        count = request.count
        value = BIT if request.table in (Table.COIL, Table.DISCRETE) else WORD
    return request, ReadReply(tuple(draw(st.lists(value, min_size=count, max_size=count))))


@given(REQUESTS)
@settings(deadline=None)
def test_every_request_comes_out_as_it_went_in(request: Request) -> None:
    pdu = encode_request(request)

    assert decode_request(pdu) == request
    assert len(pdu) <= 253
    assert pdu[0] == function_code(request)


@given(conversations())
@settings(deadline=None)
def test_every_response_comes_out_as_it_went_in(conversation: tuple[Request, Response]) -> None:
    request, response = conversation

    pdu = encode_response(request, response)

    assert decode_response(request, pdu) == response
    assert len(pdu) == (2 if isinstance(response, Refusal) else response_bytes(request))


@given(st.binary(max_size=260))
@settings(deadline=None)
def test_garbage_as_a_request_is_decoded_or_a_protocol_error(pdu: bytes) -> None:
    try:
        request = decode_request(pdu)
    except ProtocolError:
        return
    assert decode_request(encode_request(request)) == request


@given(REQUESTS, st.binary(max_size=260))
@settings(deadline=None)
def test_garbage_as_a_response_is_decoded_or_a_protocol_error(request: Request, pdu: bytes) -> None:
    try:
        response = decode_response(request, pdu)
    except ProtocolError:
        return
    assert isinstance(response, ReadReply | WriteReply | Refusal)


@given(conversations(), st.data())
@settings(deadline=None)
def test_a_response_cut_short_or_too_long_is_never_data(
    conversation: tuple[Request, Response], data: st.DataObject
) -> None:
    request, response = conversation
    pdu = encode_response(request, response)
    cut = pdu[: data.draw(st.integers(0, len(pdu) - 1))]
    grown = pdu + data.draw(st.binary(min_size=1, max_size=9))

    for wrong in (cut, grown):
        with pytest.raises(ProtocolError):
            decode_response(request, wrong)


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        # The examples of the specification, section 6.
        (ReadRequest(Table.COIL, 19, 19), "01 0013 0013"),
        (ReadRequest(Table.DISCRETE, 196, 22), "02 00C4 0016"),
        (ReadRequest(Table.HOLDING, 107, 3), "03 006B 0003"),
        (ReadRequest(Table.INPUT, 8, 1), "04 0008 0001"),
        (WriteRequest(Table.COIL, 172, (1,), multiple=False), "05 00AC FF00"),
        (WriteRequest(Table.HOLDING, 1, (3,), multiple=False), "06 0001 0003"),
        (
            WriteRequest(Table.COIL, 19, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0), multiple=True),
            "0F 0013 000A 02 CD01",
        ),
        (WriteRequest(Table.HOLDING, 1, (10, 0x102), multiple=True), "10 0001 0002 04 000A 0102"),
        (ReadWriteRequest(3, 6, 14, (255, 255, 255)), "17 0003 0006 000E 0003 06 00FF 00FF 00FF"),
    ],
)
def test_the_examples_of_the_specification(request_: Request, wire: str) -> None:
    assert encode_request(request_) == bytes.fromhex(wire)
    assert decode_request(bytes.fromhex(wire)) == request_


@pytest.mark.parametrize(
    ("wire", "code", "words"),
    [
        ("07", 1, "unknown function 7"),
        ("2B 0E 01 00", 1, "unknown function 43"),
        ("83 02", 1, "unknown function 131"),
        ("", 1, "unknown function 0"),
        ("03 0000 0000", 3, "quantity 0 instead of 1 to 125"),
        ("03 0000 007E", 3, "quantity 126 instead of 1 to 125"),
        ("04 0000 007E", 3, "quantity 126 instead of 1 to 125"),
        ("01 0000 07D1", 3, "quantity 2001 instead of 1 to 2000"),
        ("10 0000 007C F8" + "0000" * 124, 3, "quantity 124 instead of 1 to 123"),
        ("0F 0000 07B1 F7" + "00" * 247, 3, "quantity 1969 instead of 1 to 1968"),
        ("17 0000 007E 0000 0001 02 0000", 3, "quantity 126 instead of 1 to 125"),
        ("17 0000 0001 0000 007A F4" + "0000" * 122, 3, "quantity 122 instead of 1 to 121"),
        ("03 FFFF 0002", 2, "2 from address 65535 end beyond 65535"),
        ("10 FFFF 0002 04 0000 0000", 2, "end beyond"),
        ("03 0000 0001 00", 3, "6 bytes for function 3, which needs 5"),
        ("06 0000", 3, "3 bytes for function 6, which needs 5"),
        ("05 0000 0001", 3, "coil value 0x0001 instead of 0x0000 or 0xFF00"),
        ("10 0000 0002 04 0000", 3, "2 data bytes, announced as 4, instead of 4"),
        ("10 0000 0002 02 0000 0000", 3, "4 data bytes, announced as 2, instead of 4"),
        ("0F 0000 0009 01 FF", 3, "1 data bytes, announced as 1, instead of 2"),
    ],
)
def test_a_wrong_request_is_named_with_its_exception(wire: str, code: int, words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        decode_request(bytes.fromhex(wire))

    assert caught.value.code == code


READ = ReadRequest(Table.HOLDING, 270, 3)
WRITE = WriteRequest(Table.HOLDING, 86, (7, 8), multiple=True)
WRITE_ONE = WriteRequest(Table.HOLDING, 86, (7,), multiple=False)


@pytest.mark.parametrize(
    ("request_", "wire", "words"),
    [
        (READ, "", "function 0 instead of 3"),
        (READ, "04 06 0001 0002 0003", "function 4 instead of 3"),
        (READ, "84 02", "function 132 instead of 3"),
        (READ, "83", "function 131 instead of 3"),
        (READ, "03 04 0001 0002", "4 data bytes, announced as 4, instead of 6"),
        (READ, "03 08 0001 0002 0003", "6 data bytes, announced as 8, instead of 6"),
        (READ, "03", "instead of 6"),
        (WRITE, "10 0057 0002", "address 87 and count 2 instead of 86 and 2"),
        (WRITE, "10 0056 0001", "address 86 and count 1 instead of 86 and 2"),
        (WRITE, "10 0056 0002 04 0007 0008", "an echo of 10 bytes instead of 5"),
        (WRITE_ONE, "06 0056 0008", "address 86 and value 8 instead of 86 and 7"),
    ],
)
def test_a_wrong_response_is_named(request_: Request, wire: str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode_response(request_, bytes.fromhex(wire))


@pytest.mark.parametrize(
    "impossible",
    [
        ReadRequest(Table.HOLDING, 0, 0),
        ReadRequest(Table.INPUT, 0, 126),
        ReadRequest(Table.COIL, 0, 2001),
        WriteRequest(Table.HOLDING, 0, (1, 2), multiple=False),
        WriteRequest(Table.HOLDING, 0, (), multiple=True),
        WriteRequest(Table.HOLDING, 0, (0,) * 124, multiple=True),
        WriteRequest(Table.COIL, 0, (2,), multiple=False),
        WriteRequest(Table.COIL, 0, (0,) * 1969, multiple=True),
        ReadWriteRequest(0, 126, 0, (1,)),
        ReadWriteRequest(0, 1, 0, (1,) * 122),
    ],
)
def test_a_request_that_cannot_be_is_not_encoded(impossible: Request) -> None:
    with pytest.raises(AssertionError):
        encode_request(impossible)


def test_an_answer_of_the_wrong_kind_or_size_is_not_encoded() -> None:
    for request, response in (
        (READ, WriteReply()),
        (READ, ReadReply((1, 2))),
        (ReadRequest(Table.COIL, 0, 9), ReadReply((1,) * 10)),
        (WRITE, ReadReply((1, 2))),
    ):
        with pytest.raises(AssertionError):
            encode_response(request, response)


def test_exceptions_have_words() -> None:
    assert Refusal(2).text == "illegal data address (exception 2)"
    assert Refusal(6).text == "server device busy (exception 6)"
    assert Refusal(99).text == "unknown reason (exception 99)"
    assert [Refusal(code).text.split(" (")[0] for code in ExceptionCode] == [
        "illegal function",
        "illegal data address",
        "illegal data value",
        "server device failure",
        "acknowledge",
        "server device busy",
        "memory parity error",
        "gateway path unavailable",
        "gateway target device failed to respond",
    ]
    assert encode_refusal(0x2B, ExceptionCode.ILLEGAL_FUNCTION) == b"\xab\x01"


def test_requests_have_words() -> None:
    assert describe(READ) == "read of 3 holding registers from 270"
    assert describe(ReadRequest(Table.INPUT, 8, 1)) == "read of 1 input register from 8"
    assert describe(WRITE) == "write of 2 holding registers from 86"
    assert describe(WriteRequest(Table.COIL, 1, (1,), multiple=False)) == "write of 1 coil from 1"
    assert (
        describe(ReadWriteRequest(3, 6, 14, (1, 2)))
        == "write of 2 holding registers from 14 and read of 6 from 3"
    )
