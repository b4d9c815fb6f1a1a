"""What must survive a restart besides schedules, commands and alarms."""

from dataclasses import dataclass
from datetime import datetime

from hil.domain.plant import Source, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """The site's switches."""

    source: Source
    transport: Transport
    posting_enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Whether a plant is in service, and why not."""

    in_service: bool
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How a plant stands with us.

    `engaged`: it was enabled by us and not brought to a stop since. `stop_pending`: a stop was
    asked for and has not been delivered.
    """

    engaged: bool = False
    dispatching: bool = False
    recording: bool = False
    stop_pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """When the engine was last seen alive; `clean`: it ended in order."""

    at: datetime
    clean: bool
