"""Writes log records to daily files by a thread of its own, so that logging never waits."""

import logging
import logging.handlers
import queue
import threading
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from hil.adapters.log_folder import LogFolder
from hil.adapters.log_repeat import RepeatFilter
from hil.domain.log_line import level_of, line_text, log_file_name, superfluous
from hil.domain.site_day import LocalText, site_day
from hil.ports import Clock

log = logging.getLogger(__name__)

# Records that wait for the disk, some megabytes as a rule. What comes on top is counted.
QUEUE_MAX = 10_000
# Lines written at once.
BATCH_MAX = 1_000
# How long the disk is left alone after an error.
RETRY_S = 5.0
# How often it is looked whether files must go.
PRUNE_S = 60.0
# How long the end of the program waits for a disk that hangs.
CLOSE_WITHIN_S = 5.0


class LogWriter:
    """Writes every record that reaches the root logger to the file of its site day, until `close`.

    A full or read-only disk is said once, and that files are written again once. What comes
    meanwhile is kept up to a bound; what overflows is counted, and said when it can be.

    Args:
        retention_days: So many days before today are kept.
        bytes_max: What all files together may have; today's is never removed for it.
        queue_max: Records that wait at most.
    """

    def __init__(
        self,
        folder: LogFolder,
        *,
        zone: ZoneInfo,
        retention_days: int,
        bytes_max: int,
        clock: Clock,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self._folder = folder
        self._zone = zone
        self._retention_days = retention_days
        self._bytes_max = bytes_max
        self._clock = clock
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(queue_max)
        self._handler = _Handler(self._queue)
        self._repeats = RepeatFilter(self._handler, clock)
        self._handler.addFilter(self._repeats)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        # Below: the thread's own.
        self._text = LocalText(zone)
        self._is_failing = False
        self._in_the_way: set[date] = set()

    def start(self) -> None:
        """Begin to take records, and remove the files that are too many."""
        logging.getLogger().addHandler(self._handler)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, as far as the disk takes it; logging goes on without files."""
        logging.getLogger().removeHandler(self._handler)
        self._repeats.tell_rest()
        self._closing.set()
        with suppress(queue.Full):  # then the thread has enough to wake up for
            self._queue.put_nowait(None)
        self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        prune_at_ns = self._clock.monotonic_ns()
        batch: list[logging.LogRecord] = []
        while batch or not (self._closing.is_set() and self._queue.empty()):
            now_ns = self._clock.monotonic_ns()
            if now_ns >= prune_at_ns:
                self._prune()
                prune_at_ns = now_ns + round(PRUNE_S * 1e9)
            self._repeats.tell_ended()
            batch = batch or self._taken()
            is_last_attempt = self._closing.is_set()
            try:
                self._write(batch)
            except OSError as error:
                self._say_failing(error)
                if is_last_attempt:
                    left = len(batch) + self._queue.qsize() + self._handler.take_lost()
                    log.error("the last lost=%d log lines are in no file", left)
                    return
                self._closing.wait(RETRY_S)
            else:
                self._say_what_was_lost()

    def _taken(self) -> list[logging.LogRecord]:
        """What waits, up to a bound; waits for the first, and gives none every now and then."""
        taken: list[logging.LogRecord] = []
        with suppress(queue.Empty):
            record = self._queue.get(timeout=PRUNE_S)
            while record is not None:
                taken.append(record)
                record = self._queue.get_nowait() if len(taken) < BATCH_MAX else None
        return taken

    def _write(self, batch: list[logging.LogRecord]) -> None:
        """Write the records in order, and take from the batch what is in its file."""
        while batch:
            day, group = next(groupby(batch, key=lambda record: site_day(_at(record), self._zone)))
            records = list(group)
            self._folder.append(day, [self._line(record) for record in records])
            del batch[: len(records)]

    def _line(self, record: logging.LogRecord) -> str:
        return line_text(
            self._text.text(_at(record)), level_of(record.levelno), record.getMessage()
        )

    def _say_failing(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error(
                "log files cannot be written in %s: %s; what is logged is kept until they can",
                self._folder.directory,
                error.strerror or error,
            )

    def _say_what_was_lost(self) -> None:
        lost = self._handler.take_lost()
        if self._is_failing:
            self._is_failing = False
            log.warning("log files are written again, lost=%d lines", lost)
        elif lost:
            log.warning("lost=%d log lines came faster than they could be written", lost)

    def _prune(self) -> None:
        """Remove the files that are too old or too many."""
        today = site_day(self._clock.now(), self._zone)
        try:
            sizes = {file.date: file.bytes for file in self._folder.files()}
        except OSError:
            return  # whoever writes there says so
        for day, why in superfluous(
            sizes, today=today, retention_days=self._retention_days, bytes_max=self._bytes_max
        ):
            name = log_file_name(day)
            try:
                self._folder.remove(day)
            except OSError as error:
                if day not in self._in_the_way:
                    self._in_the_way.add(day)
                    log.warning("log file=%s cannot be removed: %s", name, error.strerror)
            else:
                log.info("log file=%s removed: %s", name, why)


class _Handler(logging.handlers.QueueHandler):
    """Puts records into a bounded queue, texts already made; what does not fit is counted."""

    def __init__(self, records: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__(records)
        self._records = records
        self._lost = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        # Within the handler's lock.
        try:
            self._records.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def take_lost(self) -> int:
        """How many were lost since this was last asked."""
        assert self.lock is not None
        with self.lock:
            lost, self._lost = self._lost, 0
        return lost


def _at(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
