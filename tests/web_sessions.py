"""Documents of two recording sessions for the tests of the web part: one has ended, one goes on."""

from itertools import count

from hil.domain.plant import PlantId, Source, Transport
from hil.domain.session import Beginning, Ending, ExitStatus, OpenRows, RowCounts
from hil.domain.snapshot import LatencyState
from hil.engine.journal import Journal
from hil.engine.sessions import Sessions
from hil.ports import Clock
from hil.virtual.memory_store import MemoryStore
from rig import SETTINGS


def sessions_of(clock: Clock) -> Sessions:
    """Session `s1` of LIB, ended, and `s2` of VRFB, under way."""
    numbers = count(1)
    sessions = Sessions(
        Journal(MemoryStore(), clock), clock, SETTINGS, new_uid=lambda: f"s{next(numbers)}"
    )
    for plant in ("lib", "vrfb"):
        beginning = Beginning(
            name=plant.upper(), source=Source.MANUAL, transport=Transport.LOCAL, who="ana"
        )
        sessions.begin(PlantId(plant), beginning, file=f"20260115_{plant}.csv")
    rows = OpenRows(
        period_s=2.0,
        counts=RowCounts(measured=20, kept=4),
        first=clock.now(),
        last=clock.now(),
        held=None,
    )
    ending = Ending(status=ExitStatus.DONE, reason="stop-recording", by="ana")
    sessions.end("s1", ending, rows, LatencyState())
    return sessions
