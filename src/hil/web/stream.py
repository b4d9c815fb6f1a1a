"""The newest picture as server-sent events: encoded once, shared by all readers, never queued."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from hil.api import EngineApi
from hil.domain.errors import NotFound
from hil.domain.plant import PlantId
from hil.domain.snapshot import Snapshot
from hil.ports import Clock
from hil.web.problem import Refused

# A picture at most every half second: what an eye follows, and what 100 plants can be drawn at.
MIN_INTERVAL_S = 0.5
# Below the 2 s that are promised, because a ping may wait for one interval to pass.
PING_PERIOD_S = 1.5
# Each reader costs one encoded frame of write buffer and its share of a pass; 200 were measured.
MAX_READERS = 256
# Readers woken in one pass of the loop, so that a fan-out never holds up the dispatch.
BATCH = 10
RETRY_AFTER_S = 5

_log = logging.getLogger(__name__)

Selection = frozenset[PlantId] | None


def selected(snapshot: Snapshot, plants: Selection) -> Snapshot:
    """The picture with these plants only; None is all of them. Raises `NotFound`."""
    if plants is None:
        return snapshot
    if unknown := sorted(plants - snapshot.plants.keys()):
        raise NotFound(f"There is no plant {unknown[0]!r}; there are {', '.join(snapshot.plants)}.")
    posting = {key: value for key, value in snapshot.posting.plants.items() if key in plants}
    return replace(
        snapshot,
        plants={key: value for key, value in snapshot.plants.items() if key in plants},
        posting=replace(snapshot.posting, plants=posting),
    )


class Feed:
    """Follows the engine while somebody reads, and hands every reader the newest picture.

    A reader is a slot, not a queue: one that is slow skips pictures and then gets the newest.
    """

    def __init__(self, engine: EngineApi, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._picture = engine.snapshot()
        self._version = 0  # counts the pictures sent out, so that no reader misses the newest
        self._pings = 0
        self._frames: dict[Selection, bytes] = {}
        self._ping = b""
        self._waiting: list[asyncio.Future[None]] = []
        self._readers = 0
        self._follower: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let every reader take an `end` event and leave; for shutdown, once."""
        self._ended.set()
        self._wake(len(self._waiting))

    def respond(self, plants: Selection) -> "EventStream":
        """The response that carries the events, its place taken.

        Raises:
            NotFound: One of the plants does not exist.
            Refused: There are too many readers, or the server is stopping (503).
        """
        selected(self._engine.snapshot(), plants)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        if self._ended.is_set():
            raise Refused(503, "The server is stopping. Try again later.", headers=headers)
        if self._readers >= MAX_READERS:
            raise Refused(
                503,
                f"{MAX_READERS} readers follow the stream already. Close a page and try again.",
                headers=headers,
            )
        self._readers += 1
        return EventStream(self, plants)

    async def leave(self) -> None:
        """Give a place back; the last one out stops following the engine."""
        self._readers -= 1
        follower = self._follower
        if self._readers == 0 and follower is not None:
            self._follower = None
            follower.cancel()
            await asyncio.wait({follower})

    async def events(self, plants: Selection) -> AsyncIterator[bytes]:
        """The present picture, then every change and the pings, until the end."""
        follower = self._follow()
        version, pings = -1, self._pings
        while not (self._ended.is_set() or follower.done()):
            if version != self._version:
                version = self._version
                yield self._frame(plants)
            elif pings != self._pings:
                pings = self._pings
                yield self._ping
            else:
                await self._news()
        yield b"event: end\ndata: {}\n\n"

    def _frame(self, plants: Selection) -> bytes:
        frame = self._frames.get(plants)
        if frame is None:
            frame = _event("state", orjson.dumps(selected(self._picture, plants)))
            self._frames[plants] = frame
        return frame

    async def _news(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _wake(self, count: int) -> None:
        woken, self._waiting = self._waiting[:count], self._waiting[count:]
        for waiter in woken:
            if not waiter.done():
                waiter.set_result(None)

    def _follow(self) -> asyncio.Task[None]:
        """Take the present picture and keep up with the engine, if nobody does yet."""
        if self._follower is None or self._follower.done():
            self._take()
            # Not the Supervisor's: it lives no longer than the readers, who come with requests.
            loop = asyncio.get_running_loop()
            self._follower = loop.create_task(self._run(), name="web stream")
            self._follower.add_done_callback(self._on_follower_done)
        return self._follower

    def _on_follower_done(self, follower: asyncio.Task[None]) -> None:
        if not follower.cancelled() and (error := follower.exception()) is not None:
            _log.error("stream broke, readers must come again", exc_info=error)
        self._wake(len(self._waiting))

    def _take(self) -> None:
        self._picture = self._engine.snapshot()
        self._version += 1
        self._frames.clear()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        taken_at = loop.time()
        ping_at = taken_at + PING_PERIOD_S
        while True:
            if await self._changed_before(ping_at):
                await self._rest_until(taken_at + MIN_INTERVAL_S)
                taken_at = loop.time()
                self._take()
            if loop.time() >= ping_at:
                ping_at = loop.time() + PING_PERIOD_S
                now = orjson.dumps({"time": self._clock.now(), "seq": self._picture.seq})
                self._ping = _event("ping", now)
                self._pings += 1
            await self._fan_out()

    async def _changed_before(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                await self._engine.changed(self._picture.seq)
        except TimeoutError:
            return False
        return True

    async def _rest_until(self, deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._ended.wait()

    async def _fan_out(self) -> None:
        # Whoever comes to wait meanwhile has seen this picture already.
        left = len(self._waiting)
        while left > 0:
            self._wake(min(BATCH, left))
            left -= BATCH
            await asyncio.sleep(0)  # noqa: TID251 - lets the loop pass, waits for no time


class EventStream(StreamingResponse):
    """The response of one reader; it keeps its place in the feed until it ends."""

    def __init__(self, feed: Feed, plants: Selection) -> None:
        super().__init__(
            feed.events(plants),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._feed.leave()


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
