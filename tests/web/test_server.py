"""The real server: streams end before it does, signals stay with the process, Unix sockets."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from hil.web.server import Server
from web_support import FakeEngine, app_of


@asynccontextmanager
async def serving(sock: socket.socket, engine: FakeEngine) -> AsyncIterator[Server]:
    """The server on this socket while the block runs."""
    server = Server(app_of(engine))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield server
    finally:
        server.should_exit = True
        await task
        sock.close()


@pytest.mark.real_time
async def test_open_streams_end_with_an_event_and_without_a_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sock = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    # No environment: a proxy there must not stand between the test and its server.
    async with (
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
        serving(sock, FakeEngine()) as server,
        client.stream("GET", "/api/v1/stream") as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: state"
        server.should_exit = True
        rest = [line async for line in lines]

    assert "event: end" in rest
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.real_time
async def test_a_unix_socket_is_served_without_a_host_check(tmp_path: Path) -> None:
    path = str(tmp_path / "engine.sock")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen()
    engine = FakeEngine()
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with (
        serving(sock, engine),
        httpx.AsyncClient(transport=transport, base_url="http://engine") as client,
    ):
        reply = await client.post("/api/v1/plants/lib/start")

    assert reply.status_code == 202
    assert engine.submitted[0].by == "os:ana"


@pytest.mark.real_time
async def test_a_tcp_caller_cannot_pose_as_another_address() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with (
        serving(sock, FakeEngine()),
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
        reply = await client.get("/api/v1/state", headers=headers)
        fine = await client.get("/api/v1/state")

    assert (reply.status_code, fine.status_code) == (421, 200)
    assert "server" not in fine.headers


@pytest.mark.real_time
async def test_bytes_that_are_no_http_are_a_400() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    async with serving(sock, FakeEngine()):
        for sent in (b"\x00\x01\x02\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            status = (await reader.readline()).split()[1]
            writer.close()
            await writer.wait_closed()
            assert status.startswith(b"4")
