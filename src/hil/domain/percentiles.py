"""Percentiles of durations, as the state shows them."""

from collections.abc import Iterable

from hil.domain.snapshot import Percentiles


def percentiles_ms(durations_ns: Iterable[int]) -> Percentiles:
    """In ms, to the microsecond; None when there is no duration."""
    ordered = sorted(durations_ns)
    if not ordered:
        return Percentiles()
    return Percentiles(
        p50=_ms(ordered[len(ordered) // 2]),
        p99=_ms(ordered[len(ordered) * 99 // 100]),
        max=_ms(ordered[-1]),
    )


def _ms(ns: int) -> float:
    return round(ns / 1e6, 3)
