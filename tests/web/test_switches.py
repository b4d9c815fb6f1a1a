"""Emergency stop, switches and the audit trail over HTTP."""

import asyncio
from typing import Any

import pytest

from hil.domain.commands import CommandKind
from hil.domain.errors import Impossible
from web_support import LIB, FakeEngine, app_of, client_of

API = "/api/v1"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("action", ["estop", "estop-reset"])
async def test_an_emergency_stop_is_a_command_of_the_site(action: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(f"{API}/fleet/{action}")

    [command] = engine.submitted
    assert reply.status_code == 202
    assert reply.json()["kind"] == f"fleet-{action}"
    assert (command.kind, command.plant) == (CommandKind(f"fleet-{action}"), None)
    assert (command.asked, command.by) == (None, "local")


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"x")], [(b"content-type", b"!")]])
async def test_an_emergency_stop_never_reads_its_body(headers: list[tuple[bytes, bytes]]) -> None:
    engine = FakeEngine()
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.set_result(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "path": f"{API}/fleet/estop",
        "raw_path": f"{API}/fleet/estop".encode(),
        "query_string": b"x=%ff",
        "headers": [(b"host", b"localhost"), *headers],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    await app_of(engine)(scope, receive, send)

    assert await answer == 202
    assert [one.kind for one in engine.submitted] == [CommandKind.FLEET_ESTOP]


async def test_an_emergency_stop_goes_ahead_of_a_hundred_others() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        replies = [await client.post(f"{API}/fleet/estop") for _ in range(100)]

    assert {reply.status_code for reply in replies} == {202}
    assert len(engine.submitted) == 100


@pytest.mark.parametrize(
    ("path", "body", "kind", "asked"),
    [
        ("source", {"source": "api"}, CommandKind.SOURCE, {"to": "api"}),
        ("transport", {"transport": "remote"}, CommandKind.TRANSPORT, {"to": "remote"}),
        (
            "transport",
            {"transport": "local", "force": False},
            CommandKind.TRANSPORT,
            {"to": "local"},
        ),
        (
            "transport",
            {"transport": "local", "force": True},
            CommandKind.TRANSPORT,
            {"to": "local", "force": True},
        ),
        ("posting", {"enabled": True}, CommandKind.POSTING, {"enabled": True}),
        (
            "plants/lib/service",
            {"in_service": False, "note": "fan, ordered"},
            CommandKind.SERVICE,
            {"in_service": False, "note": "fan, ordered"},
        ),
        (
            "plants/lib/service",
            {"in_service": True},
            CommandKind.SERVICE,
            {"in_service": True, "note": None},
        ),
    ],
)
async def test_a_switch_is_a_command_with_what_was_asked(
    path: str, body: dict[str, Any], kind: CommandKind, asked: dict[str, Any]
) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.put(f"{API}/{path}", json=body)
        followed = await client.get(reply.headers["location"])

    [command] = engine.submitted
    assert reply.status_code == 202
    assert reply.json() == followed.json()
    assert reply.json()["status"] == "queued"
    assert (command.kind, command.asked, command.by) == (kind, asked, "local")
    assert command.plant == (LIB if path.startswith("plants") else None)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("source", b'{"source": "market"}', "source"),
        ("source", b"{}", "source"),
        ("source", b"", "body"),
        ("source", b'{"source": "api", "force": true}', "force"),
        ("transport", b'{"transport": "remote", "force": "yes"}', "force"),
        ("transport", b'{"transport": null}', "transport"),
        ("posting", b'{"enabled": 1}', "enabled"),
        ("plants/lib/service", b'{"in_service": "no"}', "in_service"),
        ("plants/lib/service", b'{"in_service": true, "note": 5}', "note"),
        (
            "plants/lib/service",
            b'{"in_service": true, "note": "' + b"n" * 501 + b'"}',
            "note",
        ),
    ],
)
async def test_a_malformed_switch_names_the_place(path: str, body: bytes, where: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.put(f"{API}/{path}", content=body, headers=JSON)

    assert reply.status_code == 422
    assert where in [one["where"] for one in reply.json()["problems"]]
    assert engine.submitted == []


async def test_a_switch_that_is_impossible_says_why() -> None:
    engine = FakeEngine()
    engine.refuse = Impossible("VRFB has no remote endpoint. Configure one first.")
    async with client_of(engine) as client:
        reply = await client.put(f"{API}/transport", json={"transport": "remote"})
        unknown = await client.put(f"{API}/plants/x/service", json={"in_service": True})
        plain = await client.put(f"{API}/source", content=b'{"source": "api"}')

    assert (reply.status_code, unknown.status_code, plain.status_code) == (409, 404, 415)
    assert reply.json()["detail"] == "VRFB has no remote endpoint. Configure one first."


async def test_the_audit_trail_is_cut_to_its_newest() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        for _ in range(205):
            await client.post(f"{API}/plants/lib/record")
        usual = (await client.get(f"{API}/commands")).json()
        few = (await client.get(f"{API}/commands?limit=2")).json()
        wrong = [
            (await client.get(f"{API}/commands?limit={limit}")).status_code
            for limit in ("0", "-1", "1001", "x", "1e3")
        ]

    assert len(usual) == 200
    assert [one["id"] for one in few] == ["c205", "c204"]
    assert wrong == [422] * 5
