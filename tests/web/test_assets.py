"""The files of the pages: vendored bytes, media types, caching, and what the pages refer to."""

import hashlib
import json
import re
from pathlib import Path

import pytest

import hil.web
from web_support import FakeEngine, client_of

STATIC = Path(str(hil.web.__file__)).parent / "static"
LOCK = json.loads((STATIC / "vendor.lock.json").read_text())
LICENCES = {"MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Apache-2.0", "OFL-1.1"}
MAX_FIRST_VISIT_BYTES = 200_000


def test_vendored_files_are_the_published_bytes() -> None:
    locked = {name: sha for entry in LOCK["packages"] for name, sha in entry["files"].items()}
    vendor = STATIC / "vendor"
    found = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file()
    }

    assert found == locked


@pytest.mark.parametrize("entry", LOCK["packages"], ids=lambda entry: entry["package"]["name"])
def test_each_package_has_its_licence_and_integrity(entry: dict[str, dict[str, str]]) -> None:
    package = entry["package"]

    assert package["licence"] in LICENCES
    assert package["integrity"].startswith("sha512-")
    assert any(name.endswith("/LICENSE") for name in entry["files"])
    assert all(f"-{package['version']}/" in name for name in entry["files"])


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("main.js", "text/javascript; charset=utf-8", "no-cache"),
        ("vendor/preact-11.2.0/preact.mjs", "text/javascript; charset=utf-8", "immutable"),
        ("operate.css", "text/css; charset=utf-8", "no-cache"),
        ("logo.svg", "image/svg+xml", "no-cache"),
        ("vendor/uplot-1.6.32/LICENSE", "text/plain; charset=utf-8", "immutable"),
        (
            "vendor/fontsource-dm-mono-5.3.0/dm-mono-latin-400-normal.woff2",
            "font/woff2",
            "immutable",
        ),
    ],
)
async def test_a_file_has_its_type_and_is_cached(path: str, kind: str, cache: str) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.get(f"/static/{path}")
        plain = await client.get(f"/static/{path}", headers={"Accept-Encoding": "identity"})
        again = await client.get(
            f"/static/{path}", headers={"If-None-Match": reply.headers["etag"]}
        )
        head = await client.head(f"/static/{path}")

    assert reply.status_code == head.status_code == 200
    assert reply.headers["content-type"] == kind
    assert cache in reply.headers["cache-control"]
    assert reply.content == plain.content == (STATIC / path).read_bytes()
    assert "content-encoding" not in plain.headers
    assert ("content-encoding" in reply.headers) == (not path.endswith("woff2"))
    assert (again.status_code, again.content) == (304, b"")


async def test_the_front_door_is_the_operator_page() -> None:
    async with client_of(FakeEngine()) as client:
        root = await client.get("/")
        page = await client.get("/operate")
        health = await client.get("/healthz")

    assert (root.status_code, root.headers["location"]) == (307, "/operate")
    assert "<title>HIL Scheduler</title>" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert health.json() == {"status": "ok"}


@pytest.mark.parametrize("page", ["operate.html", "docs.html"])
def test_a_page_refers_only_to_files_that_are_there(page: str) -> None:
    text = (STATIC / page).read_text()
    referred = re.findall(r'"(/static/[^"]+)"', text)

    assert referred
    assert [name for name in referred if not (STATIC.parent / name[1:]).is_file()] == []
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_own_modules_are_all_used_and_import_only_what_is_there() -> None:
    pages = " ".join(path.read_text() for path in STATIC.glob("*.html"))
    modules = {path.name: path.read_text() for path in STATIC.glob("*.js")}
    named = set(re.findall(r"/static/(\w+\.js)", pages))
    for text in modules.values():
        named |= set(re.findall(r'(?:from |import\()"\./(\w+\.js)"', text))

    assert named == set(modules)
    assert all(text.count("\n") <= 400 for text in modules.values())


async def test_the_openapi_document_has_the_models_and_problems() -> None:
    async with client_of(FakeEngine()) as client:
        document = (await client.get("/api/openapi.json")).json()
        docs = await client.get("/api/docs")

    assert document["openapi"].startswith("3.1")
    assert docs.status_code == 200
    schemas = document["components"]["schemas"]
    assert {"Snapshot", "PlantState", "Command", "ManualBody", "ProblemBody"} <= schemas.keys()
    text = json.dumps(document)
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert referred <= schemas.keys()
    start = document["paths"]["/api/v1/plants/{plant}/{action}"]["post"]["responses"]
    assert set(start) == {"202", "403", "404", "409", "422", "429"}
    assert "application/problem+json" in start["409"]["content"]


async def test_a_first_visit_is_small() -> None:
    text = (STATIC / "operate.html").read_text()
    names = set(re.findall(r'"/(static/[^"]+)"', text))
    names |= {f"static/{path.name}" for path in STATIC.glob("*.js")}
    async with client_of(FakeEngine()) as client:
        sizes = [
            int((await client.get(f"/{name}")).headers["content-length"]) for name in sorted(names)
        ]

    assert sum(sizes) <= MAX_FIRST_VISIT_BYTES
