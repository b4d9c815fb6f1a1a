"""The routes that switch the faults of an emulated plant."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from hil.api import EngineApi
from hil.domain.faults import Fault, kinds_of, parse_faults
from hil.domain.plant import PlantId
from hil.web.answer import json_response
from hil.web.arguments import Caller
from hil.web.body import read_optional_json
from hil.web.problem import problem_docs

_PATH = "/plants/{plant}/faults/{name}"
_PROBLEMS = problem_docs(400, 403, 404, 409, 413, 415, 422)
_BODY: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_DOCS = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFaults:
    """What the plant shows now, each with its `kind`, parameters and what is left of `for_s`."""

    faults: tuple[dict[str, float | str | None], ...]


def fault_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that set and clear faults."""
    routes = APIRouter(tags=["faults"])

    @routes.put(_PATH, response_model=ActiveFaults, responses=_PROBLEMS, openapi_extra=_DOCS)
    async def put_fault(request: Request, plant: str, name: str, by: Caller) -> Response:
        """Let an emulated plant show a fault or a profile: its parameters and `for_s`."""
        body = await read_optional_json(request, _BODY, {})
        faults = parse_faults({**body, "kind": name})
        return _shown(await engine.set_fault(PlantId(plant), faults, by=by))

    @routes.delete(_PATH, response_model=ActiveFaults, responses=_PROBLEMS)
    async def delete_fault(plant: str, name: str, by: Caller) -> Response:
        """End a fault or those of a profile; one that is not active is no error."""
        return _shown(await engine.clear_fault(PlantId(plant), kinds_of(name), by=by))

    return routes


def _shown(faults: tuple[Fault, ...]) -> Response:
    return json_response(ActiveFaults(faults=tuple(fault.document() for fault in faults)))
