"""Faults of an emulated plant over HTTP."""

import pytest

from hil.domain.plant import Transport
from web_support import LIB, FakeEngine, client_of

FAULTS = "/api/v1/plants/lib/faults"


async def test_fault_is_set_shown_and_cleared() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        put = await client.put(f"{FAULTS}/delay", json={"ms": 40, "for_s": 9})
        shown = engine.picture.plants[LIB].faults
        gone = await client.delete(f"{FAULTS}/delay")
        again = await client.delete(f"{FAULTS}/delay")

    assert put.status_code == 200
    assert put.json() == {"faults": [{"kind": "delay", "ms": 40, "for_s": 9}]}
    assert shown == ("delay ms=40",)
    assert gone.json() == again.json() == {"faults": []}


async def test_profile_sets_all_its_faults_without_a_body() -> None:
    async with client_of(FakeEngine()) as client:
        put = await client.put(f"{FAULTS}/fc16_only_plc")
        cleared = await client.delete(f"{FAULTS}/fc16_only_plc")

    assert [fault["kind"] for fault in put.json()["faults"]] == ["fc16_only", "max_block"]
    assert cleared.json() == {"faults": []}


@pytest.mark.parametrize(
    ("name", "body", "where"),
    [
        ("delya", "{}", "kind"),
        ("delay", '{"ms": -1}', "ms"),
        ("delay", '{"sm": 1}', "sm"),
        ("trip", '{"bit": "x"}', "bit"),
        ("delay", '{"for_s": 1e999}', "for_s"),
    ],
)
async def test_mistake_is_named(name: str, body: str, where: str) -> None:
    async with client_of(FakeEngine()) as client:
        answer = await client.put(
            f"{FAULTS}/{name}", content=body, headers={"Content-Type": "application/json"}
        )

    assert answer.status_code == 422
    assert where in answer.text


async def test_real_plant_is_a_conflict_and_an_unknown_one_not_found() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        unknown = await client.put("/api/v1/plants/x/faults/trip")
        engine.publish(transport=Transport.REMOTE)
        remote = await client.put(f"{FAULTS}/trip")

    assert (unknown.status_code, remote.status_code) == (404, 409)
