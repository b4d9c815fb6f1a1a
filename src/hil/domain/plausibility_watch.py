"""Whether the readings of a running plant can be true: frozen, contradicting, far off."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hil.domain.plant import Nameplate
from hil.domain.signals import COLUMNS, PointName

NS_PER_S = 1_000_000_000
# A value beyond the nameplate by this much is an outlier: flagged, not acted on.
OUTLIER_FACTOR = 1.2
# Measurements that stay equal to the bit for so long, while power flows, are frozen: the state of
# charge must have moved. When the setpoint was changed meanwhile, power must have, much sooner.
FROZEN_NS = 600 * NS_PER_S
FROZEN_AFTER_CHANGE_NS = 30 * NS_PER_S
# The sign of power is compared with the state of charge over at least this energy.
SIGN_ENERGY_PU = 0.01
# Below this share of rated power neither is judged.
IDLE_PU = 0.05

_MEASURED = (
    PointName.P_BATTERY,
    PointName.Q_BATTERY,
    PointName.P_POI,
    PointName.Q_POI,
    PointName.V_POI,
    PointName.SOC,
)


# A state of charge may overshoot its ends by this much before it is none.
SOC_SLACK_PU = 0.01


def is_state_of_charge(value: float) -> bool:
    """Whether a reading can be a state of charge at all; what cannot is not acted on."""
    return -SOC_SLACK_PU <= value <= 1 + SOC_SLACK_PU


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is wrong with a reading; texts are None when nothing is.

    `quality` names outlier, frozen and sentinel by column of the recording.
    """

    quality: dict[str, list[str]]
    frozen: str | None = None
    sign: str | None = None
    outlier: str | None = None


class PlausibilityWatch:
    """Judges one reading after the other of one plant."""

    def __init__(self, nameplate: Nameplate) -> None:
        self._nameplate = nameplate
        self._rated_kw = max(nameplate.p_max_kw, -nameplate.p_min_kw)
        self._limits = _limits(nameplate)
        self._same: tuple[float | None, ...] = ()
        self._same_since_ns = 0
        self._setpoint_kw: float | None = None
        self._changed_ns: int | None = None
        self._last_ns: int | None = None
        self._energy_kwh = 0.0
        self._soc_from: float | None = None
        self._sign: str | None = None

    def judge(self, values: Mapping[str, float | None], *, now_ns: int) -> Judgement:
        """Judge the values of one answered exchange (a point that is None decoded to nothing)."""
        quality: dict[str, list[str]] = {}
        outliers = []
        frozen = self._frozen(values, now_ns)
        for column, point in COLUMNS.items():
            if point not in values:
                continue
            value = values[point]
            marks = []
            if value is None:
                marks.append("sentinel")
            elif abs(value) > self._limits[point] or (
                point is PointName.SOC and not is_state_of_charge(value)
            ):
                marks.append("outlier")
                outliers.append(f"{column} {value:g}")
            if frozen is not None and point in _MEASURED:
                marks.append("frozen")
            if marks:
                quality[column] = marks
        return Judgement(
            quality=quality,
            frozen=frozen,
            sign=self._contradiction(values, now_ns),
            outlier=", ".join(outliers) or None,
        )

    def _frozen(self, values: Mapping[str, float | None], now_ns: int) -> str | None:
        reading = tuple(values.get(point) for point in _MEASURED)
        p_kw = values.get(PointName.P_BATTERY)
        setpoint_kw = values.get(PointName.P_SETPOINT)
        if p_kw is None or abs(p_kw) < IDLE_PU * self._rated_kw or reading != self._same:
            self._same, self._same_since_ns = reading, now_ns
            self._setpoint_kw, self._changed_ns = setpoint_kw, None
            return None
        if self._changed_ns is None and self._is_far(setpoint_kw):
            self._changed_ns = now_ns
        since_change_ns = 0 if self._changed_ns is None else now_ns - self._changed_ns
        same_ns = now_ns - self._same_since_ns
        if same_ns < FROZEN_NS and since_change_ns < FROZEN_AFTER_CHANGE_NS:
            return None
        return f"for {same_ns // NS_PER_S} s at {p_kw:g} kW"

    def _is_far(self, setpoint_kw: float | None) -> bool:
        """Whether the setpoint is another one than when the readings began to stay."""
        if setpoint_kw is None or self._setpoint_kw is None:
            return False
        return abs(setpoint_kw - self._setpoint_kw) > IDLE_PU * self._rated_kw

    def _contradiction(self, values: Mapping[str, float | None], now_ns: int) -> str | None:
        """Compare the energy since the last comparison with the change of the state of charge."""
        p_kw, soc_pu = values.get(PointName.P_BATTERY), values.get(PointName.SOC)
        last_ns, self._last_ns = self._last_ns, now_ns
        if p_kw is None or soc_pu is None or self._soc_from is None or last_ns is None:
            self._soc_from, self._energy_kwh = soc_pu, 0.0
            return self._sign
        self._energy_kwh += p_kw * (now_ns - last_ns) / NS_PER_S / 3600
        out_pu = self._energy_kwh / self._nameplate.capacity_kwh
        if abs(out_pu) >= SIGN_ENERGY_PU:
            gone_pu = self._soc_from - soc_pu
            self._sign = None
            if gone_pu * out_pu < 0 and abs(gone_pu) >= SIGN_ENERGY_PU / 2:
                self._sign = (
                    f"{self._energy_kwh:+.1f} kWh from the battery, and the state of charge went"
                    f" by {-gone_pu:+.3f}"
                )
            self._soc_from, self._energy_kwh = soc_pu, 0.0
        return self._sign


def _limits(plate: Nameplate) -> dict[PointName, float]:
    """The largest believable magnitude of each point; a setpoint is what somebody wrote."""
    p_kw = OUTLIER_FACTOR * max(plate.p_max_kw, -plate.p_min_kw, 1.0)
    q_kvar = OUTLIER_FACTOR * max(plate.q_max_kvar, -plate.q_min_kvar, 1.0)
    return {
        PointName.P_SETPOINT: math.inf,
        PointName.Q_SETPOINT: math.inf,
        PointName.P_BATTERY: p_kw,
        PointName.P_POI: p_kw,
        PointName.Q_BATTERY: q_kvar,
        PointName.Q_POI: q_kvar,
        PointName.V_POI: OUTLIER_FACTOR * plate.v_nominal_kv,
        PointName.SOC: 1 + SOC_SLACK_PU,
    }
