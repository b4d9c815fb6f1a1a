"""What waits for the owner of a plant: stops first, then pauses, then the rest in order."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hil.domain.commands import CommandKind, CommandStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended: a final status, and the result or the reason."""

    status: CommandStatus
    result: dict[str, Any] | None = None
    error: str | None = None


DONE = JobEnd(status=CommandStatus.DONE)


def rejected(why: str) -> JobEnd:
    """The end of a job that was not begun."""
    return JobEnd(status=CommandStatus.REJECTED, error=why)


def failed(why: str, result: dict[str, Any] | None = None) -> JobEnd:
    """The end of a job that did not reach its aim."""
    return JobEnd(status=CommandStatus.FAILED, error=why, result=result)


class Job:
    """One thing for the owner of a plant to do; each of those who asked is told of its end once.

    Args:
        command: What was asked for, of which this is a part.
        by: Who asked.
    """

    def __init__(
        self,
        kind: CommandKind,
        *,
        command: CommandKind,
        by: str,
        on_start: Callable[[], None],
        on_end: Callable[[JobEnd], None],
    ) -> None:
        self.kind = kind
        self.command = command
        self.by = by
        self.on_start = [on_start]
        self.on_end = [on_end]

    def join(self, other: "Job") -> None:
        """Let those who asked for the other be told by this one."""
        self.on_start += other.on_start
        self.on_end += other.on_end

    def start(self) -> None:
        """Tell that it is being done."""
        for tell in self.on_start:
            tell()

    def end(self, end: JobEnd) -> None:
        """Tell how it ended."""
        tellers, self.on_end = self.on_end, []
        for tell in tellers:
            tell(end)


# What a stop or a pause makes pointless.
_OVERTAKEN = {
    CommandKind.STOP: frozenset({CommandKind.START, CommandKind.DISPATCH, CommandKind.PAUSE}),
    CommandKind.PAUSE: frozenset({CommandKind.DISPATCH}),
}


class Inbox:
    """The jobs that wait for one plant.

    Stops and pauses join one that waits already, so that they need no bound of their own.
    """

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a job at its place; what it overtakes is rejected."""
        overtaken = _OVERTAKEN.get(job.kind)
        if overtaken is None:
            self._jobs.append(job)
            return
        for other in [waiting for waiting in self._jobs if waiting.kind in overtaken]:
            self._jobs.remove(other)
            other.end(rejected(f"a {job.kind} was asked for after it"))
        for waiting in self._jobs:
            if waiting.kind is job.kind:
                waiting.join(job)
                return
        behind_stop = bool(self._jobs) and self._jobs[0].kind is CommandKind.STOP
        self._jobs.insert(1 if behind_stop else 0, job)

    def take(self) -> Job | None:
        """The next job."""
        return self._jobs.popleft() if self._jobs else None

    def reject_all(self, why: str) -> None:
        """End everything that waits."""
        while self._jobs:
            self._jobs.popleft().end(rejected(why))
