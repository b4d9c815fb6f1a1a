"""Short ways to fill, read and make state databases in tests."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hil.adapters.sqlite_store import MIGRATIONS, SqliteStore
from hil.ports import StateStore


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    await store.load()
    return store


async def loaded(path: Path) -> dict[str, bytes]:
    store: StateStore = SqliteStore(path)
    try:
        return await store.load()
    finally:
        await store.close()


async def filled(path: Path, documents: dict[str, bytes | None]) -> None:
    store = await opened(path)
    await store.write(documents)
    await store.close()


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    """What another program reads."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as other:
        return other.execute(sql).fetchall()


def database(path: Path, *, version: int) -> None:
    """A database as the program of that version left it, with a document if it could hold one."""
    with closing(sqlite3.connect(path)) as other:
        for script in MIGRATIONS[:version]:
            other.executescript(script)
        if version:
            other.execute("INSERT INTO document VALUES ('estop', '{\"active\":true}')")
        other.execute(f"PRAGMA user_version = {version}")
        other.commit()
