"""The owners of all plants: made with what an earlier run left, and connected anew."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hil.domain.alarms import AlarmKind
from hil.domain.errors import HilError
from hil.domain.plant import Device, PlantId, PlantSpec, Source, Transport
from hil.domain.schedule import Schedule
from hil.domain.session import Ending, ExitStatus
from hil.domain.stored import Control
from hil.engine.alarm_desk import AlarmDesk
from hil.engine.board import Board
from hil.engine.cadence import Cadence, period_ns
from hil.engine.claims import Claims
from hil.engine.contact import Contact
from hil.engine.day_memory import DayMemory
from hil.engine.journal import Journal
from hil.engine.lateness import Lateness
from hil.engine.ledger import Ledger
from hil.engine.leftover import Leftover
from hil.engine.plant_loop import PlantLoop
from hil.engine.plant_parts import Plan, PlantParts, PlantTiming
from hil.engine.plant_points import PlantPoints
from hil.engine.plant_record import PlantRecord
from hil.engine.recorder import Recorder
from hil.engine.schedules import Schedules
from hil.engine.settings import EngineSettings
from hil.engine.site import Site
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, PlantLink

log = logging.getLogger(__name__)

# Up to this many plants all steps lie at phase 0; above it they are spread over the period, because
# many exchanges at one instant queue up behind each other.
PLANTS_IN_PHASE_MAX = 32

# A plant that has not been heard of for so many periods is stale.
STALE_PERIODS = 3

LinkOf = Callable[[PlantSpec, Transport, Device], PlantLink]


class Fleet:
    """Builds the owner of each plant from the parts they share.

    Args:
        link_of: Makes the link to a device of a plant's endpoint.
        prepare: Begins what comes before a start, and calls back when it is over.
    """

    def __init__(
        self,
        settings: EngineSettings,
        specs: Sequence[PlantSpec],
        link_of: LinkOf,
        clock: Clock,
        *,
        board: Board,
        desk: AlarmDesk,
        journal: Journal,
        recorder: Recorder,
        memory: DayMemory,
        lateness: Lateness,
        ledgers: Mapping[PlantId, Ledger],
        schedules: Schedules,
        api_base: Callable[[PlantId], Schedule],
        site: Site,
        supervisor: Supervisor,
        claims: Claims,
        prepare: Callable[[PlantId, Callable[[], None]], None],
    ) -> None:
        self._settings = settings
        self._specs = {spec.id: spec for spec in specs}
        self._link_of = link_of
        self._clock = clock
        self._board = board
        self._desk = desk
        self._journal = journal
        self._recorder = recorder
        self._memory = memory
        self._lateness = lateness
        self._ledgers = ledgers
        self._schedules = schedules
        self._api_base = api_base
        self._site = site
        self._supervisor = supervisor
        self._claims = claims
        self._prepare = prepare
        self._cadences = {
            spec.id: self._cadence(index, len(specs)) for index, spec in enumerate(specs)
        }
        self.loops: dict[PlantId, PlantLoop] = {}

    def build(
        self,
        left: Mapping[PlantId, Control],
        *,
        leftovers: Mapping[PlantId, Transport],
        resume: bool,
    ) -> None:
        """Make the owners; `left` is what an earlier run left of each plant.

        Args:
            leftovers: Whose endpoint of another transport has still to be stopped.
        """
        for plant, spec in self._specs.items():
            self.loops[plant] = PlantLoop(
                spec,
                self._contact(spec, self._site.selectors.transport),
                self._cadences[plant],
                parts := self._parts(spec),
                left=left.get(plant, Control()),
                resume=resume,
            )
            self._board.show_plant(plant, self.loops[plant].state)
            if resume and left.get(plant, Control()).recording:
                parts.record.resume()
            if plant in leftovers:
                self._stop_leftover(plant, self._contact(spec, leftovers[plant]))

    def switch_transport(
        self, transport: Transport, not_at_zero: frozenset[PlantId], by: str
    ) -> None:
        """Connect every owner to another endpoint; nothing of the old ones is shown any more.

        An old endpoint that is not at zero is stopped by a task of its own.
        """
        before = self._site.selectors.transport
        reason = f"transport switched to {transport}"
        ending = Ending(status=ExitStatus.DONE, reason=reason, by=by)
        for plant, loop in self.loops.items():
            self._recorder.close_session(plant, ending)
            self._memory.forget(plant)
            old = loop.reconnect(self._contact(self._specs[plant], transport))
            if plant in not_at_zero:
                self._journal.put(f"leftover/{plant}", before)
                self._claims.leave(plant, before)
                self._stop_leftover(plant, old)
            else:
                old.mute()
                self._supervisor.start(f"close {plant}", old.close)
        self._claims.select(transport)

    def _stop_leftover(self, plant: PlantId, contact: Contact) -> None:
        contact.mute()

        def on_end() -> None:
            self._journal.remove(f"leftover/{plant}")
            self._claims.settle(plant)

        leftover = Leftover(
            self._specs[plant],
            contact,
            self._clock,
            self._timing(),
            self._say(plant),
            on_end=on_end,
        )
        self._supervisor.start(f"leftover {plant}", leftover.run)

    def _cadence(self, index: int, count: int) -> Cadence:
        dispatch_ns = period_ns(self._settings.dispatch_period_s)
        spread_ns = dispatch_ns * index // count if count > PLANTS_IN_PHASE_MAX else 0
        return Cadence(
            self._clock,
            dispatch_ns=dispatch_ns,
            measurement_ns=period_ns(self._settings.measurement_period_s),
            phase_ns=spread_ns // 1_000_000 * 1_000_000,  # rows are stamped in whole ms
        )

    def _contact(self, spec: PlantSpec, transport: Transport) -> Contact:
        if transport not in spec.endpoints:
            raise HilError(f"{spec.name} has no {transport} endpoint; set startup.transport")
        points = PlantPoints(
            spec.id,
            spec.endpoints[transport],
            partial(self._link_of, spec, transport),
            self._clock,
            within_s=self._settings.exchange_within_s,
            stale_after_s=STALE_PERIODS * self._settings.measurement_period_s,
        )
        return Contact(
            spec,
            transport,
            points,
            self._cadences[spec.id],
            self._clock,
            self._ledgers[spec.id],
            self._say(spec.id),
        )

    def _say(self, plant: PlantId) -> Callable[[AlarmKind, str | None], None]:
        return lambda kind, detail: self._desk.set(kind, plant, detail)

    def _timing(self) -> PlantTiming:
        return PlantTiming(
            start_timeout_s=self._settings.start_timeout_s,
            stop_timeout_s=self._settings.stop_timeout_s,
            threshold_kw=self._settings.threshold_kw,
            threshold_kvar=self._settings.threshold_kvar,
        )

    def _parts(self, spec: PlantSpec) -> PlantParts:
        plant = spec.id
        return PlantParts(
            clock=self._clock,
            board=self._board,
            record=PlantRecord(
                plant,
                spec.name,
                self._clock,
                self._recorder,
                self._memory,
                self._lateness,
                lambda: self._site.selectors,
                lambda kind, detail: self._desk.set(kind, None, detail),
            ),
            ledger=self._ledgers[plant],
            timing=self._timing(),
            plan=lambda: self.plan(plant),
            in_service=lambda: self._site.is_in_service(plant),
            say=self._say(plant),
            remember=lambda control: self._journal.put(f"control/{plant}", control),
            prepare=lambda go_on: self._prepare(plant, go_on),
        )

    def plan(self, plant: PlantId) -> Plan:
        """What is to be dispatched to a plant now."""
        source = self._site.selectors.source
        is_api = source is Source.API
        return Plan(
            source=source,
            base=self._api_base(plant) if is_api else self._schedules.manual(plant).schedule,
            overrides=self._schedules.overrides(plant),
            stale_after_s=self._settings.stale_after_s if is_api else None,
        )
