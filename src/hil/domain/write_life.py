"""The life of a written setpoint: when it is written again, and what its read-back says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from hil.domain.limits import ZERO, Setpoint
from hil.domain.plant import SetpointPolicy
from hil.domain.snapshot import Write, WriteStatus

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The value of one count of the setpoint registers."""

    p_kw: float
    q_kvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLife:
    """What was last written, when, and what the device holds since.

    `held` is the newest read-back; `held_before` the one from before the write, by which a write
    that had no effect (lost) differs from one that was changed (clamped). `acknowledged` is the
    last setpoint that the device took, None when it is not known what it took.
    """

    written: Setpoint | None = None
    written_ns: int = 0
    at: datetime | None = None
    status: WriteStatus = WriteStatus.NONE
    again: bool = False
    held: Setpoint | None = None
    held_before: Setpoint | None = None
    acknowledged: Setpoint | None = None

    @property
    def taken(self) -> Setpoint | None:
        """What the device follows, as far as it is known: a ramp starts from there."""
        return self.held if self.acknowledged is None else self.acknowledged

    def is_due(
        self, wanted: Setpoint, policy: SetpointPolicy, resolution: Resolution, *, now_ns: int
    ) -> bool:
        """Whether `wanted` must be written now."""
        if self.written is None or self.status is WriteStatus.UNKNOWN:
            return True
        if not same(wanted, self.written, resolution, counts=0.5):
            return True
        age_s = (now_ns - self.written_ns) / NS_PER_S
        if self.status is WriteStatus.REFUSED and (wanted == ZERO or age_s >= policy.settle_s):
            return True  # a refused zero is tried at every step
        if policy.rewrite_period_s is not None and age_s >= policy.rewrite_period_s:
            return True
        return (
            self.status is WriteStatus.PENDING
            and not self.again
            and age_s >= policy.settle_s
            and self.held is not None
            and not same(self.held, self.written, resolution, counts=policy.tolerance_counts)
        )

    def after_write(
        self,
        setpoint: Setpoint,
        status: WriteStatus,
        resolution: Resolution,
        *,
        now_ns: int,
        at: datetime,
    ) -> "WriteLife":
        """The life after an attempt; `status` is pending, refused or unknown."""
        repeat = self.written is not None and same(setpoint, self.written, resolution, counts=0.5)
        differs = repeat and self.status in _DIFFERS
        return WriteLife(
            written=setpoint,
            written_ns=now_ns,
            at=at,
            # A device that holds another value stays known for it while it is told again.
            status=self.status if differs and status is WriteStatus.PENDING else status,
            again=differs or (repeat and self.status is WriteStatus.PENDING),
            held=self.held,
            held_before=self.held_before if repeat else self.held,
            acknowledged=_acknowledged(self.acknowledged, setpoint, status),
        )

    def after_read_back(
        self,
        held: Setpoint | None,
        policy: SetpointPolicy,
        resolution: Resolution,
        *,
        now_ns: int,
    ) -> "WriteLife":
        """The life after a reading of the setpoint registers; None: they were not readable."""
        if held is None or self.written is None:
            return replace(self, held=held)
        if self.status in {WriteStatus.REFUSED, WriteStatus.UNKNOWN}:
            return replace(self, held=held)
        if same(held, self.written, resolution, counts=policy.tolerance_counts):
            return replace(self, held=held, status=WriteStatus.CONFIRMED, again=False)
        if self.status is WriteStatus.CONFIRMED:
            # It held our value and does not any more: one more write after the settle time.
            return replace(self, held=held, status=WriteStatus.PENDING, again=False)
        settled = now_ns - self.written_ns >= policy.settle_s * NS_PER_S
        if not (self.again and settled):
            return replace(self, held=held)
        untouched = self.held_before is not None and same(
            held, self.held_before, resolution, counts=policy.tolerance_counts
        )
        return replace(
            self, held=held, status=WriteStatus.LOST if untouched else WriteStatus.CLAMPED
        )

    def shown(self, counts: Mapping[str, int]) -> Write:
        """As the state shows it; `counts` are the acknowledged writes of each point."""
        return Write(
            status=self.status,
            at=self.at,
            counts=dict(counts),
            readback_p_kw=None if self.held is None else self.held.p_kw,
            readback_q_kvar=None if self.held is None else self.held.q_kvar,
        )


_DIFFERS = frozenset({WriteStatus.CLAMPED, WriteStatus.LOST})


def _acknowledged(
    before: Setpoint | None, setpoint: Setpoint, status: WriteStatus
) -> Setpoint | None:
    match status:
        case WriteStatus.PENDING:
            return setpoint
        case WriteStatus.REFUSED:
            return before
        case _:
            return None


def same(a: Setpoint, b: Setpoint, resolution: Resolution, *, counts: float) -> bool:
    """Whether two setpoints are the same within so many counts of their registers."""
    slack = counts + 1e-6  # the sums of binary fractions must not decide
    return (
        abs(a.p_kw - b.p_kw) <= slack * resolution.p_kw
        and abs(a.q_kvar - b.q_kvar) <= slack * resolution.q_kvar
    )
