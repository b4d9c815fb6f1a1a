"""Whatever is put while the store fails, hangs and recovers: it ends with the last values."""

import asyncio
from dataclasses import dataclass

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_store import WRITE_S, FakeStore, new_journal
from hil.engine.journal import RETRY_AFTER_S
from hil.virtual.loop import VirtualLoop


@dataclass(frozen=True)
class Put:
    key: str
    value: int


@dataclass(frozen=True)
class Remove:
    key: str


@dataclass(frozen=True)
class Become:
    """From now on the store works, fails, hangs, or does so after it has applied the batch."""

    failing: bool = False
    hanging: bool = False
    tells_late: bool = False


@dataclass(frozen=True)
class Pass:
    seconds: float


@dataclass(frozen=True)
class Flush:
    within_s: float


@dataclass(frozen=True)
class Toggle:
    """Stop `run`, or start it again."""


KEYS = st.sampled_from(["a", "b", "c"])
# Half a write leads into its middle.
SECONDS = st.sampled_from([0.0, WRITE_S / 2, WRITE_S, 0.5, RETRY_AFTER_S, 3.0])
ACTIONS = st.one_of(
    st.builds(Put, KEYS, st.integers(0, 3)),
    st.builds(Remove, KEYS),
    st.builds(Become, st.booleans(), st.booleans(), st.booleans()),
    st.builds(Pass, SECONDS),
    st.builds(Flush, SECONDS),
    st.builds(Toggle),
)


class Play:
    """Carries out actions and knows what the store must come to hold."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.journal = new_journal(store)
        self.expected = {key: orjson.loads(json) for key, json in store.documents.items()}
        self.task: asyncio.Task[None] | None = None

    async def act(self, action: object) -> None:
        match action:
            case Put(key, value):
                self.journal.put(key, value)
                self.expected[key] = value
            case Remove(key):
                self.journal.remove(key)
                self.expected.pop(key, None)
            case Become():
                self.become(action)
            case Pass(seconds):
                await asyncio.sleep(seconds)
            case Flush(within_s):
                await self.flush(within_s)
            case Toggle():
                await self.toggle()

    def become(self, what: Become) -> None:
        self.store.failing = "disk" if what.failing else None
        self.store.tells_late = what.tells_late
        if what.hanging:
            self.store.hang()
        else:
            self.store.answer()

    async def flush(self, within_s: float) -> None:
        if await self.journal.flush(within_s):
            self.check()

    def check(self) -> None:
        held = {key: orjson.loads(json) for key, json in self.store.documents.items()}
        assert held == self.expected

    async def toggle(self) -> None:
        if self.task is None:
            self.task = asyncio.ensure_future(self.journal.run())
            return
        task, self.task = self.task, None
        task.cancel()
        await asyncio.wait([task])


@settings(max_examples=300, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=5, max_size=60), ends_running=st.booleans())
def test_after_recovery_the_store_holds_the_last_values(
    actions: list[object], ends_running: bool
) -> None:
    async def play() -> None:
        it = Play(FakeStore({"a": b"0", "b": b"9"}))
        await it.journal.load()
        await it.toggle()
        for action in actions:
            await it.act(action)
        it.become(Become())
        if (it.task is not None) is not ends_running:
            await it.toggle()
        assert await it.journal.flush(RETRY_AFTER_S + 3 * WRITE_S)
        it.check()
        if it.task is not None:
            await it.toggle()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())
