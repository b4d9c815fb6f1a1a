"""Registers and the smoke check over HTTP."""

import pytest

from web_support import FakeEngine, client_of

LIB = "/api/v1/plants/lib"


async def test_registers_are_raw_and_decoded() -> None:
    async with client_of(FakeEngine()) as client:
        some = await client.get(f"{LIB}/registers", params={"points": "soc, p_poi"})
        every = await client.get(f"{LIB}/registers")

    assert some.json()["registers"][0] == {
        "point": "soc",
        "table": "holding",
        "address": 281,
        "format": "uint16",
        "words": [5000],
        "value": 0.5,
        "unit": "pu",
        "problem": None,
    }
    assert len(every.json()["registers"]) == 10


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/plants/nix/registers", 404),
        (f"{LIB}/registers?points=nix", 422),
    ],
)
async def test_what_is_not_there_is_refused(path: str, status: int) -> None:
    async with client_of(FakeEngine()) as client:
        assert (await client.get(path)).status_code == status


@pytest.mark.parametrize("body", [None, {}, {"write_zero": True}, {"trace": True}])
async def test_a_smoke_check_answers_with_its_report(body: dict[str, bool] | None) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.post(f"{LIB}/smoke", json=body)

    report = reply.json()
    assert reply.status_code == 200, reply.text
    assert report["severity"] == "ok"
    assert report["reads"] == 50
    assert bool(report["trace"]) == bool(body and body.get("trace"))
    assert bool(report["findings"]) == bool(body and body.get("write_zero"))


async def test_an_unknown_key_is_refused() -> None:
    async with client_of(FakeEngine()) as client:
        assert (await client.post(f"{LIB}/smoke", json={"zero": True})).status_code == 422
