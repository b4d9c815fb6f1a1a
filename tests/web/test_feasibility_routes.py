"""What will become of a schedule, over HTTP."""

from dataclasses import replace
from typing import Any

import pytest

from web_support import LIB, NOON, FakeEngine, client_of, measured

PATH = "/api/v1/plants/lib/schedule/check"
POINT = {"time": "2026-01-15T12:00:00Z", "p_kw": 400.0, "q_kvar": 0.0}


async def test_without_a_body_it_is_what_would_be_dispatched() -> None:
    async with client_of(FakeEngine()) as client:
        answer = await client.post(PATH)

    got = answer.json()
    assert answer.status_code == 200
    # 100 kW out of 250 kWh, for a day.
    assert got["ok"] is False
    assert got["missing_kwh"] == pytest.approx(2400 - 250, rel=0.01)
    assert [one["limit"] for one in got["violations"]] == ["soc"]
    assert got["violations"][0]["asked_kw"] == 100
    assert len(got["soc"]["time"]) == len(got["soc"]["soc_pu"])
    assert got["soc"]["soc_pu"][0] == 0.5
    assert got["feasible"]["points"][0] == {
        "time": "2026-01-15T12:00:00+00:00",
        "p_kw": 100.0,
        "q_kvar": 0.0,
    }


async def test_a_posted_schedule_and_state_of_charge_are_used() -> None:
    body = {"points": [POINT], "end": "2026-01-15T13:00:00Z", "soc": 0.9}

    async with client_of(FakeEngine()) as client:
        fits = (await client.post(PATH, json=body)).json()
        too_much = (await client.post(PATH, json={**body, "soc": 0.4})).json()

    assert fits["ok"] is True
    assert fits["violations"] == []
    assert too_much["missing_kwh"] == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"soc": 1.5}, 422),
        ({"soc": None, "nix": 1}, 422),
        ({"end": "2026-01-15T13:00:00Z"}, 422),
        ({"points": [POINT, POINT]}, 422),
    ],
)
async def test_a_wrong_body_is_refused(body: dict[str, Any], status: int) -> None:
    async with client_of(FakeEngine()) as client:
        assert (await client.post(PATH, json=body)).status_code == status


async def test_without_a_state_of_charge_one_is_asked_for() -> None:
    engine = FakeEngine()
    unknown = replace(measured(NOON, p_kw=0.0, soc_pu=0.5, set_kw=0.0), soc_pu=None)
    engine.publish_plant(LIB, measurement=unknown)

    async with client_of(engine) as client:
        refused = await client.post(PATH)
        answered = await client.post(PATH, json={"soc": 0.5})

    assert refused.status_code == 409
    assert answered.status_code == 200
