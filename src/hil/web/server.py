"""The HTTP server of the pages and the API, inside a process that owns its signals."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

# Streams end by themselves; what is left after this is a client that does not read.
GRACEFUL_SHUTDOWN_S = 3


class Server(uvicorn.Server):
    """Serves one application: `serve(sockets=[..])` runs until `should_exit` is set.

    The caller binds the sockets, so that a port in use is an OSError there and no exit of the
    process, and handles the signals, because the engine must stop safely first.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                loop="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
            )
        )
        self._feed = app.state.feed

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process's owner."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: an open one would hold up the end and be cut with a traceback."""
        self._feed.end()
        await super().shutdown(sockets=sockets)
