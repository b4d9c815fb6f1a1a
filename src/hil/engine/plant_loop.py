"""The owner task of one plant: it alone speaks to the plant, decides, writes and measures."""

import logging
from dataclasses import replace

from hil.domain.alarms import AlarmKind
from hil.domain.commands import CommandKind
from hil.domain.phase import Phase
from hil.domain.plant import PlantSpec
from hil.domain.safe_stop import NOT_DELIVERED, NOT_STARTED, Finished, SafeStop, Start, TakeOver
from hil.domain.signals import PointName
from hil.domain.snapshot import Origin, PlantState
from hil.domain.stored import Control
from hil.engine.cadence import Bell, Cadence, Step
from hil.engine.contact import Contact
from hil.engine.guests import Guests
from hil.engine.inbox import DONE, Inbox, Job, JobEnd, failed, rejected
from hil.engine.plant_parts import PlantParts
from hil.engine.plant_points import Outcome
from hil.engine.plant_watch import Verdict
from hil.engine.sequencer import Sequencer

log = logging.getLogger(__name__)

ESTOP = "e-stop"
LOCAL_MODE = "is in local mode and does not allow control; switch it to remote at the plant"


class PlantLoop:
    """Owns one plant: its link, its gate, its phase and its setpoint.

    Args:
        left: What an earlier run left of this plant.
        resume: Take up dispatch where it stood, instead of holding zero until somebody decides.
    """

    def __init__(
        self,
        spec: PlantSpec,
        contact: Contact,
        cadence: Cadence,
        parts: PlantParts,
        *,
        left: Control,
        resume: bool,
    ) -> None:
        self._spec = spec
        self._contact = contact
        self._cadence = cadence
        self._parts = parts
        self._clock = parts.clock
        self._bell = Bell(parts.clock)
        self._inbox = Inbox()
        spare_ns = min(cadence.dispatch_ns, cadence.measurement_ns) // 2
        self.guests = Guests(parts.clock, self._bell, lambda: self._contact, spare_ns=spare_ns)
        self._sequencer = Sequencer(parts.clock)
        self._job: Job | None = None
        self._dispatch_at_once = self._stop_at_once = False
        self._found_enabled = False
        self._control = left
        self._gate_open = False
        self._open_when_running = resume and left.dispatching
        self._self_disabled = False
        self._engaged = left.engaged
        self._stop_pending = left.stop_pending
        self._phase = Phase.UNKNOWN if left.engaged or left.stop_pending else Phase.STOPPED
        if left.stop_pending:
            parts.say(AlarmKind.STOP_PENDING, "")
        elif left.engaged:
            parts.say(AlarmKind.RESTARTED, "")
            self._sequencer.begin(TakeOver())

    # What others may ask ---------------------------------------------------------------------

    @property
    def jobs_waiting(self) -> int:
        """How many jobs wait in the inbox."""
        return len(self._inbox)

    @property
    def is_quiet(self) -> bool:
        """Whether the plant is stopped and nothing waits or is being done."""
        idle = self._job is None and self._sequencer.sequence is None and not len(self._inbox)
        return idle and self._phase is Phase.STOPPED

    @property
    def is_foreign(self) -> bool:
        """Whether the plant was found enabled by somebody else, and is left alone."""
        return self._found_enabled and self._job is None

    def give(self, job: Job) -> None:
        """Put a job into the inbox; a stop or a pause closes the gate at once."""
        if job.kind in {CommandKind.STOP, CommandKind.PAUSE}:
            self._gate_open = self._open_when_running = False
        if job.kind is CommandKind.STOP:
            if self._job is not None and self._job.kind is CommandKind.START:
                self._end_job(failed("a stop was asked for"))
            if not isinstance(self._sequencer.sequence, SafeStop):
                self._sequencer.drop()
        self._inbox.put(job)
        self._bell.ring()

    def emergency_stop(self, job: Job) -> None:
        """Zero and disable now, ahead of everything and of an exchange in flight."""
        self._inbox.reject_all(ESTOP)
        self._end_job(failed(ESTOP))
        self._job = job
        job.start()
        self._parts.record.note_estop(job.by)
        self._begin_stop(at_once=True)
        self._contact.cut_off()
        self._bell.ring()

    def reconnect(self, contact: Contact) -> Contact:
        """Speak to another endpoint from now on; returns the old one, which is the caller's."""
        old, self._contact = self._contact, contact
        # What is pending is the old endpoint's; nothing is known of the new one yet.
        self._phase = Phase.STOPPED
        self._engaged = self._stop_pending = self._found_enabled = self._self_disabled = False
        self._publish()
        return old

    # The loop --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the plant until cancelled."""
        self._publish()
        try:
            while True:
                await self._bell.wait_until(self._next_ns())
                await self._turn()
                await self._contact.beat(self._phase, before_ns=self._cadence.next_due_ns())
                self._publish()
                if self.guests.are_waiting:
                    await self.guests.serve(self._next_ns(), may_write=self.is_quiet)
        finally:
            self.guests.turn_away()
            await self._contact.close()

    def after_failure(self, error: Exception) -> None:
        """Forget what was under way after a defect: nothing is known, the plant must be stopped."""
        self._gate_open, self._stop_pending = False, True
        self._phase = Phase.UNKNOWN
        self._sequencer.drop()
        self._contact.forget()
        self._end_job(failed(f"internal error: {error}"))

    def _next_ns(self) -> int:
        due_ns = self._cadence.next_due_ns()
        if self._sequencer.sequence is not None:
            due_ns = min(due_ns, self._sequencer.due_ns)
        beat_ns = self._contact.beat_due_ns(self._phase)
        return due_ns if beat_ns is None else min(due_ns, beat_ns)

    async def _turn(self) -> None:
        """Take jobs, see what is due, and do it in one exchange."""
        self._take_jobs()
        self._parts.record.follow_wall_clock(self._cadence)
        step = self._cadence.take()
        if step is not None and step.dispatch_at is not None:
            self._parts.record.note_lateness(step, self._cadence.dispatch_ns)
        if step is not None and self._stop_pending and self._sequencer.sequence is None:
            self._begin_stop(at_once=self._stop_at_once)
        sequences = self._next_of_sequence()
        writes = self._dispatch(step) if sequences is None else sequences
        is_measured = step is not None and step.measure_at is not None
        if sequences is None and not writes and not is_measured:
            return self._after_gate(None)
        phase = self._phase
        outcome, verdict = await self._contact.exchange(writes, phase)
        self._sequencer.saw(outcome, next_step_ns=self._cadence.next_due_ns())
        if step is not None and step.measure_at is not None:
            self._parts.record.keep(step.measure_at, self._contact.row(outcome))
        if sequences is None and phase is Phase.RUNNING:
            self._after_gate(outcome)
        self._act_on(outcome, verdict)
        return None

    def _act_on(self, outcome: Outcome, verdict: Verdict) -> None:
        enable = outcome.values.get(PointName.ENABLE)
        if self._sequencer.sequence is None and self._phase is Phase.STOPPED and enable:
            self._found_enabled, self._phase = True, Phase.UNKNOWN
        elif self._sequencer.sequence is None and self._found_enabled and enable == 0:
            self._found_enabled, self._phase = False, Phase.STOPPED
        self._parts.say(AlarmKind.FOUND_ENABLED, "" if self._found_enabled else None)
        if verdict.foreign_hold and self._gate_open:
            log.error("plant=%s gate closed: others write its setpoint", self._spec.id)
            self._gate_open, self._dispatch_at_once = False, True
        if verdict.self_disabled and self._phase is Phase.RUNNING:
            self._parts.say(AlarmKind.SELF_DISABLED, "")
            self._self_disabled, self._phase = True, Phase.UNKNOWN
            self._begin_stop(at_once=True)

    # Dispatch --------------------------------------------------------------------------------

    def _dispatch(self, step: Step | None) -> dict[str, float]:
        """Decide when it is time to; what must be written for it."""
        is_due = self._dispatch_at_once or (step is not None and step.dispatch_at is not None)
        if self._phase is not Phase.RUNNING or not is_due:
            return {}
        self._dispatch_at_once = False
        now = self._clock.now()
        if step is not None and step.dispatch_at is not None and not self._cadence.jump_ns():
            now = step.dispatch_at
        return self._contact.decide(self._parts.plan(), now=now, gate_open=self._gate_open)

    def _after_gate(self, outcome: Outcome | None) -> None:
        """End a pause or a dispatch command with what its exchange brought (None: not needed)."""
        job = self._job
        if job is None or job.kind not in {CommandKind.PAUSE, CommandKind.DISPATCH}:
            return
        if outcome is not None and outcome.written is not True and job.kind is CommandKind.PAUSE:
            self._end_job(failed(f"the zero is not confirmed, it is written on: {outcome.error}"))
        else:
            self._end_job(DONE)

    # Commands --------------------------------------------------------------------------------

    def _take_jobs(self) -> None:
        while self._job is None and self._sequencer.sequence is None:
            self._job = self._inbox.take()
            if self._job is None:
                return
            self._job.start()
            self._begin(self._job)

    def _begin(self, job: Job) -> None:
        match job.kind:
            case CommandKind.START:
                self._begin_start(job)
            case CommandKind.STOP:
                self._self_disabled = False
                self._begin_stop(at_once=False)
            case CommandKind.DISPATCH | CommandKind.PAUSE:
                self._set_gate(is_open=job.kind is CommandKind.DISPATCH)
            case CommandKind.RECORD:
                self._parts.record.begin(job.by)
                self._end_job(DONE)
            case CommandKind.STOP_RECORDING:
                self._parts.record.end(job.command, job.by)
                self._end_job(DONE)
            case _:
                raise AssertionError(f"{job.kind} is not for one plant")

    def _begin_start(self, job: Job) -> None:
        if self._phase is Phase.RUNNING:
            return self._end_job(DONE)
        if self._contact.in_local_mode:
            return self._end_job(rejected(f"{self._spec.name} {LOCAL_MODE}"))
        if self._phase is not Phase.STOPPED or not self._parts.in_service():
            why = self._phase if self._parts.in_service() else "out of service"
            return self._end_job(rejected(f"{self._spec.name} is {why}"))
        self._phase = Phase.STARTING
        self._engaged = self._open_when_running = True
        self._contact.idle(Origin.NONE)
        self._publish()

        def go_on() -> None:
            if self._job is job:
                timeout_s, now_ns = self._parts.timing.start_timeout_s, self._clock.monotonic_ns()
                self._sequencer.begin(
                    Start(self._contact.registers, timeout_s=timeout_s, now_ns=now_ns)
                )
                self._bell.ring()

        self._parts.prepare(go_on)
        return None

    def _begin_stop(self, *, at_once: bool) -> None:
        timing = self._parts.timing
        look_first = self._phase is Phase.STOPPED and not self._stop_pending and not at_once
        if self._job is not None:
            self._phase = Phase.STOPPING
        self._gate_open = self._open_when_running = False
        self._stop_at_once = at_once
        self._contact.idle(Origin.SAFE_STOP)
        self._sequencer.begin(
            SafeStop(
                self._contact.registers,
                threshold_kw=timing.threshold_kw,
                threshold_kvar=timing.threshold_kvar,
                timeout_s=timing.stop_timeout_s,
                now_ns=self._clock.monotonic_ns(),
                look_first=look_first,
                at_once=at_once,
            )
        )
        self._publish()

    def _set_gate(self, *, is_open: bool) -> None:
        if self._phase is not Phase.RUNNING:
            return self._end_job(rejected(f"{self._spec.name} is {self._phase}, not running"))
        if is_open and self._gate_open:
            return self._end_job(DONE)
        self._gate_open = is_open
        self._dispatch_at_once = True
        self._parts.say(AlarmKind.RESTARTED, None)
        return None

    def _next_of_sequence(self) -> dict[str, float] | None:
        """What the sequence under way writes now; None when there is none, or it waits."""
        sequence = self._sequencer.sequence
        action = self._sequencer.next()
        if not isinstance(action, Finished):
            return action
        log.info(
            "plant=%s %s ended result=%s%s",
            self._spec.id,
            type(sequence).__name__,
            action.result,
            "" if action.error is None else f": {action.error}",
        )
        if isinstance(sequence, SafeStop):
            self._after_stop(action)
        elif isinstance(sequence, Start):
            self._after_start(action)
        else:
            self._phase = Phase.RUNNING if action.result["enabled"] else Phase.STOPPED
        self._engaged = self._phase is not Phase.STOPPED
        if self._phase is Phase.RUNNING:
            self._gate_open = self._open_when_running
            self._dispatch_at_once = True
        ended = DONE if action.error is None else failed(action.error)
        self._end_job(replace(ended, result=action.result))
        return None

    def _after_start(self, end: Finished) -> None:
        self._parts.say(AlarmKind.START_FAILED, _after(NOT_STARTED, end.error))
        self._phase = Phase.RUNNING if end.error is None else Phase.UNKNOWN
        self._stop_pending = end.error is not None and not end.result["disabled"]
        if end.error is None:
            self._contact.begin_to_run()

    def _after_stop(self, end: Finished) -> None:
        stopped, reached = end.result["disable_ok"], end.result["threshold_reached"]
        say, why = self._parts.say, end.error
        say(AlarmKind.STOP_PENDING, None if stopped else _after(NOT_DELIVERED, why))
        say(AlarmKind.DISABLE_FAILED, why if self._contact.answers and not stopped else None)
        say(AlarmKind.STOP_NOT_REACHED, why if stopped and not reached else None)
        self._stop_pending = not stopped
        self._phase = Phase.STOPPED if stopped and not self._self_disabled else Phase.UNKNOWN
        if self._phase is Phase.STOPPED:
            self._found_enabled = False
            for kind in _OVER_WHEN_STOPPED:
                say(kind, None)

    def _end_job(self, end: JobEnd) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._publish()
            job.end(end)

    # The state -------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Tell readers that there is news, and keep over a restart how the plant stands with us."""
        control = Control(
            engaged=self._engaged,
            dispatching=self._gate_open or self._open_when_running,
            recording=self._parts.record.is_recording,
            stop_pending=self._stop_pending,
        )
        if control != self._control:
            self._control = control
            self._parts.remember(control)
        self._parts.board.changed_now()

    def state(self) -> PlantState:
        """The plant as readers see it."""
        session = self._parts.record.session
        return PlantState(
            name=self._spec.name,
            phase=self._phase,
            dispatching=self._gate_open and self._phase is Phase.RUNNING,
            recording=session is not None,
            in_service=self._parts.in_service(),
            limits=self._spec.nameplate,
            measurement=self._contact.measurement,
            setpoint=self._contact.setpoint(self._parts.plan()),
            link=self._contact.link(),
            session=session,
        )


def _after(beginning: str, error: str | None) -> str | None:
    """What an error says after what the alarm says already."""
    return None if error is None else error.removeprefix(beginning).lstrip(": ")


# What a plant that is stopped does not have any more.
_OVER_WHEN_STOPPED = (
    AlarmKind.START_FAILED,
    AlarmKind.SELF_DISABLED,
    AlarmKind.RESTARTED,
    AlarmKind.NO_WATCHDOG,
    AlarmKind.SOC_UNKNOWN,
    AlarmKind.FOUND_ENABLED,
)
