"""The market API's test double: an ASGI app that gives plans, takes measurements and misbehaves."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hil.domain.plant import PlantId
from hil.domain.site_day import day_range, site_day
from hil.ports import Clock

PERIOD = timedelta(minutes=15)
PRODUCT = 4
# Longer than any client waits.
SILENCE_S = 3600.0
# What a client may send, and what is remembered of what it sent.
BODY_MAX = 4 * 1024 * 1024
PERIODS_MAX = 1000
TAKEN_MAX = 1_000_000


class Call(StrEnum):
    """The calls that a trouble may befall."""

    LOGIN = "login"
    PRODUCTS = "market_products"
    MEASUREMENTS = "measurements"


class TroubleKind(StrEnum):
    """The ways in which the service misbehaves."""

    DELAY = "delay"  # answers after `seconds`
    STATUS = "status"  # answers with `code`, and with `retry_after` where it is given
    SILENCE = "silence"  # never answers, and has not taken what was sent
    TAKES_SILENTLY = "takes_silently"  # takes what was sent, and never answers
    TRUNCATED = "truncated"  # the answer ends in the middle
    HTML = "html"  # an error page with status 200
    WRONG_TYPE = "wrong_type"  # JSON of another shape
    TOKEN_EXPIRES = "token_expires"  # noqa: S105 - no secret: the token is not taken any more
    PARTIAL_DAY = "partial_day"  # a share of the periods is left out, other ones each time
    CHANGED_PLAN = "changed_plan"  # other setpoints than before


@checked_dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One way to misbehave: for `times` calls, after `after` calls have gone well.

    `on` None: any call.
    """

    kind: TroubleKind
    on: Call | None = None
    times: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    after: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    seconds: Annotated[float, Field(ge=0, le=SILENCE_S)] = 15.0
    code: Annotated[int, Field(ge=300, le=599)] = 503
    retry_after: Annotated[str, Field(max_length=100)] | None = None


TROUBLE = TypeAdapter(Trouble)


@dataclass(slots=True)
class _Pending:
    """A trouble and what is left of it."""

    trouble: Trouble
    after: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A measurement that was taken; whether its acknowledgement came through is not known."""

    series: int
    at: str
    value: float


class FakeMarket:
    """The service, as an ASGI app; day-ahead plans are waves by plant and day.

    Args:
        zone: The market's time zone: it says what a day is.
        plants: Whose keys a plan has; every other one swings the other way.
        clock: Says whether tomorrow's plan is published already.
        password: What every user logs in with.
        published_at: Site time from which tomorrow's plan is given.
        p_max_kw: The height of the waves.
        draw: Draws which periods a partial day lacks, and how a plan changes.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        plants: Mapping[PlantId, float],
        clock: Clock,
        *,
        password: str,
        published_at: time = time(14),
        draw: random.Random,
    ) -> None:
        self._zone = zone
        self._plants = plants
        self._clock = clock
        self._password = password
        self._published_at = published_at
        self._draw = draw
        self._troubles: list[_Pending] = []
        self._token: str | None = None
        self._tokens = 0
        self._revisions: dict[date, int] = {}
        self.calls: dict[Call, int] = dict.fromkeys(Call, 0)
        self.taken: list[Taken] = []
        self._app = Starlette(
            routes=[
                Route("/login", self._log_in, methods=["POST"]),
                Route("/market_products", self._products, methods=["GET"]),
                Route("/measurements", self._measurements, methods=["POST"]),
                Route("/troubles", self._add_trouble, methods=["POST"]),
                Route("/troubles", self._end_troubles, methods=["DELETE"]),
                Route("/taken", self._show_taken, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def trouble(self, *troubles: Trouble) -> None:
        """Misbehave so from now on, after the troubles that wait already."""
        self._troubles += [_Pending(each, each.after, each.times) for each in troubles]

    def setpoint(self, plant: PlantId, at: datetime) -> float:
        """The day-ahead setpoint of a delivery period in kW, positive is discharge."""
        day = site_day(at, self._zone)
        shift = day.toordinal() + self._revisions.get(day, 0) + 2 * list(self._plants).index(plant)
        wave = math.sin(at.timestamp() / 3600 * math.tau / 6 + shift)
        return round(self._plants[plant] * 0.6 * wave, 1)

    # Routes ------------------------------------------------------------------------------------

    async def _log_in(self, request: Request) -> Response:
        def answer(body: Any) -> tuple[int, Any]:
            if not isinstance(body, dict) or body.get("password") != self._password:
                return 401, {"message": "wrong e-mail or password"}
            self._tokens += 1
            self._token = f"token-{self._tokens}"
            return 200, {"token": self._token}

        return await self._answered(Call.LOGIN, request, answer)

    async def _products(self, request: Request) -> Response:
        def answer(_: Any) -> tuple[int, Any]:
            try:
                first, last = (
                    datetime.fromisoformat(request.query_params[f"delivery_period_{edge}"])
                    for edge in ("gte", "lte")
                )
            except (KeyError, ValueError):
                return 422, {"message": "delivery_period_gte and delivery_period_lte are needed"}
            if request.query_params.get("id") != str(PRODUCT):
                return 200, []
            periods = [self._delivery_period(at) for at in self._published(first, last)]
            return 200, [{"id": PRODUCT, "delivery_periods": periods}] if periods else []

        return await self._answered(Call.PRODUCTS, request, answer)

    async def _measurements(self, request: Request) -> Response:
        def answer(body: Any) -> tuple[int, Any]:
            try:
                posted = _POSTED.validate_python(body)
            except ValidationError as error:
                return 422, {"message": str(error.errors(include_url=False)[0]["msg"])}
            self.taken += [
                Taken(
                    series=posted.measurement_series,
                    at=each.timestamp,
                    value=each.measurement,
                )
                for each in posted.measurements
            ]
            del self.taken[:-TAKEN_MAX]
            return 201, {"created": len(posted.measurements)}

        return await self._answered(Call.MEASUREMENTS, request, answer)

    async def _add_trouble(self, request: Request) -> Response:
        try:
            self.trouble(TROUBLE.validate_json(await request.body()))
        except ValidationError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        return JSONResponse({"troubles": len(self._troubles)}, status_code=201)

    async def _end_troubles(self, _: Request) -> Response:
        self._troubles.clear()
        return JSONResponse({"troubles": 0})

    async def _show_taken(self, _: Request) -> Response:
        return JSONResponse(
            {
                "calls": self.calls,
                "measurements": len(self.taken),
                "series": dict(Counter(str(each.series) for each in self.taken)),
                "last": [asdict(each) for each in self.taken[-10:]],
            }
        )

    # Answers -----------------------------------------------------------------------------------

    async def _answered(
        self, call: Call, request: Request, answer: Callable[[Any], tuple[int, Any]]
    ) -> Response:
        """The answer to a call, as well as it is given now."""
        self.calls[call] += 1
        body = await _json(request)
        trouble = self._befalling(call)
        kind = None if trouble is None else trouble.kind
        if kind is TroubleKind.TOKEN_EXPIRES:
            self._token = None
        if call is not Call.LOGIN and not self._is_authorised(request):
            return JSONResponse({"message": "log in first"}, status_code=401)
        if trouble is None or kind is TroubleKind.TOKEN_EXPIRES:
            return _json_response(*answer(body))
        if kind is TroubleKind.DELAY:
            await _pause(trouble.seconds)
            return _json_response(*answer(body))
        if kind is TroubleKind.STATUS:
            headers = {} if trouble.retry_after is None else {"Retry-After": trouble.retry_after}
            return Response(status_code=trouble.code, headers=headers)
        if kind is TroubleKind.HTML:
            return HTMLResponse("<html><body>We will be back soon</body></html>")
        if kind is TroubleKind.SILENCE:
            await _pause(SILENCE_S)
            return Response(status_code=504)
        return await self._half_answered(trouble, answer(body))

    async def _half_answered(self, trouble: Trouble, answer: tuple[int, Any]) -> Response:
        """The answer of a call that has had its effect, whatever becomes of the answer."""
        code, content = answer
        if trouble.kind is TroubleKind.TAKES_SILENTLY:
            await _pause(SILENCE_S)
        elif trouble.kind is TroubleKind.TRUNCATED:
            data = orjson.dumps(content)
            return Response(data[: len(data) // 2], code, media_type="application/json")
        elif trouble.kind is TroubleKind.WRONG_TYPE:
            return _json_response(code, "fine")
        elif trouble.kind is TroubleKind.PARTIAL_DAY and content:
            periods = content[0]["delivery_periods"]
            kept = self._draw.sample(periods, k=self._draw.randrange(len(periods)))
            return _json_response(code, [{"id": PRODUCT, "delivery_periods": kept}])
        return _json_response(code, content)

    def _befalling(self, call: Call) -> Trouble | None:
        """The first trouble that waits for such a call and is due."""
        for pending in self._troubles:
            if pending.trouble.on not in (None, call):
                continue
            if pending.trouble.kind in _OF_PLANS and call is not Call.PRODUCTS:
                continue
            if pending.after > 0:
                pending.after -= 1
                return None
            pending.times -= 1
            if pending.times == 0:
                self._troubles.remove(pending)
            if pending.trouble.kind is TroubleKind.CHANGED_PLAN:
                today = site_day(self._clock.now(), self._zone)
                for day in (today, today + timedelta(days=1)):
                    self._revisions[day] = self._revisions.get(day, 0) + 1
            return pending.trouble
        return None

    def _is_authorised(self, request: Request) -> bool:
        given = request.headers.get("Authorization")
        return self._token is not None and given == f"Bearer {self._token}"

    def _published(self, first: datetime, last: datetime) -> list[datetime]:
        """The starts of the delivery periods of `[first, last]` that are published by now."""
        now = self._clock.now().astimezone(self._zone)
        newest = now.date() + timedelta(days=1 if now.time() >= self._published_at else 0)
        _, end = day_range(newest, self._zone)
        steps = min((last - first) // PERIOD + 1, PERIODS_MAX)
        return [at for k in range(steps) if (at := first + k * PERIOD) < end]

    def _delivery_period(self, at: datetime) -> dict[str, Any]:
        activation: dict[str, float] = {}
        for plant in self._plants:
            p_kw = self.setpoint(plant, at)
            activation[f"{plant}_to_vpp_kw"] = max(p_kw, 0.0)
            activation[f"vpp_to_{plant}_kw"] = max(-p_kw, 0.0)
        return {"delivery_period": at.astimezone(UTC).isoformat(), "activation": [activation]}


@checked_dataclass(frozen=True, slots=True)
class _Measurement:
    timestamp: str
    measurement: float = Field(allow_inf_nan=False)


@checked_dataclass(frozen=True, slots=True)
class _Posted:
    measurement_series: int
    measurements: list[_Measurement]


_POSTED = TypeAdapter(_Posted)
_OF_PLANS = frozenset({TroubleKind.PARTIAL_DAY, TroubleKind.CHANGED_PLAN})


async def _json(request: Request) -> Any:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > BODY_MAX:
            return None
    try:
        return orjson.loads(bytes(content))
    except orjson.JSONDecodeError:
        return None


def _json_response(code: int, content: Any) -> Response:
    return JSONResponse(content, status_code=code)


async def _pause(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
