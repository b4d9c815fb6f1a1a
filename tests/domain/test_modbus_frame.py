"""Modbus TCP framing: any splitting of the stream, and no frame from anything else."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.domain.modbus_frame import Frame, FrameSplitter, decode_reply, encode_frame
from hil.domain.modbus_pdu import (
    ProtocolError,
    ReadReply,
    ReadRequest,
    Refusal,
    Table,
    WriteReply,
    WriteRequest,
    encode_refusal,
    encode_response,
)

ID = st.integers(0, 0xFFFF)
FRAMES = st.lists(st.tuples(ID, st.integers(0, 255), st.binary(min_size=1, max_size=253)))

READ = ReadRequest(Table.HOLDING, 270, 3)
REPLY = encode_frame(7, 1, encode_response(READ, ReadReply((1, 2, 3))))


def take_all(splitter: FrameSplitter) -> list[Frame]:
    taken = []
    while (frame := splitter.next()) is not None:
        taken.append(frame)
    return taken


@given(FRAMES, st.data())
@settings(deadline=None)
def test_frames_come_out_whole_however_the_stream_is_split(
    frames: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(encode_frame(*frame) for frame in frames)
    cuts = data.draw(st.lists(st.integers(0, len(stream))))
    edges = [0, *sorted(cuts), len(stream)]
    splitter = FrameSplitter()

    got = []
    for start, end in itertools.pairwise(edges):
        splitter.feed(stream[start:end])
        if data.draw(st.booleans()):  # several segments may come before somebody looks
            got += take_all(splitter)
    got += take_all(splitter)

    assert got == frames


@given(FRAMES)
@settings(deadline=None, max_examples=20)
def test_frames_come_out_whole_byte_by_byte(frames: list[Frame]) -> None:
    splitter = FrameSplitter()

    got = []
    for byte in b"".join(encode_frame(*frame) for frame in frames):
        splitter.feed(bytes((byte,)))
        got += take_all(splitter)

    assert got == frames


@given(st.lists(st.binary()))
@settings(deadline=None)
def test_garbage_is_a_protocol_error_or_waits_for_more(segments: list[bytes]) -> None:
    splitter = FrameSplitter()
    try:
        for segment in segments:
            splitter.feed(segment)
            take_all(splitter)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("0001 01", "protocol id 0x01 instead of 0x0000"),
        ("0001 0001", "protocol id 0x0001 instead of 0x0000"),
        ("0001 0000 01", "a length of 256 bytes instead of 2 to 254"),
        ("0001 0000 00FF", "a length of 255 bytes instead of 2 to 254"),
        ("0001 0000 0001", "a length of 1 bytes instead of 2 to 254"),
        ("0001 0000 0000 01 03", "a length of 0 bytes instead of 2 to 254"),
    ],
)
def test_a_bad_header_is_named_with_the_first_byte_that_shows_it(start: str, words: str) -> None:
    wire = bytes.fromhex(start)
    splitter = FrameSplitter()

    splitter.feed(REPLY)
    splitter.feed(wire)

    assert splitter.next() is not None  # what came before stands
    with pytest.raises(ProtocolError, match=words):
        splitter.next()
    if len(wire) < 7:
        splitter = FrameSplitter()
        splitter.feed(wire[:-1])
        assert splitter.next() is None


def test_a_reply_is_taken_once_it_is_whole() -> None:
    for size in range(len(REPLY)):
        assert decode_reply(REPLY[:size], READ, transaction=7, unit_id=1) is None

    assert decode_reply(REPLY, READ, transaction=7, unit_id=1) == ReadReply((1, 2, 3))


def test_a_refusal_is_taken_once_it_is_whole() -> None:
    wire = encode_frame(7, 1, encode_refusal(3, 6))
    for size in range(len(wire)):
        assert decode_reply(wire[:size], READ, transaction=7, unit_id=1) is None

    assert decode_reply(wire, READ, transaction=7, unit_id=1) == Refusal(6)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_garbage_as_a_reply_is_a_protocol_error_or_waits_for_more(data: bytes) -> None:
    try:
        response = decode_reply(data, READ, transaction=7, unit_id=1)
    except ProtocolError:
        return
    assert response is None or isinstance(response, ReadReply | Refusal)


@given(st.binary(min_size=1, max_size=6))
@settings(deadline=None)
def test_garbage_before_a_reply_is_never_waited_out(garbage: bytes) -> None:
    try:
        response = decode_reply(garbage + REPLY, READ, transaction=7, unit_id=1)
    except ProtocolError:
        return
    # Only garbage that happens to be the header of an answer that is under way may pass.
    assert response is None
    assert garbage[:2] == REPLY[:2]


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("0000", "transaction id 0 instead of 7"),
        ("0700", "transaction id 1792 instead of 7"),  # swapped
        ("0007 0000 0009 02", "unit id 2 instead of 1"),
        ("0007 0000 000A", "a length of 10 bytes instead of 9"),
        ("0007 0000 0005 01 03", "a length of 5 bytes instead of 9"),
        ("0007 0000 0007 01 03 04 0001 0002", "4 data bytes, announced as 4, instead of 6"),
        ("0007 0000 0009 01 04 06 0001 0002 0003", "function 4 instead of 3"),
        ("0007 0000 0009 01 03 06 0001 0002 0003 00", "1 bytes beyond the answer"),
        ("0007 0000 0003 01 83 02 0008", "2 bytes beyond the answer"),
        ("4854 5450 2F31 2E31", "protocol id 0x5450 instead of 0x0000"),
    ],
)
def test_a_reply_to_something_else_is_named_at_once(wire: str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode_reply(bytes.fromhex(wire), READ, transaction=7, unit_id=1)


def test_unit_ids_0_and_255_stand_unchanged_on_the_wire() -> None:
    write = WriteRequest(Table.HOLDING, 86, (1,), multiple=False)
    for unit_id in (0, 255):
        wire = encode_frame(1, unit_id, encode_response(write, WriteReply()))

        assert wire[6] == unit_id
        assert decode_reply(wire, write, transaction=1, unit_id=unit_id) == WriteReply()
