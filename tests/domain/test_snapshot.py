"""The initial state: its shape is the one of the HTTP API, and nothing is known yet."""

from datetime import UTC, datetime
from typing import Any

import orjson

from hil.domain.plant import Source, Transport
from hil.domain.snapshot import SiteInfo, initial_snapshot
from specimen import spec

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def wire() -> dict[str, Any]:
    """The initial state as readers get it."""
    snapshot = initial_snapshot(
        site=SiteInfo(name="HIL bench", timezone="Europe/Madrid"),
        plants=[spec("lib"), spec("vrfb")],
        source=Source.MANUAL,
        transport=Transport.LOCAL,
        posting_enabled=True,
        version="1.2.3",
        now=NOW,
    )
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(snapshot))
    return decoded


def test_site_begins_with_its_selectors_and_nothing_under_way() -> None:
    state = wire()

    assert list(state) == [
        "seq",
        "time",
        "site",
        "source",
        "transport",
        "switching",
        "estop",
        "plants",
        "schedule_api",
        "posting",
        "commands",
        "alarms",
        "engine",
    ]
    assert state["time"] == "2026-01-15T12:00:00+00:00"
    assert state["site"] == {"name": "HIL bench", "timezone": "Europe/Madrid"}
    assert (state["source"], state["transport"], state["switching"]) == ("manual", "local", None)
    assert state["estop"] == {"active": False, "since": None, "by": None}
    assert state["commands"] == {"queued": [], "running": [], "recent": []}
    assert state["alarms"] == []
    assert state["engine"] == {
        "started_at": "2026-01-15T12:00:00+00:00",
        "version": "1.2.3",
        "dispatch_lateness_ms": {"p50": None, "p99": None, "max": None},
        "missed_steps": 0,
        "latency_ms": {
            name: {"p50": None, "p99": None, "max": None}
            for name in ("written", "acked", "readback")
        },
    }


def test_plants_begin_stopped_with_closed_gates_and_unknown_values() -> None:
    plants = wire()["plants"]

    assert list(plants) == ["lib", "vrfb"]
    assert plants["lib"] == {
        "name": "LIB",
        "phase": "stopped",
        "dispatching": False,
        "recording": False,
        "in_service": True,
        "limits": {
            "p_max_kw": 1000,
            "p_min_kw": -800,
            "q_max_kvar": 600,
            "q_min_kvar": -600,
            "capacity_kwh": 500,
            "v_nominal_kv": 20,
        },
        "measurement": None,
        "setpoint": {
            "p_kw": None,
            "q_kvar": None,
            "requested_p_kw": None,
            "requested_q_kvar": None,
            "origin": "none",
            "origins": {"p": "none", "q": "none"},
            "limited_by": [],
            "write": {
                "status": "none",
                "at": None,
                "counts": {},
                "readback_p_kw": None,
                "readback_q_kvar": None,
            },
            "next": None,
        },
        "link": {
            "status": None,
            "age_s": None,
            "consecutive_failures": 0,
            "last_error": None,
            "learned": [],
        },
        "faults": [],
        "session": None,
        "feasibility": None,
    }


def test_nothing_is_fetched_or_posted_yet() -> None:
    state = wire()

    day: dict[str, Any] = {
        "date": None,
        "points": 0,
        "expected": None,
        "complete": False,
        "missing": {},
    }
    assert state["schedule_api"] == {
        "connection": "disconnected",
        "today": day,
        "tomorrow": day,
        "last_attempt": None,
        "last_success": None,
        "error": None,
    }
    assert state["posting"]["effective"] is False
    assert state["posting"]["plants"]["vrfb"] == {
        "pending": 0,
        "oldest_age_s": None,
        "last_attempt": None,
        "last_success": None,
        "last_error": None,
        "sent": 0,
        "dropped": 0,
        "set_aside": 0,
    }
