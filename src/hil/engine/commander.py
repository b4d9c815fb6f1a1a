"""Commands: admission, the bounded queue of each plant, and what the whole site does together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.domain.commands import Command, CommandKind, CommandStatus, refusal
from hil.domain.errors import Impossible, NotFound, QueueFull
from hil.domain.phase import Phase
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.snapshot import Estop, Switching
from hil.domain.stored import Service
from hil.engine.audit import Audit
from hil.engine.board import Board
from hil.engine.claims import Claims
from hil.engine.inbox import DONE, Job, JobEnd
from hil.engine.plant_loop import ESTOP, PlantLoop
from hil.engine.site import Site
from hil.ports import Clock

# Commands that may wait for one plant; stops and pauses are never refused.
QUEUE_MAX = 100

# What a site-wide command makes every plant do, in this order.
FLEET_STEPS: Mapping[CommandKind, tuple[CommandKind, ...]] = {
    CommandKind.FLEET_START: (CommandKind.RECORD, CommandKind.START),
    CommandKind.FLEET_STOP: (CommandKind.STOP, CommandKind.STOP_RECORDING),
    CommandKind.FLEET_ESTOP: (CommandKind.STOP,),
    CommandKind.SOURCE: (CommandKind.STOP,),
    CommandKind.TRANSPORT: (CommandKind.STOP,),
}
# What would bring power onto a plant.
_STARTING = frozenset({CommandKind.START, CommandKind.DISPATCH, CommandKind.FLEET_START})
_SWITCHING = frozenset({CommandKind.SOURCE, CommandKind.TRANSPORT})
# What a full queue does not refuse.
_STOPPING = frozenset(
    {CommandKind.STOP, CommandKind.PAUSE, CommandKind.FLEET_STOP, CommandKind.FLEET_ESTOP}
)

Switched = Callable[[Transport, frozenset[PlantId], str], None]


@dataclass(slots=True)
class _Parts:
    """A site-wide command under way: what still runs, and how each plant's part ended."""

    running: int
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[PlantId, str] = field(default_factory=dict)


class Commander:
    """Takes commands and hands them to the owners of the plants.

    Args:
        transport_refusal: Why a transport cannot be switched to; None when it can be.
        has_api: Whether there is a market API to take a schedule from.
        claims: Takes the other endpoints for us before a switch of the transport.
        on_transport: Told to reconnect, with the plants whose old endpoint is not at zero, and by
            whom.
    """

    def __init__(
        self,
        loops: Mapping[PlantId, PlantLoop],
        board: Board,
        site: Site,
        audit: Audit,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        transport_refusal: Callable[[Transport], str | None],
        has_api: bool,
        claims: Claims,
        on_transport: Switched,
    ) -> None:
        self._loops = loops
        self._board = board
        self._site = site
        self._audit = audit
        self._clock = clock
        self._new_id = new_id
        self._transport_refusal = transport_refusal
        self._has_api = has_api
        self._claims = claims
        self._on_transport = on_transport
        self.closing: str | None = None

    def submit(
        self,
        kind: CommandKind,
        plant: PlantId | None,
        *,
        by: str,
        asked: dict[str, Any] | None = None,
    ) -> Command:
        """Queue a command; raises `NotFound`, `Impossible` or `QueueFull` and then queues nothing.

        A stop is never refused. A switch to endpoints that another process writes to is impossible.
        """
        if plant is not None and plant not in self._loops:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._loops)}")
        targets = [plant] if plant is not None else self._fleet(kind)
        self._admit(kind, plant, targets, asked or {})
        if kind is CommandKind.TRANSPORT:
            # Before anything is stopped for a switch that cannot be.
            to = Transport((asked or {})["to"])
            self._claims.select(self._site.selectors.transport, to)
        command = Command(
            id=self._new_id(),
            kind=kind,
            plant=plant,
            asked=asked,
            status=CommandStatus.QUEUED,
            by=by,
            queued_at=self._clock.now(),
        )
        self._audit.open(command)
        if kind in {CommandKind.POSTING, CommandKind.SERVICE, CommandKind.FLEET_ESTOP_RESET}:
            self._set_at_once(command)
        else:
            self._distribute(command, targets)
        return self._audit.command(command.id)

    def _fleet(self, kind: CommandKind) -> list[PlantId]:
        if kind is CommandKind.FLEET_START:
            return [plant for plant in self._loops if self._site.is_in_service(plant)]
        return list(self._loops)

    def _admit(
        self,
        kind: CommandKind,
        plant: PlantId | None,
        targets: list[PlantId],
        asked: Mapping[str, Any],
    ) -> None:
        why = self._refusal(kind, plant, asked)
        if why is not None:
            raise Impossible(why)
        if kind in _STOPPING:
            return
        for target in targets:
            if self._loops[target].jobs_waiting >= QUEUE_MAX:
                name = self._board.plant(target).name
                raise QueueFull(f"{QUEUE_MAX} commands wait for {name}; try again when some ended")

    def _refusal(
        self, kind: CommandKind, plant: PlantId | None, asked: Mapping[str, Any]
    ) -> str | None:
        """Why a command is impossible now; None when it may be queued."""
        site = self._site
        if kind in _STARTING | _SWITCHING:
            if self.closing is not None:
                return self.closing
            if site.switching is not None:
                return f"the {site.switching.kind} is being switched; wait for its end"
        if kind in _STARTING and site.estop.active:
            return "the emergency stop is active; reset it first"
        if kind is CommandKind.SOURCE and asked["to"] == Source.API and not self._has_api:
            return "no market API is configured (schedule_api in config.yaml)"
        if kind is CommandKind.TRANSPORT:
            return self._transport_refusal(Transport(asked["to"]))
        if plant is None:
            return None
        state = self._board.plant(plant)
        out = kind is CommandKind.SERVICE and not asked["in_service"]
        if out and state.phase is not Phase.STOPPED:
            return f"{state.name} is {state.phase}; stop it before it is taken out of service"
        return refusal(kind, state.name, state.phase, in_service=site.is_in_service(plant))

    def _set_at_once(self, command: Command) -> None:
        asked = command.asked or {}
        if command.kind is CommandKind.POSTING:
            self._site.select_posting(enabled=asked["enabled"])
        elif command.kind is CommandKind.SERVICE:
            assert command.plant is not None
            service = Service(in_service=asked["in_service"], note=asked.get("note"))
            self._site.set_service(command.plant, service)
        else:
            self._site.latch(Estop())
        self._audit.started(command.id)
        self._audit.ended(command.id, DONE)

    def _distribute(self, command: Command, targets: list[PlantId]) -> None:
        kind = command.kind
        if kind is CommandKind.FLEET_ESTOP and not self._site.estop.active:
            self._site.latch(Estop(active=True, since=self._clock.now(), by=command.by))
        if kind in _SWITCHING:
            if self._is_selected(command):
                self._audit.started(command.id)
                return self._audit.ended(command.id, DONE)
            self._site.switch(Switching(kind=kind, to=(command.asked or {})["to"]))
        steps = FLEET_STEPS.get(kind, (kind,))
        parts = _Parts(running=len(targets) * len(steps))
        # A site-wide stop reaches every plant before any recording is closed.
        for step in steps:
            for target in targets:
                job = self._job(command, step, target, parts)
                if kind is CommandKind.FLEET_ESTOP:
                    self._loops[target].emergency_stop(job)
                else:
                    self._loops[target].give(job)
        if not targets:
            self._audit.ended(command.id, JobEnd(status=CommandStatus.DONE, result={}))
        return None

    def _is_selected(self, command: Command) -> bool:
        to = (command.asked or {})["to"]
        selectors = self._site.selectors
        return to in {selectors.source, selectors.transport}

    def _job(self, command: Command, kind: CommandKind, plant: PlantId, parts: _Parts) -> Job:
        def on_end(end: JobEnd) -> None:
            if command.plant is not None:
                self._audit.ended(command.id, end)
                return
            parts.running -= 1
            parts.results.setdefault(plant, {}).update(end.result or {})
            if end.error is not None:
                parts.errors[plant] = end.error
            if parts.running == 0:
                self._all_ended(command, parts)

        return Job(
            kind,
            command=command.kind,
            by=command.by,
            on_start=lambda: self._audit.started(command.id),
            on_end=on_end,
        )

    def _all_ended(self, command: Command, parts: _Parts) -> None:
        error = "; ".join(
            f"{self._board.plant(plant).name}: {why}" for plant, why in parts.errors.items()
        )
        if parts.errors and all(why == ESTOP for why in parts.errors.values()):
            error = ESTOP
        if command.kind in _SWITCHING:
            self._site.switch(None)
            forced = bool((command.asked or {}).get("force"))
            if not parts.errors or (forced and error != ESTOP):
                self._switch(command, frozenset(parts.errors))
            elif command.kind is CommandKind.TRANSPORT:
                self._claims.select(self._site.selectors.transport)
        was_begun = self._audit.command(command.id).status is CommandStatus.RUNNING
        status = CommandStatus.DONE
        if error:
            status = CommandStatus.FAILED if was_begun else CommandStatus.REJECTED
        self._audit.ended(
            command.id, JobEnd(status=status, result=parts.results, error=error or None)
        )

    def _switch(self, command: Command, left: frozenset[PlantId]) -> None:
        to = (command.asked or {})["to"]
        if command.kind is CommandKind.SOURCE:
            self._site.select_source(Source(to))
        else:
            self._on_transport(Transport(to), left, command.by)
            self._site.select_transport(Transport(to))
