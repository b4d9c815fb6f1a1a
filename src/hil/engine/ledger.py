"""The latency ledger: for every written setpoint, when it was decided, written, taken and shown."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hil.domain.limits import Setpoint
from hil.domain.percentiles import percentiles_ms
from hil.domain.signals import PointName
from hil.domain.snapshot import LatencyState

# The newest writes of a plant that are kept: a day at one change a minute.
ENTRIES_MAX = 1_440
# The response is looked for in steps of at least this share of what was changed.
RESPONSE_SHARES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One written setpoint; instants in monotonic ns, None when that has not been seen.

    `response_ns`: when the battery's power was first read at 10, 50 and 90 % of the way from
    `from_p_kw`; no finer than the measurement period.
    """

    setpoint: Setpoint
    from_p_kw: float | None
    decided_ns: int
    written_ns: int
    acked_ns: int | None
    readback_ns: int | None = None
    response_ns: tuple[int | None, int | None, int | None] = (None, None, None)


class Ledger:
    """The entries of one plant, the newest last."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)

    def wrote(
        self,
        writes: Mapping[str, float],
        *,
        from_p_kw: float | None,
        decided_ns: int,
        written_ns: int,
        acked_ns: int | None,
    ) -> None:
        """Begin the entry of a setpoint that was written; other writes are not looked at."""
        if PointName.P_SETPOINT not in writes:
            return
        self.entries.append(
            Entry(
                setpoint=Setpoint(
                    p_kw=writes[PointName.P_SETPOINT], q_kvar=writes[PointName.Q_SETPOINT]
                ),
                from_p_kw=from_p_kw,
                decided_ns=decided_ns,
                written_ns=written_ns,
                acked_ns=acked_ns,
            )
        )

    def read(self, values: Mapping[str, float | None], *, is_confirmed: bool, now_ns: int) -> None:
        """Complete the newest entry by a reading."""
        if not self.entries:
            return
        entry = self.entries[-1]
        if entry.readback_ns is None and is_confirmed:
            entry = replace(entry, readback_ns=now_ns)
        p_kw = values.get(PointName.P_BATTERY)
        if p_kw is not None and entry.from_p_kw is not None and None in entry.response_ns:
            entry = replace(entry, response_ns=_responded(entry, p_kw, now_ns))
        self.entries[-1] = entry


def _responded(entry: Entry, p_kw: float, now_ns: int) -> tuple[int | None, int | None, int | None]:
    assert entry.from_p_kw is not None
    way_kw = entry.setpoint.p_kw - entry.from_p_kw
    done = 1.0 if way_kw == 0 else (p_kw - entry.from_p_kw) / way_kw
    ten, half, ninety = (
        seen if seen is not None else (now_ns if done >= share else None)
        for seen, share in zip(entry.response_ns, RESPONSE_SHARES, strict=True)
    )
    return ten, half, ninety


def latencies(ledgers: Iterable[Ledger], *, since_ns: int = 0) -> LatencyState:
    """From the decision to the write, its acknowledgement and its read-back, over all plants.

    Args:
        since_ns: Setpoints decided before this are left out.
    """
    entries = [e for ledger in ledgers for e in ledger.entries if e.decided_ns >= since_ns]

    def after_decision(instants: Iterable[tuple[Entry, int | None]]) -> list[int]:
        return [at_ns - entry.decided_ns for entry, at_ns in instants if at_ns is not None]

    return LatencyState(
        written=percentiles_ms(after_decision((e, e.written_ns) for e in entries)),
        acked=percentiles_ms(after_decision((e, e.acked_ns) for e in entries)),
        readback=percentiles_ms(after_decision((e, e.readback_ns) for e in entries)),
    )
