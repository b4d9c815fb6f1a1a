"""Locks, full disks, folders without access and moved files: nothing is written by halves."""

import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from hil.adapters.sqlite_store import SqliteStore
from hil.domain.errors import HilError
from sqlite_support import asked, database, filled, loaded, opened

NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hil.sqlite"


async def test_lock_of_another_program_fails_each_write_until_it_is_over(path: Path) -> None:
    store = await opened(path)
    await store.write({"a": b"1", "b": b"1"})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(OSError, match="is locked by another program"):
                await store.write({"a": b"2", "b": None})
        assert asked(path, "SELECT key, json FROM document") == [("a", "1"), ("b", "1")]
        other.execute("ROLLBACK")
    await store.write({"a": b"3", "b": None})
    await store.close()

    assert await loaded(path) == {"a": b"3"}


async def test_lock_at_the_start_is_named(path: Path) -> None:
    database(path, version=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HilError, match="is locked by another program; mend that"):
            await loaded(path)

    assert await loaded(path) == {"estop": b'{"active":true}'}


@contextmanager
def pages_limited(store: SqliteStore, path: Path) -> Iterator[None]:
    """The database cannot grow, as on a full disk."""
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    yield  # the limit is the connection's, and the store makes a new one after an error


@contextmanager
def bytes_limited(store: SqliteStore, path: Path) -> Iterator[None]:
    """Writes beyond the present size of the log are cut off and fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 6000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("limited", "why"),
    [
        (pages_limited, "cannot grow: the disk is full"),
        (bytes_limited, "cannot be read or written: the disk failed"),
    ],
)
async def test_full_disk_writes_nothing_and_later_everything(
    path: Path,
    limited: Callable[[SqliteStore, Path], AbstractContextManager[None]],
    why: str,
) -> None:
    store = await opened(path)
    await store.write({"a": b"1", "b": b"1"})
    large: dict[str, bytes | None] = {
        "a": b"2",
        "b": None,
        **{f"k{k}": b'"%s"' % (b"x" * 5000) for k in range(40)},
    }
    with limited(store, path), pytest.raises(OSError, match=why):
        await store.write(large)
    assert asked(path, "SELECT key, json FROM document") == [("a", "1"), ("b", "1")]
    await store.write(large)
    await store.close()

    assert await loaded(path) == {key: json for key, json in sorted(large.items()) if json}


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """A folder whose rights bind this process, also where tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid():
            yield Path(name)
            return
        os.chown(name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


async def test_folder_without_write_access_is_named_and_used_when_it_is_back() -> None:
    with unprivileged_folder() as folder:
        path = folder / "hil.sqlite"
        await filled(path, {"a": b"1"})
        folder.chmod(0o500)
        with pytest.raises(HilError, match="its folder is"):
            await loaded(path)
        folder.chmod(0o700)
        store = await opened(path)
        await store.write({"a": b"2"})
        folder.chmod(0o500)
        await store.write({"a": b"3"})  # its files are open
        folder.chmod(0o700)
        await store.close()

        assert await loaded(path) == {"a": b"3"}


async def test_folder_that_turns_read_only_fails_the_new_connection_until_it_is_over() -> None:
    with unprivileged_folder() as folder:
        path = folder / "hil.sqlite"
        store = await opened(path)
        await store.write({"a": b"1"})
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OSError, match="locked"):  # drops the connection
                await store.write({"a": b"2"})
        folder.chmod(0o500)
        for _ in range(2):
            with pytest.raises(OSError, match="its folder is"):
                await store.write({"a": b"2"})
        folder.chmod(0o700)
        await store.write({"a": b"3"})
        await store.close()

        assert await loaded(path) == {"a": b"3"}


async def test_file_that_was_moved_is_not_written_until_it_is_back(path: Path) -> None:
    store = await opened(path)
    await store.write({"a": b"1"})
    aside = path.with_name("elsewhere.sqlite")
    os.rename(path, aside)
    with pytest.raises(OSError, match="was moved, removed or replaced: put it back, or start"):
        await store.write({"a": b"2"})
    os.close(os.open(path, os.O_CREAT, 0o600))
    with pytest.raises(OSError, match="was moved, removed or replaced"):
        await store.write({"a": b"2"})
    os.rename(aside, path)
    await store.write({"a": b"3"})
    await store.close()

    assert await loaded(path) == {"a": b"3"}
