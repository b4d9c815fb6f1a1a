"""The daily files in the data folder, listed once for all plants and threads."""

import os
from pathlib import Path
from threading import Lock

# Days of a plant that are looked through for its last row: older files say nothing of today.
DAYS_MAX = 31
_DAY = len("YYYYMMDD")


class RecordingsFolder:
    """Names of daily files by plant; the folder is listed again when it has changed.

    A thousand plants have 365,000 files after a year: each of them must not list the folder.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = Lock()
        self._names: dict[str, list[str]] = {}
        self._listed_ns: int | None = None

    def newest_first(self, suffix: str) -> list[Path]:
        """The newest files of a plant; none when there is no folder. Raises OSError."""
        with self._lock:
            try:
                # Taken before the folder is listed: what comes in between is found next time.
                changed_ns = self.directory.stat().st_mtime_ns
                if changed_ns != self._listed_ns:
                    self._names = _by_suffix(os.listdir(self.directory))
                    self._listed_ns = changed_ns
            except FileNotFoundError:
                return []
            return [self.directory / name for name in self._names.get(suffix, ())]

    def has_changed(self) -> None:
        """A file was added: a clock too coarse to show it must not hide it."""
        with self._lock:
            self._listed_ns = None


def _by_suffix(names: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names, reverse=True):
        stem = name.removesuffix(".csv")
        if stem != name and name[:_DAY].isdigit() and name[_DAY : _DAY + 1] == "_":
            of_plant = found.setdefault(stem[_DAY + 1 :], [])
            if len(of_plant) < DAYS_MAX:
                of_plant.append(name)
    return found
