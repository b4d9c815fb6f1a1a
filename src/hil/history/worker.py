"""The history's own process: questions from standard input, answers to standard output.

It ends with its input, and so with the process that started it, however that one ended; and when
nobody has asked for a while.
"""

import os
import select
import struct
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from hil.domain.downsample import Grid, instant
from hil.domain.errors import HilError
from hil.domain.plant import PlantId
from hil.history.answer import Question, buckets, columns, survey
from hil.history.coverage import coverage
from hil.history.days import Days
from hil.history.export import Export
from hil.history.listing import Owner

IDLE_S = 600.0
# The engine's dispatch comes first.
NICENESS = 10
HEAD = struct.Struct(">cI")
ANSWER, MORE, PROBLEM, BUG = b"=", b"+", b"!", b"?"
PIECE_BYTES = 256 * 1024


class _Desk:
    """Answers questions, one after the other."""

    def __init__(self, opening: dict[str, Any], say: Callable[[bytes], None]) -> None:
        owners = {PlantId(plant): Owner(*each) for plant, each in opening["owners"].items()}
        self._days = Days(
            Path(opening["folder"]),
            owners,
            ZoneInfo(opening["zone"]),
            hold_us=opening["hold_us"],
        )
        self._say = say

    def answer(self, asked: dict[str, Any]) -> bytes:
        """The answer to one question; an export is said in pieces before."""
        self._days.begin(asked["now_us"])
        match asked["do"]:
            case "survey":
                return orjson.dumps(survey(self._days, _question(asked), enough=asked["enough"]))
            case "buckets":
                return self._buckets(asked)
            case "recordings":
                return self._recordings(asked)
            case "seal":
                today = date.fromisoformat(asked["today"])
                day = date.fromisoformat(asked["day"])
                self._days.day(PlantId(asked["plant"]), day, today=today)
                return b""
            case "clear":
                self._days.clear()
                return b""
            case "csv":
                for piece in _export(self._days, asked).csv(is_numeric=asked["is_numeric"]):
                    self._say_pieces(piece)
                return b""
            case "parquet":
                _export(self._days, asked).parquet(self._say_pieces)
                return b""
        raise AssertionError(asked["do"])

    def _buckets(self, asked: dict[str, Any]) -> bytes:
        grid = Grid(*asked["grid"])
        found = buckets(self._days, _question(asked), grid)
        body = columns(found, asked["names"], asked["tail"])
        return orjson.dumps({"time": body["time"], "level_s": float(grid.width_s), **body})

    def _recordings(self, asked: dict[str, Any]) -> bytes:
        first, last = (asked[key] and date.fromisoformat(asked[key]) for key in ("first", "last"))
        today = date.fromisoformat(asked["today"])
        return orjson.dumps(coverage(self._days, asked["plant"], first, last, today=today))

    def _say_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            self._say(data[start : start + PIECE_BYTES])


def _question(asked: dict[str, Any]) -> Question:
    return Question(
        PlantId(asked["plant"]),
        instant(asked["start_us"]),
        instant(asked["end_us"]),
        None if asked["seam_us"] is None else instant(asked["seam_us"]),
        date.fromisoformat(asked["today"]),
    )


def _export(days: Days, asked: dict[str, Any]) -> Export:
    return Export(
        days, PlantId(asked["plant"]), instant(asked["start_us"]), instant(asked["end_us"])
    )


def _questions() -> Iterator[dict[str, Any]]:
    """What is asked, until the input ends or nobody asks any more."""
    while select.select([0], [], [], IDLE_S)[0]:
        head = _read(4)
        if len(head) < 4:
            return
        (length,) = struct.unpack(">I", head)
        data = _read(length)
        if len(data) < length:
            return
        yield orjson.loads(data)


def _read(count: int) -> bytes:
    data = b""
    while len(data) < count and (more := os.read(0, count - len(data))):
        data += more
    return data


def _write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]


def _say(kind: bytes, data: bytes) -> None:
    _write(HEAD.pack(kind, len(data)) + data)


def main() -> None:
    """Answer until the input ends."""
    os.nice(NICENESS)
    questions = _questions()
    opening = next(questions, None)
    if opening is None:
        return
    desk = _Desk(opening, lambda piece: _say(MORE, piece))
    for asked in questions:
        try:
            answer = desk.answer(asked)
        except HilError as problem:
            _say(PROBLEM, str(problem).encode())
        except OSError as problem:
            _say(PROBLEM, f"a recording cannot be read: {problem}".encode())
        except Exception as bug:  # noqa: BLE001 - the next question may have an answer
            _say(BUG, repr(bug).encode())
        else:
            _say(ANSWER, answer)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(0)  # who asked has gone
