"""What a check found, how bad it is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is; a failed one makes the whole check fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `cure` None: there is nothing to do."""

    severity: Severity
    subject: str
    text: str
    cure: str | None = None


_BADNESS = tuple(Severity)


def worst(findings: Iterable[Finding]) -> Severity:
    """The severity of the worst finding; ok when there is none."""
    return max((each.severity for each in findings), key=_BADNESS.index, default=Severity.OK)
