"""The state database: documents by key in one SQLite file that people can read as well."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from hil.domain.errors import HilError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger(__name__)

# How long one attempt waits for a lock that another program holds; the next attempt waits anew.
LOCK_WAIT_S = 0.5
# The write-ahead log is cut back to this after a reader in another program let it grow.
LOG_KEPT_BYTES = 16 * 1024 * 1024
# Damaged databases are kept for a person to look at; more than this is a folder nobody looks at.
DAMAGED_MAX = 1000

# The n-th script brings a database of version n to version n + 1, in one transaction. A script
# that has been released is never changed: what comes after it is a script of its own.
MIGRATIONS = (
    # An ordinary table: some documents (schedules) are much larger than a page.
    "CREATE TABLE document (key TEXT PRIMARY KEY NOT NULL, json TEXT NOT NULL) STRICT",
    """
    CREATE VIEW audit AS
    SELECT
      json ->> 'id' AS id,
      json ->> 'kind' AS kind,
      json ->> 'plant' AS plant,
      json ->> 'status' AS status,
      json ->> 'by' AS "by",
      json ->> 'queued_at' AS queued_at,
      json ->> 'ended_at' AS ended_at,
      json ->> 'error' AS error
    FROM document WHERE key GLOB 'command/*' ORDER BY queued_at, key;
    CREATE VIEW alarms AS
    SELECT
      json ->> 'id' AS id,
      json ->> 'kind' AS kind,
      json ->> 'priority' AS priority,
      json ->> 'plant' AS plant,
      json ->> 'text' AS text,
      json ->> 'raised_at' AS raised_at,
      json ->> 'cleared_at' AS cleared_at,
      json ->> 'acked_at' AS acked_at,
      json ->> 'acked_by' AS acked_by,
      json ->> 'note' AS note
    FROM document WHERE key GLOB 'alarm/*' ORDER BY raised_at, key;
    """,
)

UPSERT = (
    "INSERT INTO document (key, json) VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET json = excluded.json"
)
DELETE = "DELETE FROM document WHERE key = ?"
SELECT = "SELECT key, CAST(json AS BLOB) FROM document ORDER BY key"

DAMAGED = "is damaged: the next start sets it aside and begins a new one"
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
REASONS = {
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another program",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_READONLY: "is read-only, or its folder is",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk failed",
    sqlite3.SQLITE_PERM: "is not ours to use",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened, or its folder is read-only",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}


class _Damaged(Exception):
    """The file is no database, or one whose pages contradict each other."""


class SqliteStore:
    """The `StateStore` in one SQLite file, which only its owner may read; `load` comes first.

    There is one connection, used by one call at a time: by the pool's only thread or, where the
    loop runs executor calls inline, by the loop's thread. SQLite's own check of the thread is
    therefore off. The bug of write-ahead logs up to SQLite 3.51.2 needs a second connection that
    writes, so that other programs should only read.

    Args:
        path: Made with its folder when it is missing.
    """

    def __init__(self, path: Path) -> None:
        # SQLite names its log after the file that a link leads to.
        self._path = path.resolve()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
        # Below: the thread's own.
        self._connection: sqlite3.Connection | None = None
        self._file: os.stat_result | None = None

    async def load(self) -> dict[str, bytes]:
        """Every document, by key in order; brings the database to the present version.

        A damaged database is set aside as `NAME.damaged-<n>` and an empty one begun, which is said
        in the log.

        Raises:
            HilError: The database is of a newer program, locked, or cannot be opened or written.
        """
        return await self._run(self._load)

    async def write(self, documents: Mapping[str, bytes | None]) -> None:
        """Replace these documents (None removes one) in one durable transaction.

        Raises:
            OSError: Nothing was written, or (only when the disk failed at the very end) all was;
                the same or newer documents can be written later. Comes within some `LOCK_WAIT_S`.
        """
        kept = [(key, json.decode()) for key, json in documents.items() if json is not None]
        removed = [(key,) for key, json in documents.items() if json is None]
        await self._run(self._write, kept, removed)

    async def close(self) -> None:
        """Close the database; what was written is then in the one file."""
        await self._run(self._disconnect)
        self._pool.shutdown()

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def _load(self) -> dict[str, bytes]:
        try:
            return self._read_or_begin()
        except sqlite3.Error as error:
            self._disconnect()
            raise HilError(
                f"the state database {self._path} {_reason(error)};"
                " mend that, or move the file away to begin without its contents"
            ) from error
        except OSError as error:
            self._disconnect()
            raise HilError(
                f"the state database {self._path} cannot be used: {error.strerror or error};"
                " mend that, or choose another --data-dir"
            ) from error
        except HilError:
            self._disconnect()
            raise

    def _read_or_begin(self) -> dict[str, bytes]:
        """Read the database, or begin a new one when it is missing or damaged."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._read()
        except _Damaged as damage:
            # In this order: closing would remove the log, which may hold the missing pages.
            aside = _set_aside(self._path)
            self._disconnect()
            log.error(
                "the state database %s is damaged (%s): it is now %s, and an empty one is used",
                self._path,
                damage,
                aside.name,
            )
        return self._read()

    def _read(self) -> dict[str, bytes]:
        """Open, check and migrate the database, and read it; raises _Damaged."""
        _make_private(self._path)
        self._file = self._path.stat()
        try:
            connection = self._connect()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if not 0 <= version <= len(MIGRATIONS):
                raise HilError(
                    f"the state database {self._path} has version {version}, this program knows"
                    f" {len(MIGRATIONS)}: start the newer program that wrote it,"
                    " or move the file away to begin without its contents"
                )
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise _Damaged(" ".join(verdict.split()))
            _migrate(connection, version)
            return dict(connection.execute(SELECT).fetchall())
        except sqlite3.Error as error:
            if _code(error) in DAMAGE:
                raise _Damaged(str(error)) from error
            raise

    def _write(self, kept: list[tuple[str, str]], removed: list[tuple[str]]) -> None:
        self._check_in_place()
        try:
            connection = self._connection or self._connect()
            with connection:  # commits, or rolls back
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(UPSERT, kept)
                connection.executemany(DELETE, removed)
        except sqlite3.Error as error:
            # What an error leaves of a connection differs; the next attempt makes a new one.
            self._disconnect()
            raise OSError(f"the state database {self._path} {_reason(error)}") from error

    def _check_in_place(self) -> None:
        """Refuse to write into a file that nobody will find, or over one put in its place."""
        assert self._file is not None, "load comes first"
        try:
            is_same = os.path.samestat(self._path.stat(), self._file)
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise OSError(
                f"the state database {self._path} was moved, removed or replaced:"
                " put it back, or start the engine anew"
            )

    def _connect(self) -> sqlite3.Connection:
        connection = self._connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",  # never makes a new file by itself
            uri=True,
            timeout=LOCK_WAIT_S,
            isolation_level=None,  # transactions are begun by name
            check_same_thread=False,
        )
        # A flipped bit in a key must not keep the engine from starting.
        connection.text_factory = lambda data: data.decode(errors="replace")
        # File systems that cannot have a write-ahead log keep their way, which is durable too.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_KEPT_BYTES}")
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for script in MIGRATIONS[version:]:
        version += 1
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {version}; COMMIT"
        )


def _make_private(path: Path) -> None:
    """Make the file if it is missing; SQLite gives its log the same rights."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _set_aside(path: Path) -> Path:
    """Rename the database and its log alike, so that they can still be opened together.

    The log goes last: SQLite drops one that is left beside a new, empty database.
    """
    for n in range(1, DAMAGED_MAX + 1):
        aside = path.with_name(f"{path.name}.damaged-{n}")
        if not aside.exists():
            break
    else:
        raise OSError(f"{DAMAGED_MAX} damaged ones are here already")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for errors that Python found."""
    extended = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def _reason(error: sqlite3.Error) -> str:
    return REASONS.get(_code(error) or 0, f"failed: {error}")
