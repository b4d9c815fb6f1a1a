"""Commands: what can be asked for, by whom, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hil.domain.phase import Phase
from hil.domain.plant import PlantId


class CommandKind(StrEnum):
    """What can be asked for; the words are those of the HTTP routes."""

    START = "start"
    STOP = "stop"
    DISPATCH = "dispatch"
    PAUSE = "pause"
    RECORD = "record"
    STOP_RECORDING = "stop-recording"
    SERVICE = "service"
    FLEET_START = "fleet-start"
    FLEET_STOP = "fleet-stop"
    FLEET_ESTOP = "fleet-estop"
    FLEET_ESTOP_RESET = "fleet-estop-reset"
    SOURCE = "source"
    TRANSPORT = "transport"
    POSTING = "posting"
    FAULT = "fault"
    CONNECTION = "connection"


class CommandStatus(StrEnum):
    """Where a command stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        return self in {CommandStatus.DONE, CommandStatus.FAILED, CommandStatus.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One entry of the audit trail; `plant` None is the whole site.

    `asked` is what came with it: `{"to": "api"}` of a source or transport switch (and
    `{"force": true}`), `{"enabled": bool}` of posting, `{"in_service": bool, "note": str|null}`
    of service, `{"on": bool, "faults": [{"kind": str, ..}]}` of a fault of an emulated plant; None
    of the others.
    """

    id: str
    kind: CommandKind
    plant: PlantId | None
    asked: dict[str, Any] | None = None
    status: CommandStatus
    result: dict[str, Any] | None = None
    error: str | None = None
    by: str
    queued_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


def refusal(kind: CommandKind, name: str, phase: Phase, *, in_service: bool) -> str | None:
    """Why a command of one plant is impossible now; None when it may be queued."""
    match kind:
        case CommandKind.START if not in_service:
            return f"{name} is out of service; put it into service first"
        case CommandKind.START if phase is Phase.STOPPING:
            return f"{name} is stopping; start it when it has stopped"
        case CommandKind.START if phase is Phase.UNKNOWN:
            return f"{name} is in an unknown state; stop it first"
        case CommandKind.PAUSE if phase is Phase.STARTING:
            return None
        case CommandKind.DISPATCH | CommandKind.PAUSE if phase is not Phase.RUNNING:
            return f"{name} is {phase}; {kind} needs a running plant"
        case _:
            return None
