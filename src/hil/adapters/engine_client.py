"""A client of a running engine: through its Unix socket, else through `$HIL_URL`."""

import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from hil.adapters.data_directory import SOCKET_NAME
from hil.adapters.engine_address import (
    TOKEN_VARIABLE,
    URL_VARIABLE,
    authorization,
    checked_url,
    why_no_connection,
)
from hil.adapters.engine_answer import (
    ANSWER_BYTES_MAX,
    NoAnswer,
    event_of,
    frames,
    json_of,
    objects_of,
    unreadable,
)
from hil.adapters.system_clock import SystemClock
from hil.domain.commands import CommandStatus
from hil.domain.schedule import Signal

API = "/api/v1"
_CONNECTION = "/schedule-api/connection"

_DOUBT = "; whether it did what was asked is not known, see `hil status`"
_clock = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the client waits, in seconds, and how often it tries again.

    `answer_s` is for a whole answer, `silence_s` for the next event of the stream (there is a ping
    every 2 s), `command_s` for a command to end. Attempts in a row without an answer, `retry_s`
    apart: `poll_retries` while a command is followed, `stream_retries` while the stream is.
    """

    connect_s: float = 2.0
    answer_s: float = 10.0
    silence_s: float = 6.0
    command_s: float = 900.0
    poll_s: float = 0.1
    retry_s: float = 2.0
    poll_retries: int = 5
    stream_retries: int = 150


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Picture:
    """An event of the stream: the body of `GET /state`."""

    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """An event of the stream: the picture is still the newest one."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream broke, and is asked for again: what was shown is old now."""

    why: str


Event = Picture | Ping | Lost


class EngineClient:
    """Asks one engine. Every method raises `HilError`; threads may share a client.

    An answer that says what is wrong is raised as the error that the engine had; without an answer
    it is `NoAnswer`.
    """

    def __init__(self, http: httpx.Client, place: str, patience: Patience = PATIENT) -> None:
        self._http = http
        self._patience = patience
        self.place = place

    @classmethod
    def open(
        cls, data_dir: Path, env: Mapping[str, str], *, patience: Patience = PATIENT
    ) -> "EngineClient":
        """The engine of this data directory if its socket takes a connection, else `$HIL_URL`.

        Nothing is asked of it yet.
        """
        path = data_dir / SOCKET_NAME
        why_not = why_no_connection(path, within_s=patience.connect_s)
        timeout = httpx.Timeout(patience.answer_s, connect=patience.connect_s)
        if why_not is None:
            http = httpx.Client(
                transport=httpx.HTTPTransport(uds=os.fspath(path)),
                base_url="http://engine",
                timeout=timeout,
                trust_env=False,
            )
            return cls(http, f"the engine on {data_dir}", patience)
        url = env.get(URL_VARIABLE, "").strip()
        if not url:
            raise NoAnswer(f"{why_not}, or set {URL_VARIABLE}")
        http = httpx.Client(
            base_url=checked_url(url),
            headers=authorization(env.get(TOKEN_VARIABLE, "").strip()),
            timeout=timeout,
            trust_env=False,
            verify=ssl.create_default_context(),  # the machine's own authorities
        )
        return cls(http, f"the engine at {url}", patience)

    def __enter__(self) -> "EngineClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def state(self) -> dict[str, Any]:
        """The whole picture, as the engine writes it."""
        return self._object("GET", "/state")

    def alarms(self) -> list[dict[str, Any]]:
        """The open alarms."""
        return self._list("GET", "/alarms")

    def acknowledge(self, alarm_id: str, note: str | None) -> dict[str, Any]:
        """The alarm, acknowledged."""
        path = f"/alarms/{_quoted(alarm_id)}/ack"
        return self._object("POST", path, body={} if note is None else {"note": note})

    def connect_schedule_api(self, password: str | None) -> dict[str, Any]:
        """The market API's state, connected with this password or the one that is held."""
        body = {} if password is None else {"password": password}
        return self._object("PUT", _CONNECTION, body=body)

    def disconnect_schedule_api(self) -> dict[str, Any]:
        """The market API's state, disconnected."""
        return self._object("DELETE", _CONNECTION)

    def submit(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The command that the engine has queued for this request."""
        return self._command(self._object(method, path, body=body))

    def wait(self, command_id: str, *, within_s: float | None = None) -> dict[str, Any]:
        """The command once it has ended; an engine that is away meanwhile is asked again.

        Args:
            within_s: None: as long as the client's patience lasts.
        """
        limit_s = self._patience.command_s if within_s is None else within_s
        deadline_ns = _clock.monotonic_ns() + round(limit_s * 1e9)
        failed = 0
        while True:
            pause_s = self._patience.poll_s
            try:
                command = self._command(self._object("GET", f"/commands/{_quoted(command_id)}"))
                if CommandStatus(command["status"]).is_final:
                    return command
                failed = 0
            except NoAnswer:
                failed += 1
                if failed > self._patience.poll_retries:
                    raise
                pause_s = self._patience.retry_s
            if _clock.monotonic_ns() >= deadline_ns:
                raise NoAnswer(
                    f"the command has not ended within {limit_s:g} s and goes on;"
                    " `hil status` shows what became of it"
                )
            _pause(pause_s)

    def events(self) -> Iterator[Event]:
        """The stream: pictures and pings, and `Lost` each time that it breaks.

        Raises:
            NoAnswer: It could not be had again.
        """
        failed = 0
        while True:
            try:
                for event in self._stream():
                    failed = 0
                    yield event
                why = f"{self.place} has ended the stream"
            except NoAnswer as error:
                why = str(error)
            failed += 1
            if failed > self._patience.stream_retries:
                raise NoAnswer(why)
            yield Lost(why)
            _pause(self._patience.retry_s)

    def effective_schedule(
        self, plant: str, start: datetime, end: datetime
    ) -> list[dict[str, Any]]:
        """What would be dispatched in `[start, end)`, a point a change."""
        params = {"start": start.isoformat(), "end": end.isoformat()}
        answer = self._object("GET", f"/plants/{_quoted(plant)}/schedule", params=params)
        return objects_of(answer.get("points"), self.place)

    def load_csv(
        self, plant: str, data: bytes, *, start: datetime | None, signal: Signal | None
    ) -> dict[str, Any]:
        """The manual schedule after loading a file; `start` and `signal` for the hours form."""
        params = {"start": start and start.isoformat(), "signal": signal}
        return self._object(
            "POST",
            f"/plants/{_quoted(plant)}/schedules/manual/csv",
            content=data,
            kind="text/csv",
            params={key: str(value) for key, value in params.items() if value is not None},
        )

    def make_random(self, plant: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The manual schedule after making it at random."""
        path = f"/plants/{_quoted(plant)}/schedules/manual/random"
        return self._object("POST", path, body=wanted)

    def override(self, plant: str, signal: Signal) -> dict[str, Any]:
        """The override of a signal; without points there is none."""
        return self._object("GET", _path(plant, "overrides", signal.value))

    def put_override(self, plant: str, signal: Signal, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The override of a signal after replacing it."""
        return self._object("PUT", _path(plant, "overrides", signal.value), body=wanted)

    def remove_override(self, plant: str, signal: Signal) -> dict[str, Any]:
        """The override of a signal after removing it."""
        return self._object("DELETE", _path(plant, "overrides", signal.value))

    def registers(self, plant: str, points: Sequence[str]) -> list[dict[str, Any]]:
        """These points as the engine has just read them; without any, all of the plant."""
        params = {"points": ",".join(points)} if points else None
        answer = self._object("GET", f"/plants/{_quoted(plant)}/registers", params=params)
        return objects_of(answer.get("registers"), self.place)

    def smoke(self, plant: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The report of a smoke check that the engine has made of one of its plants."""
        return self._object("POST", f"/plants/{_quoted(plant)}/smoke", body=wanted)

    def put_fault(self, plant: str, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The faults of an emulated plant after setting one."""
        return self._object("PUT", _path(plant, "faults", name), body=params)

    def clear_fault(self, plant: str, name: str) -> dict[str, Any]:
        """The faults of an emulated plant after ending one."""
        return self._object("DELETE", _path(plant, "faults", name))

    def _object(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = self._ask(method, path, **more)
        if not isinstance(answer, dict):
            raise unreadable(self.place)
        return answer

    def _list(self, method: str, path: str) -> list[dict[str, Any]]:
        return objects_of(self._ask(method, path), self.place)

    def _command(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(answer.get("id"), str) or answer.get("status") not in set(CommandStatus):
            raise unreadable(self.place)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        kind: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Any:
        data = content if body is None else orjson.dumps(body)
        headers = {} if data is None else {"Content-Type": kind}
        try:
            with self._http.stream(
                method, API + path, content=data, headers=headers, params=params
            ) as response:
                text = self._read(response)
        except httpx.RequestError as error:
            raise self._no_answer(error, acts=method != "GET") from error
        try:
            return json_of(response, text, self.place)
        except NoAnswer as error:
            if method == "GET" or response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise NoAnswer(f"{error}{_DOUBT}") from None

    def _read(self, response: httpx.Response) -> bytes:
        """The whole body, within the time and the size of an answer."""
        deadline_ns = _clock.monotonic_ns() + round(self._patience.answer_s * 1e9)
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if _clock.monotonic_ns() > deadline_ns:
                raise httpx.ReadTimeout("the answer does not end")
            if len(body) > ANSWER_BYTES_MAX:
                raise httpx.ReadError(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
        return bytes(body)

    def _stream(self) -> Iterator[Event]:
        timeout = httpx.Timeout(self._patience.silence_s, connect=self._patience.connect_s)
        try:
            with self._http.stream("GET", f"{API}/stream", timeout=timeout) as response:
                if not response.is_success:
                    json_of(response, self._read(response), self.place)
                for frame in frames(response):
                    name, data = event_of(frame)
                    if name == "state" and isinstance(data, dict):
                        yield Picture(data)
                    elif name == "ping":
                        yield Ping()
        except httpx.RequestError as error:
            raise self._no_answer(error, acts=False) from error

    def _no_answer(self, error: httpx.RequestError, *, acts: bool) -> NoAnswer:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return NoAnswer(f"{self.place} cannot be reached ({_reason(error)}); is it running?")
        what = (
            "did not answer in time"
            if isinstance(error, httpx.TimeoutException)
            else f"broke off its answer ({_reason(error)})"
        )
        return NoAnswer(f"{self.place} {what}{_DOUBT if acts else ''}")


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _path(plant: str, kind: str, name: str) -> str:
    return f"/plants/{_quoted(plant)}/{kind}/{_quoted(name)}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _pause(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - a program without a loop waits here
