"""The doctor's judgement of facts."""

import pytest

from hil.checkup.doctor import (
    ClockFact,
    DirectoryFact,
    EndpointFact,
    Facts,
    GuardFact,
    MarketFact,
    PortFact,
    StopFact,
    judge,
)
from hil.domain.finding import Finding, Severity
from hil.domain.plant import Transport

OK, WARNING, FAILED = Severity.OK, Severity.WARNING, Severity.FAILED
PORT = PortFact(what="the page", where="127.0.0.1:8050", error=None)
TAKEN = "Address already in use"


def only(subject: str, facts: Facts) -> Finding:
    (found,) = [each for each in judge(facts) if each.subject == subject]
    return found


def facts(**given: object) -> Facts:
    return Facts(config="config.yaml", **given)  # type: ignore[arg-type]  # fields of one name


def test_a_bad_configuration_fails_with_its_problems() -> None:
    found = only("config", facts(config_problem="config.yaml: line 3: timming: unknown key"))

    assert found.severity is FAILED
    assert "timming" in found.text


def test_what_has_no_effect_is_a_warning() -> None:
    findings = judge(facts(passed_over=("grid.noise",)))

    assert [each.severity for each in findings] == [OK, WARNING]


@pytest.mark.parametrize(
    ("port", "engine", "severity"),
    [
        (PORT, None, OK),
        (PortFact(what="the page", where="x:1", error=TAKEN), None, FAILED),
        (PortFact(what="the page", where="x:1", error=TAKEN), "the engine runs", OK),
        (PortFact(what="emulated lib", where="x:1", error=TAKEN, is_emulator=True), None, WARNING),
    ],
)
def test_a_port_is_free_ours_or_taken(
    port: PortFact, engine: str | None, severity: Severity
) -> None:
    assert only("ports", facts(ports=(port,), engine=engine)).severity is severity


@pytest.mark.parametrize(
    ("clock", "severity"),
    [
        (ClockFact(), WARNING),
        (ClockFact(source="timedatectl", is_synchronised=True), OK),
        (ClockFact(source="timedatectl", is_synchronised=False), WARNING),
        (ClockFact(source="chrony", is_synchronised=True, offset_s=0.0001), OK),
        (ClockFact(source="chrony", is_synchronised=True, offset_s=-0.7), WARNING),
        (ClockFact(source="chrony", is_synchronised=True, offset_s=40.0), FAILED),
    ],
)
def test_the_clock_is_judged_by_its_service(clock: ClockFact, severity: Severity) -> None:
    assert only("clock", facts(clock=clock)).severity is severity


@pytest.mark.parametrize(
    ("free", "error", "severity"),
    [
        (10**11, None, OK),
        (None, None, OK),
        (10**8, None, WARNING),
        (10**6, None, FAILED),
        (10**11, "Permission denied", FAILED),
    ],
)
def test_the_disk_needs_room_and_a_write(
    free: int | None, error: str | None, severity: Severity
) -> None:
    directory = DirectoryFact(path="data", free_bytes=free, write_error=error)

    assert only("disk", facts(directory=directory)).severity is severity


def test_files_open_to_others_are_named() -> None:
    directory = DirectoryFact(
        path="data", free_bytes=None, write_error=None, open_to_others=("data/users.json",)
    )

    assert only("permissions", facts(directory=directory)).cure == "chmod go-rwx data/users.json"


@pytest.mark.parametrize(("error", "severity"), [(None, OK), ("Connection refused", FAILED)])
def test_an_endpoint_is_reachable_or_not(error: str | None, severity: Severity) -> None:
    end = EndpointFact(plant="lib", transport=Transport.REMOTE, where="x:502", error=error)

    assert only("endpoints", facts(endpoints=(end,))).severity is severity


@pytest.mark.parametrize(
    ("error", "logged_in", "severity", "says"),
    [
        (None, True, OK, "takes the log-in"),
        (None, False, OK, "typed in later"),
        ("refuses the log-in", False, FAILED, "refuses the log-in"),
    ],
)
def test_a_market_api_answers_or_not(
    error: str | None, logged_in: bool, severity: Severity, says: str
) -> None:
    market = MarketFact(where="https://market.test", error=error, logged_in=logged_in)

    found = only("market API", facts(market=market))

    assert found.severity is severity
    assert says in found.text


@pytest.mark.parametrize(
    ("stop_s", "severity"), [(10.0, WARNING), (44.9, WARNING), (45.0, OK), (None, OK)]
)
def test_a_service_manager_waits_for_the_safe_stop(
    stop_s: float | None, severity: Severity
) -> None:
    stop = StopFact(setting="stop_grace_period", where="compose.yaml: hil", stop_s=stop_s)
    found = only("stop time-out", facts(safe_stop_s=30.0, stops=(stop,)))

    assert found.severity is severity
    if severity is WARNING:
        assert found.cure == "set stop_grace_period to 45 s or more"


def test_without_a_service_manager_the_time_it_needs_is_said() -> None:
    found = only("stop time-out", facts(safe_stop_s=30.0))

    assert found.severity is OK
    assert "45 s" in found.text


@pytest.mark.parametrize(
    ("has_heartbeat", "revert_s", "severity"),
    [(True, None, OK), (False, 20.0, OK), (False, None, WARNING)],
)
def test_something_must_stop_a_plant_when_we_die(
    has_heartbeat: bool, revert_s: float | None, severity: Severity
) -> None:
    guard = GuardFact(plant="lib", has_heartbeat=has_heartbeat, revert_s=revert_s)

    assert only("watchdog", facts(guards=(guard,))).severity is severity
