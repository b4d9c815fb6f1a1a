"""The documents of recording sessions: in memory, in the state database, and as files."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from hil.domain.errors import Impossible, NotFound
from hil.domain.plant import PlantId
from hil.domain.session import (
    Beginning,
    Ending,
    ExitStatus,
    Marker,
    OpenRows,
    Session,
    ended,
)
from hil.domain.snapshot import LatencyState
from hil.engine.journal import DURABLE_WITHIN_S, Journal
from hil.engine.settings import EngineSettings
from hil.ports import Clock

log = logging.getLogger(__name__)

# Sessions in the database and in memory; the files of older ones stay.
SESSIONS_MAX = 10_000
# Markers of one session: one a minute over a working day; its document is written whole.
MARKERS_MAX = 500

CRASHED = Ending(
    status=ExitStatus.CRASHED, reason="the engine ended without closing the session", by="restart"
)

SHUTDOWN = Ending(status=ExitStatus.ABORTED, reason="the engine was shut down", by="shutdown")


class Sessions:
    """Holds every session's document; implements `SessionsApi`.

    In the database a document has its `end` only when all of its rows are on disk: one without is
    taken up by the next start.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        settings: EngineSettings,
        *,
        new_uid: Callable[[], str],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._new_uid = new_uid
        self._documents: dict[str, Session] = {}
        # Sessions whose file does not show their present document.
        self._unsaved: dict[str, None] = {}
        # Sessions with rows that may not be on disk.
        self._unsettled: set[str] = set()
        # How the open ones stood at the last flush.
        self._open_rows: dict[str, OpenRows] = {}

    def restore(self) -> list[tuple[Session, OpenRows | None]]:
        """Read what an earlier run left; those that it did not close, the oldest first."""
        stored = self._journal.all("session/", Session).values()
        self._documents = {s.uid: s for s in sorted(stored, key=lambda s: s.start)}
        rows = self._journal.all("open-rows/", OpenRows)
        left: list[tuple[Session, OpenRows | None]] = []
        for session in list(self._documents.values()):
            if session.end is None:
                self._unsettled.add(session.uid)
                if session.exit_status is None:
                    session = ended(session, CRASHED)  # noqa: PLW2901 - the same session
                    self._put(session)
                left.append((session, rows.pop(f"open-rows/{session.uid}", None)))
        for key in rows:
            self._journal.remove(key)
        return left

    # What the recorder tells -----------------------------------------------------------------

    def begin(self, plant: PlantId, beginning: Beginning, *, file: str) -> Session:
        """Enter a new session."""
        session = Session(
            uid=self._new_uid(),
            name=beginning.name,
            plant=plant,
            file=file,
            source=beginning.source,
            transport=beginning.transport,
            config_hash=self._settings.config_hash,
            version=self._settings.version,
            who=beginning.who,
            start=self._clock.now(),
            continues=beginning.continues,
        )
        self._unsettled.add(session.uid)
        self._put(session)
        self._forget_oldest()
        log.info("plant=%s session=%s begun by=%s", plant, session.uid, session.who)
        return session

    def note_ending(self, uid: str, ending: Ending) -> None:
        """Keep why the session will have ended, while it goes on."""
        self._put(ended(self._documents[uid], ending))

    def end(self, uid: str, ending: Ending, rows: OpenRows, latency: LatencyState) -> None:
        """End a session whose last rows are not on disk yet."""
        self._open_rows.pop(uid, None)
        session = _with_rows(ended(self._documents[uid], ending), rows)
        session = replace(session, end=self._clock.now(), latency_ms=latency)
        self._put(session)
        log.info(
            "plant=%s session=%s %s: %s rows=%d kept=%d",
            session.plant,
            uid,
            session.exit_status,
            session.reason,
            rows.counts.measured,
            rows.counts.kept,
        )

    def end_left(self, session: Session) -> None:
        """Replace the document of a session that an earlier run left open, and say so."""
        self._put(session)
        log.warning(
            "plant=%s session=%s was left open and is closed: %s",
            session.plant,
            session.uid,
            session.reason,
        )

    def settle(self, uid: str) -> None:
        """All rows of an ended session are on disk."""
        self._unsettled.discard(uid)
        self._put(self._documents[uid])
        self._journal.remove(f"open-rows/{uid}")

    def keep_rows(self, uid: str, rows: OpenRows) -> None:
        """Keep over a restart how an open session stands."""
        self._journal.put(f"open-rows/{uid}", rows)
        self._open_rows[uid] = rows

    def add_lost(self, uid: str, lost: int) -> None:
        """Count rows of an ended session that were given up before they could be written."""
        session = self._documents[uid]
        counts = replace(session.counts, lost=session.counts.lost + lost)
        self._put(replace(session, counts=counts))

    def unsaved(self) -> Mapping[str, Session]:
        """The documents that are to be written as files."""
        return {uid: self._documents[uid] for uid in self._unsaved}

    def saved(self, documents: Mapping[str, Session]) -> None:
        """These were written as files."""
        for uid, session in documents.items():
            if self._documents.get(uid, session) is session:
                self._unsaved.pop(uid, None)

    # What others ask -------------------------------------------------------------------------

    def listed(self, plant: PlantId | None, limit: int) -> tuple[Session, ...]:
        found: list[Session] = []
        for session in reversed(self._documents.values()):
            if len(found) == limit:
                break
            if plant is None or session.plant == plant:
                found.append(self._as_it_stands(session))
        return tuple(found)

    def session(self, uid: str) -> Session:
        session = self._documents.get(uid)
        if session is None:
            raise NotFound(f"there is no session {uid!r}")
        return self._as_it_stands(session)

    def _as_it_stands(self, session: Session) -> Session:
        rows = self._open_rows.get(session.uid)
        return session if rows is None else _with_rows(session, rows)

    async def edit(self, uid: str, *, name: str, note: str | None, by: str) -> Session:
        edited = self._put(replace(self.session(uid), name=name, note=note))
        log.info("session=%s named %r by=%s", uid, name, by)
        await self._journal.flush(DURABLE_WITHIN_S)
        return edited

    async def mark(self, uid: str, text: str, *, by: str) -> Session:
        session = self.session(uid)
        if session.end is not None:
            raise Impossible(f"the session {session.name} has ended; add to its note instead")
        if len(session.markers) >= MARKERS_MAX:
            raise Impossible(f"the session {session.name} has {MARKERS_MAX} markers already")
        marker = Marker(at=self._clock.now(), text=text, by=by)
        marked = self._put(replace(session, markers=(*session.markers, marker)))
        log.info("session=%s marked by=%s: %s", uid, by, text)
        await self._journal.flush(DURABLE_WITHIN_S)
        return marked

    def _put(self, session: Session) -> Session:
        self._documents[session.uid] = session
        self._unsaved[session.uid] = None
        kept = replace(session, end=None) if session.uid in self._unsettled else session
        self._journal.put(f"session/{session.uid}", kept)
        return session

    def _forget_oldest(self) -> None:
        while len(self._documents) > SESSIONS_MAX:
            uid = next((uid for uid in self._documents if uid not in self._unsettled), None)
            if uid is None:
                return
            del self._documents[uid]
            self._unsaved.pop(uid, None)
            self._journal.remove(f"session/{uid}")


def _with_rows(session: Session, rows: OpenRows) -> Session:
    return replace(session, first=rows.first, last=rows.last, counts=rows.counts)
