"""What must survive a restart: put at once, written behind, kept while the store fails."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from hil.engine.cadence import NS_PER_S, Bell
from hil.ports import Clock, StateStore

T = TypeVar("T")

log = logging.getLogger(__name__)

# A store that failed is tried again after this: often enough that an alarm clears soon.
RETRY_AFTER_S = 1.0
# A write that takes longer than this is told as a failure, though it may still succeed.
SLOW_WRITE_S = 10.0
# The bell needs an instant: nothing is due while nothing is put.
IDLE_S = 3600.0
# How long an edit waits to be durable before it is answered all the same (an alarm says why).
DURABLE_WITHIN_S = 1.0
# What closing waits for a store that does not answer.
CLOSE_WITHIN_S = 5.0


def _no_alarm(_: str | None) -> None:
    """Nobody is told."""


class Journal:
    """Documents by key in front of a `StateStore`; one writer, which never waits for the disk.

    A put value is durable soon after, together with whatever was put meanwhile; of several values
    of one key only the newest is written. Memory is bounded by the number of keys.

    Args:
        on_failing: Called with a sentence when the store begins to fail, with None when it works
            again.
    """

    def __init__(
        self,
        store: StateStore,
        clock: Clock,
        *,
        on_failing: Callable[[str | None], None] = _no_alarm,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_failing = on_failing
        self._documents: dict[str, bytes] = {}
        self._dirty: dict[str, bytes | None] = {}
        self._undecodable: set[str] = set()
        self._adapters: dict[Any, TypeAdapter[Any]] = {}
        self._bell = Bell(clock)
        self._lock = asyncio.Lock()
        self._is_running = False
        self._failing_since_ns: int | None = None
        # Changes are counted: those up to `_durable` are in the store.
        self._changes = self._durable = 0
        self._waiters: list[asyncio.Future[None]] = []

    async def load(self) -> None:
        """Read the store, before anything is put; raises HilError when it cannot be used."""
        assert not self._changes, "load comes first"
        self._documents = await self._store.load()

    def get(self, key: str, kind: type[T]) -> T | None:
        """The newest value of the key; None when there is none, or none of this type."""
        data = self._documents.get(key)
        return None if data is None else self._decoded(key, data, kind)

    def all(self, prefix: str, kind: type[T]) -> dict[str, T]:
        """The newest values of all keys that begin with `prefix`, by whole key, in its order."""
        found: dict[str, T] = {}
        for key in sorted(key for key in self._documents if key.startswith(prefix)):
            value = self._decoded(key, self._documents[key], kind)
            if value is not None:
                found[key] = value
        return found

    def put(self, key: str, value: Any) -> None:
        """Replace the value: a dataclass, or what JSON has; NaN becomes None."""
        data = orjson.dumps(value)
        if self._documents.get(key) != data:
            self._documents[key] = data
            self._change(key, data)

    def remove(self, key: str) -> None:
        """Remove the value, if there is one."""
        if self._documents.pop(key, None) is not None:
            self._change(key, None)

    def _change(self, key: str, data: bytes | None) -> None:
        self._dirty[key] = data
        self._changes += 1
        self._bell.ring()

    def _decoded(self, key: str, data: bytes, kind: type[T]) -> T | None:
        adapter: TypeAdapter[T] | None = self._adapters.get(kind)
        if adapter is None:
            adapter = self._adapters[kind] = TypeAdapter(kind)
        try:
            return adapter.validate_json(data)
        except (ValidationError, TypeError) as error:  # TypeError: of a dataclass's own checks
            if key not in self._undecodable:
                self._undecodable.add(key)
                log.error("state key=%s is left out, it does not decode: %s", key, _first(error))
            return None

    async def run(self) -> None:
        """Write what is put as soon as it is put, until cancelled."""
        pause = Bell(self._clock)  # a bell that nobody rings
        self._is_running = True
        try:
            while True:
                if not await self._write():
                    await pause.wait_until(self._after_ns(RETRY_AFTER_S))
                elif not self._dirty:
                    await self._bell.wait_until(self._after_ns(IDLE_S))
        finally:
            self._is_running = False
            self._wake()

    async def flush(self, within_s: float) -> bool:
        """Wait until what was put before is durable; False when the time is over.

        Without `run` it writes by itself, once.
        """
        wanted = self._changes
        try:
            async with asyncio.timeout(within_s):
                while self._is_running and self._durable < wanted:
                    await self._next_end()
                if self._durable < wanted:
                    await self._write()
        except TimeoutError:
            pass
        return self._durable >= wanted

    async def close(self) -> None:
        """Write what is left, if that can be done soon, and close the store."""
        if not await self.flush(CLOSE_WITHIN_S):
            log.error("state of %d keys is lost: the store cannot be written", len(self._dirty))
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._store.close()
        except TimeoutError:
            log.error("the state store does not close")

    async def _write(self) -> bool:
        """Write what is dirty as one batch; False when it is still dirty."""
        async with self._lock:
            if not self._dirty:
                return True
            batch, self._dirty = self._dirty, {}
            changes, is_durable = self._changes, False
            slow = asyncio.get_running_loop().call_later(
                SLOW_WRITE_S, self._failed, f"a write has taken more than {SLOW_WRITE_S:g} s"
            )
            try:
                await self._store.write(batch)
                is_durable = True
            except OSError as error:
                self._failed(str(error))
            finally:
                slow.cancel()
                if not is_durable:
                    # A cancelled write may still come to its end: unknown, so it is written again.
                    self._dirty = batch | self._dirty
            if is_durable:
                self._durable = changes
                self._succeeded()
            return is_durable

    def _failed(self, text: str) -> None:
        if self._failing_since_ns is None:
            self._failing_since_ns = self._clock.monotonic_ns()
            log.error("state cannot be written and waits in memory: %s", text)
            self._on_failing(text)

    def _succeeded(self) -> None:
        self._wake()
        if self._failing_since_ns is not None:
            failed_ns = self._clock.monotonic_ns() - self._failing_since_ns
            self._failing_since_ns = None
            log.warning("state is written again after_s=%.1f", failed_ns / NS_PER_S)
            self._on_failing(None)

    async def _next_end(self) -> None:
        """Wait for the next write that succeeds, or the end of `run`."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _after_ns(self, after_s: float) -> int:
        return self._clock.monotonic_ns() + round(after_s * NS_PER_S)


def _first(error: ValidationError | TypeError) -> str:
    """The first thing wrong, without the values, which may be secret."""
    if isinstance(error, TypeError):
        return str(error)
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else problem["msg"]
