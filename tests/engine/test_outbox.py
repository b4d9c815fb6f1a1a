"""The outbox: bounded, durable, balanced."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hil.domain.market import Sample
from hil.domain.plant import PlantId
from hil.engine.journal import Journal
from hil.engine.outbox import SET_ASIDE_MAX, Batch, Outbox, SetAside
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_store import MemoryStore

START = datetime(2026, 5, 1, tzinfo=UTC)
LIB, VRFB = PlantId("lib"), PlantId("vrfb")
SERIES = {LIB: 6, VRFB: 11}


def sample(minute: int, plant: PlantId = LIB) -> Sample:
    at = START + timedelta(minutes=minute)
    return Sample(plant=plant, series=SERIES[plant], at=at, value=float(minute))


class Post:
    """An outbox over a store that outlives it."""

    def __init__(self, queue_max: int = 100) -> None:
        self.store = MemoryStore()
        self.queue_max = queue_max
        self.told: list[str | None] = []

    async def open(self) -> Outbox:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.journal = Journal(self.store, VirtualClock(loop, START))
        await self.journal.load()
        return Outbox(SERIES, self.journal, queue_max=self.queue_max, on_filling=self.told.append)

    async def reopen(self) -> Outbox:
        await self.journal.flush(1)
        return await self.open()


def oldest(outbox: Outbox, most: int = 500) -> Batch:
    batch = outbox.oldest(most=lambda _: most)
    assert batch is not None
    return batch


async def test_a_batch_is_of_the_series_that_waits_longest() -> None:
    outbox = await Post().open()
    outbox.put([sample(0, VRFB), sample(1), sample(2, VRFB), sample(3)])
    assert oldest(outbox).samples == (sample(0, VRFB), sample(2, VRFB))
    assert oldest(outbox, most=1).samples == (sample(0, VRFB),)
    outbox.acknowledge(oldest(outbox))
    assert oldest(outbox).samples == (sample(1), sample(3))


async def test_samples_and_counts_are_there_after_a_restart() -> None:
    post = Post()
    outbox = await post.open()
    outbox.put([sample(k) for k in range(5)])
    outbox.acknowledge(oldest(outbox, most=2))
    outbox.set_aside(oldest(outbox, most=1), "no such series")

    again = await post.reopen()
    assert oldest(again).samples == (sample(3), sample(4))
    assert (again.pending(LIB), again.oldest_at(LIB)) == (2, sample(3).at)
    assert again.counts(LIB) == outbox.counts(LIB)
    kept = post.journal.all("set-aside/", SetAside)
    assert list(kept.values()) == [SetAside(sample=sample(2), reason="no such series")]

    again.put([sample(9)])
    assert oldest(await post.reopen()).samples == (sample(3), sample(4), sample(9))


async def test_what_does_not_fit_drops_the_oldest_and_is_told_before() -> None:
    post = Post(queue_max=10)
    outbox = await post.open()
    outbox.put([sample(k) for k in range(8)])
    assert post.told == []
    outbox.put([sample(8)])
    assert post.told == ["9 of 10 samples"]
    outbox.put([sample(k) for k in range(9, 13)])
    assert [s.at for s in oldest(outbox).samples] == [sample(k).at for k in range(3, 13)]
    assert outbox.counts(LIB).dropped == 3
    outbox.acknowledge(oldest(outbox))
    assert post.told == ["9 of 10 samples", None]


async def test_a_sample_dropped_while_it_is_sent_is_counted_once() -> None:
    outbox = await Post(queue_max=3).open()
    outbox.put([sample(k) for k in range(3)])
    in_flight = oldest(outbox)
    outbox.put([sample(3)])
    outbox.acknowledge(in_flight)
    counts = outbox.counts(LIB)
    assert (counts.enqueued, counts.sent, counts.dropped) == (4, 2, 1)
    assert oldest(outbox).samples == (sample(3),)


async def test_refused_samples_are_kept_up_to_a_bound() -> None:
    post = Post(queue_max=2000)
    outbox = await post.open()
    outbox.put([sample(k) for k in range(SET_ASIDE_MAX + 5)])
    outbox.set_aside(oldest(outbox, most=2000), "refused")
    kept = list(post.journal.all("set-aside/", SetAside).values())
    assert len(kept) == SET_ASIDE_MAX
    assert kept[0].sample == sample(5)


steps = st.lists(
    st.tuples(st.sampled_from(["put", "ack", "aside", "restart"]), st.integers(1, 7)), max_size=40
)


@given(steps)
def test_counts_balance_whatever_happens(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        post = Post(queue_max=12)
        outbox = await post.open()
        minute = 0
        taken: list[Sample] = []
        for what, many in steps:
            if what == "put":
                plants = [LIB if k % 3 else VRFB for k in range(many)]
                outbox.put([sample(minute + k, plant) for k, plant in enumerate(plants)])
                minute += many
            elif what == "restart":
                outbox = await post.reopen()
            elif len(outbox):
                batch = oldest(outbox, most=many)
                taken += batch.samples
                outbox.acknowledge(batch) if what == "ack" else outbox.set_aside(batch, "no")
            for plant in SERIES:
                counts = outbox.counts(plant)
                ended = counts.sent + counts.dropped + counts.set_aside
                assert counts.enqueued == ended + outbox.pending(plant)
        assert len(taken) == len(set(taken))
        assert sum(outbox.pending(plant) for plant in SERIES) == len(outbox) <= 12

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())
