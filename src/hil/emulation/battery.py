"""A battery behind a converter, as seen from its terminals: power, energy and voltage."""

import math
import struct
from dataclasses import dataclass

from hil.domain.battery_curves import soc_taper
from hil.domain.plant import ControlLimits, Nameplate
from hil.emulation.model import Env, Meas, PlantInfo

S_PER_H = 3600.0
# Closer than this to its target a power has arrived, so that rest is exactly 0 (kW or kvar).
ARRIVED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryParameters:
    """What sets one kind of battery apart; defaults hold for both kinds.

    Per unit of what: efficiencies of the DC energy on its way in or out, losses of the
    converter's rated apparent power.
    """

    charge_efficiency_pu: float
    discharge_efficiency_pu: float
    # Seconds from a new command to the first movement, and of the first-order response after it:
    # the plant controller's cycle, which is slower than its converters (assumed).
    dead_time_s: float = 0.15
    time_constant_s: float = 0.15
    # kW or kvar a second; None: no ramp, as converters of storage plants are delivered.
    ramp_kw_per_s: float | None = None
    # loss = S_n * (no_load + load * (S / S_n)^2): field fit of a central converter of 1 MVA under
    # frequency control, F. Mueller, TUM, published with SimSES (BSD-3).
    charge_no_load_pu: float = 0.007702
    charge_load_pu: float = 0.017291
    discharge_no_load_pu: float = 0.005512
    discharge_load_pu: float = 0.018773
    # Seconds at P = Q = 0 after which the converter blocks and takes nothing from the battery
    # any more (assumed).
    block_after_s: float = 60.0
    # Short-circuit power and X/R of the grid at the POI: a rural 20 kV busbar (assumed).
    grid_short_circuit_kva: float = 200_000.0
    grid_x_to_r: float = 3.0


# 0.96 DC round trip at C/2 of an LFP cell: SimSES, cell data of Naumann, TUM, 2018.
LITHIUM_ION = BatteryParameters(charge_efficiency_pu=0.98, discharge_efficiency_pu=0.98)
# 0.82 DC round trip with pumps at half power: 0.79 AC within the published 0.65 to 0.80.
VANADIUM_REDOX_FLOW = BatteryParameters(charge_efficiency_pu=0.905, discharge_efficiency_pu=0.905)

# State of charge, P, Q, the command in force, the command on its way, dead time left, idle time.
_STATE = struct.Struct("<9d")


class Battery:
    """A battery plant without a transformer: the POI is the battery's terminal.

    A new command waits for the dead time and is then approached exponentially, at most at the
    ramp; both are solved exactly, so that the result does not depend on the step. A command that
    comes during the dead time of another replaces it and does not make it longer.
    """

    def __init__(
        self,
        kind: str,
        parameters: BatteryParameters,
        *,
        nameplate: Nameplate,
        limits: ControlLimits,
    ) -> None:
        self.info = PlantInfo(kind=kind, max_dt_s=60.0)
        self._parameters = parameters
        self._nameplate = nameplate
        self._limits = limits
        self._full_from_pu = limits.soc_min_pu + limits.soc_taper_pu
        self._full_to_pu = limits.soc_max_pu - limits.soc_taper_pu
        self._s_n_kva = math.hypot(
            max(nameplate.p_max_kw, -nameplate.p_min_kw),
            max(nameplate.q_max_kvar, -nameplate.q_min_kvar),
        )
        # On the base of the short-circuit power the grid's impedance is 1 pu.
        self._r_pu = 1.0 / math.hypot(1.0, parameters.grid_x_to_r)
        self._x_pu = parameters.grid_x_to_r * self._r_pu
        self.reset(soc_pu=0.5)

    @property
    def block_after_s(self) -> float:
        """Seconds at P = Q = 0 after which the store does not empty any more."""
        return self._parameters.block_after_s

    def reset(self, *, soc_pu: float) -> None:
        """Begin at rest with this state of charge (0..1)."""
        assert 0 <= soc_pu <= 1, soc_pu
        self._soc_pu = soc_pu
        self._p_kw = self._q_kvar = 0.0
        self._command = self._next_command = (0.0, 0.0)
        self._dead_s = 0.0
        self._idle_s = 0.0

    def step(self, dt_s: float, *, p_kw: float, q_kvar: float, is_running: bool, env: Env) -> Meas:
        """Move on by `dt_s` (0 or more) with these commands and measure."""
        command = (p_kw, q_kvar)
        if command != self._next_command:
            self._next_command = command
            if self._dead_s == 0:
                self._dead_s = self._parameters.dead_time_s
        if self._dead_s > 0:
            before_s = min(dt_s, self._dead_s)
            self._move(before_s, is_running=is_running)
            self._dead_s -= before_s
            dt_s -= before_s
            if self._dead_s <= 0:
                self._command = self._next_command
        if dt_s > 0:
            self._move(dt_s, is_running=is_running)
        p, q = self._p_kw, self._q_kvar
        return Meas(p, q, p, q, self._v_poi_kv(env.v_source_pu), self._soc_pu)

    def limits(self, horizon_s: float) -> tuple[float, float, str]:
        """`(p_min_kw, p_max_kw, why)` that the battery can hold for `horizon_s` from now on."""
        assert horizon_s > 0, horizon_s
        taper = self._power_range()
        hours = horizon_s / S_PER_H
        limits, capacity_kwh = self._limits, self._nameplate.capacity_kwh
        room_kwh = (limits.soc_max_pu - self._soc_pu) * capacity_kwh
        left_kwh = (self._soc_pu - limits.soc_min_pu) * capacity_kwh
        charge_pu = self._parameters.charge_efficiency_pu
        discharge_pu = self._parameters.discharge_efficiency_pu
        p_min = max(taper[0], -max(room_kwh, 0.0) / hours / charge_pu)
        p_max = min(taper[1], max(left_kwh, 0.0) / hours * discharge_pu)
        nameplate = (self._nameplate.p_min_kw, self._nameplate.p_max_kw)
        return p_min, p_max, "nameplate" if (p_min, p_max) == nameplate else "soc"

    def loss_kw(self, p_kw: float, q_kvar: float, soc_pu: float) -> float:
        """By how much the store empties faster than `p_kw` says, with the converter switching.

        The state of charge is of no account here; other models' resistance depends on it.
        """
        parameters = self._parameters
        s_n_kva = self._s_n_kva
        load = (p_kw * p_kw + q_kvar * q_kvar) / (s_n_kva * s_n_kva)
        if p_kw < 0:
            loss = parameters.charge_no_load_pu + parameters.charge_load_pu * load
        else:
            loss = parameters.discharge_no_load_pu + parameters.discharge_load_pu * load
        dc_kw = p_kw + s_n_kva * loss
        if dc_kw < 0:
            return dc_kw * parameters.charge_efficiency_pu - p_kw
        return dc_kw / parameters.discharge_efficiency_pu - p_kw

    def snapshot(self) -> bytes:
        """The whole state: after `restore` the model goes on to the bit."""
        return _STATE.pack(
            self._soc_pu,
            self._p_kw,
            self._q_kvar,
            *self._command,
            *self._next_command,
            self._dead_s,
            self._idle_s,
        )

    def restore(self, state: bytes) -> None:
        """Take up a state of `snapshot`."""
        (
            self._soc_pu,
            self._p_kw,
            self._q_kvar,
            *commands,
            self._dead_s,
            self._idle_s,
        ) = _STATE.unpack(state)
        self._command = (commands[0], commands[1])
        self._next_command = (commands[2], commands[3])

    def _power_range(self) -> tuple[float, float]:
        nameplate, limits = self._nameplate, self._limits
        if self._full_from_pu < self._soc_pu < self._full_to_pu:
            return nameplate.p_min_kw, nameplate.p_max_kw
        taper_pu = limits.soc_taper_pu
        return (
            nameplate.p_min_kw * soc_taper(limits.soc_max_pu - self._soc_pu, taper_pu),
            nameplate.p_max_kw * soc_taper(self._soc_pu - limits.soc_min_pu, taper_pu),
        )

    def _move(self, dt_s: float, *, is_running: bool) -> None:
        """Approach the command in force for `dt_s`, and book the energy."""
        if not dt_s > 0:
            return
        p_target = q_target = 0.0
        if is_running:
            p_target, q_target = self._command
            p_min, p_max = self._power_range()
            p_target = min(max(p_target, p_min), p_max)
            nameplate = self._nameplate
            q_target = min(max(q_target, nameplate.q_min_kvar), nameplate.q_max_kvar)
        p_mean, q_mean = self._p_kw, self._q_kvar
        if p_mean != p_target:
            self._p_kw, p_mean = self._approach(p_mean, p_target, dt_s)
        if q_mean != q_target:
            self._q_kvar, q_mean = self._approach(q_mean, q_target, dt_s)
        switching_s = dt_s
        if p_mean == 0 and q_mean == 0:
            if not is_running:
                self._idle_s = 0.0
                return
            switching_s = min(max(self._parameters.block_after_s - self._idle_s, 0.0), dt_s)
            self._idle_s += dt_s
        else:
            self._idle_s = 0.0
        out_kw = p_mean + self.loss_kw(p_mean, q_mean, self._soc_pu)
        moved_pu = out_kw * switching_s / (S_PER_H * self._nameplate.capacity_kwh)
        self._soc_pu = min(max(self._soc_pu - moved_pu, 0.0), 1.0)

    def _approach(self, value: float, target: float, dt_s: float) -> tuple[float, float]:
        """The value after `dt_s`, and its mean: d(value)/dt = (target - value) / tau, <= ramp."""
        tau_s, ramp = self._parameters.time_constant_s, self._parameters.ramp_kw_per_s
        away = target - value
        left_s, area = dt_s, 0.0
        if ramp is not None and abs(away) > ramp * tau_s:
            straight_s = min(abs(away) / ramp - tau_s, dt_s)
            value += math.copysign(ramp * straight_s, away)
            area = (value + target - away) / 2 * straight_s
            left_s -= straight_s
            away = target - value
        decay = math.exp(-left_s / tau_s)
        area += target * left_s - away * tau_s * (1.0 - decay)
        value = target - away * decay
        if abs(target - value) < ARRIVED:
            value = target
        return value, area / dt_s

    def _v_poi_kv(self, v_source_pu: float) -> float:
        """The voltage at the end of the grid's impedance, in closed form.

        With a = RP + XQ, b = XP - RQ and h = E^2/2 + a it is V = sqrt(h + sqrt(h^2 - a^2 - b^2)).
        """
        base_kva = self._parameters.grid_short_circuit_kva
        p, q = self._p_kw / base_kva, self._q_kvar / base_kva
        a = self._r_pu * p + self._x_pu * q
        b = self._x_pu * p - self._r_pu * q
        h = v_source_pu * v_source_pu / 2 + a
        # Beyond the grid's transfer limit there is no solution: the voltage stays at the nose.
        inner = max(h * h - a * a - b * b, 0.0)
        return self._nameplate.v_nominal_kv * math.sqrt(max(h + math.sqrt(inner), 0.0))
