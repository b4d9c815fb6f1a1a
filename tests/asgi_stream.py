"""A client of an event stream in this process, and what it reads."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import orjson
from fastapi import FastAPI


class AsgiStream:
    """Reads a streaming response as it comes; leaving the block is a client's disconnect."""

    def __init__(
        self, app: FastAPI, path: str, query: str = "", host: bytes = b"localhost"
    ) -> None:
        self._app = app
        self._path = path
        self._query = query
        self._host = host
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False

    async def __aenter__(self) -> "AsgiStream":
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": self._query.encode(),
            "headers": [(b"host", self._host)],
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        self._task = asyncio.create_task(self._app(scope, self._receive, self._send))
        start = await self._messages.get()
        self.status = start["status"]
        self.headers = {key.decode(): value.decode() for key, value in start["headers"]}
        return self

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self._gone.is_set():
            raise OSError("disconnected")
        await self._messages.put(message)

    async def event(self) -> tuple[str, Any]:
        """The next event's name and data; ("", None) after the last."""
        message = await self._messages.get()
        if not message["body"]:
            return "", None
        name, data = message["body"].decode().strip().split("\n", 1)
        return name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))

    async def events(self, count: int) -> list[tuple[str, Any]]:
        """The next events."""
        return [await self.event() for _ in range(count)]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gone.set()
        await self._task


def names(events: Sequence[tuple[str, Any]]) -> list[str]:
    """The names of events."""
    return [name for name, _ in events]
