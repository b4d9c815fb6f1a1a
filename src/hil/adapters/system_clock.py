"""The clock of the machine."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Reads the machine's monotonic and wall clock; implements `Clock`."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()  # noqa: TID251 - the one home of the real clock

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one home of the real clock
