"""The i-STENTORE service: day-ahead plans in, measurements out, over one shared log-in."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from hil.adapters import istentore_reply
from hil.domain.market import CallFailed, Failure, Sample
from hil.domain.plant import PlantId
from hil.ports import Clock

T = TypeVar("T")

# A whole call, connecting and reading included.
CALL_WITHIN_S = 20.0
# A day of 25 h of a thousand plants is 4 MB.
BODY_MAX = 16 * 1024 * 1024
# What a service may ask to wait at most.
RETRY_AFTER_MAX_S = 86_400.0

_UNAUTHORISED = frozenset({401, 403})
# A 4xx that does not lie in the call itself; any other can't succeed when it is repeated.
_TRANSIENT_4XX = frozenset({408, 425, 429})


class _Unauthorised(Exception):
    """The token is not taken (any more)."""


class Istentore:
    """Implements `ScheduleSource` and `MeasurementSink`.

    A token that is refused is renewed once, by whoever comes first, and the call repeated once.
    A refused log-in is not tried again for a while, since accounts are locked by that.

    Args:
        password: None: there is none until `log_in` brings it. It is held in memory only.
        error_backoff_s: Between a refused log-in and the next one with the same password.
        transport: How requests travel; None: over the network.
    """

    def __init__(
        self,
        base_url: str,
        email: str,
        password: str | None,
        plants: Iterable[PlantId],
        clock: Clock,
        *,
        error_backoff_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._email = email
        self._password = password
        self._plants = tuple(plants)
        self._clock = clock
        self._error_backoff_ns = int(error_backoff_s * 1e9)
        self._http = httpx.AsyncClient(transport=transport, timeout=CALL_WITHIN_S)
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._refused: tuple[str, int] | None = None

    async def log_in(self, password: str | None) -> None:
        if password is not None:
            self._password = password
        self._token = None
        await self._renewed(None)

    async def log_out(self) -> None:
        self._password = self._token = None

    async def setpoints(self, periods: Sequence[datetime]) -> dict[PlantId, dict[datetime, float]]:
        asked = {
            "id": str(istentore_reply.PRODUCT),
            "delivery_period_gte": _utc_text(periods[0]),
            "delivery_period_lte": _utc_text(periods[-1]),
        }
        reply = await self._authorised(
            lambda token: self._call("GET", "/market_products", token=token, params=asked)
        )
        return istentore_reply.setpoints(reply, self._plants, periods)

    async def post(self, series: int, samples: Sequence[Sample]) -> None:
        body = {
            "measurement_series": series,
            "measurements": [
                {"timestamp": _utc_text(sample.at), "measurement": sample.value}
                for sample in samples
            ],
        }
        await self._authorised(
            lambda token: self._call("POST", "/measurements", token=token, body=body)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def _authorised(self, call: Callable[[str], Awaitable[T]]) -> T:
        """The answer of a call that needs a token."""
        token = self._token or await self._renewed(None)
        try:
            return await call(token)
        except _Unauthorised:
            token = await self._renewed(token)
        try:
            return await call(token)
        except _Unauthorised:
            raise CallFailed(
                "the market API refuses the call right after a log-in that succeeded; check what"
                f" the user {self._email} may do there",
                Failure.TRANSIENT,
            ) from None

    async def _renewed(self, stale: str | None) -> str:
        """A token that is not the stale one; of many who ask, one logs in."""
        async with self._lock:
            if self._token is None or self._token == stale:
                self._token = None
                self._token = await self._new_token()
            return self._token

    async def _new_token(self) -> str:
        password = self._password
        if password is None:
            raise CallFailed(
                "no password of the market API is held; connect with one", Failure.LOG_IN_REFUSED
            )
        now_ns = self._clock.monotonic_ns()
        if self._refused is not None and self._refused[0] == password:
            left_ns = self._refused[1] + self._error_backoff_ns - now_ns
            if left_ns > 0:
                raise self._refusal(retry_after_s=left_ns / 1e9)
        try:
            reply = await self._call(
                "POST", "/login", body={"email": self._email, "password": password}
            )
        except _Unauthorised:
            self._refused = (password, self._clock.monotonic_ns())
            raise self._refusal() from None
        except CallFailed as failed:
            if failed.failure is Failure.HOPELESS:
                raise CallFailed(f"log-in: {failed}", Failure.LOG_IN_REFUSED) from None
            raise
        token = reply.get("token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or not token:
            raise CallFailed(
                "the market API answered the log-in without a token", Failure.TRANSIENT
            )
        self._refused = None
        return token

    def _refusal(self, *, retry_after_s: float | None = None) -> CallFailed:
        return CallFailed(
            f"the market API refuses the log-in of {self._email}; check the password",
            Failure.LOG_IN_REFUSED,
            retry_after_s=retry_after_s,
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON of an answer that says yes; raises `CallFailed` or `_Unauthorised`."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                request = self._http.stream(
                    method, self._base_url + path, headers=headers, params=params, json=body
                )
                async with request as response:
                    self._check_status(response)
                    content = await _bounded(response)
        except TimeoutError:
            raise CallFailed(
                f"the market API did not answer within {CALL_WITHIN_S:g} s", Failure.TRANSIENT
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise CallFailed(
                f"the market API at {self._base_url} does not answer:"
                f" {str(error) or type(error).__name__}",
                Failure.TRANSIENT,
            ) from None
        return _parsed(content)

    def _check_status(self, response: httpx.Response) -> None:
        code = response.status_code
        if code in _UNAUTHORISED:
            raise _Unauthorised
        if 200 <= code < 300:
            return
        said = f"the market API answered {code} {response.reason_phrase}".rstrip()
        if 400 <= code < 500 and code not in _TRANSIENT_4XX:
            raise CallFailed(said, Failure.HOPELESS)
        raise CallFailed(
            said,
            Failure.TRANSIENT,
            retry_after_s=_retry_after_s(response.headers.get("Retry-After"), self._clock.now()),
        )


async def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > BODY_MAX:
            raise CallFailed(
                f"the market API answered with more than {BODY_MAX // 2**20} MB",
                Failure.TRANSIENT,
            )
    return bytes(content)


def _parsed(content: bytes) -> Any:
    if content.lstrip()[:1] == b"<":
        raise CallFailed(
            "the market API's answer is not JSON (HTML): an error page, or something else answers"
            " at schedule_api.base_url",
            Failure.TRANSIENT,
        )
    try:
        return json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise CallFailed(
            f"the market API's answer of {len(content)} bytes is not JSON, or cut short",
            Failure.TRANSIENT,
        ) from None


def _retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds to wait by `Retry-After`, which is a number of them or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), RETRY_AFTER_MAX_S)
    try:
        wait_s = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)


def _utc_text(at: datetime) -> str:
    """`2026-02-21T23:00:00+00:00`; a fraction of a second stays."""
    return at.astimezone(UTC).isoformat()
