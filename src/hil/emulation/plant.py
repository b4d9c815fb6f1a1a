"""An emulated plant: a register bank in front of a physical model."""

import logging
from collections.abc import Sequence
from typing import assert_never

from hil.domain.errors import Impossible, InvalidInput
from hil.domain.modbus_pdu import (
    MAX_READ_WRITE_REGISTERS,
    ExceptionCode,
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.plant import Nameplate, PlantSpec, Transport
from hil.domain.registers import Point
from hil.domain.signals import OptionalPoint, PointName
from hil.emulation.model import Env, Meas, PlantModel
from hil.emulation.register_bank import RegisterBank
from hil.ports import Clock

log = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
# After a silence of hours the slices get longer, so that the first answer comes within 0.1 s.
MAX_SLICES = 20_000
# Ranges that were written and may not be; a client that tries them all is not logged for ever.
STRAYS_MAX = 100
# Below this share of the nameplate's power a plant that does not run is idle.
IDLE_PU = 0.01

# The point of each field of `Meas`, in its order.
_MEASURED = (
    PointName.P_BATTERY,
    PointName.Q_BATTERY,
    PointName.P_POI,
    PointName.Q_POI,
    PointName.V_POI,
    PointName.SOC,
)
_NAMES = frozenset(_MEASURED)
# The numbers of a command point that does not name its own.
_COMMANDS: dict[str, dict[str, int]] = {
    OptionalPoint.START_COMMAND: {"run": 1, "stop": 0},
    OptionalPoint.STOP_COMMAND: {"run": 0, "stop": 1},
}


class EmulatedPlant:
    """One emulated device: the same behind a Modbus server and behind the in-memory link.

    The model moves when somebody asks, up to the present time of the clock. Setpoint registers
    hold what was written, whatever it is; the model keeps to what the plant can do. A setpoint
    whose number means "not known" leaves the last one in force.

    Args:
        spec: The plant; its local endpoint has the register map. Points of further devices are
            not served.
        model: A model of this plant alone.
        step_s: The longest step of the model.
        initial_soc_pu: State of charge at the start, 0..1.
    """

    def __init__(
        self,
        spec: PlantSpec,
        *,
        model: PlantModel,
        clock: Clock,
        step_s: float,
        initial_soc_pu: float,
        env: Env = Env(),  # noqa: B008 - a frozen value
    ) -> None:
        self._spec = spec
        self._model = model
        self._clock = clock
        self._env = env
        self._slice_ns = round(min(step_s, model.info.max_dt_s) * NS_PER_S)
        assert self._slice_ns > 0, step_s
        self._at_ns = clock.monotonic_ns()
        self.bank = RegisterBank(spec.endpoints[Transport.LOCAL].registers)
        self._commands = [point for point in self.bank.points if point.name in _COMMANDS]
        self._measured = _measured(self.bank.points)
        self._failure: str | None = None
        self._strays: set[tuple[Table, int, int]] = set()
        self._is_fresh = False
        self._p_kw = self._q_kvar = 0.0
        self._is_running = False
        self._share_pu: float | None = None
        for point in self.bank.points:
            value = _at_power_on(point)
            if value is not None:
                self.bank.put(point.name, value)
        self._reset(initial_soc_pu)

    def handle(self, request: Request) -> Response:
        """The device's answer, at the present time of the clock.

        What a `RegisterBank` refuses is refused; so are measurements of a model that has failed,
        as exception 4.
        """
        self.advance()
        match request:
            case ReadRequest():
                return self._read(request.table, request.address, request.count)
            case WriteRequest():
                if not request.multiple and len(request.values) != 1:
                    return Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
                return self._write(request.table, request.address, request.values)
            case ReadWriteRequest():
                return self._read_write(request)
            case never:
                assert_never(never)

    def set_soc(self, soc_pu: float) -> None:
        """Put the idle plant at another state of charge.

        Raises:
            InvalidInput: It is not within 0..1.
            Impossible: The plant runs, or still carries power.
        """
        if not 0 <= soc_pu <= 1:
            raise InvalidInput(f"plant {self._spec.id}: soc_pu must be from 0 to 1, not {soc_pu}")
        self.advance()
        nameplate = self._spec.nameplate
        rest_kw = IDLE_PU * max(nameplate.p_max_kw, -nameplate.p_min_kw)
        if self._is_running or abs(self._meas.p_battery_kw) > rest_kw:
            raise Impossible(
                f"plant {self._spec.id} is not idle: stop it before its state of charge is set"
            )
        self._reset(soc_pu)

    def limit(self, share_pu: float | None) -> None:
        """Give no more than this share of the nameplate from now on; None: what was asked for."""
        self._share_pu = share_pu

    def hold(self, name: str, value: float) -> None:
        """Put a value into a point and obey it, as if the device had been told."""
        self.bank.put(name, value)
        self._obey(name)

    def jump_soc(self, soc_pu: float) -> None:
        """Put the plant at another state of charge (0..1), whatever it does."""
        self.advance()
        self._reset(soc_pu)

    def words(self, point: Point) -> tuple[int, ...]:
        """What the registers of a point hold now."""
        self.advance()
        if not self._is_fresh:
            self._refresh()
        return self.bank.read(point.table, point.address, point.length)

    def _read(self, table: Table, address: int, count: int) -> Response:
        names = self.bank.readable(table, address, count)
        if isinstance(names, Refusal):
            return names
        if not self._is_fresh:
            self._refresh()
        if self._failure is not None and not _NAMES.isdisjoint(names):
            return Refusal(ExceptionCode.SERVER_DEVICE_FAILURE)
        return ReadReply(self.bank.read(table, address, count))

    def _write(self, table: Table, address: int, values: Sequence[int]) -> Response:
        names = self.bank.writable(table, address, values)
        if isinstance(names, Refusal):
            self._log_stray(table, address, len(values))
            return names
        self.bank.write(table, address, values, names)
        for name in names:
            self._obey(name)
        return WriteReply()

    def _log_stray(self, table: Table, address: int, count: int) -> None:
        """Say once a range that somebody wrote what may not be written there: a map is wrong."""
        stray = (table, address, count)
        if stray not in self._strays and len(self._strays) < STRAYS_MAX:
            self._strays.add(stray)
            what = f"write of {count} from {table} {address}"
            log.warning("plant=%s refused a %s: not all of it may be written", self._spec.id, what)

    def _read_write(self, request: ReadWriteRequest) -> Response:
        if len(request.values) > MAX_READ_WRITE_REGISTERS:
            return Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        names = self.bank.readable(Table.HOLDING, request.read_address, request.read_count)
        if isinstance(names, Refusal):
            return names  # and nothing is written
        wrote = self._write(Table.HOLDING, request.write_address, request.values)
        if isinstance(wrote, Refusal):
            return wrote
        return self._read(Table.HOLDING, request.read_address, request.read_count)

    def _obey(self, name: str) -> None:
        """Take up what a written point now says."""
        if name == PointName.P_SETPOINT:
            self._p_kw = _or_else(self.bank.value(name), self._p_kw)
        elif name == PointName.Q_SETPOINT:
            self._q_kvar = _or_else(self.bank.value(name), self._q_kvar)
        elif name == PointName.ENABLE or name in _COMMANDS:
            self._is_running = bool(self.bank.value(PointName.ENABLE)) and all(
                self.bank.value(point.name) == _number(point, "run") for point in self._commands
            )

    def _reset(self, soc_pu: float) -> None:
        self._meas = Meas(0.0, 0.0, 0.0, 0.0, 0.0, soc_pu)
        try:
            self._model.reset(soc_pu=soc_pu)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._fail(error)
        self._step(0.0)

    def advance(self, to_ns: int | None = None) -> None:
        """Move the model to a time, in slices; None: the present one."""
        now_ns = self._clock.monotonic_ns() if to_ns is None else to_ns
        left_ns = now_ns - self._at_ns
        if left_ns <= 0:
            return
        self._at_ns = now_ns
        slice_ns = max(self._slice_ns, -(-left_ns // MAX_SLICES))
        while left_ns > slice_ns:
            self._step(slice_ns / NS_PER_S)
            left_ns -= slice_ns
        self._step(left_ns / NS_PER_S)

    def _step(self, dt_s: float) -> None:
        if self._failure is not None:
            return
        self._is_fresh = False
        p_kw, q_kvar = self._p_kw, self._q_kvar
        if self._share_pu is not None:
            p_kw, q_kvar = within(self._spec.nameplate, self._share_pu, p_kw=p_kw, q_kvar=q_kvar)
        try:
            self._meas = self._model.step(
                dt_s,
                p_kw=p_kw,
                q_kvar=q_kvar,
                is_running=self._is_running,
                env=self._env,
            )
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._fail(error)

    def _refresh(self) -> None:
        """Bring the measurements into the registers; one that has no number is a failed model."""
        self._is_fresh = True
        try:
            for name, value in zip(_MEASURED, self._meas, strict=True):
                if name in self._measured:
                    self.bank.put(name, value)
        except Exception as error:  # noqa: BLE001 - a plug-in may return anything
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """A model that has failed stays so and takes nobody along."""
        if self._failure is not None:
            return
        self._failure = f"{type(error).__name__}: {error}"
        log.error(
            "plant=%s model=%s failed=%r: its measurements are refused from now on",
            self._spec.id,
            self._model.info.kind,
            self._failure,
        )


def _measured(points: Sequence[Point]) -> frozenset[str]:
    """The points that measurements go to: of two that share registers the later in `_MEASURED`."""
    by_name = {point.name: point for point in points}
    found = [by_name[name] for name in _MEASURED if name in by_name]
    return frozenset({(point.table, point.address): point.name for point in found}.values())


def _at_power_on(point: Point) -> float | None:
    """What a point holds when the device has just been switched on; None: raw zeros."""
    match point.name:
        case PointName.P_SETPOINT | PointName.Q_SETPOINT | PointName.ENABLE:
            return 0.0
        case OptionalPoint.START_COMMAND:
            return _number(point, "stop")
        case OptionalPoint.STOP_COMMAND:
            return _number(point, "run")
        case OptionalPoint.CONTROL_ALLOWED:
            return 1.0
        case _:
            return None


def _number(point: Point, word: str) -> float:
    return float(point.values.get(word, _COMMANDS[point.name][word]))


def within(
    nameplate: Nameplate, share_pu: float, *, p_kw: float, q_kvar: float
) -> tuple[float, float]:
    """The powers, inside this share of the nameplate."""
    return (
        min(max(p_kw, share_pu * nameplate.p_min_kw), share_pu * nameplate.p_max_kw),
        min(max(q_kvar, share_pu * nameplate.q_min_kvar), share_pu * nameplate.q_max_kvar),
    )


def _or_else(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
