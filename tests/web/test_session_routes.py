"""Recording sessions over HTTP: list, document, name and note, markers."""

from typing import Any

import pytest

from web_support import FakeEngine, client_of

SESSIONS = "/api/v1/sessions"


async def test_sessions_are_listed_newest_first() -> None:
    async with client_of(FakeEngine()) as client:
        every = await client.get(SESSIONS)
        newest = await client.get(SESSIONS, params={"limit": 1})
        of_lib = await client.get(SESSIONS, params={"plant": "lib"})

    assert [one["uid"] for one in every.json()] == ["s2", "s1"]
    assert [one["uid"] for one in newest.json()] == ["s2"]
    assert [one["uid"] for one in of_lib.json()] == ["s1"]


async def test_document_says_who_what_and_how_it_ended() -> None:
    async with client_of(FakeEngine()) as client:
        document = (await client.get(f"{SESSIONS}/s1")).json()

    assert (document["plant"], document["who"], document["exit_status"]) == ("lib", "ana", "done")
    assert document["counts"] == {"measured": 20, "kept": 4, "lost": 0}
    assert document["end"] is not None
    assert document["markers"] == []


async def test_name_and_note_are_replaced() -> None:
    async with client_of(FakeEngine()) as client:
        body = {"name": " Ramp test ", "note": "cold cells"}
        edited = await client.put(f"{SESSIONS}/s1", json=body)
        without = await client.put(f"{SESSIONS}/s1", json={"name": "Ramp test"})
        read = await client.get(f"{SESSIONS}/s1")

    assert (edited.json()["name"], edited.json()["note"]) == ("Ramp test", "cold cells")
    assert edited.json()["end"] is not None
    assert without.json()["note"] is None
    assert read.json() == without.json()


async def test_markers_are_stamped_with_time_and_user() -> None:
    async with client_of(FakeEngine()) as client:
        for text in ("breaker closed", "load step"):
            marked = await client.post(f"{SESSIONS}/s2/markers", json={"text": text})
            assert marked.status_code == 201
        late = await client.post(f"{SESSIONS}/s1/markers", json={"text": "late"})

    markers = marked.json()["markers"]
    assert [(m["text"], m["by"]) for m in markers] == [
        ("breaker closed", "local"),
        ("load step", "local"),
    ]
    assert all(marker["at"] for marker in markers)
    assert late.status_code == 409
    assert "has ended" in late.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/x", None, 404),
        ("GET", "?plant=x", None, 404),
        ("GET", "?limit=0", None, 422),
        ("PUT", "/x", {"name": "n"}, 404),
        ("PUT", "/s1", {}, 422),
        ("PUT", "/s1", {"name": "  "}, 422),
        ("PUT", "/s1", {"name": "n" * 101}, 422),
        ("PUT", "/s1", {"name": "n", "end": None}, 422),
        ("POST", "/x/markers", {"text": "t"}, 404),
        ("POST", "/s2/markers", {"text": ""}, 422),
        ("POST", "/s2/markers", {"text": "t" * 501}, 422),
    ],
)
async def test_what_is_wrong_is_refused(
    method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.request(method, f"{SESSIONS}{path}", json=body)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"


async def test_session_takes_a_bounded_number_of_markers() -> None:
    async with client_of(FakeEngine()) as client:
        for k in range(500):
            await client.post(f"{SESSIONS}/s2/markers", json={"text": str(k)})
        full = await client.post(f"{SESSIONS}/s2/markers", json={"text": "one too many"})

    assert full.status_code == 409
    assert "500 markers" in full.json()["detail"]
