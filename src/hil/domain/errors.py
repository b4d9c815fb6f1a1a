"""What we cannot go on from, and requests that cannot be met.

HilError
 ├── InvalidInput     a file, a body or an argument is wrong (exit 2, HTTP 422)
 ├── NotFound         no such plant, command or file (HTTP 404)
 ├── Impossible       the request contradicts the present state (HTTP 409)
 ├── EditConflict     somebody else changed it meanwhile (HTTP 412)
 └── QueueFull        the bounded queue of a plant is full (HTTP 429)
"""

from collections.abc import Sequence
from dataclasses import dataclass


class HilError(Exception):
    """One sentence for a person: what, where, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with an input: where it stands and why it is wrong."""

    where: str
    why: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.where if self.line is None else f"line {self.line}: {self.where}"
        return f"{place}: {self.why}"


class InvalidInput(HilError):
    """Input that is refused whole; `problems` lists everything wrong with it."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([str(self.args[0]), *(f"  {problem}" for problem in self.problems)])


class NotFound(HilError):
    """There is nothing of that name here."""


class Impossible(HilError):
    """The request contradicts the present state; the text says why."""


class EditConflict(HilError):
    """Somebody else changed the thing since it was read."""


class QueueFull(HilError):
    """The plant's command queue is full."""
