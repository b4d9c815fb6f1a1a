"""What the engine lends to the owner of one plant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil.domain.alarms import AlarmKind
from hil.domain.plant import Source
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.stored import Control
from hil.engine.board import Board
from hil.engine.ledger import Ledger
from hil.engine.plant_record import PlantRecord
from hil.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantTiming:
    """Time-outs in seconds and the safe stop's thresholds."""

    start_timeout_s: float
    stop_timeout_s: float
    threshold_kw: float
    threshold_kvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be dispatched: the active source's schedule and the overrides."""

    source: Source
    base: Schedule
    overrides: Mapping[Signal, Series]
    stale_after_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantParts:
    """The parts that the owner of a plant uses.

    `plan` gives what is to be dispatched now. `say` raises (a text) or clears (None) an alarm of
    the plant. `remember` keeps the control record over a restart. `prepare` begins what must come
    before a start and calls back when it is over, however it went.
    """

    clock: Clock
    board: Board
    record: PlantRecord
    ledger: Ledger
    timing: PlantTiming
    plan: Callable[[], Plan]
    in_service: Callable[[], bool]
    say: Callable[[AlarmKind, str | None], None]
    remember: Callable[[Control], None]
    prepare: Callable[[Callable[[], None]], None]
