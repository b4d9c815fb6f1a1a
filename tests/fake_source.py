"""A market whose calls are answered by script, on virtual time."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from hil.domain.market import CallFailed, Failure, Sample, Setpoints
from hil.domain.plant import PlantId

ANSWERS_AFTER_S = 0.3


class FakeSource:
    """Implements `ScheduleSource` and `MeasurementSink`.

    `plan` is what there is; of `failures`, one is raised by each call, in order, before any call
    succeeds. `refuses` are sample values that are never taken.
    """

    def __init__(self) -> None:
        self.plan: dict[str, Mapping[datetime, float]] = {}
        self.failures: list[CallFailed] = []
        self.refuses: set[float] = set()
        self.asked: list[tuple[float, datetime]] = []
        self.posted: list[tuple[float, int, int]] = []
        self.taken: list[Sample] = []
        self.passwords: list[str | None] = []

    async def _answer(self) -> None:
        await asyncio.sleep(ANSWERS_AFTER_S)
        if self.failures:
            raise self.failures.pop(0)

    async def log_in(self, password: str | None) -> None:
        self.passwords.append(password)
        await self._answer()

    async def log_out(self) -> None:
        self.passwords.clear()

    async def setpoints(self, periods: Sequence[datetime]) -> Setpoints:
        self.asked.append((_now_s(), periods[0]))
        await self._answer()
        return {
            PlantId(plant): {at: values[at] for at in periods if at in values}
            for plant, values in self.plan.items()
        }

    async def post(self, series: int, samples: Sequence[Sample]) -> None:
        self.posted.append((_now_s(), series, len(samples)))
        await self._answer()
        if any(sample.value in self.refuses for sample in samples):
            raise CallFailed("422: not a measurement", Failure.HOPELESS)
        self.taken += samples

    async def close(self) -> None:
        """Nothing is open."""


def transient(retry_after_s: float | None = None) -> CallFailed:
    return CallFailed("503: try again", Failure.TRANSIENT, retry_after_s=retry_after_s)


def log_in_refused() -> CallFailed:
    return CallFailed("the password is wrong", Failure.LOG_IN_REFUSED)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
