"""Our Modbus client against devices that answer late, wrongly or not at all, on real sockets."""

import asyncio

import pytest

from hil.domain.modbus_frame import encode_frame
from hil.domain.modbus_pdu import (
    ReadRequest,
    Refusal,
    Request,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange
from scripted_device import (
    LONG_S,
    READ,
    SHORT_S,
    WRITE,
    Peer,
    answer,
    ask,
    assert_problem,
    right_answer,
    right_frame,
    scripted,
    silence,
)

pytestmark = pytest.mark.real_time


async def test_an_exchange_answers_each_request_in_order_over_one_connection() -> None:
    requests: list[Request] = [
        WRITE,
        READ,
        ReadRequest(Table.INPUT, 5, 125),
        ReadRequest(Table.INPUT, 7, 1),
    ]
    async with scripted(answer) as device:
        link = device.link()
        for _ in range(3):
            outcome = await ask(link, *requests)
            assert outcome == Exchange(tuple(right_answer(request) for request in requests))

        assert device.accepted == 1
        assert len(device.asked) == 12  # each once
        assert len({transaction for transaction, _, _ in device.asked}) == 12
        await link.close()
        await device.until(lambda: not device.open)


async def test_no_requests_need_no_connection() -> None:
    async with scripted(answer) as device:
        assert await ask(device.link()) == Exchange(())
        assert device.accepted == 0


async def test_a_reply_byte_by_byte_is_one_reply() -> None:
    def trickle(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        loop = asyncio.get_running_loop()
        wire = right_frame(transaction, unit_id, pdu)
        for index, byte in enumerate(wire):
            loop.call_later(index * 0.001, peer.send, bytes((byte,)))

    async with scripted(trickle) as device:
        link = device.link()
        assert await ask(link, READ, WRITE) == Exchange((right_answer(READ), WriteReply()))
        await link.close()


async def test_a_second_reply_in_one_segment_is_not_the_next_requests_answer() -> None:
    # The client has one request under way, so that a second reply answers nothing it asked.
    def eager(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        guessed = encode_frame(transaction + 1, unit_id, b"\x03\x06" + b"\xbb" * 6)
        peer.send(right_frame(transaction, unit_id, pdu) + guessed)

    async with scripted(eager) as device:
        link = device.link()
        outcome = await ask(link, READ, READ)
        assert outcome.responses == ()
        assert_problem(outcome, LinkStatus.ERROR, "15 bytes beyond the answer")
        await device.until(lambda: not device.open)


async def test_a_reply_that_comes_between_exchanges_is_dropped_with_its_connection() -> None:
    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        (peer,) = device.open
        peer.send(encode_frame(2, 1, b"\x03\x06" + b"\xbb" * 6))  # as if for the next one
        await device.until(lambda: not device.open)

        assert await ask(link, READ) == Exchange((right_answer(READ),))
        assert device.accepted == 2
        await link.close()


async def test_a_reply_after_the_time_out_answers_nothing() -> None:
    late: list[bytes] = []

    def slow(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        late.append(encode_frame(transaction, unit_id, b"\x03\x06" + b"\xbb" * 6))
        if len(late) == 2:  # a gateway that hands the late answer to the next connection
            peer.send(late[0])

    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        device.script = slow
        outcome = await ask(link, READ, within_s=SHORT_S)
        text = "did not answer a read of 3 holding registers from 270 within 0.02 s"
        assert_problem(outcome, LinkStatus.TIMEOUT, text, f"127.0.0.1:{device.port}")
        await device.until(lambda: not device.open)

        assert_problem(await ask(link, READ), LinkStatus.ERROR, "transaction id 2 instead of 3")
        device.script = answer
        assert await ask(link, READ) == Exchange((right_answer(READ),))
        assert device.accepted == 3
        await link.close()


async def test_a_reply_after_a_cancellation_answers_nothing() -> None:
    held: list[bytes] = []

    def hold_the_first(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        if not held:
            held.append(encode_frame(transaction, unit_id, b"\x03\x06" + b"\xbb" * 6))
        else:
            peer.send(held[0])

    async with scripted(hold_the_first) as device:
        link = device.link()
        task = asyncio.create_task(ask(link, READ))
        await device.until(lambda: len(held) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await device.until(lambda: not device.open)

        assert_problem(await ask(link, READ), LinkStatus.ERROR, "transaction id 1 instead of 2")


async def test_a_cancellation_is_honoured_in_every_tick_of_an_exchange() -> None:
    # The tick between the reply's arrival and the task's wake-up is among them.
    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        for ticks in range(1, 200):
            sent = len(device.asked)
            task = asyncio.create_task(ask(link, READ, WRITE))
            for _ in range(ticks):
                await asyncio.sleep(0)
            if task.done():
                break
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # Nothing of the cancelled exchange may follow the zero that an e-stop writes next.
            connected = device.accepted
            zero = WriteRequest(Table.HOLDING, 86, (0,), multiple=False)
            assert await ask(link, zero) == Exchange((WriteReply(),))
            assert device.asked[-1][2] == b"\x06\x00\x56\x00\x00"
            assert device.accepted == connected + 1
            assert len(device.asked) - sent <= 3
        else:
            pytest.fail("the exchange never ended")
        assert ticks > 3
        await link.close()
        await device.until(lambda: not device.open)


async def test_a_cancellation_in_the_tick_of_the_reply_is_honoured() -> None:
    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        assert link._connection is not None
        waiter = link._connection.ask([READ], LONG_S, 1)

        async def exchange() -> Exchange:
            return await waiter

        task = asyncio.create_task(exchange())
        waiter.add_done_callback(lambda _: task.cancel())  # before the task wakes up
        with pytest.raises(asyncio.CancelledError):
            await task
        assert waiter.result() == Exchange((right_answer(READ),))
        await link.close()


async def test_a_reply_in_the_tick_of_a_cancellation_starts_no_further_request() -> None:
    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        connection = link._connection
        assert connection is not None
        waiter = connection.ask([READ, WRITE], LONG_S, 1)
        await device.until(lambda: len(device.asked) == 2)

        waiter.cancel()  # what cancelling the task does first; the reply comes before it wakes
        connection.data_received(right_frame(*device.asked[1]))

        await device.until(lambda: not device.open)
        assert len(device.asked) == 2


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (READ, "0000 0000 0009 01 03 06 0001 0002 0003", "transaction id 0 instead of 1"),
        (READ, "0100 0000 0009 01 03 06 0001 0002 0003", "transaction id 256 instead of 1"),
        (READ, "0002 0000 0009 01 03 06 0001 0002 0003", "transaction id 2 instead of 1"),
        (READ, "0001 0000 0009 02 03 06 0001 0002 0003", "unit id 2 instead of 1"),
        (READ, "0001 0000 0009 01 04 06 0001 0002 0003", "function 4 instead of 3"),
        (READ, "0001 0000 0003 01 84 02", "function 132 instead of 3"),
        (READ, "0001 0000 0007 01 03 04 0001 0002", "4 data bytes"),
        (READ, "0001 0000 000B 01 03 08 0001 0002 0003 0004", "8 data bytes"),
        (WRITE, "0001 0000 0006 01 10 0057 0002", "address 87 and count 2 instead of 86"),
        (WRITE, "0001 0000 0006 01 10 0056 0001", "address 86 and count 1 instead of 86 and 2"),
        (READ, "FFFF FF", "protocol id"),
        (READ, "00 0001 0000 0009 01 03 06 0001 0002 0003", "protocol id"),
        (READ, "00000000 0001 0000 0009 01 03 06 0001 0002 0003", "a length of 1 bytes"),
        (READ, "4854 5450 2F31 2E31", "protocol id 0x5450"),
        (READ, "0001 0000 0000", "a length of 0 bytes"),
        (READ, "0001 0000 FFFF", "a length of 65535 bytes"),
        (READ, "0001 0000 00FD 01 03", "a length of 253 bytes instead of 9"),
        (READ, "0001 0000 0009 01 03 06 0001 0002 0003 FF", "1 bytes beyond the answer"),
    ],
)
async def test_what_is_no_answer_ends_the_exchange_and_the_connection_at_once(
    request_: Request, reply: str, words: str
) -> None:
    def wrong_then_right(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        if peer.device.accepted == 1:
            peer.send(bytes.fromhex(reply))
        else:
            answer(peer, transaction, unit_id, pdu)

    async with scripted(wrong_then_right) as device:
        link = device.link()
        outcome = await ask(link, request_, request_)
        assert outcome.responses == ()
        assert_problem(outcome, LinkStatus.ERROR, f"127.0.0.1:{device.port} answered a", words)
        await device.until(lambda: not device.open)
        assert len(device.asked) == 1  # nothing is tried again behind the caller's back

        assert await ask(link, request_) == Exchange((right_answer(request_),))
        await link.close()


async def test_exceptions_are_refusals_and_the_link_stays() -> None:
    def refuse(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        code = (1, 2, 3, 4, 6, 11)[len(peer.device.asked) - 1]
        peer.send(encode_frame(transaction, unit_id, bytes((pdu[0] | 0x80, code))))

    async with scripted(refuse) as device:
        link = device.link()
        outcome = await ask(link, WRITE, READ, READ, WRITE, READ, READ)
        assert outcome == Exchange(tuple(Refusal(code) for code in (1, 2, 3, 4, 6, 11)))
        assert device.accepted == 1
        assert len(device.open) == 1
        await link.close()


async def test_unit_ids_0_and_255_go_out_unchanged_and_others_are_rejected() -> None:
    def other_unit(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        answer(peer, transaction, unit_id if len(peer.device.asked) == 1 else 1, pdu)

    for unit_id in (0, 255):
        async with scripted(other_unit) as device:
            link = device.link(unit_id=unit_id)
            assert await ask(link, READ) == Exchange((right_answer(READ),))
            assert device.asked[0][1] == unit_id
            assert_problem(
                await ask(link, READ), LinkStatus.ERROR, f"unit id 1 instead of {unit_id}"
            )


async def test_the_first_time_out_ends_the_exchange_and_what_was_answered_stands() -> None:
    def answer_two(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        if len(peer.device.asked) <= 2:
            answer(peer, transaction, unit_id, pdu)

    async with scripted(answer_two) as device:
        link = device.link(timeout_s=0.25)
        outcome = await ask(link, WRITE, READ, READ, READ)
        assert outcome.responses == (WriteReply(), right_answer(READ))
        assert_problem(outcome, LinkStatus.TIMEOUT, "check that it serves unit id 1")
        assert len(device.asked) == 3


async def test_the_whole_exchange_is_bounded_however_quick_each_answer_is() -> None:
    def endless(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        asyncio.get_running_loop().call_later(0.001, answer, peer, transaction, unit_id, pdu)

    async with scripted(endless) as device:
        outcome = await ask(device.link(), *[READ] * 100_000, within_s=0.25)
        assert_problem(outcome, LinkStatus.TIMEOUT)
        assert 0 < len(outcome.responses) < 1000
        assert len(device.asked) == len(outcome.responses) + 1


async def test_a_busy_link_still_times_out_each_request() -> None:
    # Its timer lives on from exchange to exchange and fires while a later one is under way.
    async with scripted(answer) as device:
        link = device.link(timeout_s=0.4)
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + 0.9
        while loop.time() < ends_s:
            assert await ask(link, READ) == Exchange((right_answer(READ),))
        assert device.accepted == 1

        device.script = silence
        assert_problem(await ask(link, READ), LinkStatus.TIMEOUT, "within 0.4 s")


async def test_a_busy_link_keeps_to_a_shorter_limit() -> None:
    async with scripted(answer) as device:
        link = device.link()
        for _ in range(10):
            assert await ask(link, READ) == Exchange((right_answer(READ),))

        device.script = silence
        outcome = await ask(link, READ, within_s=SHORT_S)
        assert_problem(outcome, LinkStatus.TIMEOUT, "within 0.02 s")
