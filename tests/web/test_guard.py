"""Who may ask: hosts, origins, the Unix socket, and the headers of every answer."""

from dataclasses import replace
from typing import Any

import pytest

from web_support import SETTINGS, FakeEngine, app_of, client_of

STATE = "/api/v1/state"
START = "/api/v1/plants/lib/start"
NAMED = replace(SETTINGS, host="bench.lan", allowed_hosts=("hil.example.org", "::1"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8050", "localhost:1", "LOCALHOST", "[::1]:8050", "[::1]",
        "bench.lan:8050", "hil.example.org", "HIL.example.org.:443",
    ],
)  # fmt: skip
async def test_own_hosts_are_answered(host: str) -> None:
    async with client_of(FakeEngine(), NAMED) as client:
        assert (await client.get(STATE, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8050", "127.0.0.1.evil.example", "localhost@evil.example",
        "evil.example/localhost", "evil.example#localhost", "", "[::1", "localhost:x", "localhost:",
        "0.0.0.0", "localhost\\evil", "lib", "127.0.0.1 ", "\xff",
    ],
)  # fmt: skip
async def test_a_foreign_host_is_told_how_to_be_let_in(host: str) -> None:
    async with client_of(FakeEngine(), NAMED) as client:
        reply = await client.get(STATE, headers=[(b"Host", host.encode("latin-1"))])

    assert reply.status_code == 421
    assert "web.allowed_hosts" in reply.json()["detail"]
    assert reply.headers["content-type"] == "application/problem+json"


async def test_two_hosts_or_none_are_refused() -> None:
    app = app_of(FakeEngine())
    for headers in ([], [(b"host", b"localhost"), (b"host", b"localhost")]):
        assert await _status(app, headers=headers) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Origin": "http://127.0.0.1:8050"}, 202),
        ({"Origin": "http://127.0.0.1:8050", "Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "none"}, 202),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_only_our_own_page_sends_commands(headers: dict[str, str], status: int) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(START, headers=headers)
        read = await client.get(STATE, headers=headers)

    assert reply.status_code == status
    assert len(engine.submitted) == (status == 202)
    assert read.status_code == 200


async def test_a_default_port_may_be_left_out_of_the_host() -> None:
    async with client_of(FakeEngine(), NAMED) as client:
        headers = {"Host": "hil.example.org", "Origin": "https://hil.example.org:443"}
        assert (await client.post(START, headers=headers)).status_code == 202


async def test_the_unix_socket_needs_no_host_and_is_audited_as_its_owner() -> None:
    engine = FakeEngine()
    status = await _status(
        app_of(engine),
        method="POST",
        path=START,
        headers=[(b"host", b"engine")],
        server=("/tmp/engine.sock", None),
    )

    assert status == 202
    assert engine.submitted[0].by == "os:ana"


@pytest.mark.parametrize("path", ["/operate", STATE, "/nothing", "/static/main.js", "/healthz"])
async def test_every_answer_has_the_security_headers(path: str) -> None:
    async with client_of(FakeEngine()) as client:
        headers = (await client.get(path)).headers

    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self' 'sha256-"):
        assert rule in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def _status(app: Any, **changes: Any) -> int:
    method, path = changes.get("method", "GET"), changes.get("path", STATE)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": changes["headers"],
        "scheme": "http",
        "server": changes.get("server", ("127.0.0.1", 8050)),
        "client": None,
        "root_path": "",
    }
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await app(scope, receive, send)
    return status[0]
