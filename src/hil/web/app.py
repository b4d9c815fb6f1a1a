"""The web application: routes, pages and the guard around them, over an engine."""

from typing import Any

from fastapi import Depends, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import RedirectResponse

from hil.api import CheckupApi, EngineApi, FeasibilityApi, HistoryApi, LogApi, SessionsApi
from hil.ports import Clock
from hil.web.alarm_routes import alarm_routes
from hil.web.answer import json_response
from hil.web.arguments import (
    AckBody,
    ConnectionBody,
    LogLevelBody,
    ManualBody,
    OverrideBody,
    PostingBody,
    RandomBody,
    ServiceBody,
    SmokeBody,
    SourceBody,
    TransportBody,
)
from hil.web.assets import Assets, security_headers
from hil.web.checkup_routes import checkup_routes
from hil.web.command_routes import command_routes
from hil.web.fault_routes import fault_routes
from hil.web.feasibility_routes import CheckBody, feasibility_routes
from hil.web.guard import Guard
from hil.web.history_routes import history_routes
from hil.web.loading_routes import loading_routes
from hil.web.log_routes import log_routes
from hil.web.market_routes import market_routes
from hil.web.override_routes import override_routes
from hil.web.parameters import known_parameters
from hil.web.problem import ProblemBody, add_problem_handlers
from hil.web.read_routes import read_routes
from hil.web.schedule_routes import schedule_routes
from hil.web.session_routes import MarkerBody, SessionBody, session_routes
from hil.web.settings import WebSettings
from hil.web.stream import Feed
from hil.web.switch_routes import switch_routes

__all__ = ["WebSettings", "make_app"]

_DESCRIPTION = """\
Power is in kW (positive is discharge), reactive power in kvar, energy in kWh, voltage in kV, state
of charge in per unit. Times have an offset. Not known is null. An error is a problem document
whose `detail` says what to do."""

# Bodies that routes read themselves, so that they can be bounded and parsed off the loop.
_BODIES: tuple[type[Any], ...] = (
    AckBody,
    CheckBody,
    ConnectionBody,
    LogLevelBody,
    ManualBody,
    MarkerBody,
    OverrideBody,
    PostingBody,
    RandomBody,
    ServiceBody,
    SessionBody,
    SmokeBody,
    SourceBody,
    TransportBody,
)


def make_app(
    engine: EngineApi,
    *,
    checkups: CheckupApi,
    feasibility: FeasibilityApi,
    logs: LogApi,
    sessions: SessionsApi,
    history: HistoryApi,
    clock: Clock,
    settings: WebSettings,
) -> FastAPI:
    """The application of one engine; `app.state.feed` must be ended before it is shut down."""
    app = _DocumentedApi(
        title=settings.title,
        version=engine.snapshot().engine.version,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    feed = Feed(engine, clock)
    app.state.feed = feed
    headers = security_headers()
    add_problem_handlers(app, headers=headers)
    for routes in (
        read_routes(engine, feed),
        history_routes(engine, history),
        schedule_routes(engine),
        loading_routes(engine, settings),
        override_routes(engine),
        feasibility_routes(feasibility),
        checkup_routes(checkups),  # before the commands, whose path takes any word
        command_routes(engine),
        switch_routes(engine),
        market_routes(engine),
        fault_routes(engine),
        alarm_routes(engine),
        log_routes(logs),
        session_routes(engine, sessions),
    ):
        app.include_router(routes, prefix="/api/v1", dependencies=[Depends(known_parameters)])
    _add_pages(app, Assets(title=settings.title))
    app.add_middleware(Guard, settings=settings, headers=headers)
    return app


def _add_pages(app: FastAPI, assets: Assets) -> None:
    async def root(_: Request) -> Response:
        return RedirectResponse("/operate", status_code=307)

    async def operate(request: Request) -> Response:
        return assets.pages["operate"].response(request)

    async def docs(request: Request) -> Response:
        return assets.pages["docs"].response(request)

    async def health(_: Request) -> Response:
        return json_response({"status": "ok"})

    for path, page in (
        ("/", root),
        ("/operate", operate),
        ("/market", operate),
        ("/logs", operate),
        ("/api/docs", docs),
        ("/healthz", health),
        ("/static/{name:path}", assets.serve),
    ):
        app.add_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)


class _DocumentedApi(FastAPI):
    """Adds the bodies that routes read themselves to the schema."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
            )
            _, extra = TypeAdapter.json_schemas(
                [
                    (model.__name__, "validation", TypeAdapter(model))
                    for model in (*_BODIES, ProblemBody)
                ],
                ref_template="#/components/schemas/{model}",
            )
            schema["components"]["schemas"].update(extra["$defs"])
            self.openapi_schema = schema
        return self.openapi_schema
