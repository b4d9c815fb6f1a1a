"""The values of an old configuration, each taken once, so that none is passed over unseen."""

import math
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hil.config.words import shown
from hil.config.yaml_source import Path, Source, where
from hil.domain.errors import Problem

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class Note:
    """A key that was not taken over as it was, or a value that was assumed, and why."""

    where: str
    why: str
    line: int | None = None

    def __str__(self) -> str:
        return (
            f"{self.where if self.line is None else f'line {self.line}: {self.where}'}: {self.why}"
        )


class OldValues:
    """Reads values by their path; remembers which were read, what is wrong, what is to be said.

    The getters give None (or the default) for a key that is absent, null or wrong; a wrong one is
    among the `problems`.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._taken: set[Path] = set()
        self.problems: list[Problem] = []
        self.notes: list[Note] = []

    def has(self, *path: Hashable) -> bool:
        """Whether the key is there, null or not."""
        parent = self._at(path[:-1])
        return isinstance(parent, Mapping) and path[-1] in parent

    def keys(self, *path: Hashable) -> tuple[str, ...]:
        """The keys of a section, none when it is absent or empty."""
        found = self._at(path)
        if found is None:
            self._taken.add(path)
            return ()
        if not isinstance(found, Mapping):
            self.wrong(path, f"must be a section with keys, is {shown(found)}")
            return ()
        if not found:
            self._taken.add(path)
        return tuple(str(key) for key in found)

    def number(self, *path: Hashable, default: float | None = None) -> float | None:
        """A finite number, also one in quotes."""
        value = self._take(path)
        try:
            if isinstance(value, bool):
                raise TypeError
            number = default if value is None else float(value)
            if number is None or math.isfinite(number):
                return number
        except (TypeError, ValueError):
            pass
        self.wrong(path, f"must be a number, is {shown(value)}")
        return default

    def whole(self, *path: Hashable, default: int | None = None) -> int | None:
        """A whole number, also one in quotes."""
        known = len(self.problems)
        number = self.number(*path, default=default)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        if known == len(self.problems):
            self.wrong(path, f"must be a whole number, is {number:.10g}")
        return default

    def text(self, *path: Hashable, default: str | None = None) -> str | None:
        """A text; a number is taken as it is spelled."""
        value = self._take(path)
        if value is None:
            return default
        if isinstance(value, Mapping | list):
            self.wrong(path, f"must be text, is {shown(value)}")
            return default
        return str(value).strip()

    def flag(self, *path: Hashable, default: bool) -> bool:
        """True or false, also as yes and no, on and off, 1 and 0."""
        value = self._take(path)
        if value is None:
            return default
        word = str(value).strip().lower()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        self.wrong(path, f"must be true or false, is {shown(value)}")
        return default

    def word(
        self, *path: Hashable, among: Collection[str], default: str | None = None
    ) -> str | None:
        """One of some words, in whichever capitals."""
        text = self.text(*path)
        if text is None:
            return default
        for word in among:
            if word.lower() == text.lower():
                return word
        self.wrong(path, f'must be {", ".join(among)}, is "{text}"')
        return default

    def say(self, path: Path, why: str) -> None:
        """Note something about a key, or about one that is assumed because it is absent."""
        self.notes.append(Note(where(path), why, self._line(path)))

    def leave(self, path: Path, why: str) -> None:
        """Note everything at and below a path as left behind."""
        for leaf in self._leaves(self._at(path), path):
            self._taken.add(leaf)
            self.say(leaf, why)

    def wrong(self, path: Path, why: str) -> None:
        """Name a problem."""
        self._taken.add(path)
        self.problems.append(Problem(where=where(path), why=why, line=self._line(path)))

    def untaken(self) -> list[Path]:
        """The paths of the values that nobody asked for."""
        value = self._source.value
        return [path for path in self._leaves(value, ()) if not self._is_taken(path)]

    def _is_taken(self, path: Path) -> bool:
        return any(path[:size] in self._taken for size in range(1, len(path) + 1))

    def _take(self, path: Path) -> Any:
        self._taken.add(path)
        return self._at(path)

    def _at(self, path: Path) -> Any:
        here: Any = self._source.value
        for part in path:
            here = here.get(part) if isinstance(here, Mapping) else None
        return here

    def _leaves(self, value: Any, path: Path) -> Iterator[Path]:
        if isinstance(value, Mapping) and value:
            for key, below in value.items():
                yield from self._leaves(below, (*path, key))
        elif path:
            yield path

    def _line(self, path: Path) -> int | None:
        for size in range(len(path), 0, -1):
            if path[:size] in self._source.lines:
                return self._source.lines[path[:size]]
        return None
