"""Schedules from CSV files and at random, over HTTP."""

from datetime import timedelta

import httpx
import pytest

from web_support import LIB, NOON, VRFB, FakeEngine, client_of

CSV = "/api/v1/plants/lib/schedules/manual/csv"
RANDOM = "/api/v1/plants/vrfb/schedules/manual/random"
TEXT = {"Content-Type": "text/csv"}
ROWS = b"time,p_kw\n2026-01-15T12:00:00Z,100\n2026-01-15T12:00:30Z,-50\n"
HOURS = b"hours,minutes,seconds,setpoint\n0,0,0,10\n0,0,30,end\n"


async def test_a_csv_body_replaces_the_schedule() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(CSV, content=ROWS, headers=TEXT)

    assert reply.status_code == 200, reply.text
    assert [point["p_kw"] for point in reply.json()["points"]] == [100, -50]
    assert reply.headers["etag"] == '"v1"'
    assert engine.schedules[LIB].schedule.p.at(NOON + timedelta(seconds=29)) == 100


async def test_a_form_file_is_the_same_as_a_body() -> None:
    async with client_of(FakeEngine()) as client:
        body = await client.post(CSV, content=ROWS, headers=TEXT)
        form = await client.post(
            CSV, files={"file": ("s.csv", ROWS, "text/csv")}, data={"note": "x"}
        )

    assert form.status_code == 200, form.text
    assert form.json() == body.json()


async def test_a_file_of_hours_needs_a_start_and_keeps_the_other_signal() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        await client.post(CSV, content=ROWS, headers=TEXT)
        without = await client.post(CSV, content=HOURS, headers=TEXT)
        loaded = await client.post(
            f"{CSV}?start=2026-01-15T13:00:00+01:00&signal=q", content=HOURS, headers=TEXT
        )
        naive = await client.post(f"{CSV}?start=2026-01-15T13:00", content=HOURS, headers=TEXT)

    assert (without.status_code, naive.status_code) == (422, 422)
    assert "start" in without.json()["detail"]
    assert "offset" in naive.json()["problems"][0]["why"]
    assert loaded.status_code == 200, loaded.text
    schedule = engine.schedules[LIB].schedule
    assert (schedule.p.at(NOON), schedule.q.at(NOON)) == (100, 10)
    assert schedule.q.at(NOON + timedelta(seconds=30)) is None


async def test_a_bad_row_is_named_and_nothing_is_loaded() -> None:
    engine = FakeEngine()
    bad = ROWS + b"2026-01-15T12:01:00Z,many\n"
    async with client_of(engine) as client:
        reply = await client.post(CSV, content=bad, headers=TEXT)

    assert reply.status_code == 422
    [problem] = reply.json()["problems"]
    assert (problem["line"], problem["where"]) == (4, "column p_kw")
    assert engine.schedules[LIB].etag == "v0"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "text/csv", 422),
        (b"\x00\xff", "text/csv", 422),
        (ROWS, "application/json", 415),
        (b"no form at all", "multipart/form-data", 422),
        (b"no form at all", "multipart/form-data; boundary=x", 422),
        (b"--x\r\n\r\n\xff\r\n--x--", "multipart/form-data; boundary=x", 422),
        (b"--x--", "multipart/form-data; boundary=" + "y" * 300, 422),
        (b"--x--", "multipart/form-data; boundary=x; charset=nonsense", 422),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
        ),
    ],
)
async def test_what_is_no_csv_is_refused(content: bytes, kind: str, status: int) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.post(CSV, content=content, headers={"Content-Type": kind})

    assert reply.status_code == status, reply.text
    assert len(reply.json()["detail"]) > 10


async def test_two_files_or_too_much_are_refused() -> None:
    file = ("s.csv", ROWS, "text/csv")
    large = ("s.csv", b"x" * (4 * 1024 * 1024 + 1), "text/csv")
    async with client_of(FakeEngine()) as client:
        two = await client.post(CSV, files=[("file", file), ("file", file)])
        much = await client.post(CSV, files={"file": large})
        plain = await client.post(CSV, content=large[1], headers=TEXT)

    assert (two.status_code, much.status_code, plain.status_code) == (422, 413, 413)


async def test_what_dispatch_will_limit_is_said_beside_what_was_loaded() -> None:
    rows = b"time,p_kw\n2026-01-15T12:00Z,1500\n2026-01-15T13:00Z,-1001\n2026-01-15T14:00Z,9\n"
    async with client_of(FakeEngine()) as client:
        beyond = await client.post(CSV, content=rows, headers=TEXT)
        inside = await client.post(CSV, content=ROWS, headers=TEXT)

    [note] = beyond.json()["notes"]
    assert note == (
        "2 setpoints of active power beyond the nameplate, -1000 to 1000 kW (up to 1500):"
        " dispatch limits them."
    )
    assert inside.json()["notes"] == []


@pytest.mark.parametrize("value", ["1e300", "-10000001"])
async def test_a_power_without_sense_is_refused_in_every_form(value: str) -> None:
    plant = "/api/v1/plants/lib"
    point = '{"time": "2026-01-15T12:00:00Z", "KEY": VALUE}'.replace("VALUE", value)
    kind = {"Content-Type": "application/json"}
    async with client_of(FakeEngine()) as client:
        csv = await client.post(
            CSV, content=f"time,p_kw,q_kvar\n2026-01-15T12:00Z,0,{value}\n", headers=TEXT
        )
        manual = await client.put(
            f"{plant}/schedules/manual",
            content=f'{{"points": [{point.replace("KEY", "q_kvar")}]}}',
            headers=kind,
        )
        override = await client.put(
            f"{plant}/overrides/p",
            content=f'{{"points": [{point.replace("KEY", "value")}]}}',
            headers=kind,
        )

    wrong = [reply.json()["problems"][0] for reply in (csv, manual, override)]
    assert [reply.status_code for reply in (csv, manual, override)] == [422] * 3
    places = ["column q_kvar", "points.0.q_kvar", "points.0.value"]
    assert [problem["where"] for problem in wrong] == places
    assert wrong[0]["line"] == 2


async def test_an_edit_meanwhile_refuses_the_file() -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.post(CSV, content=ROWS, headers={**TEXT, "If-Match": '"v7"'})

    assert reply.status_code == 412


async def test_the_same_seed_makes_the_same_schedule_inside_the_nameplate() -> None:
    engine = FakeEngine()
    body = {"start": "2026-01-15T12:00:00Z", "duration_h": 2, "resolution_min": 15, "seed": 7}
    async with client_of(engine) as client:
        one = await client.post(RANDOM, json=body)
        other = await client.post(RANDOM, json=body)
        third = await client.post(RANDOM, json={**body, "seed": 8})

    assert one.status_code == 200, one.text
    assert one.json() == other.json() != third.json()
    assert all(-160 <= point["p_kw"] <= 160 for point in one.json()["points"])
    assert one.json()["end"] == "2026-01-15T14:00:00+00:00"
    assert engine.schedules[VRFB].etag == "v3"


@pytest.mark.parametrize(
    "change",
    [
        {"duration_h": 0}, {"duration_h": 1e6}, {"resolution_min": -1}, {"seed": -1},
        {"seed": 1.5}, {"seed": 2**60}, {"start": "2026-01-15"}, {"more": 1},
        {"duration_h": 700, "resolution_min": 1e-4},
    ],
)  # fmt: skip
async def test_a_random_schedule_has_bounds(change: dict[str, object]) -> None:
    body = {"start": "2026-01-15T12:00:00Z", "duration_h": 2, "resolution_min": 15, "seed": 7}
    async with client_of(FakeEngine()) as client:
        reply: httpx.Response = await client.post(RANDOM, json={**body, **change})

    assert reply.status_code == 422
