"""What is kept of one plant's steps: rows, lateness, and the time line they lie on."""

import logging
from collections.abc import Callable
from datetime import datetime

from hil.domain.alarms import AlarmKind
from hil.domain.commands import CommandKind
from hil.domain.plant import PlantId
from hil.domain.session import Beginning, Ending, ExitStatus
from hil.domain.signals import Row
from hil.domain.snapshot import SessionInfo
from hil.domain.stored import Selectors
from hil.engine.cadence import NS_PER_S, Cadence, Step
from hil.engine.day_memory import DayMemory
from hil.engine.lateness import Lateness
from hil.engine.recorder import Recorder, continuing
from hil.ports import Clock

log = logging.getLogger(__name__)


class PlantRecord:
    """Writes the rows of one plant, and follows the wall clock as far as they allow.

    Args:
        selectors: The site's switches, noted in the session's document.
        say_site: Raises (a text) or clears (None) an alarm of the site.
    """

    def __init__(
        self,
        plant: PlantId,
        name: str,
        clock: Clock,
        recorder: Recorder,
        memory: DayMemory,
        lateness: Lateness,
        selectors: Callable[[], Selectors],
        say_site: Callable[[AlarmKind, str | None], None],
    ) -> None:
        self._plant = plant
        self._name = name
        self._clock = clock
        self._recorder = recorder
        self._memory = memory
        self._lateness = lateness
        self._selectors = selectors
        self._say_site = say_site

    @property
    def is_recording(self) -> bool:
        """Whether a session is under way."""
        return self._recorder.is_open(self._plant)

    @property
    def session(self) -> SessionInfo | None:
        """The recording session under way."""
        return self._recorder.session(self._plant)

    def begin(self, by: str) -> None:
        """Begin a session, unless one is under way."""
        if not self.is_recording:
            self._recorder.open_session(self._plant, self._beginning(by))

    def resume(self) -> None:
        """Begin the session that goes on where a crash cut one."""
        left = self._recorder.left(self._plant)
        beginning = self._beginning("restart") if left is None else continuing(left)
        self._recorder.open_session(self._plant, beginning)

    def _beginning(self, by: str) -> Beginning:
        selectors = self._selectors()
        return Beginning(
            name=self._name, source=selectors.source, transport=selectors.transport, who=by
        )

    def end(self, command: CommandKind, by: str) -> None:
        """End the session under way, as part of this command."""
        ending = Ending(status=ExitStatus.DONE, reason=command, by=by)
        self._recorder.close_session(self._plant, ending)

    def note_estop(self, by: str) -> None:
        """Keep that the session under way was cut by an emergency stop, while it records on."""
        ending = Ending(status=ExitStatus.ESTOP, reason=CommandKind.FLEET_ESTOP, by=by)
        self._recorder.note_ending(self._plant, ending)

    def keep(self, at: datetime, values: tuple[float | None, ...]) -> None:
        """Keep the row of a step, in memory and, in a session, on disk."""
        row = Row(at, values)
        self._memory.add(self._plant, row)
        if self.is_recording:
            self._recorder.add(self._plant, row)

    def note_lateness(self, step: Step, dispatch_ns: int) -> None:
        """Count how late a dispatch step is taken."""
        late_ns = self._clock.monotonic_ns() - step.due_ns
        self._lateness.add(late_ns, step.missed)
        too_late = step.missed > 0 or late_ns > dispatch_ns // 2
        text = f"{late_ns / 1e6:.0f} ms, {step.missed} steps missed"
        self._say_site(AlarmKind.LATE_LOOP, text if too_late else None)

    def follow_wall_clock(self, cadence: Cadence) -> None:
        """Anchor the steps anew when the wall clock was stepped, and divide the session there.

        Row times never go back: after a backward step the old time line stays until the recorded
        rows lie in the past again.
        """
        jump_ns = cadence.jump_ns()
        if not jump_ns:
            return
        self._say_site(AlarmKind.CLOCK_STEPPED, f"by {jump_ns / NS_PER_S:.3f} s")
        newest = self._recorder.newest(self._plant)
        if jump_ns < 0 and newest is not None and newest >= self._clock.now():
            return
        log.warning("plant=%s the wall clock stepped by %.3f s", self._plant, jump_ns / NS_PER_S)
        cadence.anchor()
        self._say_site(AlarmKind.CLOCK_STEPPED, None)
        self._memory.drop_from(self._plant, self._clock.now())
        if self.is_recording:
            reason = f"the wall clock was stepped by {jump_ns / NS_PER_S:.3f} s"
            ending = Ending(status=ExitStatus.DONE, reason=reason, by="engine")
            self._recorder.divide_session(self._plant, ending)
