"""A state store in memory that fails, hangs and recovers, and a journal in front of it."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from hil.engine.journal import Journal
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop

AT = datetime(2026, 5, 1, 10, 0, 0, 250_000, tzinfo=UTC)
WRITE_S = 0.01


class FakeStore:
    """Keeps documents in memory; a write takes `WRITE_S` and may fail or hang.

    `failing` is the sentence of its OSError. With `tells_late` a write that fails or is cut off
    has been applied all the same.
    """

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        self.documents = dict(documents or {})
        self.batches: list[dict[str, bytes | None]] = []
        self.failing: str | None = None
        self.bug: Exception | None = None
        self.tells_late = False
        self.closed = False
        self._answers = asyncio.Event()
        self._answers.set()
        self._writing = False

    async def load(self) -> dict[str, bytes]:
        return dict(self.documents)

    async def write(self, documents: Mapping[str, bytes | None]) -> None:
        assert not self._writing, "one write at a time"
        assert documents
        self._writing = True
        try:
            self.batches.append(dict(documents))
            if self.tells_late:
                self._apply(documents)
            await asyncio.sleep(WRITE_S)
            await self._answers.wait()
            if self.bug is not None:
                raise self.bug
            if self.failing is not None:
                raise OSError(self.failing)
            self._apply(documents)
        finally:
            self._writing = False

    def _apply(self, documents: Mapping[str, bytes | None]) -> None:
        for key, json in documents.items():
            if json is None:
                self.documents.pop(key, None)
            else:
                self.documents[key] = json

    async def close(self) -> None:
        await self._answers.wait()
        self.closed = True

    def hang(self) -> None:
        self._answers.clear()

    def answer(self) -> None:
        self._answers.set()


def new_journal(
    store: FakeStore, on_failing: Callable[[str | None], None] = lambda _: None
) -> Journal:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return Journal(store, VirtualClock(loop, AT), on_failing=on_failing)
