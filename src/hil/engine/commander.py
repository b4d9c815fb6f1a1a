"""Commands: admission, the bounded queue of each plant, their statuses and the audit trail."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hil.domain.commands import Command, CommandKind, CommandStatus, refusal
from hil.domain.errors import Impossible, NotFound, QueueFull
from hil.domain.plant import PlantId
from hil.domain.snapshot import CommandsState
from hil.engine.board import Board
from hil.engine.job import Job, JobEnd
from hil.engine.plant_loop import PlantLoop
from hil.ports import Clock

log = logging.getLogger(__name__)

# Commands that may wait for one plant; stops are never refused.
QUEUE_MAX = 100
# Ended commands that are remembered.
AUDIT_MAX = 1_000
# Ended commands in the state.
RECENT_MAX = 20

# What a site-wide command makes every plant do, in this order.
FLEET_STEPS: Mapping[CommandKind, tuple[CommandKind, ...]] = {
    CommandKind.FLEET_START: (CommandKind.RECORD, CommandKind.START),
    CommandKind.FLEET_STOP: (CommandKind.STOP, CommandKind.STOP_RECORDING),
}


@dataclass(slots=True)
class _Fleet:
    """A site-wide command under way: what still runs, and how each plant's part ended."""

    running: int = 0
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Commander:
    """Takes commands, hands them to the owners of the plants and keeps what became of them."""

    def __init__(
        self,
        loops: Mapping[PlantId, PlantLoop],
        board: Board,
        clock: Clock,
        *,
        new_id: Callable[[], str],
    ) -> None:
        self._loops = loops
        self._board = board
        self._clock = clock
        self._new_id = new_id
        self._open: dict[str, Command] = {}
        self._ended: deque[Command] = deque(maxlen=AUDIT_MAX)

    def submit(self, kind: CommandKind, plant: PlantId | None, *, by: str) -> Command:
        """Queue a command; raises `NotFound`, `Impossible` or `QueueFull` and then queues nothing.

        A stop is never refused.
        """
        loops = self._loops if plant is None else {plant: self._loop(plant)}
        steps = FLEET_STEPS.get(kind, (kind,))
        starting = kind is CommandKind.FLEET_START
        targets = [each for each in loops if not starting or self._board.plant(each).in_service]
        self._admit(kind, plant, targets)
        command = Command(
            id=self._new_id(),
            kind=kind,
            plant=plant,
            status=CommandStatus.QUEUED,
            by=by,
            queued_at=self._clock.now(),
        )
        self._open[command.id] = command
        log.info("command=%s kind=%s plant=%s by=%s queued", command.id, kind, plant or "all", by)
        fleet = _Fleet(running=len(targets) * len(steps))
        # A site-wide stop reaches every plant before any recording is closed.
        for step in steps:
            for target in targets:
                loops[target].give(self._job(command.id, step, target, fleet))
        if not targets:
            self._finish(command.id, JobEnd(status=CommandStatus.DONE, result={}))
        self._publish()
        return self.command(command.id)

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

    def _loop(self, plant: PlantId) -> PlantLoop:
        if plant not in self._loops:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._loops)}")
        return self._loops[plant]

    def _admit(self, kind: CommandKind, plant: PlantId | None, targets: Sequence[PlantId]) -> None:
        if kind in {CommandKind.STOP, CommandKind.FLEET_STOP}:
            return
        for target in targets:
            if self._loops[target].jobs_waiting >= QUEUE_MAX:
                name = self._board.plant(target).name
                raise QueueFull(f"{QUEUE_MAX} commands wait for {name}; try again when some ended")
        if plant is not None:
            state = self._board.plant(plant)
            reason = refusal(kind, state.name, state.phase, in_service=state.in_service)
            if reason is not None:
                raise Impossible(reason)

    def _job(self, command_id: str, kind: CommandKind, plant: PlantId, fleet: _Fleet) -> Job:
        def on_start() -> None:
            command = self._open[command_id]
            if command.status is CommandStatus.QUEUED:
                self._open[command_id] = replace(
                    command, status=CommandStatus.RUNNING, started_at=self._clock.now()
                )
                self._publish()

        def on_end(end: JobEnd) -> None:
            if self._open[command_id].plant is not None:
                self._finish(command_id, end)
            else:
                self._fleet_part_ended(command_id, plant, fleet, end)
            self._publish()

        return Job(kind=kind, on_start=on_start, on_end=on_end)

    def _fleet_part_ended(
        self, command_id: str, plant: PlantId, fleet: _Fleet, end: JobEnd
    ) -> None:
        fleet.running -= 1
        fleet.results.setdefault(plant, {}).update(end.result or {})
        if end.error is not None:
            fleet.errors.append(f"{self._board.plant(plant).name}: {end.error}")
        if fleet.running == 0:
            status = CommandStatus.FAILED if fleet.errors else CommandStatus.DONE
            error = "; ".join(fleet.errors) or None
            self._finish(command_id, JobEnd(status=status, result=fleet.results, error=error))

    def _finish(self, command_id: str, end: JobEnd) -> None:
        command = replace(
            self._open.pop(command_id),
            status=end.status,
            result=end.result,
            error=end.error,
            ended_at=self._clock.now(),
        )
        self._ended.append(command)
        log.info(
            "command=%s kind=%s plant=%s %s%s",
            command.id,
            command.kind,
            command.plant or "all",
            end.status,
            "" if end.error is None else f": {end.error}",
        )

    def _publish(self) -> None:
        newest = list(self._open.values())
        self._board.publish_commands(
            CommandsState(
                queued=tuple(c for c in newest if c.status is CommandStatus.QUEUED),
                running=tuple(c for c in newest if c.status is CommandStatus.RUNNING),
                recent=tuple(list(self._ended)[: -RECENT_MAX - 1 : -1]),
            )
        )
