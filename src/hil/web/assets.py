"""The files of the pages, from memory: typed in code, gzipped once, with ETags."""

import base64
import functools
import gzip
import hashlib
import html
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from hil.web.problem import problem_response

# Not the machine's table, which may call a module text/plain; nosniff would then refuse it.
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "ts": "text/plain; charset=utf-8",
}
_COMPRESSED = {"woff2"}
_VENDOR = "vendor/"
# A vendored file's path carries its version: it never changes.
_FOREVER = "public, max-age=31536000, immutable"
# An own file is asked for again each time, and answered with 304 when it is the same.
_REVALIDATE = "no-cache"

_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `gzipped` None: compressing it saves nothing."""

    media_type: str
    cache: str
    body: bytes
    gzipped: bytes | None
    tag: str

    def response(self, request: Request) -> Response:
        """The file, its gzipped form, or 304 when the caller has it."""
        zipped = self.gzipped is not None and takes_gzip(request)
        etag = f'"{self.tag}-gz"' if zipped else f'"{self.tag}"'
        headers = {"ETag": etag, "Cache-Control": self.cache, "Vary": "Accept-Encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        body = self.gzipped if zipped else self.body
        return Response(body, media_type=self.media_type, headers=headers)


class Assets:
    """Everything below `static/`; pages have the product's title put in."""

    def __init__(self, *, title: str) -> None:
        self._files = {name: _asset(name, body) for name, body in _static().items()}
        self.pages = {
            name.removesuffix(".html"): _page(body.decode(), title)
            for name, body in _static().items()
            if name.endswith(".html")
        }

    async def serve(self, request: Request) -> Response:
        """The file below `/static/` that the path names."""
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            return problem_response(404, f"There is nothing at {request.url.path}.")
        return asset.response(request)


def security_headers() -> dict[str, str]:
    """The headers of every answer; scripts run from our own files and the pages' import map."""
    maps = sorted(
        {
            found.group(1)
            for name, body in _static().items()
            if name.endswith(".html") and (found := _IMPORT_MAP.search(body.decode()))
        }
    )
    hashes = " ".join(f"'sha256-{_sha256_base64(text)}'" for text in maps)
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


@functools.cache
def _static() -> dict[str, bytes]:
    """Every file below `static/` by its path there."""
    found: dict[str, bytes] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in sorted(folder.iterdir(), key=lambda one: one.name):
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2] in _TYPES or entry.name == "LICENSE":
                found[f"{prefix}{entry.name}"] = entry.read_bytes()

    walk(files("hil.web") / "static", "")
    return found


@functools.cache
def _asset(name: str, body: bytes) -> Asset:
    ending = name.rpartition(".")[2]
    return Asset(
        media_type=_TYPES.get(ending, _TYPES["txt"]),
        cache=_FOREVER if name.startswith(_VENDOR) else _REVALIDATE,
        body=body,
        gzipped=None if ending in _COMPRESSED else gzip.compress(body, 9, mtime=0),
        tag=hashlib.sha256(body).hexdigest()[:20],
    )


def _page(text: str, title: str) -> Asset:
    return _asset("page.html", text.replace("{{title}}", html.escape(title)).encode())


def takes_gzip(request: Request) -> bool:
    """Whether the caller reads gzip."""
    wanted = request.headers.get("accept-encoding", "").replace(" ", "").lower().split(",")
    return "gzip" in wanted or "gzip;q=1.0" in wanted


def _sha256_base64(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
