"""Who has a file open, as far as this machine tells."""

import os
from pathlib import Path

PROCESSES = Path("/proc")


def opened_by(path: Path) -> int | None:
    """The id of another process that has the file open; None: nobody, or it cannot be told.

    Only Linux tells, and only about processes of the same user (about all to the administrator).
    """
    try:
        wanted = path.stat()
    except OSError:
        return None
    for process in PROCESSES.glob("[0-9]*"):
        if process.name != str(os.getpid()) and _has_open(process, wanted):
            return int(process.name)
    return None


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    try:
        with os.scandir(process / "fd") as entries:
            descriptors = [entry.path for entry in entries]
    except OSError:
        return False  # ended meanwhile, or somebody else's
    for descriptor in descriptors:
        try:
            if os.path.samestat(os.stat(descriptor), wanted):
                return True
        except OSError:
            continue
    return False
