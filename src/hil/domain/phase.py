"""The phases of a plant."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a plant stands between stopped and running; UNKNOWN needs a person."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKNOWN = "unknown"
