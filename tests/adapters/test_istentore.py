"""The i-STENTORE adapter against a service that answers by script, on virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.adapters.istentore import BODY_MAX, CALL_WITHIN_S, Istentore
from hil.adapters.istentore_reply import setpoints
from hil.domain.market import CallFailed, Failure, Sample
from hil.domain.plant import PlantId
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop

START = datetime(2026, 2, 21, 23, tzinfo=UTC)
PERIODS = tuple(START + k * timedelta(minutes=15) for k in range(96))
LIB, VRFB = PlantId("lib"), PlantId("vrfb")
PLANTS = (LIB, VRFB)
SAMPLES = [Sample(plant=LIB, series=6, at=START, value=-1500.0)]
Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


class Service:
    """Logs in with `secret`; every token holds for `token_holds` calls; `answers` come first."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        self.token_holds = 10**9
        self.left = 0
        self.tokens = 0
        self.products: Any = []
        self.log_in_answer: httpx.Response | None = None

    @property
    def paths(self) -> list[str]:
        return [call.url.path for call in self.calls]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        await asyncio.sleep(0.1)
        if request.url.path == "/api/login":
            return self._log_in(request)
        if request.headers["Authorization"] != f"Bearer t{self.tokens}" or self.left == 0:
            return httpx.Response(401)
        self.left -= 1
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if request.url.path == "/api/market_products":
            return httpx.Response(200, json=self.products)
        return httpx.Response(201, json={"ok": True})

    def _log_in(self, request: httpx.Request) -> httpx.Response:
        if self.log_in_answer is not None:
            return self.log_in_answer
        if json.loads(request.content) != {"email": "bench", "password": "secret"}:
            return httpx.Response(401)
        self.tokens += 1
        self.left = self.token_holds
        return httpx.Response(200, json={"token": f"t{self.tokens}"})


@asynccontextmanager
async def api_of(service: Handler, password: str | None = "secret") -> AsyncIterator[Istentore]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    api = Istentore(
        "http://market.test/api/",
        "bench",
        password,
        PLANTS,
        VirtualClock(loop, START),
        error_backoff_s=30,
        transport=httpx.MockTransport(service),
    )
    try:
        yield api
    finally:
        await api.close()


async def failure_of(call: Awaitable[object]) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await call
    return caught.value


async def test_the_window_of_a_day_is_asked_for_in_utc_with_the_token() -> None:
    service = Service()
    async with api_of(service) as api:
        await api.setpoints(PERIODS)
    assert service.paths == ["/api/login", "/api/market_products"]
    assert dict(service.calls[1].url.params) == {
        "id": "4",
        "delivery_period_gte": "2026-02-21T23:00:00+00:00",
        "delivery_period_lte": "2026-02-22T22:45:00+00:00",
    }


async def test_measurements_go_out_as_the_service_spells_them() -> None:
    service = Service()
    async with api_of(service) as api:
        await api.post(6, SAMPLES)
    assert json.loads(service.calls[1].content) == {
        "measurement_series": 6,
        "measurements": [{"timestamp": "2026-02-21T23:00:00+00:00", "measurement": -1500.0}],
    }


async def test_a_token_that_expires_is_renewed_once_and_the_call_repeated_once() -> None:
    service = Service()
    service.token_holds = 3
    async with api_of(service) as api:
        for _ in range(10):
            await api.post(6, SAMPLES)
    assert service.paths.count("/api/login") == 4
    assert service.paths.count("/api/measurements") == 10 + 3


async def test_fetching_and_posting_at_once_share_one_log_in() -> None:
    service = Service()
    async with api_of(service) as api:
        await api.setpoints(PERIODS)
        service.tokens = 7  # every token given out is void now
        await asyncio.gather(api.setpoints(PERIODS), api.post(6, SAMPLES), api.post(7, SAMPLES))
    assert service.paths.count("/api/login") == 2


async def test_a_call_refused_right_after_the_log_in_is_not_repeated_again() -> None:
    service = Service()
    service.token_holds = 0
    async with api_of(service) as api:
        failed = await failure_of(api.post(6, SAMPLES))
    assert failed.failure is Failure.TRANSIENT
    assert "right after a log-in" in str(failed)
    assert service.paths == ["/api/login", "/api/measurements"] * 2


async def test_a_refused_log_in_is_not_tried_again_before_the_back_off() -> None:
    service = Service()
    async with api_of(service, password="wrong") as api:
        for _ in range(5):
            failed = await failure_of(api.post(6, SAMPLES))
            assert failed.failure is Failure.LOG_IN_REFUSED
        assert len(service.calls) == 1
        assert failed.retry_after_s == pytest.approx(30, abs=0.1)
        await asyncio.sleep(30)
        await failure_of(api.setpoints(PERIODS))
        assert len(service.calls) == 2
        await api.log_in("secret")
        await api.post(6, SAMPLES)
    assert service.paths[2:] == ["/api/login", "/api/measurements"]


async def test_without_a_password_nothing_is_asked() -> None:
    service = Service()
    async with api_of(service, password=None) as api:
        assert (await failure_of(api.setpoints(PERIODS))).failure is Failure.LOG_IN_REFUSED
        await api.log_in("secret")
        await api.log_out()
        assert "no password" in str(await failure_of(api.log_in(None)))
    assert len(service.calls) == 1


HTML = httpx.Response(200, html="<html>We'll be back soon</html>")


@pytest.mark.parametrize(
    ("answer", "failure", "says", "retry_after_s"),
    [
        (httpx.Response(429), Failure.TRANSIENT, "429", None),
        (httpx.Response(429, headers={"Retry-After": "90"}), Failure.TRANSIENT, "429", 90),
        (
            httpx.Response(503, headers={"Retry-After": "Sat, 21 Feb 2026 23:01:00 GMT"}),
            Failure.TRANSIENT,
            "503",
            60,
        ),
        (httpx.Response(429, headers={"Retry-After": "9" * 30}), Failure.TRANSIENT, "", 86_400),
        (httpx.Response(429, headers={"Retry-After": "soon"}), Failure.TRANSIENT, "", None),
        (httpx.Response(500), Failure.TRANSIENT, "500 Internal Server Error", None),
        (httpx.Response(302, headers={"Location": "/x"}), Failure.TRANSIENT, "302", None),
        (httpx.Response(422), Failure.HOPELESS, "422", None),
        (httpx.Response(404), Failure.HOPELESS, "404", None),
        (HTML, Failure.TRANSIENT, "not JSON (HTML)", None),
        (httpx.Response(200, content=b'[{"id": 4, "deli'), Failure.TRANSIENT, "cut short", None),
        (httpx.Response(200, content=b""), Failure.TRANSIENT, "0 bytes", None),
        (httpx.Response(200, content=b"[" * 10**6), Failure.TRANSIENT, "not JSON", None),
        (httpx.Response(200, content=b" " * (BODY_MAX + 1)), Failure.TRANSIENT, "16 MB", None),
        (httpx.Response(200, json={"error": "x"}), Failure.TRANSIENT, "an object", None),
        (httpx.Response(200, json="no"), Failure.TRANSIENT, "a text", None),
        (httpx.ConnectError("refused"), Failure.TRANSIENT, "refused", None),
        (httpx.RemoteProtocolError("closed early"), Failure.TRANSIENT, "closed early", None),
    ],
)
async def test_every_way_to_fail_has_a_sentence_and_says_what_to_do(
    answer: httpx.Response | Exception, failure: Failure, says: str, retry_after_s: float | None
) -> None:
    service = Service()
    async with api_of(service) as api:
        await api.log_in(None)
        service.answers = [answer]
        failed = await failure_of(api.setpoints(PERIODS))
    assert (failed.failure, failed.retry_after_s) == (
        failure,
        None if retry_after_s is None else pytest.approx(retry_after_s, abs=1),
    )
    assert says in str(failed)


async def test_a_service_that_does_not_answer_is_given_up() -> None:
    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(10_000)
        raise AssertionError

    async with api_of(silent) as api:
        begun = asyncio.get_running_loop().time()
        failed = await failure_of(api.setpoints(PERIODS))
        assert asyncio.get_running_loop().time() - begun == pytest.approx(CALL_WITHIN_S)
    assert (failed.failure, failed.retry_after_s) == (Failure.TRANSIENT, None)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (httpx.Response(200, json={"token": None}), Failure.TRANSIENT),
        (httpx.Response(200, json=[]), Failure.TRANSIENT),
        (httpx.Response(400), Failure.LOG_IN_REFUSED),
        (httpx.Response(500), Failure.TRANSIENT),
        (HTML, Failure.TRANSIENT),
    ],
)
async def test_a_log_in_that_makes_no_sense(answer: httpx.Response, failure: Failure) -> None:
    service = Service()
    service.log_in_answer = answer
    async with api_of(service) as api:
        assert (await failure_of(api.log_in(None))).failure is failure


# What a reply says ---------------------------------------------------------------------------


def product(*periods: Any) -> list[dict[str, Any]]:
    return [{"id": 4, "name": "day-ahead", "delivery_periods": list(periods)}]


def period(at: Any, **activation: Any) -> dict[str, Any]:
    return {"delivery_period": at, "activation": [activation], "unknown": {}}


@pytest.mark.parametrize(
    "spelled",
    [
        "2026-02-21T23:00:00+00:00",
        "2026-02-21T23:00:00Z",
        "2026-02-21 23:00:00",
        "2026-02-21T23:00:00.000000+00:00",
        "2026-02-21T22:59:59.999Z",
        "2026-02-22T00:00:00+01:00",
    ],
)
def test_a_time_in_every_spelling(spelled: str) -> None:
    reply = product(period(spelled, lib_to_vpp_kw=120, vpp_to_lib_kw=0.0))
    assert setpoints(reply, PLANTS, PERIODS) == {LIB: {START: 120.0}, VRFB: {}}
    assert setpoints({"market_products": reply}, PLANTS, PERIODS)[LIB] == {START: 120.0}


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ({"lib_to_vpp_kw": 120.0, "vpp_to_lib_kw": 20.0}, 100.0),
        ({"vpp_to_lib_kw": 35.5}, -35.5),
        ({"lib_to_vpp_kw": 0}, 0.0),
        ({}, None),
        ({"vrfb_to_vpp_kw": 5.0}, None),
        ({"lib_to_vpp_kw": None, "vpp_to_lib_kw": 0.0}, None),
        ({"lib_to_vpp_kw": "12"}, None),
        ({"lib_to_vpp_kw": True}, None),
        ({"lib_to_vpp_kw": float("nan")}, None),
        ({"lib_to_vpp_kw": 1e9}, None),
    ],
)
def test_a_setpoint_or_a_gap(activation: dict[str, Any], expected: float | None) -> None:
    found = setpoints(product(period("2026-02-21T23:00:00Z", **activation)), (LIB,), PERIODS)
    assert found[LIB].get(START) == expected


@pytest.mark.parametrize(
    "reply",
    [
        [],
        [{"id": 3, "delivery_periods": [period("2026-02-21T23:00:00Z", lib_to_vpp_kw=1)]}],
        product({"delivery_period": "2026-02-21T23:00:00Z"}),
        product({"delivery_period": "2026-02-21T23:00:00Z", "activation": []}),
        product({"delivery_period": "2026-02-21T23:00:00Z", "activation": None}),
        product(period("2026-02-21T23:07:00Z", lib_to_vpp_kw=1)),
        product(period("2026-03-21T23:00:00Z", lib_to_vpp_kw=1)),
        product(period(None, lib_to_vpp_kw=1), 7, None),
        [{"id": 4}, {"id": 4, "delivery_periods": {}}, None],
    ],
)
def test_what_says_nothing_is_missing(reply: Any) -> None:
    assert setpoints(reply, (LIB,), PERIODS) == {LIB: {}}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "delivery_periods", "delivery_period", "activation", "lib_to_vpp_kw"]
            ),
            inner | st.just("2026-02-21T23:00:00Z"),
            max_size=4,
        )
    ),
)


@given(json_values)
def test_no_reply_does_more_than_fail_or_leave_gaps(reply: Any) -> None:
    try:
        found = setpoints(reply, (LIB,), PERIODS)
    except CallFailed:
        return
    assert set(found) == {LIB}
