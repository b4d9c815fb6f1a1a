"""Bodies of requests: bounded while they stream in, decoded strictly, parsed off the loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from hil.domain.errors import InvalidInput
from hil.web.problem import Refused, problems_of

T = TypeVar("T")

# A year of quarter hours is 1.4 MB and ten days of 10 s steps 3.5 MB; more would also keep a
# worker thread busy for seconds.
MAX_BODY_BYTES = 4 * 1024 * 1024
# One file and a few form fields that a browser or a script may add.
MAX_FORM_FIELDS = 8
CSV_TYPES = ("text/csv", "text/plain", "application/csv", "application/octet-stream")


async def read_json(request: Request, adapter: TypeAdapter[T]) -> T:
    """The body as the adapter's type.

    Raises:
        Refused: It is no JSON by its type (415), or too large (413).
        InvalidInput: With everything that is wrong.
    """
    _require_type(request, ("application/json",))
    return await _parsed(await _read(request), adapter)


async def read_optional_json(request: Request, adapter: TypeAdapter[T], default: T) -> T:
    """As `read_json`; the default when there is no body at all."""
    body = await _read(request)
    if not body:
        return default
    _require_type(request, ("application/json",))
    return await _parsed(body, adapter)


async def _parsed(body: bytes, adapter: TypeAdapter[T]) -> T:
    def parse() -> T:
        try:
            return adapter.validate_json(body, strict=True)
        except ValidationError as error:
            problems = problems_of(error.errors(include_url=False, include_input=False))
            raise InvalidInput("The JSON of the request is wrong.", problems) from None

    return await off_loop(parse)


async def read_csv(request: Request) -> bytes:
    """The CSV of a plain body or of the form field `file`.

    Raises:
        Refused: Another media type (415), or too large (413).
        InvalidInput: A form without a file, or a broken one.
    """
    kind = _require_type(request, (*CSV_TYPES, "multipart/form-data"))
    if kind != "multipart/form-data":
        return await _read(request)
    parser = MultiPartParser(
        request.headers, _bounded(request), max_files=1, max_fields=MAX_FORM_FIELDS
    )
    parser.spool_max_size = MAX_BODY_BYTES + 1  # in memory: the bound is ours, no temporary file
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise InvalidInput(f"The form cannot be read ({error}). Send one field 'file'.") from None
    file = form.get("file")
    if not isinstance(file, UploadFile):
        await form.close()
        raise InvalidInput("The form has no file in its field 'file'.")
    data = await file.read()
    await form.close()
    return data


async def off_loop(work: Callable[[], T]) -> T:
    """Run pure work in a thread, so that a large body never delays a dispatch."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def _read(request: Request) -> bytes:
    chunks = [chunk async for chunk in _bounded(request)]
    return b"".join(chunks)


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    """The chunks of the body; ends in `Refused` at the first byte too many."""
    limit = f"{MAX_BODY_BYTES // (1024 * 1024)} MiB"
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise Refused(400, "The Content-Length is not a number.")
    size = 0
    too_long = len(length) > 18 or int(length) > MAX_BODY_BYTES
    if not too_long:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                too_long = True
                break
            yield chunk
    if too_long:
        headers = {"Connection": "close"}  # the rest is not read
        raise Refused(413, f"The body is larger than {limit}. Split the schedule.", headers=headers)


def _require_type(request: Request, allowed: tuple[str, ...]) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in allowed:
        names = " or ".join(allowed[:1] if len(allowed) == 1 else (allowed[0], allowed[-1]))
        raise Refused(415, f"Send this as {names}; it came as {kind or 'nothing named'}.")
    return kind


def json_docs(model: str, *, required: bool = True) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads this model from a JSON body."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}
