"""The market API as the engine asks for it, whether one is configured or not."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from hil.domain.alarms import AlarmKind
from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.market import CallFailed
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule
from hil.domain.signals import Row
from hil.domain.snapshot import ScheduleApiState
from hil.domain.stored import Selectors
from hil.engine.audit import Audit
from hil.engine.board import Board
from hil.engine.journal import Journal
from hil.engine.market import Market, MarketAccess
from hil.engine.supervisor import Supervisor
from hil.ports import Clock


class MarketDesk:
    """Shows the market on the board and answers who asks for it.

    Args:
        access: None: there is no market API.
        new_id: Gives the ids of what is entered into the audit trail.
        selectors: The switches of the site, as they are now.
        measured: The newest row of a plant, as it is recorded.
        tell: Raises (a text) or clears (None) an alarm of the site.
    """

    def __init__(
        self,
        access: MarketAccess | None,
        journal: Journal,
        clock: Clock,
        board: Board,
        audit: Audit,
        *,
        new_id: Callable[[], str],
        selectors: Callable[[], Selectors],
        measured: Callable[[PlantId], Row | None],
        tell: Callable[[AlarmKind, str | None], None],
    ) -> None:
        self._clock = clock
        self._board = board
        self._audit = audit
        self._new_id = new_id
        self._market: Market | None = None
        if access is not None:
            self._market = Market(
                access,
                journal,
                clock,
                selectors=selectors,
                measured=measured,
                tell=tell,
                on_change=self._publish,
            )

    @property
    def has_api(self) -> bool:
        """Whether there is a market API to take a schedule from."""
        return self._market is not None

    def start(self, supervisor: Supervisor) -> None:
        """Begin to fetch and to post."""
        if self._market is not None:
            self._market.start(supervisor)

    def look_again(self) -> None:
        """A switch of the site was turned."""
        if self._market is not None:
            self._market.look_again()
            self._publish()

    def base(self, plant: PlantId) -> Schedule:
        """The plan of a plant, as much of it as has come."""
        return Schedule() if self._market is None else self._market.base(plant)

    async def connect(self, password: str | None, *, by: str) -> ScheduleApiState:
        """Connect; raises `Impossible` with the reason when that fails."""
        market = self._known()
        with self._audited(connected=True, by=by):
            try:
                await market.connect(password)
            except CallFailed as failed:
                raise Impossible(str(failed)) from None
        return market.api_state()

    async def disconnect(self, *, by: str) -> ScheduleApiState:
        """Disconnect; raises `Impossible` without a market API."""
        market = self._known()
        with self._audited(connected=False, by=by):
            await market.disconnect()
        return market.api_state()

    async def close(self) -> None:
        """Drop the connection."""
        if self._market is not None:
            await self._market.close()

    def _audited(self, *, connected: bool, by: str) -> AbstractContextManager[None]:
        """Enter what is done meanwhile into the audit trail; the password is not part of it."""
        command = Command(
            id=self._new_id(),
            kind=CommandKind.CONNECTION,
            plant=None,
            asked={"connected": connected},
            status=CommandStatus.QUEUED,
            by=by,
            queued_at=self._clock.now(),
        )
        return self._audit.doing(command, cut_off="cut off before the market API had answered")

    def _known(self) -> Market:
        if self._market is None:
            raise Impossible("no market API is configured (schedule_api in config.yaml)")
        return self._market

    def _publish(self) -> None:
        if self._market is not None:
            self._board.update(
                schedule_api=self._market.api_state(), posting=self._market.posting_state()
            )
