"""What was read of one plant: the newest measurement, its rows and its energy."""

from collections.abc import Mapping
from datetime import datetime

from hil.domain.plausibility_watch import is_state_of_charge
from hil.domain.signals import COLUMNS, Energy, Measurement, PointName
from hil.engine.cadence import NS_PER_S


class Meter:
    """Turns decoded points into a measurement and recorded rows; integrates energy by hold.

    Args:
        extra: The further points that are measured and recorded.
    """

    def __init__(self, extra: tuple[str, ...]) -> None:
        self._extra = extra
        self._points = (*COLUMNS.values(), *self._extra)
        self._soc_pu: float | None = None
        self._soc_ns = 0
        self._p_kw: float | None = None
        self._p_ns = 0
        self._discharged_kwh = 0.0
        self._charged_kwh = 0.0
        self.measurement: Measurement | None = None

    def row(self, values: Mapping[str, float | None]) -> tuple[float | None, ...]:
        """The values of a recorded row; None where a point was not read."""
        return tuple(values.get(point) for point in self._points)

    def soc(self, now_ns: int) -> tuple[float | None, float | None]:
        """The last read state of charge and its age in s; None, None before the first."""
        if self._soc_pu is None:
            return None, None
        return self._soc_pu, (now_ns - self._soc_ns) / NS_PER_S

    def reset_energy(self) -> None:
        """Count the energy since the start from zero again."""
        self._discharged_kwh = self._charged_kwh = 0.0

    def take(
        self, values: Mapping[str, float | None], *, at: datetime, now_ns: int, running: bool
    ) -> None:
        """Take what one exchange read; without values the last measurement keeps its old time."""
        if not values:
            self._p_kw = None
            return
        soc_pu = values.get(PointName.SOC)
        if soc_pu is not None and is_state_of_charge(soc_pu):
            self._soc_pu, self._soc_ns = soc_pu, now_ns
        self._count_energy(values.get(PointName.P_POI), now_ns, running=running)
        enable = values.get(PointName.ENABLE)
        self.measurement = Measurement(
            time=at,
            p_setpoint_kw=values.get(PointName.P_SETPOINT),
            battery_active_power_kw=values.get(PointName.P_BATTERY),
            q_setpoint_kvar=values.get(PointName.Q_SETPOINT),
            battery_reactive_power_kvar=values.get(PointName.Q_BATTERY),
            soc_pu=soc_pu,
            p_poi_kw=values.get(PointName.P_POI),
            q_poi_kvar=values.get(PointName.Q_POI),
            v_poi_kV=values.get(PointName.V_POI),
            enabled=None if enable is None else enable != 0,
            extra={name: values.get(name) for name in self._extra},
            energy_since_start_kwh=Energy(
                discharged=round(self._discharged_kwh, 6), charged=round(self._charged_kwh, 6)
            ),
        )

    def _count_energy(self, p_kw: float | None, now_ns: int, *, running: bool) -> None:
        if running and self._p_kw is not None:
            kwh = self._p_kw * (now_ns - self._p_ns) / NS_PER_S / 3600
            self._discharged_kwh += max(kwh, 0.0)
            self._charged_kwh += max(-kwh, 0.0)
        self._p_kw, self._p_ns = p_kw, now_ns
