"""Our Modbus client with devices that need pauses, are busy, or take one connection only."""

import asyncio
import itertools

import pytest

from hil.adapters.modbus_client import TcpLink
from hil.adapters.shared_link import TcpLinks
from hil.domain.modbus_frame import encode_frame
from hil.domain.modbus_pdu import (
    ExceptionCode,
    Refusal,
    decode_request,
    encode_refusal,
    function_code,
)
from hil.domain.plant import Device, Quirks
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange
from scripted_device import (
    LONG_S,
    READ,
    SHORT_S,
    WRITE,
    Peer,
    ScriptedDevice,
    answer,
    ask,
    assert_problem,
    right_answer,
    scripted,
    silence,
)

pytestmark = pytest.mark.real_time

BUSY = Refusal(ExceptionCode.SERVER_DEVICE_BUSY)
ALL_ANSWERED = Exchange((right_answer(WRITE), right_answer(READ)))


def with_quirks(device: ScriptedDevice, quirks: Quirks, *, timeout_s: float = LONG_S) -> TcpLink:
    where = Device(host="127.0.0.1", port=device.port, quirks=quirks)
    return TcpLink(where, timeout_s=timeout_s)


def busy(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
    refusal = encode_refusal(function_code(decode_request(pdu)), BUSY.code)
    peer.send(encode_frame(transaction, unit_id, refusal))


async def test_the_first_request_waits_for_the_pause_after_a_connect() -> None:
    async with scripted(answer) as device:
        link = with_quirks(device, Quirks(pause_after_connect_ms=100))
        exchange = asyncio.create_task(ask(link, WRITE, READ))
        await device.until(lambda: device.accepted == 1)
        assert device.asked == []

        assert await exchange == ALL_ANSWERED
        assert await ask(link, WRITE, READ) == ALL_ANSWERED
        assert device.accepted == 1
        await link.close()


async def test_a_pause_longer_than_the_exchange_goes_on_in_the_next_one() -> None:
    async with scripted(answer) as device:
        link = with_quirks(device, Quirks(pause_after_connect_ms=60))

        outcome = await ask(link, READ, within_s=SHORT_S)
        assert_problem(outcome, LinkStatus.TIMEOUT, "pause_after_connect_ms")
        assert await ask(link, READ) == Exchange((right_answer(READ),))
        assert device.accepted == 1
        await link.close()


async def test_a_cancellation_during_the_pause_keeps_the_connection() -> None:
    async with scripted(answer) as device:
        link = with_quirks(device, Quirks(pause_after_connect_ms=100))
        exchange = asyncio.create_task(ask(link, READ))
        while link._connection is None:
            await asyncio.sleep(0)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange

        assert await ask(link, WRITE) == Exchange((right_answer(WRITE),))
        assert (device.accepted, len(device.asked)) == (1, 1)
        await link.close()


async def test_a_device_that_ignores_the_first_request_is_one_message_that_names_the_quirk() -> (
    None
):
    async with scripted(silence) as device:
        without = with_quirks(device, Quirks(), timeout_s=SHORT_S)
        assert_problem(
            await ask(without, READ), LinkStatus.TIMEOUT, "set quirks.pause_after_connect_ms"
        )

        link = with_quirks(device, Quirks(pause_after_connect_ms=1), timeout_s=SHORT_S)
        outcome = await ask(link, READ)
        assert outcome.problem is not None
        assert "pause_after" not in outcome.problem.text


async def test_a_time_out_after_an_answer_names_no_quirk() -> None:
    def once(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        if len(peer.device.asked) == 1:
            answer(peer, transaction, unit_id, pdu)

    async with scripted(once) as device:
        link = with_quirks(device, Quirks(), timeout_s=SHORT_S)
        outcome = await ask(link, WRITE, READ)

        assert_problem(outcome, LinkStatus.TIMEOUT, "did not answer a read of 3")
        assert outcome.problem is not None
        assert "pause_after" not in outcome.problem.text


async def test_requests_are_apart_by_the_pause_within_and_between_exchanges() -> None:
    asked_s: list[float] = []

    def note(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        asked_s.append(asyncio.get_running_loop().time())
        answer(peer, transaction, unit_id, pdu)

    async with scripted(note) as device:
        link = with_quirks(device, Quirks(pause_between_requests_ms=30))
        assert await ask(link, WRITE, READ) == ALL_ANSWERED
        assert await ask(link, READ) == Exchange((right_answer(READ),))

        assert len(asked_s) == 3
        assert min(b - a for a, b in itertools.pairwise(asked_s)) > 0.025
        await link.close()


async def test_pauses_that_leave_no_time_end_the_exchange_in_words_and_keep_the_connection() -> (
    None
):
    async with scripted(answer) as device:
        link = with_quirks(device, Quirks(pause_between_requests_ms=10_000))
        outcome = await ask(link, WRITE, READ, within_s=5.0)

        assert outcome.responses == (right_answer(WRITE),)
        assert_problem(outcome, LinkStatus.TIMEOUT, "pause_between_requests_ms")
        assert len(device.open) == 1
        await link.close()


async def test_an_answer_that_comes_twice_is_not_taken_for_the_next_one() -> None:
    def twice(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        answer(peer, transaction, unit_id, pdu)
        asyncio.get_running_loop().call_later(0.01, answer, peer, transaction, unit_id, pdu)

    async with scripted(twice) as device:
        link = with_quirks(device, Quirks(pause_between_requests_ms=1_000))
        outcome = await ask(link, READ, READ)

        assert outcome.responses == (right_answer(READ),)
        assert_problem(outcome, LinkStatus.ERROR, "sent an answer twice")
        assert len(device.asked) == 1


async def test_a_busy_device_is_asked_again_as_often_as_allowed() -> None:
    def busy_twice(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        (busy if len(peer.device.asked) <= 2 else answer)(peer, transaction, unit_id, pdu)

    async with scripted(busy_twice) as device:
        link = with_quirks(device, Quirks(busy_retries=2))
        assert await ask(link, WRITE, READ) == ALL_ANSWERED
        assert len(device.asked) == 4
        await link.close()


async def test_a_device_that_stays_busy_is_a_refusal_within_the_time_of_the_exchange() -> None:
    async with scripted(busy) as device:
        link = with_quirks(device, Quirks(busy_retries=3))
        assert await ask(link, WRITE, READ) == Exchange((BUSY, BUSY))
        assert len(device.asked) == 5  # three retries an exchange, not a request

        assert await ask(link, WRITE, within_s=0.04) == Exchange((BUSY,))
        assert len(device.asked) == 6  # no time for a retry
        await link.close()


async def test_units_behind_one_host_and_port_share_a_connection_in_turn() -> None:
    async with scripted(answer) as device:
        links = TcpLinks(timeout_s=LONG_S)
        quirks = Quirks(single_connection=True)
        one, two = (
            links.link(Device(host=host, port=device.port, unit_id=unit_id, quirks=quirks))
            for unit_id, host in ((1, "localhost"), (2, "LocalHost"))
        )
        outcomes = await asyncio.gather(
            *(link.exchange([WRITE, READ], within_s=LONG_S) for link in (one, two, one, two))
        )

        assert outcomes == [ALL_ANSWERED] * 4
        assert device.accepted == 1
        assert [unit_id for _, unit_id, _ in device.asked] == [1, 1, 2, 2, 1, 1, 2, 2]
        await one.close()
        assert await two.exchange([READ], within_s=LONG_S) == Exchange((right_answer(READ),))
        assert device.accepted == 1
        await two.close()
        await device.until(lambda: not device.open)


async def test_who_gets_no_turn_in_its_time_is_told_so() -> None:
    async with scripted(silence) as device:
        links = TcpLinks(timeout_s=LONG_S)
        where = Device(host="127.0.0.1", port=device.port, quirks=Quirks(single_connection=True))
        one, two = links.link(where), links.link(where)
        asking = asyncio.create_task(one.exchange([READ], within_s=LONG_S))
        await device.until(lambda: len(device.asked) == 1)

        outcome = await two.exchange([READ], within_s=SHORT_S)
        assert_problem(outcome, LinkStatus.TIMEOUT, "in use by the others that share")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        device.script = answer
        assert await two.exchange([READ], within_s=LONG_S) == Exchange((right_answer(READ),))
        assert (device.accepted, len(device.open)) == (2, 1)
        await two.close()
        await one.close()


async def test_devices_without_the_quirk_have_a_connection_each() -> None:
    async with scripted(answer) as device:
        links = TcpLinks(timeout_s=LONG_S)
        both = [links.link(Device(host="127.0.0.1", port=device.port)) for _ in range(2)]
        for link in both:
            await link.exchange([READ], within_s=LONG_S)
        assert device.accepted == 2
        for link in both:
            await link.close()
