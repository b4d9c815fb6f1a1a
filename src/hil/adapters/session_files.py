"""The documents of recording sessions as files: `sessions/<uid>.json`, each whole or absent."""

import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from hil.adapters.row_repair import sync_directory
from hil.domain.session import Session

SESSIONS = "sessions"
PART = ".part"


def write_sessions(directory: Path, sessions: Mapping[str, Session]) -> None:
    """Replace the documents by uid; they are durable when it returns, or it raises OSError."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        sync_directory(directory.parent)
    for uid, session in sessions.items():
        text = orjson.dumps(session, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        _replace(directory / f"{uid}.json", text)
    sync_directory(directory)


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(PART)
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())
    part.replace(path)
