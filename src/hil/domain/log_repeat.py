"""How often the same is said: the first few times a minute, then as a number."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Said = TypeVar("Said")


@dataclass(slots=True)
class _Window:
    from_ns: int
    count: int = 1


class Repeats(Generic[Said]):
    """Admits the same at most `most` times in a window that its first time begins.

    Args:
        most: At least 1.
        different_max: So many different things are counted at once; of one more, the window that
            has begun first ends early.
    """

    def __init__(self, *, most: int, window_ns: int, different_max: int) -> None:
        assert most >= 1, most
        self._most = most
        self._window_ns = window_ns
        self._different_max = different_max
        # In the order of their beginnings.
        self._windows: dict[Said, _Window] = {}

    def is_admitted(self, said: Said, *, now_ns: int) -> bool:
        """Count this once more; whether it is one of the first."""
        window = self._windows.get(said)
        if window is None:
            self._windows[said] = _Window(now_ns)
            return True
        window.count += 1
        return window.count <= self._most

    def ended(self, *, now_ns: int) -> list[tuple[Said, int]]:
        """What was not admitted in windows that have ended, and how often; each is told once."""
        told = []
        while self._windows:
            said, window = next(iter(self._windows.items()))
            is_over = now_ns - window.from_ns >= self._window_ns
            if not is_over and len(self._windows) <= self._different_max:
                break
            del self._windows[said]
            if window.count > self._most:
                told.append((said, window.count - self._most))
        return told

    def rest(self) -> list[tuple[Said, int]]:
        """As `ended`, of every window, because nothing more is said."""
        windows, self._windows = self._windows, {}
        return [
            (said, window.count - self._most)
            for said, window in windows.items()
            if window.count > self._most
        ]
