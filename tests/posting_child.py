"""A process that posts what waits in a state database: `posting_child.py DATABASE URL SAMPLES`."""

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.adapters.istentore import Istentore
from hil.adapters.sqlite_store import SqliteStore
from hil.adapters.system_clock import SystemClock
from hil.domain.market import Sample
from hil.domain.plant import PlantId, Transport
from hil.engine.journal import Journal
from hil.engine.outbox import Outbox
from hil.engine.poster import PlantSeries, Poster, PostingPolicy
from hil.engine.supervisor import Supervisor

LIB = PlantId("lib")
SERIES = 50
START = datetime(2026, 5, 1, tzinfo=UTC)
POLICY = PostingPolicy(
    transports=frozenset({Transport.LOCAL}),
    period_s=3600,
    retry_initial_s=0.05,
    retry_max_s=0.2,
    error_backoff_s=1,
)


def sample(number: int) -> Sample:
    at = START + timedelta(seconds=number // SERIES)
    return Sample(plant=LIB, series=1 + number % SERIES, at=at, value=float(number))


async def main(database: Path, url: str, samples: int) -> None:
    clock = SystemClock()
    journal = Journal(SqliteStore(database), clock)
    await journal.load()
    outbox = Outbox([LIB], journal, queue_max=10 * samples, on_filling=lambda _: None)
    if outbox.counts(LIB).enqueued == 0:
        outbox.put([sample(k) for k in range(samples)])
        assert await journal.flush(10)
    source = Istentore(url, "bench", "secret", [LIB], clock, error_backoff_s=1)
    poster = Poster(
        POLICY,
        {LIB: PlantSeries(soc=None, p=1, q=None, v=None, capacity_kwh=1)},
        outbox,
        journal,
        clock,
        post=source.post,
        measured=lambda _: None,
        why_not=lambda: None,
        draw=random.Random(1),
        on_change=lambda: None,
    )
    supervisor = Supervisor(clock)
    supervisor.start("journal", journal.run)
    supervisor.start("posting", poster.send)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while len(outbox):
        await asyncio.sleep(0.01)
    await supervisor.stop()
    await journal.close()
    await source.close()
    counts = outbox.counts(LIB)
    assert (counts.dropped, counts.set_aside) == (0, 0), counts


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
