"""An endpoint that was left by a forced switch before it was at zero."""

from collections.abc import Callable

from hil.domain.alarms import AlarmKind
from hil.domain.phase import Phase
from hil.domain.plant import PlantSpec
from hil.domain.safe_stop import Finished, SafeStop
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.contact import Contact
from hil.engine.plant_parts import PlantTiming
from hil.engine.sequencer import Sequencer
from hil.ports import Clock

# Between two tries to stop it.
RETRY_NS = 2 * NS_PER_S


class Leftover:
    """Tries to stop the old endpoint until it reads back zero and disabled, then drops it."""

    def __init__(
        self,
        spec: PlantSpec,
        contact: Contact,
        clock: Clock,
        timing: PlantTiming,
        say: Callable[[AlarmKind, str | None], None],
        *,
        on_end: Callable[[], None],
    ) -> None:
        self._on_end = on_end
        self._spec = spec
        self._contact = contact
        self._clock = clock
        self._timing = timing
        self._say = say
        self._bell = Bell(clock)

    async def run(self) -> None:
        """End when the old endpoint is stopped."""
        try:
            while not await self._try():
                self._say(AlarmKind.STOP_PENDING, "of the endpoint before the switch")
                await self._bell.wait_until(self._clock.monotonic_ns() + RETRY_NS)
            self._say(AlarmKind.STOP_PENDING, None)
            self._on_end()
        finally:
            await self._contact.close()

    async def _try(self) -> bool:
        sequencer = Sequencer(self._clock)
        sequencer.begin(
            SafeStop(
                self._contact.registers,
                threshold_kw=self._timing.threshold_kw,
                threshold_kvar=self._timing.threshold_kvar,
                timeout_s=self._timing.stop_timeout_s,
                now_ns=self._clock.monotonic_ns(),
            )
        )
        while True:
            action = sequencer.next()
            if isinstance(action, Finished):
                return bool(action.result["disable_ok"])
            if action is None:
                await self._bell.wait_until(sequencer.due_ns)
                continue
            outcome, _ = await self._contact.exchange(action, Phase.STOPPING)
            sequencer.saw(outcome, next_step_ns=self._clock.monotonic_ns())
