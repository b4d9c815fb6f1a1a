"""The answers of an engine: JSON, problem documents and events, into values and errors."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from hil.domain.errors import (
    EditConflict,
    HilError,
    Impossible,
    InvalidInput,
    NotFound,
    Problem,
    QueueFull,
)
from hil.domain.smoke_report import Reading, SmokeReport
from hil.domain.snapshot import Snapshot

T = TypeVar("T")

# A day of setpoints at 1 s is a tenth of this; more is not an engine's answer.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


class NoAnswer(HilError):
    """The engine could not be reached, or what came back is no answer; it may have acted."""


def json_of(response: httpx.Response, text: bytes, place: str) -> Any:
    """The JSON of a good answer; raises the error that a bad one tells of.

    Args:
        place: Who has answered, for the sentences.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
        if response.is_success:
            raise unreadable(place) from None
    if response.is_success:
        return value
    raise _error(response.status_code, value, place)


def _error(status: int, value: Any, place: str) -> HilError:
    if not isinstance(value, dict) or not isinstance(value.get("detail"), str):
        names = {one.value: one.phrase for one in HTTPStatus}
        said = f"{status} {names.get(status, '')}".strip()
        return NoAnswer(f"{place} answers {said} and not as an engine does; see that it is one")
    detail = value["detail"]
    match status:
        case 400 | 422:
            return InvalidInput(detail, _problems(value.get("problems")))
        case 401:
            return HilError(f"{detail} (HIL_TOKEN holds the token)")
        case 404:
            return NotFound(detail)
        case 409:
            return Impossible(detail)
        case 412:
            return EditConflict(detail)
        case 429:
            return QueueFull(detail)
        case 502 | 503 | 504:
            return NoAnswer(detail)
        case _:
            return HilError(detail)


def _problems(value: Any) -> list[Problem]:
    found = value if isinstance(value, list) else []
    return [
        Problem(
            where=str(one.get("where")),
            why=str(one.get("why")),
            line=one["line"] if isinstance(one.get("line"), int) else None,
        )
        for one in found
        if isinstance(one, dict)
    ]


def objects_of(value: Any, place: str) -> list[dict[str, Any]]:
    """The value as a list of objects; raises `NoAnswer`."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise unreadable(place)
    return value


def unreadable(place: str) -> NoAnswer:
    """The error of an answer that has not the shape of one."""
    return NoAnswer(
        f"the answer of {place} cannot be read; see that it is an engine of this version"
    )


def frames(response: httpx.Response) -> Iterator[bytes]:
    """The events of a stream, each bounded in size."""
    buffer = bytearray()
    for chunk in response.iter_bytes():
        buffer += chunk
        while (end := buffer.find(b"\n\n")) >= 0:
            yield bytes(buffer[:end])
            del buffer[: end + 2]
        if len(buffer) > ANSWER_BYTES_MAX:
            raise httpx.ReadError(f"an event has more than {ANSWER_BYTES_MAX} bytes")


def event_of(frame: bytes) -> tuple[str, Any]:
    """The name and the data of an event; what cannot be read is nobody's event."""
    name, data = "", b""
    for line in frame.split(b"\n"):
        key, _, value = line.partition(b": ")
        if key == b"event":
            name = value.decode(errors="replace")
        elif key == b"data":
            data += value
    try:
        return name, orjson.loads(data)
    except orjson.JSONDecodeError:
        return "", None


def read_snapshot(state: Mapping[str, Any]) -> Snapshot:
    """The picture in the domain's types; raises `HilError` when it is of another version."""
    return _read(_snapshot_adapter(), state, "state")


def read_smoke(answer: Mapping[str, Any]) -> SmokeReport:
    """A smoke report in the domain's types; raises `HilError` when it is of another version."""
    return _read(TypeAdapter(SmokeReport), answer, "smoke report")


def read_readings(answer: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """Registers as they were read; raises `HilError` when they are of another version."""
    return _read(TypeAdapter(list[Reading]), answer, "answer")


def _read(adapter: TypeAdapter[T], value: object, what: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise HilError(
            f"the engine's {what} cannot be read ({where}: {first['msg']});"
            " see that `hil` is of the engine's version"
        ) from None


@cache
def _snapshot_adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)
