"""The routes of recording sessions: what was recorded, its name and note, markers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from hil.api import EngineApi, SessionsApi
from hil.domain.errors import NotFound
from hil.domain.plant import PlantId
from hil.domain.session import Session
from hil.web.answer import json_response, large_json_response
from hil.web.arguments import MAX_NOTE, Caller
from hil.web.body import json_docs, read_json
from hil.web.problem import problem_docs

MAX_SESSIONS = 1_000  # about a megabyte
MAX_NAME = 100
# A page: what was tested, with which set-up, and what came of it.
MAX_SESSION_NOTE = 4_000

_CHECKED = ConfigDict(extra="forbid", str_strip_whitespace=True)


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_CHECKED)
class SessionBody:
    """Name and note of a session; null is no note."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    note: Annotated[str, Field(max_length=MAX_SESSION_NOTE)] | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_CHECKED)
class MarkerBody:
    """A note at this moment of the session."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_NOTE)]


_SESSION_BODY = TypeAdapter(SessionBody)
_MARKER_BODY = TypeAdapter(MarkerBody)
_WRITE_PROBLEMS = problem_docs(400, 403, 404, 413, 415, 422)


def session_routes(engine: EngineApi, sessions: SessionsApi) -> APIRouter:
    """The routes below `/api/v1/sessions`."""
    routes = APIRouter(prefix="/sessions", tags=["sessions"])

    @routes.get("", response_model=list[Session], responses=problem_docs(404, 422))
    async def listed(
        request: Request,
        plant: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_SESSIONS)] = 200,
    ) -> Response:
        """The newest `limit` recording sessions, newest first; `plant` narrows them."""
        of = None if plant is None else PlantId(plant)
        found = sessions.listed(of, limit)
        # A plant that is not configured any more may have sessions.
        if of is not None and not found and of not in engine.snapshot().plants:
            raise NotFound(f"there is no plant {plant!r}, and no session of one")
        return await large_json_response(request, found)

    @routes.get("/{uid}", response_model=Session, responses=problem_docs(404, 422))
    async def session(uid: str) -> Response:
        """The document of one session; its counts are as of the last flush."""
        return json_response(sessions.session(uid))

    @routes.put(
        "/{uid}",
        response_model=Session,
        responses=_WRITE_PROBLEMS,
        openapi_extra=json_docs("SessionBody"),
    )
    async def edit(request: Request, uid: str, by: Caller) -> Response:
        """Replace the name and the note of a session."""
        sessions.session(uid)  # a wrong uid is said before a body is read
        body = await read_json(request, _SESSION_BODY)
        return json_response(await sessions.edit(uid, name=body.name, note=body.note, by=by))

    @routes.post(
        "/{uid}/markers",
        status_code=201,
        response_model=Session,
        responses=_WRITE_PROBLEMS | problem_docs(409),
        openapi_extra=json_docs("MarkerBody"),
    )
    async def mark(request: Request, uid: str, by: Caller) -> Response:
        """Add a marker at this moment to a session under way."""
        sessions.session(uid)
        body = await read_json(request, _MARKER_BODY)
        return json_response(await sessions.mark(uid, body.text, by=by), status=201)

    return routes
