"""The audit trail: every command with its life, newest kept in memory and in the database."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from hil.domain.commands import Command, CommandStatus
from hil.domain.errors import HilError, NotFound
from hil.domain.snapshot import CommandsState
from hil.engine.board import Board
from hil.engine.inbox import DONE, JobEnd, failed
from hil.engine.journal import Journal
from hil.ports import Clock

log = logging.getLogger(__name__)

# Ended commands that are remembered, here and in the database.
AUDIT_MAX = 5_000
# Ended commands in the state.
RECENT_MAX = 20


class Audit:
    """Commands by id: open ones in order, ended ones up to a bound."""

    def __init__(self, journal: Journal, board: Board, clock: Clock) -> None:
        self._journal = journal
        self._board = board
        self._clock = clock
        self._open: dict[str, Command] = {}
        self._ended: deque[Command] = deque()

    def restore(self) -> None:
        """Read what an earlier run left; what was open then has failed with it."""
        left = sorted(self._journal.all("command/", Command).values(), key=lambda c: c.queued_at)
        for command in left:
            if not command.status.is_final:
                command = replace(  # noqa: PLW2901 - the same command, ended
                    command,
                    status=CommandStatus.FAILED,
                    error="the engine ended before the command did",
                    ended_at=self._clock.now(),
                )
                self._journal.put(f"command/{command.id}", command)
            self._remember(command)
        self._publish()

    def open(self, command: Command) -> None:
        """Enter a new command."""
        self._open[command.id] = command
        log.info(
            "command=%s kind=%s plant=%s asked=%s by=%s queued",
            command.id,
            command.kind,
            command.plant or "all",
            command.asked,
            command.by,
        )
        self._keep(command)

    def started(self, command_id: str) -> None:
        """Note that a command, or its first part, is being done."""
        command = self._open.get(command_id)
        if command is not None and command.status is CommandStatus.QUEUED:
            running = replace(command, status=CommandStatus.RUNNING, started_at=self._clock.now())
            self._open[command_id] = running
            self._keep(running)

    def ended(self, command_id: str, end: JobEnd) -> None:
        """Note the end of a command."""
        command = replace(
            self._open.pop(command_id),
            status=end.status,
            result=end.result,
            error=end.error,
            ended_at=self._clock.now(),
        )
        self._remember(command)
        log.info(
            "command=%s kind=%s plant=%s %s%s",
            command.id,
            command.kind,
            command.plant or "all",
            end.status,
            "" if end.error is None else f": {end.error}",
        )
        self._keep(command)

    @contextmanager
    def doing(self, command: Command, *, cut_off: str) -> Iterator[None]:
        """Enter a command that is carried out meanwhile, and how it ends.

        Args:
            cut_off: What is not known when it is cancelled.
        """
        self.open(command)
        self.started(command.id)
        end = failed(cut_off)
        try:
            yield
            end = DONE
        except (HilError, OSError) as error:
            end = failed(str(error))
            raise
        finally:
            self.ended(command.id, end)

    def command(self, command_id: str) -> Command:
        """The present state of one command; raises `NotFound`."""
        if command_id in self._open:
            return self._open[command_id]
        for command in reversed(self._ended):
            if command.id == command_id:
                return command
        raise NotFound(f"there is no command {command_id!r}")

    def commands(self) -> tuple[Command, ...]:
        """The audit trail, newest first."""
        return (*reversed(self._open.values()), *reversed(self._ended))

    def _remember(self, command: Command) -> None:
        self._ended.append(command)
        if len(self._ended) > AUDIT_MAX:
            self._journal.remove(f"command/{self._ended.popleft().id}")

    def _keep(self, command: Command) -> None:
        self._journal.put(f"command/{command.id}", command)
        self._publish()

    def _publish(self) -> None:
        newest = list(self._open.values())
        recent = [self._ended[-k - 1] for k in range(min(RECENT_MAX, len(self._ended)))]
        self._board.update(
            commands=CommandsState(
                queued=tuple(c for c in newest if c.status is CommandStatus.QUEUED),
                running=tuple(c for c in newest if c.status is CommandStatus.RUNNING),
                recent=tuple(recent),
            )
        )
