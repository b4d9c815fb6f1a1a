"""The client of a running engine, against real sockets: whom it asks, and every bad answer."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_script import EngineScript, event, serving, unix_listener
from hil.adapters.data_directory import SOCKET_NAME
from hil.adapters.engine_answer import NoAnswer, read_snapshot
from hil.adapters.engine_client import EngineClient, Event, Lost, Patience, Picture, Ping
from hil.domain.errors import (
    EditConflict,
    HilError,
    Impossible,
    InvalidInput,
    NotFound,
    Problem,
    QueueFull,
)
from hil.domain.schedule import Signal
from web_support import NOON, first_snapshot

QUICK = Patience(answer_s=0.2, silence_s=0.2, poll_s=0, retry_s=0, poll_retries=2, stream_retries=2)
PATIENT = Patience(poll_s=0, retry_s=0, poll_retries=2, stream_retries=2)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="hil") as path:
        yield Path(path)


@contextlib.contextmanager
def asking(script: EngineScript, folder: Path) -> Iterator[EngineClient]:
    """A client of an engine that plays the script."""
    with (
        serving(script, unix_listener(folder)),
        EngineClient.open(folder, {}, patience=PATIENT) as client,
    ):
        yield client


@contextlib.contextmanager
def answering(folder: Path, raw: bytes | None) -> Iterator[None]:
    """A server whose every answer is these bytes; None: none at all."""
    listener = unix_listener(folder)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                if raw is None:
                    ended.wait()
                elif connection.recv(65_536):
                    connection.sendall(raw)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(folder / SOCKET_NAME))
        thread.join()
        listener.close()


def sentence_of(error: pytest.ExceptionInfo[HilError]) -> str:
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def test_the_socket_goes_before_the_address(folder: Path) -> None:
    script = EngineScript()
    with (
        serving(script, unix_listener(folder)),
        EngineClient.open(folder, {"HIL_URL": "http://192.0.2.1:1"}) as client,
    ):
        assert client.state()["seq"] == 1
    assert [one.authorization for one in script.seen] == [None]


def test_without_a_socket_the_address_is_asked_with_the_token(folder: Path) -> None:
    script = EngineScript()
    listener = socket.create_server(("127.0.0.1", 0))
    env = {
        "HIL_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/",
        "HIL_TOKEN": "secret",
        "HTTP_PROXY": "http://192.0.2.1:1",
    }
    with serving(script, listener), EngineClient.open(folder, env) as client:
        client.state()
    assert [(one.path, one.authorization) for one in script.seen] == [("/state", "Bearer secret")]


def test_a_socket_that_was_left_behind_gives_way_to_the_address(folder: Path) -> None:
    unix_listener(folder).close()
    script = EngineScript()
    listener = socket.create_server(("127.0.0.1", 0))
    env = {"HIL_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
    with serving(script, listener), EngineClient.open(folder, env) as client:
        assert client.state()["seq"] == 1


def test_without_any_engine_it_says_what_to_do(folder: Path) -> None:
    with pytest.raises(NoAnswer) as error:
        EngineClient.open(folder, {"HIL_URL": " "})
    assert sentence_of(error) == (
        f"no engine runs on {folder}: start one with `hil run`, or set HIL_URL"
    )


def test_a_stale_socket_is_called_one(folder: Path) -> None:
    unix_listener(folder).close()
    with pytest.raises(NoAnswer) as error:
        EngineClient.open(folder, {})
    assert "its socket is left from one that was killed" in sentence_of(error)


def test_a_path_too_long_for_a_socket_is_one_sentence(folder: Path) -> None:
    with pytest.raises(HilError) as error:
        EngineClient.open(folder / ("x" * 120), {})
    assert "choose another --data-dir" in sentence_of(error)


@pytest.mark.parametrize(
    "env",
    [
        {"HIL_URL": "bench.example"},
        {"HIL_URL": "ftp://bench.example"},
        {"HIL_URL": "http://ana:secret@bench.example"},
        {"HIL_URL": "http://bench.example?x=1"},
        {"HIL_URL": "http://bench.example:99999999"},
        {"HIL_URL": "http://bench.example", "HIL_TOKEN": "två ord"},
        {"HIL_URL": "http://bench.example", "HIL_TOKEN": "a\nX: b"},
    ],
)
def test_an_address_or_token_that_cannot_be_is_wrong_usage(
    folder: Path, env: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as error:
        EngineClient.open(folder, env)
    assert "secret" not in sentence_of(error)


def test_an_address_where_nobody_listens_is_one_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        EngineClient.open(folder, {"HIL_URL": f"http://127.0.0.1:{port}"}) as client,
        pytest.raises(NoAnswer) as error,
    ):
        client.submit("POST", "/fleet/stop")
    assert sentence_of(error).startswith(f"the engine at http://127.0.0.1:{port} cannot be reached")
    assert "not known" not in sentence_of(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (403, HilError),
        (404, NotFound),
        (409, Impossible),
        (412, EditConflict),
        (429, QueueFull),
        (500, HilError),
        (503, NoAnswer),
    ],
)
def test_a_problem_is_raised_as_the_error_that_the_engine_had(
    folder: Path, status: int, kind: type[HilError]
) -> None:
    script = EngineScript(answers={("GET", "/state"): (status, {"detail": "Say why. Do this."})})
    with asking(script, folder) as client, pytest.raises(HilError) as error:
        client.state()
    assert type(error.value) is kind
    assert str(error.value) == "Say why. Do this."


def test_problems_of_an_input_keep_their_places(folder: Path) -> None:
    problems: list[Any] = [{"where": "column p_kw", "why": "is empty", "line": 3}, "nonsense"]
    script = EngineScript(
        answers={
            ("POST", "/plants/lib/schedules/manual/csv"): (
                422,
                {"detail": "1 row is wrong", "problems": problems},
            )
        }
    )
    with asking(script, folder) as client, pytest.raises(InvalidInput) as error:
        client.load_csv("lib", b"x", start=NOON, signal=Signal.Q)
    assert error.value.problems == (Problem(where="column p_kw", why="is empty", line=3),)
    assert script.seen[0].query == {"start": NOON.isoformat(), "signal": "q"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>Log in</html>", "cannot be read"),
        (200, [1, 2], "cannot be read"),
        (302, b"", "answers 302 Found and not as an engine does"),
        (502, b"<html>Bad gateway</html>", "answers 502 Bad Gateway"),
        (599, {"error": "?"}, "answers 599 and not"),
    ],
)
def test_what_is_no_engine_is_one_sentence(folder: Path, status: int, body: Any, said: str) -> None:
    script = EngineScript(answers={("GET", "/state"): (status, body)})
    with asking(script, folder) as client, pytest.raises(NoAnswer) as error:
        client.state()
    assert said in sentence_of(error)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (None, "did not answer in time"),
        (b"", "broke off its answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off its answer"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nhm", "answers 502 Bad Gateway"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "broke off its answer"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n{{{{{",
            "broke off",
        ),
    ],
)
def test_a_command_without_an_answer_may_have_been_taken(
    folder: Path, raw: bytes | None, said: str
) -> None:
    with answering(folder, raw), EngineClient.open(folder, {}, patience=QUICK) as client:
        with pytest.raises(NoAnswer) as error:
            client.submit("POST", "/plants/lib/stop")
        assert said in sentence_of(error)
        assert "whether it did what was asked is not known" in sentence_of(error)
        with pytest.raises(NoAnswer) as reading:
            client.state()
        assert "not known" not in sentence_of(reading)


def test_a_command_is_followed_to_its_end(folder: Path) -> None:
    script = EngineScript(ends={"/plants/lib/stop": ("failed", "no answer", None)})
    with asking(script, folder) as client:
        queued = client.submit("POST", "/plants/lib/stop")
        ended = client.wait(queued["id"])
    assert queued["status"] == "queued"
    assert (ended["status"], ended["error"]) == ("failed", "no answer")


def test_a_command_that_does_not_end_is_not_waited_for_for_ever(folder: Path) -> None:
    script = EngineScript()
    with asking(script, folder) as client:
        queued = client.submit("POST", "/plants/lib/stop")
        with pytest.raises(NoAnswer) as error:
            client.wait(queued["id"], within_s=0)
    assert "has not ended within 0 s and goes on" in sentence_of(error)


def test_an_engine_that_is_away_meanwhile_is_asked_again_a_few_times(folder: Path) -> None:
    answers: dict[tuple[str, str], tuple[int, Any]] = {
        ("GET", "/commands/c1"): (503, {"detail": "The server is stopping."})
    }
    script = EngineScript(answers=answers)
    with asking(script, folder) as client, pytest.raises(NoAnswer, match="is stopping"):
        client.wait("c1")
    assert len(script.seen) == 1 + PATIENT.poll_retries


def test_a_command_id_cannot_lead_elsewhere(folder: Path) -> None:
    script = EngineScript(answers={("GET", "/commands/../state"): (404, {"detail": "No."})})
    with asking(script, folder) as client, pytest.raises(NotFound):
        client.wait("../state")


def test_what_is_no_command_is_not_taken_for_one(folder: Path) -> None:
    script = EngineScript(answers={("POST", "/fleet/stop"): (202, {"id": "c1", "status": "ok"})})
    with asking(script, folder) as client, pytest.raises(NoAnswer, match="cannot be read"):
        client.submit("POST", "/fleet/stop")


def test_the_stream_is_asked_for_again_until_it_is_gone_for_good(folder: Path) -> None:
    picture = event("state", first_snapshot())
    script = EngineScript(
        streams=[
            picture + event("ping", {"time": NOON}) + b"event: state\ndata: {\n\n",
            b"",
            picture + picture[: len(picture) // 2],
        ]
    )
    seen: list[Event] = []
    with asking(script, folder) as client, pytest.raises(NoAnswer, match="ended the stream"):
        seen.extend(client.events())  # extends event by event until it raises
    assert [type(one) for one in seen] == [Picture, Ping, Lost, Lost, Picture, Lost, Lost]


def test_a_silent_stream_is_lost(folder: Path) -> None:
    with answering(folder, None), EngineClient.open(folder, {}, patience=QUICK) as client:
        first = next(client.events())
    assert isinstance(first, Lost)
    assert "did not answer in time" in first.why


def test_a_stream_that_is_refused_is_not_asked_for_again(folder: Path) -> None:
    script = EngineScript(answers={("GET", "/stream"): (403, {"detail": "Not for you."})})
    with asking(script, folder) as client, pytest.raises(HilError, match="Not for you"):
        next(client.events())
    assert len(script.seen) == 1


def test_a_state_becomes_the_picture_that_it_was(folder: Path) -> None:
    script = EngineScript()
    with asking(script, folder) as client:
        assert read_snapshot(client.state()) == script.picture
