"""Alarms and their acknowledgement over HTTP."""

from dataclasses import replace

import pytest

from web_support import FakeEngine, alarm, client_of

ALARMS = "/api/v1/alarms"


async def test_alarms_are_those_of_the_picture() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        none = await client.get(ALARMS)
        engine.publish(alarms=(alarm("a1"), alarm("a2")))
        two = await client.get(ALARMS)

    assert none.json() == []
    assert [one["id"] for one in two.json()] == ["a1", "a2"]
    assert two.json()[0]["priority"] == "high"


@pytest.mark.parametrize(
    ("body", "note"), [(b"", None), (b"{}", None), (b'{"note": "seen"}', "seen")]
)
async def test_an_acknowledgement_may_have_a_note(body: bytes, note: str | None) -> None:
    engine = FakeEngine()
    engine.publish(alarms=(alarm("a1"),))
    async with client_of(engine) as client:
        headers = {"Content-Type": "application/json"} if body else {}
        reply = await client.post(f"{ALARMS}/a1/ack", content=body, headers=headers)

    assert reply.status_code == 200
    assert (reply.json()["acked_by"], reply.json()["note"]) == ("local", note)
    assert engine.picture.alarms[0].acked_at is not None


async def test_what_is_cleared_and_acknowledged_leaves_the_list() -> None:
    engine = FakeEngine()
    engine.publish(alarms=(replace(alarm("a1"), cleared_at=engine.picture.time),))
    async with client_of(engine) as client:
        reply = await client.post(f"{ALARMS}/a1/ack")

    assert reply.json()["id"] == "a1"
    assert engine.picture.alarms == ()


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("x/ack", b"", "", 404),
        ("%00/ack", b"", "", 404),
        ("a1/ack", b'{"note": 5}', "application/json", 422),
        ("a1/ack", b'{"note": "' + b"n" * 501 + b'"}', "application/json", 422),
        ("a1/ack", b'{"text": "seen"}', "application/json", 422),
        ("a1/ack", b"seen", "text/plain", 415),
    ],
)
async def test_an_acknowledgement_that_is_wrong(
    path: str, body: bytes, kind: str, status: int
) -> None:
    engine = FakeEngine()
    engine.publish(alarms=(alarm("a1"),))
    async with client_of(engine) as client:
        headers = {"Content-Type": kind} if kind else {}
        reply = await client.post(f"{ALARMS}/{path}", content=body, headers=headers)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert engine.picture.alarms[0].acked_at is None
