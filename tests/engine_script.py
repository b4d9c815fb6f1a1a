"""A scripted engine behind a real HTTP server in a thread, for tests of its clients."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hil.adapters.data_directory import SOCKET_NAME
from hil.domain.snapshot import Snapshot
from web_support import NOON, first_snapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    body: Any
    query: dict[str, str]
    authorization: str | None


@dataclass
class EngineScript:
    """What the engine answers, by method and path below `/api/v1`, and what it was asked.

    A command goes through queued and running to the end that `ends` has for its path (done
    otherwise): status, error, result. `answers` come before anything else: status and body.
    Each of `streams` is what one connection to the stream gets before it ends.
    """

    picture: Snapshot = field(default_factory=first_snapshot)
    ends: dict[str, tuple[str, str | None, Any]] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    streams: list[bytes] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)

    def asked(self) -> list[tuple[str, str]]:
        """Methods and paths in the order of arrival, without the polls of commands."""
        return [
            (one.method, one.path) for one in self.seen if not one.path.startswith("/commands/")
        ]

    def app(self) -> Starlette:
        """The application that plays the script."""
        methods = ["GET", "POST", "PUT", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/api/v1")
        data = await request.body()
        try:
            body = orjson.loads(data) if data else None
        except orjson.JSONDecodeError:
            body = data.decode()
        authorization = request.headers.get("authorization")
        seen = Seen(request.method, path, body, dict(request.query_params), authorization)
        self.seen.append(seen)
        given = self.answers.get((seen.method, path))
        if given is not None:
            return _response(*given)
        if path == "/stream":
            body = self.streams.pop(0) if self.streams else b""
            return Response(body, media_type="text/event-stream")
        if seen.method == "GET":
            return self._get(path)
        if "/overrides/" in path:
            self.overrides[path] = {"active": bool(body), **(body or {"points": [], "end": None})}
            return _response(200, self.overrides[path])
        if "/schedules/manual" in path:
            point = {"time": NOON, "p_kw": 1.0, "q_kvar": None}
            return _response(200, {"points": [point], "end": None})
        return _response(202, self._new_command(path))

    def _get(self, path: str) -> Response:
        if path.startswith("/commands/"):
            return _response(200, self._polled(path.removeprefix("/commands/")))
        if path == "/state":
            return _response(200, self.picture)
        if path == "/alarms":
            return _response(200, self.picture.alarms)
        if "/overrides/" in path:
            none = {"active": False, "points": [], "end": None}
            return _response(200, self.overrides.get(path, none))
        if path.endswith("/schedule"):
            point = {"time": NOON, "p_kw": 100.0, "q_kvar": 0.0, "origin": "manual"}
            return _response(200, {"points": [point]})
        return _response(404, {"detail": f"There is nothing at {path}."})

    def _new_command(self, path: str) -> dict[str, Any]:
        parts = path.strip("/").split("/")
        command = {
            "id": f"c{len(self.commands) + 1}",
            "kind": parts[-1] if parts[0] != "fleet" else f"fleet-{parts[-1]}",
            "plant": parts[1] if parts[0] == "plants" else None,
            "status": "queued",
            "error": None,
            "result": None,
            "path": path,
        }
        self.commands.append(command)
        return dict(command)

    def _polled(self, command_id: str) -> dict[str, Any]:
        command = next(one for one in self.commands if one["id"] == command_id)
        if command["status"] == "queued":
            command["status"] = "running"
        elif command["status"] == "running":
            status, error, result = self.ends.get(command["path"], ("done", None, None))
            command.update(status=status, error=error, result=result)
        return command


def _response(status: int, body: Any) -> Response:
    if isinstance(body, bytes):
        return Response(body, status, media_type="text/html")
    kind = "application/json" if status < 400 else "application/problem+json"
    return Response(orjson.dumps(body), status, media_type=kind)


def unix_listener(folder: Path) -> socket.socket:
    """A listening socket where the engine of this data directory would have it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(folder / SOCKET_NAME))
    listener.listen()
    return listener


@contextlib.contextmanager
def serving(script: EngineScript, listener: socket.socket) -> Iterator[None]:
    """The script on this socket, in a thread of its own, while the block runs."""
    config = uvicorn.Config(
        script.app(), log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def event(name: str, data: Any) -> bytes:
    """A server-sent event as the engine writes it."""
    return f"event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def with_plant(picture: Snapshot, plant: str, **changes: Any) -> Snapshot:
    """The picture in which one plant differs."""
    plants = {
        name: replace(state, **changes) if name == plant else state
        for name, state in picture.plants.items()
    }
    return replace(picture, plants=plants)
