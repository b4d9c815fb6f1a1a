"""The connection to the market API: wanted or not, and how the last call ended."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from hil.domain.market import CallFailed, Failure
from hil.domain.snapshot import ConnectionStatus
from hil.ports import ScheduleSource

T = TypeVar("T")


class MarketConnection:
    """One log-in, shared by fetching and posting; the source itself renews it.

    Args:
        on_change: Told after every change.
    """

    def __init__(self, source: ScheduleSource, *, on_change: Callable[[], None]) -> None:
        self._source = source
        self._on_change = on_change
        self.is_wanted = False
        self.status = ConnectionStatus.DISCONNECTED
        self.error: str | None = None

    async def connect(self, password: str | None) -> None:
        """Log in, with the password held in memory when none is given; raises `CallFailed`.

        Also after a failure the connection is wanted, and tried again by the next call.
        """
        self.is_wanted = True
        self._show(ConnectionStatus.CONNECTING, None)
        await self.ask(self._source.log_in(password))

    async def disconnect(self) -> None:
        """Forget the log-in and the password; nothing is asked or posted any more."""
        self.is_wanted = False
        await self._source.log_out()
        self._show(ConnectionStatus.DISCONNECTED, None)

    async def ask(self, call: Awaitable[T]) -> T:
        """The answer of a call, whose end is shown; raises `CallFailed`.

        An installed source may raise anything: that is a failure like another.
        """
        try:
            answer = await call
        except Exception as error:
            failed = error if isinstance(error, CallFailed) else _unforeseen(error)
            if self.is_wanted:
                self._show(ConnectionStatus.ERROR, str(failed))
            raise failed from error
        if self.is_wanted:
            self._show(ConnectionStatus.CONNECTED, None)
        return answer

    def _show(self, status: ConnectionStatus, error: str | None) -> None:
        if (status, error) != (self.status, self.error):
            self.status, self.error = status, error
            self._on_change()


def _unforeseen(error: Exception) -> CallFailed:
    text = f"the schedule source failed: {type(error).__name__}: {error}"
    return CallFailed(text.rstrip(": "), Failure.TRANSIENT)
