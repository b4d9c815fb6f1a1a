"""Values as JSON answers, gzipped where they are long."""

import gzip
from typing import Any

import orjson
from fastapi import Request, Response

from hil.web.assets import takes_gzip
from hil.web.body import off_loop

# A history of minutes is 100 kB and more, of which four arrays a signal are nearly alike.
GZIP_FROM_BYTES = 8_192
GZIP_LEVEL = 5


def json_response(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The value as JSON; dataclasses have the shape of their fields."""
    return Response(
        orjson.dumps(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def large_json_response(request: Request, value: Any) -> Response:
    """The value as JSON, gzipped off the loop where that saves something."""
    return await large_json_bytes(request, orjson.dumps(value))


async def large_json_bytes(request: Request, body: bytes) -> Response:
    """JSON that is encoded already, gzipped off the loop where that saves something."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if len(body) >= GZIP_FROM_BYTES and takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        plain = body
        body = await off_loop(lambda: gzip.compress(plain, GZIP_LEVEL, mtime=0))
    return Response(body, media_type="application/json", headers=headers)
