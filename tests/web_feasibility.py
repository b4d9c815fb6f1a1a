"""Forecasts for the tests of the web part: a lossless plant, from the fake engine's picture."""

from datetime import timedelta

from hil.domain.errors import Impossible
from hil.domain.feasibility import Forecast, Subject, forecast
from hil.domain.plant import PlantId, Source
from hil.domain.schedule import Schedule, effective_points
from specimen import LIMITS
from web_support import FakeEngine


class FakeFeasibility:
    """Checks 24 h from the picture's time on."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def check(
        self, plant: PlantId, schedule: Schedule | None, *, soc_pu: float | None
    ) -> Forecast:
        self._engine.manual_schedule(plant)
        state, start = self._engine.picture.plants[plant], self._engine.picture.time
        from_pu = state.measurement.soc_pu if soc_pu is None and state.measurement else soc_pu
        if from_pu is None:
            raise Impossible("The state of charge is not known.")
        end = start + timedelta(hours=24)
        asked = (
            self._engine.effective_schedule(plant, start, end)
            if schedule is None
            else effective_points(schedule, {}, Source.MANUAL, start=start, end=end)
        )
        subject = Subject(
            nameplate=state.limits,
            limits=LIMITS,
            period_s=2.0,
            loss_kw=lambda _p, _q, _soc: 0.0,
            idle_after_s=60.0,
        )
        return forecast(asked, subject, end=end, soc_pu=from_pu)
