"""Samples that wait to be acknowledged by the market API: durable, bounded, oldest first."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hil.domain.market import Sample
from hil.domain.plant import PlantId
from hil.engine.journal import Journal

# Where an operator is told, before anything is dropped.
FILLING_SHARE = 0.9
# Refused samples are kept for a person to look at, the newest of them.
SET_ASIDE_MAX = 1000

_WAITING = "outbox/"
_SET_ASIDE = "set-aside/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingCounts:
    """What became of a plant's samples: `enqueued` = sent + dropped + set aside + waiting."""

    enqueued: int = 0
    sent: int = 0
    dropped: int = 0
    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A sample that the API will never take, and why."""

    sample: Sample
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one series, oldest first, with the keys they wait under."""

    series: int
    keys: tuple[int, ...]
    samples: tuple[Sample, ...]


class Outbox:
    """The queue between measuring and posting; every change is put into the journal at once.

    Counts and samples change in one batch of the journal, so that they balance after a crash, too.

    Args:
        queue_max: Samples that wait at most; beyond it the oldest is dropped and counted.
        on_filling: Told a sentence when the queue is nearly full, None when it is not any more.
    """

    def __init__(
        self,
        plants: Iterable[PlantId],
        journal: Journal,
        *,
        queue_max: int,
        on_filling: Callable[[str | None], None],
    ) -> None:
        self._journal = journal
        self._queue_max = queue_max
        self._on_filling = on_filling
        self._is_filling = False
        self._samples: OrderedDict[int, Sample] = OrderedDict()
        self._by_series: dict[int, deque[int]] = {}
        self._by_plant: dict[PlantId, OrderedDict[int, None]] = {}
        self._counts = {
            plant: journal.get(f"posting/{plant}", PostingCounts) or PostingCounts()
            for plant in plants
        }
        for key, sample in journal.all(_WAITING, Sample).items():
            self._line_up(int(key.removeprefix(_WAITING)), sample)
        self._set_aside = deque(journal.all(_SET_ASIDE, SetAside))
        self._next = 1 + max(
            [*self._samples, *(int(key.removeprefix(_SET_ASIDE)) for key in self._set_aside)],
            default=0,
        )
        self._look_at_size()

    def __len__(self) -> int:
        return len(self._samples)

    def counts(self, plant: PlantId) -> PostingCounts:
        """What became of the plant's samples, since ever."""
        return self._counts[plant]

    def pending(self, plant: PlantId) -> int:
        """How many samples of the plant wait."""
        return len(self._by_plant.get(plant, ()))

    def oldest_at(self, plant: PlantId) -> datetime | None:
        """The time of the plant's oldest sample that waits."""
        keys = self._by_plant.get(plant)
        return self._samples[next(iter(keys))].at if keys else None

    def put(self, samples: Sequence[Sample]) -> None:
        """Enqueue samples; what does not fit drops the oldest."""
        for sample in samples:
            key, self._next = self._next, self._next + 1
            self._journal.put(_key(_WAITING, key), sample)
            self._line_up(key, sample)
            self._count(sample.plant, enqueued=1)
        while len(self._samples) > self._queue_max:
            key, sample = next(iter(self._samples.items()))
            self._remove(key)
            self._count(sample.plant, dropped=1)
        self._look_at_size()

    def oldest(self, *, most: Callable[[int], int]) -> Batch | None:
        """The samples to send next: of the series whose sample waits longest.

        Args:
            most: How many samples of a series go into one call.
        """
        if not self._samples:
            return None
        series = next(iter(self._samples.values())).series
        line = self._by_series[series]
        keys = tuple(line[k] for k in range(min(len(line), most(series))))
        return Batch(series, keys, tuple(self._samples[key] for key in keys))

    def acknowledge(self, batch: Batch) -> None:
        """The API has taken the samples: they are never sent again."""
        for key, sample in self._take(batch):
            self._remove(key)
            self._count(sample.plant, sent=1)
        self._look_at_size()

    def set_aside(self, batch: Batch, reason: str) -> None:
        """The API will never take the samples."""
        for key, sample in self._take(batch):
            self._remove(key)
            self._count(sample.plant, set_aside=1)
            kept = _key(_SET_ASIDE, key)
            self._journal.put(kept, SetAside(sample=sample, reason=reason))
            self._set_aside.append(kept)
        while len(self._set_aside) > SET_ASIDE_MAX:
            self._journal.remove(self._set_aside.popleft())
        self._look_at_size()

    def _take(self, batch: Batch) -> list[tuple[int, Sample]]:
        """What of a batch still waits: a sample may have been dropped meanwhile."""
        return [(key, self._samples[key]) for key in batch.keys if key in self._samples]

    def _line_up(self, key: int, sample: Sample) -> None:
        self._samples[key] = sample
        self._by_series.setdefault(sample.series, deque()).append(key)
        self._by_plant.setdefault(sample.plant, OrderedDict())[key] = None

    def _remove(self, key: int) -> None:
        """Forget the sample, which is the oldest of its series."""
        sample = self._samples.pop(key)
        first = self._by_series[sample.series].popleft()
        assert first == key, (first, key)
        del self._by_plant[sample.plant][key]
        self._journal.remove(_key(_WAITING, key))

    def _count(
        self,
        plant: PlantId,
        *,
        enqueued: int = 0,
        sent: int = 0,
        dropped: int = 0,
        set_aside: int = 0,
    ) -> None:
        before = self._counts.get(plant, PostingCounts())
        after = self._counts[plant] = replace(
            before,
            enqueued=before.enqueued + enqueued,
            sent=before.sent + sent,
            dropped=before.dropped + dropped,
            set_aside=before.set_aside + set_aside,
        )
        self._journal.put(f"posting/{plant}", after)

    def _look_at_size(self) -> None:
        is_filling = len(self._samples) >= FILLING_SHARE * self._queue_max
        if is_filling != self._is_filling:
            self._is_filling = is_filling
            told = f"{len(self._samples)} of {self._queue_max} samples" if is_filling else None
            self._on_filling(told)


def _key(prefix: str, number: int) -> str:
    return f"{prefix}{number:015d}"
