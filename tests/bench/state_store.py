"""Durable transactions a second of the state database, one document each and in batches.

The store is used as the engine uses it: one write after the other, off the loop. Each run takes a
new database in the system's folder for temporary files; what its disk does decides the figures.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from hil.adapters.sqlite_store import SqliteStore
from hil.domain.commands import Command, CommandKind, CommandStatus

RUNS = 5
TRANSACTIONS = {1: 500, 100: 200}  # a run, by documents a transaction
DOCUMENTS = 2000  # different keys: an audit trail that is being filled


def measure() -> dict[str, Any]:
    """Transactions a second and ms a transaction, by documents a transaction.

    `fdatasync_ms` is what the disk itself takes for a page: no transaction can be faster.
    """
    return asyncio.run(_measure())


async def _measure() -> dict[str, Any]:
    rates: dict[int, list[float]] = {size: [] for size in TRANSACTIONS}
    syncs_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            for size in TRANSACTIONS:
                rates[size].append(await _rate(Path(folder) / f"{run}-{size}.sqlite", size))
            syncs_ms.append(_sync_ms(Path(folder) / f"{run}.page"))
    return {
        "runs": RUNS,
        "sqlite": sqlite3.sqlite_version,
        "python": sys.version.split()[0],
        "document_bytes": len(_document(0)),
        "fdatasync_ms": _spread(syncs_ms),
        "transactions_a_s": {str(size): _spread(values) for size, values in rates.items()},
        "ms_a_transaction": {
            str(size): round(1000 / statistics.median(values), 3) for size, values in rates.items()
        },
    }


async def _rate(path: Path, size: int) -> float:
    store = SqliteStore(path)
    await store.load()
    batches: list[dict[str, bytes | None]] = [
        {f"command/{(n * size + k) % DOCUMENTS:05}": _document(n * size + k) for k in range(size)}
        for n in range(TRANSACTIONS[size])
    ]
    start_s = time.perf_counter()
    for batch in batches:
        await store.write(batch)
    took_s = time.perf_counter() - start_s
    await store.close()
    return len(batches) / took_s


def _document(n: int) -> bytes:
    command = Command(
        id=f"c{n:05}",
        kind=CommandKind.START,
        plant=None,
        status=CommandStatus.DONE,
        by="bench",
        queued_at=datetime(2026, 5, 1, 10, tzinfo=UTC),
    )
    return orjson.dumps(command)


def _sync_ms(path: Path) -> float:
    """Append pages one by one, each with fdatasync."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    start_s = time.perf_counter()
    for _ in range(100):
        os.write(fd, bytes(4096))
        os.fdatasync(fd)
    took_s = time.perf_counter() - start_s
    os.close(fd)
    return took_s * 10


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 2),
        "median": round(statistics.median(values), 2),
        "max": round(max(values), 2),
    }


def section() -> str:
    """The page's part: The state database."""
    got = measure()
    rows = "\n".join(
        f"| {size} documents | {r['min']:.0f} | {r['median']:.0f} | {r['max']:.0f} |"
        for size, r in got["transactions_a_s"].items()
    )
    return f"""## The state database

Durable transactions a second (SQLite {got["sqlite"]}, WAL, `synchronous=FULL`), over
{got["runs"]} runs, documents of {got["document_bytes"]} bytes. One page and one `fdatasync` take
{got["fdatasync_ms"]["median"]:.2f} ms on this disk.

| transaction | min | median | max |
| --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
