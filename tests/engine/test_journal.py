"""The journal in front of a store that fails, hangs and recovers, on virtual time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from fake_store import AT, WRITE_S, FakeStore, new_journal
from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.schedule import Schedule, Series
from hil.domain.snapshot import (
    Estop,
    LimitName,
    SetpointState,
    SiteInfo,
    Snapshot,
    initial_snapshot,
)
from hil.engine.journal import RETRY_AFTER_S, SLOW_WRITE_S, Journal
from specimen import spec


@asynccontextmanager
async def running(journal: Journal) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(journal.run())
    try:
        await asyncio.sleep(0)
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def virtual_s() -> float:
    return asyncio.get_running_loop().time()


async def test_what_is_put_is_written_at_once_as_one_batch_of_the_newest() -> None:
    store = FakeStore({"c": b"3"})
    journal = new_journal(store)
    await journal.load()
    async with running(journal):
        for value in (1, 2):
            journal.put("a", value)
        journal.put("b", None)
        journal.remove("c")
        journal.remove("never")
        await asyncio.sleep(2 * WRITE_S)

        assert store.batches == [{"a": b"2", "b": b"null", "c": None}]


async def test_unchanged_value_is_not_written_again() -> None:
    store = FakeStore({"a": b'{"active":true,"since":null,"by":null}'})
    journal = new_journal(store)
    await journal.load()
    async with running(journal):
        journal.put("a", Estop(active=True))
        assert await journal.flush(0)
    assert store.batches == []


async def test_what_is_put_during_a_write_follows_it() -> None:
    store = FakeStore()
    journal = new_journal(store)
    async with running(journal):
        journal.put("a", 1)
        journal.put("b", 1)
        await asyncio.sleep(WRITE_S / 2)
        journal.put("a", 2)
        journal.remove("b")
        await asyncio.sleep(2 * WRITE_S)

    assert store.batches == [{"a": b"1", "b": b"1"}, {"a": b"2", "b": None}]
    assert store.documents == {"a": b"2"}


COMMAND = Command(
    id="c1",
    kind=CommandKind.FLEET_STOP,
    plant=PlantId("lib"),
    status=CommandStatus.DONE,
    result={"threshold_reached": True, "plants": {"lib": [1, 2.5, None]}},
    by="ana",
    queued_at=AT,
    ended_at=AT + timedelta(days=1),
)
SCHEDULE = Schedule(p=Series((AT, AT + timedelta(minutes=15)), (100.5, None)))
SETPOINT = SetpointState(p_kw=-0.0, limited_by=(LimitName.SOC, LimitName.RAMP))
SNAPSHOT = initial_snapshot(
    site=SiteInfo(name="Jalón", timezone="Europe/Madrid"),
    plants=[spec("lib")],
    source=Source.API,
    transport=Transport.LOCAL,
    posting_enabled=True,
    version="1",
    now=AT,
)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (COMMAND, Command),
        (SCHEDULE, Schedule),
        (SETPOINT, SetpointState),
        (SNAPSHOT, Snapshot),
        (Source.API, Source),
        (AT, datetime),
        ({"lib": (1.5, 2.5)}, dict[str, tuple[float, ...]]),
    ],
)
async def test_values_come_back_after_a_restart(value: object, kind: type[Any]) -> None:
    store = FakeStore()
    before = new_journal(store)
    before.put("key", value)
    assert before.get("key", kind) == value
    await before.close()

    after = new_journal(store)
    await after.load()

    assert after.get("key", kind) == value
    assert after.get("other", kind) is None


async def test_all_gives_the_values_below_a_prefix_in_order() -> None:
    journal = new_journal(FakeStore({"plan/b": b"2", "plan/a": b"1", "planner": b"3"}))
    await journal.load()
    journal.put("plan/c", 4)
    journal.remove("plan/b")

    found = journal.all("plan/", int)

    assert list(found.items()) == [("plan/a", 1), ("plan/c", 4)]


@pytest.mark.parametrize(
    "json",
    [
        b"not json",
        b"\xff",
        b'{"p":{"times":["2026-05-01T10:00:00Z"],"values":[]}}',
        b'{"p":{"times":["2026-05-01T10:00:00","2026-05-01T11:00:00Z"],"values":[1,2]}}',
        b'{"p":{"times":["secret"],"values":[1]}}',
    ],
)
async def test_document_that_does_not_decode_is_left_out_and_kept(
    json: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeStore({"plan/bad": json, "plan/good": b"{}"})
    journal = new_journal(store)
    await journal.load()

    for _ in range(2):
        assert journal.all("plan/", Schedule) == {"plan/good": Schedule()}
        assert journal.get("plan/bad", Schedule) is None
    await journal.close()

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "key=plan/bad is left out" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert store.documents["plan/bad"] == json


async def test_failing_store_is_told_once_tried_each_second_and_told_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[tuple[float, str | None]] = []
    store = FakeStore()
    journal = new_journal(store, lambda text: told.append((round(virtual_s(), 2), text)))
    store.failing = "the disk is full"
    async with running(journal):
        for n in range(600):
            journal.put(f"k{n % 7}", n)
            await asyncio.sleep(0.1)
        store.failing = None
        assert await journal.flush(2 * RETRY_AFTER_S)

    assert 55 <= len(store.batches) <= 60 / RETRY_AFTER_S + 1
    assert store.documents == {f"k{n % 7}": b"%d" % n for n in range(593, 600)}
    assert [text for _, text in told] == ["the disk is full", None]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert caplog.messages[0].endswith("waits in memory: the disk is full")
    assert caplog.messages[1].endswith(f"after_s={told[1][0] - told[0][0]:.1f}")


async def test_alarm_of_the_failure_is_itself_put() -> None:
    store = FakeStore()
    journal = new_journal(store, lambda text: journal.put("alarm/store", text))
    store.failing = "locked"
    async with running(journal):
        journal.put("a", 1)
        await asyncio.sleep(1.5)
        assert journal.get("alarm/store", str) == "locked"
        store.failing = None
        await asyncio.sleep(1)

    assert store.documents == {"a": b"1", "alarm/store": b"null"}


async def test_store_that_does_not_answer_is_told_and_waited_for() -> None:
    told: list[str | None] = []
    store = FakeStore()
    journal = new_journal(store, told.append)
    store.hang()
    async with running(journal):
        journal.put("a", 1)
        await asyncio.sleep(SLOW_WRITE_S - 1)
        assert told == []
        journal.put("a", 2)
        assert not await journal.flush(60)
        assert told == [f"a write has taken more than {SLOW_WRITE_S:g} s"]
        store.answer()
        assert await journal.flush(1)

    assert store.batches == [{"a": b"1"}, {"a": b"2"}]
    assert told[1:] == [None]


async def test_flush_waits_for_what_was_put_before_and_no_longer() -> None:
    store = FakeStore()
    journal = new_journal(store)
    async with running(journal):
        assert await journal.flush(0)
        journal.put("a", 1)
        await asyncio.sleep(WRITE_S / 2)
        journal.put("a", 2)
        flush = asyncio.ensure_future(journal.flush(10))
        await asyncio.sleep(WRITE_S)
        journal.put("b", 3)
        assert await flush

        assert store.documents == {"a": b"2"}
        assert virtual_s() == pytest.approx(2 * WRITE_S)


async def test_flush_ends_with_its_time_when_the_store_fails() -> None:
    store = FakeStore()
    journal = new_journal(store)
    store.failing = "locked"
    async with running(journal):
        journal.put("a", 1)
        assert not await journal.flush(3.5)
        assert virtual_s() == pytest.approx(3.5)

    assert not await journal.flush(3.5), "without run it tries once"
    assert virtual_s() == pytest.approx(3.5 + WRITE_S)
    store.failing = None
    assert await journal.flush(1)
    assert store.documents == {"a": b"1"}


async def test_run_that_is_stopped_in_a_write_leaves_it_to_a_flush_that_waits() -> None:
    store = FakeStore()
    journal = new_journal(store)
    async with running(journal):
        journal.put("a", 1)
        journal.put("b", 1)
        await asyncio.sleep(WRITE_S / 2)
        journal.put("a", 2)
        flush = asyncio.ensure_future(journal.flush(10))
        await asyncio.sleep(0)

    assert await flush
    assert store.batches == [{"a": b"1", "b": b"1"}, {"a": b"2", "b": b"1"}]


async def test_bug_in_the_store_ends_run_and_loses_nothing() -> None:
    store = FakeStore()
    journal = new_journal(store)
    store.bug = ZeroDivisionError("a bug")
    journal.put("a", 1)
    with pytest.raises(ZeroDivisionError):
        await journal.run()

    store.bug = None
    assert await journal.flush(1)
    assert store.documents == {"a": b"1"}


async def test_close_writes_what_is_left_and_closes_the_store() -> None:
    store = FakeStore()
    journal = new_journal(store)
    journal.put("a", 1)
    await journal.close()

    assert store.documents == {"a": b"1"}
    assert store.closed


async def test_close_is_not_held_up_and_says_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeStore()
    journal = new_journal(store)
    store.hang()
    journal.put("a", 1)
    await journal.close()

    assert "state of 1 keys is lost" in caplog.text
    assert "does not close" in caplog.text
    assert virtual_s() < 60
