"""One thing for the owner of a plant to do, and how its end is told."""

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A plant command in the inbox of its owner; `on_end` is called exactly once."""

    kind: CommandKind
    on_start: Callable[[], None]
    on_end: Callable[[JobEnd], None]
