"""hil status, alarms and ack, against an engine that plays a script."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from engine_script import EngineScript, event, with_plant
from hil.adapters.engine_client import EngineClient, Patience
from hil.cli.status_commands import watch
from hil.cli.status_view import status_view
from hil.domain.errors import HilError
from hil.domain.phase import Phase
from hil.domain.snapshot import (
    Alarm,
    AlarmPriority,
    Estop,
    LimitName,
    Link,
    LinkStatus,
    Origin,
    SetpointState,
    Snapshot,
)
from web_support import LIB, NOON, first_snapshot

Shell = Callable[..., Any]

ALARM = Alarm(
    id="a1",
    kind="link_lost",
    priority=AlarmPriority.HIGH,
    plant=LIB,
    text="The plant [bold]does not answer",
    action="Check its cable.",
    raised_at=NOON,
)
IMPATIENT = Patience(silence_s=5, retry_s=0, stream_retries=2)


def text_of(picture: Snapshot, old: str | None = None) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(status_view(picture, old=old))
    return captured.get()


def test_status_shows_every_plant_and_its_link(engine: EngineScript, shell: Shell) -> None:
    engine.picture = with_plant(
        engine.picture,
        "lib",
        phase=Phase.RUNNING,
        dispatching=True,
        recording=True,
        setpoint=SetpointState(
            p_kw=-90.0, origin=Origin.OVERRIDE, limited_by=(LimitName.SOC, LimitName.RAMP)
        ),
        link=Link(status=LinkStatus.TIMEOUT),
    )

    shown = shell("status")

    assert (shown.code, shown.err) == (0, "")
    head, *rows = (line.split() for line in shown.out.splitlines() if line.strip())
    assert " ".join(head) == (
        "HIL bench · 2026-01-15 13:00:00 · source manual · transport local · e-stop clear"
    )
    assert ["lib", "running", "0.0", "-90.0", "50.0", "0.0", "20.010", "timeout", "override",
            "soc,", "ramp", "yes"] in rows  # fmt: skip
    assert any(row[:2] == ["vrfb", "stopped"] for row in rows)


def test_what_is_not_known_is_no_number() -> None:
    picture = with_plant(
        first_snapshot(), "lib", measurement=None, setpoint=SetpointState(), link=Link()
    )

    row = next(line.split() for line in text_of(picture).splitlines() if "lib" in line)

    assert row == ["lib", "stopped", "-", "-", "-", "-", "-", "-", "none", "no"]


def test_an_emergency_stop_and_alarms_say_what_to_do() -> None:
    picture = replace(
        first_snapshot(), estop=Estop(active=True, since=NOON, by="os:ana"), alarms=(ALARM,)
    )

    shown = text_of(picture)

    assert "E-STOP since 2026-01-15 13:00:00 by os:ana: reset it with `hil estop-reset`" in shown
    assert "The plant [bold]does not answer" in shown
    assert "Check its cable." in shown


def test_old_values_are_called_old() -> None:
    shown = text_of(first_snapshot(), old="the engine is gone")

    assert shown.startswith("OLD VALUES of 2026-01-15 13:00:00: the engine is gone")


def test_status_shows_overrides_that_begin_later(engine: EngineScript, shell: Shell) -> None:
    def override(value: float, begins: str, end: str | None = None) -> dict[str, Any]:
        return {"active": False, "points": [{"time": begins, "value": value}], "end": end}

    later, over = "2026-01-15T12:00:01Z", "2026-01-16T12:00:00+00:00"
    engine.overrides = {
        "/plants/lib/overrides/p": override(-90, later, over),
        "/plants/lib/overrides/q": override(5, later, over),
        "/plants/vrfb/overrides/p": override(7, "2026-01-15T12:00:00Z"),
        "/plants/vrfb/overrides/q": override(0, later),
    }

    shown = shell("status")

    lines = [line.split() for line in shown.out.splitlines()]
    head = ["plant", "override", "from", "until", "P", "kW", "Q", "kvar"]
    rows = [line for line in lines[lines.index(head) + 2 :] if line]
    assert rows == [
        ["lib", "2026-01-15", "13:00:01", "2026-01-16", "13:00:00", "-90.0", "5.0"],
        ["vrfb", "2026-01-15", "13:00:01", "removed", "-", "0.0"],
    ]
    assert shell("status", "--json").json() == orjson.loads(orjson.dumps(engine.picture))


def test_status_is_silent_on_overrides_where_none_is_to_come(
    engine: EngineScript, shell: Shell
) -> None:
    begun = {"active": True, "points": [{"time": NOON.isoformat(), "value": 7.0}], "end": None}
    engine.overrides = {"/plants/lib/overrides/p": begun}

    assert "override from" not in shell("status").out


def test_status_as_json_is_the_state(engine: EngineScript, shell: Shell) -> None:
    assert shell("status", "--json").json() == orjson.loads(orjson.dumps(engine.picture))


def test_a_state_of_another_version_is_one_sentence(engine: EngineScript, shell: Shell) -> None:
    engine.answers["GET", "/state"] = (200, {"plants": {}})

    odd = shell("status")

    assert odd.code == 1
    assert odd.err.startswith("the engine's state cannot be read (")


def watched(data_dir: Path, *, as_json: bool = False) -> None:
    """Watch until the stream cannot be had again."""
    with (
        EngineClient.open(data_dir, {}, patience=IMPATIENT) as client,
        pytest.raises(HilError, match="has ended the stream"),
    ):
        watch(client, as_json=as_json)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_watch_follows_the_stream_and_says_when_it_is_gone(
    engine: EngineScript, data_dir: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    picture = event("state", engine.picture)
    engine.streams = [picture + event("ping", {"time": NOON}), b"", picture]

    watched(data_dir, as_json=as_json)

    printed = capsys.readouterr()
    assert printed.out.count("HIL bench") == 2
    # Twice before the second picture, and after it as often as it may be tried again.
    assert printed.err.count("has ended the stream") == 2 + IMPATIENT.stream_retries
    assert ("OLD VALUES" in printed.err) is not as_json


def test_a_watch_on_a_terminal_marks_the_last_values_as_old(
    engine: EngineScript,
    data_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    engine.streams = [event("state", engine.picture)]

    watched(data_dir)

    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.rindex("OLD VALUES") > printed.out.index("HIL bench")


def test_alarms_are_shown_or_said_to_be_none(engine: EngineScript, shell: Shell) -> None:
    assert shell("alarms").out == "no alarm is open\n"

    engine.picture = replace(engine.picture, alarms=(ALARM,))

    assert "Check its cable." in shell("alarms").out
    assert [one["id"] for one in shell("alarms", "--json").json()] == ["a1"]


def test_an_alarm_is_acknowledged_with_a_note(engine: EngineScript, shell: Shell) -> None:
    engine.answers["POST", "/alarms/a1/ack"] = (200, replace(ALARM, acked_by="os:ana"))

    done = shell("ack", "a1", "--note", "cable replaced")

    assert done.out == f"acknowledged, still active: {ALARM.text}\n"
    assert engine.seen[-1].body == {"note": "cable replaced"}


def test_an_unknown_alarm_is_one_sentence(engine: EngineScript, shell: Shell) -> None:
    engine.answers["POST", "/alarms/a9/ack"] = (404, {"detail": "There is no alarm 'a9'."})

    assert (shell("ack", "a9").code, shell("ack", "a9").err) == (1, "There is no alarm 'a9'.\n")
