"""Rows into at most N buckets that keep the peaks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalBuckets:
    """One signal, one value a bucket; None where nothing is known."""

    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Signals over a range; `level_s` is the width of a bucket, 0 when every row is its own."""

    time: list[datetime]
    level_s: float
    signals: dict[str, SignalBuckets]
