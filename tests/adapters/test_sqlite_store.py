"""The state database on a real disk: whole transactions, whatever happens to file and process."""

import asyncio
import logging
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from hil.adapters.sqlite_store import MIGRATIONS
from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import HilError
from hil.domain.plant import PlantId
from hil.domain.snapshot import Alarm, AlarmPriority
from sqlite_support import asked, database, filled, loaded, opened

AT = datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hil.sqlite"


def version_of(path: Path) -> int:
    ((version,),) = asked(path, "PRAGMA user_version")
    assert isinstance(version, int)
    return version


async def test_documents_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data" / "hil.sqlite"
    store = await opened(path)
    await store.write({"b": b'{"x":1.5}', "a": '"Jalón"'.encode(), "c": b"null"})
    await store.write({"b": b"[]", "c": None, "never": None})
    await store.write({})
    await store.close()

    assert await loaded(path) == {"a": '"Jalón"'.encode(), "b": b"[]"}
    assert list(await loaded(path)) == ["a", "b"]


async def test_file_is_private_and_has_a_log_while_open(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT, 0o644))
    store = await opened(path)
    await store.write({"a": b"1"})

    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    assert modes == dict.fromkeys(("hil.sqlite", "hil.sqlite-wal", "hil.sqlite-shm"), 0o600)
    await store.close()
    assert [item.name for item in path.parent.iterdir()] == ["hil.sqlite"]


async def test_transactions_reach_the_disk_before_they_are_acknowledged(path: Path) -> None:
    store = await opened(path)

    assert store._connection is not None
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.close()


async def test_people_read_commands_and_alarms_while_the_engine_runs(path: Path) -> None:
    command = Command(
        id="c1",
        kind=CommandKind.FLEET_START,
        plant=None,
        status=CommandStatus.FAILED,
        error="e-stop",
        by="ana",
        queued_at=AT,
    )
    alarm = Alarm(
        id="a1",
        kind="link_lost",
        priority=AlarmPriority.HIGH,
        plant=PlantId("lib"),
        text="no reply",
        action="look at the cable",
        raised_at=AT,
    )
    store = await opened(path)
    await store.write({"command/c1": orjson.dumps(command), "alarm/a1": orjson.dumps(alarm)})
    await store.write({"commander": b"{}", "alarms": b"[]"})

    at = "2026-05-01T10:00:00+00:00"
    assert asked(path, "SELECT * FROM audit") == [
        ("c1", "fleet-start", None, "failed", "ana", at, None, "e-stop")
    ]
    assert asked(path, "SELECT * FROM alarms") == [
        ("a1", "link_lost", "high", "lib", "no reply", at, None, None, None, None)
    ]
    ((text,),) = asked(path, "SELECT json FROM document WHERE key = 'command/c1'")
    assert isinstance(text, str)
    await store.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
async def test_database_of_an_earlier_version_is_brought_up(path: Path, version: int) -> None:
    database(path, version=version)

    documents = await loaded(path)

    assert documents == ({"estop": b'{"active":true}'} if version else {})
    assert version_of(path) == len(MIGRATIONS)
    await filled(path, {"a": b"1"})
    assert asked(path, "SELECT count(*) FROM audit") == [(0,)]
    assert asked(path, "PRAGMA journal_mode") == [("wal",)]


async def test_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    database(path, version=1)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE alarms (x)")  # the second view of the script

    with pytest.raises(HilError, match="already exists; mend that, or move the file away"):
        await loaded(path)

    assert version_of(path) == 1
    assert asked(path, "SELECT name FROM sqlite_master WHERE name = 'audit'") == []
    assert asked(path, "SELECT key FROM document") == [("estop",)]


async def test_newer_database_is_refused_and_kept(path: Path) -> None:
    database(path, version=len(MIGRATIONS))
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    with pytest.raises(HilError, match="start the newer program that wrote it, or move"):
        await loaded(path)

    assert asked(path, "SELECT key FROM document") == [("estop",)]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says\n" * 100)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def cut_within_header(path: Path) -> None:
    os.truncate(path, 60)


def smashed_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = random.Random(1).randbytes(4096)
    path.write_bytes(data)


def smashed_schema(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CREATE TALBE"))


def content(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("damage", [garbage, cut, cut_within_header, smashed_page, smashed_schema])
async def test_damaged_database_is_set_aside_and_a_new_one_begun(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    for n in (1, 2):
        await filled(path, {f"k{k}": b'"%s"' % (b"x" * 1000) for k in range(100)})
        damage(path)
        before = content(path)

        assert await loaded(path) == {}

        aside = path.with_name(f"hil.sqlite.damaged-{n}")
        assert content(aside) == before
        assert f"it is now {aside.name}, and an empty one is used" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    await filled(path, {"a": b"1"})
    assert await loaded(path) == {"a": b"1"}


async def test_damage_while_running_fails_the_writes_until_the_next_start(path: Path) -> None:
    store = await opened(path)
    await store.write({"a": b"1"})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="locked"):  # drops the connection and its cache
            await store.write({"a": b"2"})
    garbage(path)
    for _ in range(2):
        with pytest.raises(OSError, match="is damaged: the next start sets it aside"):
            await store.write({"a": b"2"})
    await store.close()

    assert await loaded(path) == {}


async def test_log_of_a_damaged_database_goes_with_it(path: Path, tmp_path: Path) -> None:
    await filled(tmp_path / "running.sqlite", {"a": b"1"})
    store = await opened(tmp_path / "running.sqlite")
    await store.write({"a": b"2"})
    for suffix in ("", "-wal", "-shm"):  # as a machine that loses power leaves them
        data = (tmp_path / f"running.sqlite{suffix}").read_bytes()
        path.with_name(path.name + suffix).write_bytes(data)
    await store.close()
    garbage(path)

    assert await loaded(path) == {}
    names = set(os.listdir(tmp_path)) - {"running.sqlite"}
    aside = "hil.sqlite.damaged-1"
    assert names == {"hil.sqlite", aside, f"{aside}-wal", f"{aside}-shm"}


async def test_folder_in_its_place_is_named(path: Path) -> None:
    os.mkdir(path)

    with pytest.raises(HilError, match="cannot be used: Is a directory; mend"):
        await loaded(path)


@pytest.mark.real_time
async def test_on_the_ordinary_loop_writes_keep_their_order(path: Path) -> None:
    store = await opened(path)
    await asyncio.gather(*(store.write({"a": b"%d" % n, f"k{n}": b"1"}) for n in range(50)))
    cut_off = asyncio.ensure_future(store.write({"a": b'"unknown"'}))
    await asyncio.wait([cut_off], timeout=0)
    cut_off.cancel()
    await store.write({"a": b'"newest"'})
    await store.close()

    documents = await loaded(path)
    assert len(documents) == 51
    assert documents["a"] == b'"newest"'


WRITER = """
import asyncio, sys
from pathlib import Path
from hil.adapters.sqlite_store import SqliteStore

async def main() -> None:
    store = SqliteStore(Path(sys.argv[1]))
    n = int((await store.load()).get("k0", b"0").split(b" ")[0])
    while True:
        n += 1
        await store.write({f"k{k}": b"%d %s" % (n, b"x" * (n % 40) * 100) for k in range(20)})
        print(n, flush=True)

asyncio.run(main())
"""


def test_killed_writer_leaves_every_acknowledged_batch_whole(path: Path) -> None:
    draw = random.Random(20)
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        ) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(draw.randrange(1, 200))]
            writer.kill()
            lines += writer.stdout.readlines()
        acknowledged = int([line for line in lines if line.endswith(b"\n")][-1])
        texts = [text for (text,) in asked(path, "SELECT json FROM document")]
        assert len(texts) == 20
        assert len(set(texts)) == 1, "a batch is whole"
        assert int(str(texts[0]).split(" ")[0]) >= acknowledged
        assert asked(path, "PRAGMA integrity_check") == [("ok",)]
