"""A storm of the same record, on virtual time: bounded lines, the number of the rest."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hil.adapters.log_repeat import SAME_MAX, RepeatFilter
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop


class Kept(logging.Handler):
    """Keeps the texts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.levelname} {record.getMessage()}")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger whose records go to handlers of its own only."""
    made = logging.getLogger("test_log_repeat")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    yield made
    made.handlers.clear()


def bounded(logger: logging.Logger) -> tuple[Kept, RepeatFilter]:
    """A handler of this logger that keeps what the filter lets pass."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    kept = Kept()
    repeats = RepeatFilter(kept, VirtualClock(loop, datetime(2026, 1, 15, tzinfo=UTC)))
    kept.addFilter(repeats)
    logger.addHandler(kept)
    return kept, repeats


async def test_a_storm_is_a_few_lines_a_minute(logger: logging.Logger) -> None:
    kept, _ = bounded(logger)
    for _ in range(3 * 60 * 10):  # three minutes, ten times a second
        logger.warning("plant=%s disk full", "lib")
        await asyncio.sleep(0.1)

    line = "WARNING plant=lib disk full"
    summary = f"WARNING repeated={600 - SAME_MAX} times more: plant=lib disk full"
    minute = [line] * SAME_MAX + [summary]
    assert kept.texts == (minute * 3)[:-1]


async def test_the_next_record_tells_what_was_held_back(logger: logging.Logger) -> None:
    kept, _ = bounded(logger)
    for _ in range(SAME_MAX + 57):
        logger.error("x")
    logger.info("y")
    await asyncio.sleep(60)
    logger.info("y")

    assert kept.texts == ["ERROR x"] * SAME_MAX + [
        "INFO y",
        "ERROR repeated=57 times more: x",
        "INFO y",
    ]


async def test_nothing_is_held_back_of_what_differs(logger: logging.Logger) -> None:
    kept, repeats = bounded(logger)
    for k in range(5_000):
        logger.info("command=%d queued", k)
    repeats.tell_rest()

    assert len(kept.texts) == 5_000


async def test_the_end_tells_the_rest(logger: logging.Logger) -> None:
    kept, repeats = bounded(logger)
    for _ in range(SAME_MAX + 1):
        logger.info("x")
    repeats.tell_ended()
    assert kept.texts == ["INFO x"] * SAME_MAX
    repeats.tell_rest()
    assert kept.texts[-1] == "INFO repeated=1 times more: x"


async def test_a_record_that_cannot_be_formatted_is_left_to_the_handler(
    logger: logging.Logger,
) -> None:
    _, repeats = bounded(logger)
    args = ("lib", "one too many")
    record = logging.LogRecord(logger.name, logging.INFO, "", 0, "plant=%s", args, None)

    assert all(repeats.filter(record) for _ in range(SAME_MAX + 1))
