"""The outbox in rows a second, and what a market that answers after 15 s does to dispatch."""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hil.adapters.sqlite_store import SqliteStore
from hil.adapters.system_clock import SystemClock
from hil.domain.market import Sample
from hil.domain.plant import PlantId
from hil.engine.journal import Journal
from hil.engine.outbox import Outbox

sys.path.insert(0, str(Path(__file__).parents[1]))
from live_bench import Bench, carry_out, free_port, make_bench, until

ROWS = 20_000
# As a thousand plants with four series each put them once a minute.
PUT_AT_ONCE = 4000
BATCH = 500
RUNS = 3
PAIRS = 2
SECONDS = 20.0
LIB = PlantId("lib")
START = datetime(2026, 5, 1, tzinfo=UTC)


def measure() -> dict[str, Any]:
    """Rows a second put and acknowledged, durably; lateness with and without a slow market."""
    rates = [asyncio.run(_rates()) for _ in range(RUNS)]
    slow: list[float] = []
    quick: list[float] = []
    for _ in range(PAIRS):
        quick.append(_lateness_ms("no-trouble"))
        slow.append(_lateness_ms("delay:100000"))
    return {
        "rows": ROWS,
        "put_at_once": PUT_AT_ONCE,
        "batch": BATCH,
        "put_a_s": statistics.median(put for put, _ in rates),
        "acknowledged_a_s": statistics.median(taken for _, taken in rates),
        "seconds": SECONDS,
        "quick_p99_ms": quick,
        "slow_p99_ms": slow,
    }


async def _rates() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(SqliteStore(Path(folder) / "hil.sqlite"), SystemClock())
        await journal.load()
        outbox = Outbox([LIB], journal, queue_max=ROWS, on_filling=lambda _: None)
        samples = [
            Sample(plant=LIB, series=k % 40, at=START + timedelta(seconds=k), value=random.random())
            for k in range(ROWS)
        ]
        begun = time.perf_counter()
        for first in range(0, ROWS, PUT_AT_ONCE):
            outbox.put(samples[first : first + PUT_AT_ONCE])
            assert await journal.flush(60)
        put_s = time.perf_counter() - begun
        begun = time.perf_counter()
        while (batch := outbox.oldest(most=lambda _: BATCH)) is not None:
            outbox.acknowledge(batch)
            assert await journal.flush(60)
        taken_s = time.perf_counter() - begun
        await journal.close()
    return ROWS / put_s, ROWS / taken_s


def _lateness_ms(trouble: str) -> float:
    """The p99 of dispatch lateness of two plants at 0.2 s steps while everything is posted."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        bench = make_bench(folder)
        config = folder / "config.yaml"
        (folder / "password").write_text("rehearsal\n")
        config.write_text(
            config.read_text().replace(
                "schedule_api: null",
                f"schedule_api: {{kind: istentore, base_url: 'http://127.0.0.1:{port}',"
                " email: bench, password_file: password, posting: {period_s: 1}}",
            )
        )
        words = ["fake-market", "--port", str(port)]
        if trouble != "no-trouble":
            words += ["--trouble", trouble.replace("delay", "delay:measurements")]
        with bench.runs(*words), bench.runs("run") as engine:
            figure = _posted_lateness_ms(bench)
            engine.terminate()
            engine.wait()
    return figure


def _posted_lateness_ms(bench: Bench) -> float:
    with bench.client() as client:
        until(lambda: client.get("/state").json()["schedule_api"]["today"]["complete"], "the plan")
        client.put("/source", json={"source": "api"})
        until(lambda: client.get("/state").json()["source"] == "api", "the switch")
        carry_out(client, "/fleet/start")
        time.sleep(SECONDS)
        state = client.get("/state").json()
        assert state["posting"]["effective"], state["posting"]
        p99: float = state["engine"]["dispatch_lateness_ms"]["p99"]
        return p99


def section() -> str:
    """The page's part: posting."""
    got = measure()
    rows = "\n".join(
        f"| {k + 1} | {quick:.1f} | {slow:.1f} |"
        for k, (quick, slow) in enumerate(zip(got["quick_p99_ms"], got["slow_p99_ms"], strict=True))
    )
    return f"""## Posting to a market API

The outbox in the state database, durably: {got["put_a_s"]:,.0f} samples a second are put
({got["put_at_once"]} at once, as a thousand plants with four series each put them a minute) and
{got["acknowledged_a_s"]:,.0f} are acknowledged and removed ({got["batch"]} a call).

The p99 of the dispatch lateness of two plants at 0.2 s steps over {got["seconds"]:.0f} s, while the
market answers at once and while every answer takes 15 s, in turn, in ms:

| pair | quick market | slow market |
| --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
