"""What is wrong with a site before it is run: facts in, findings with what to do out."""

from collections.abc import Iterator
from dataclasses import dataclass

from hil.domain.finding import Finding, Severity
from hil.domain.plant import Transport

# A safe stop is followed by closing recordings and the database.
STOP_MARGIN_S = 15.0
CLOCK_WARN_S = 0.5  # from here on the engine sees the wall clock step
CLOCK_FAIL_S = 5.0  # setpoints would be dispatched seconds off
DISK_WARN_BYTES = 1_000_000_000  # some months of recordings of a few plants
DISK_FAIL_BYTES = 50_000_000  # a day's recordings and logs may not fit


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFact:
    """A TCP port that a part listens on; `error` None: it is free."""

    what: str
    where: str
    error: str | None
    is_emulator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFact:
    """What a time service says; None: it does not say."""

    source: str | None = None
    is_synchronised: bool | None = None
    offset_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryFact:
    """The data directory; `write_error` None: a file could be written and removed there.

    `open_to_others`: files in it that other users can read or write and should not.
    """

    path: str
    free_bytes: int | None
    write_error: str | None
    open_to_others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFact:
    """Whether an endpoint takes a connection; `error` None: it does."""

    plant: str
    transport: Transport
    where: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFact:
    """Whether the market API answers; `error` None: it does, to a log-in if `logged_in`."""

    where: str
    error: str | None
    logged_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFact:
    """How long a service manager waits before it kills; None: for ever."""

    setting: str
    where: str
    stop_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFact:
    """What stops a plant on remote if this program dies; `revert_s` None: it keeps its setpoint."""

    plant: str
    has_heartbeat: bool
    revert_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the doctor looks at.

    `config_problem` None: it is valid; otherwise nothing that depends on it is known.
    `engine` says where the engine of this data directory runs; None: it does not.
    """

    config: str
    config_problem: str | None = None
    passed_over: tuple[str, ...] = ()
    engine: str | None = None
    ports: tuple[PortFact, ...] = ()
    clock: ClockFact | None = None
    directory: DirectoryFact | None = None
    endpoints: tuple[EndpointFact, ...] = ()
    market: MarketFact | None = None
    safe_stop_s: float | None = None
    stops: tuple[StopFact, ...] = ()
    guards: tuple[GuardFact, ...] = ()


def judge(facts: Facts) -> tuple[Finding, ...]:
    """A finding for everything that was looked at."""
    return (
        *_config(facts),
        *_ports(facts),
        *_clock(facts.clock),
        *_directory(facts.directory),
        *_endpoints(facts.endpoints),
        *_market(facts.market),
        *_stops(facts),
        *_guards(facts.guards),
    )


def _config(facts: Facts) -> Iterator[Finding]:
    if facts.config_problem is not None:
        yield _failed("config", facts.config_problem, "mend it; `hil config check` checks it again")
        return
    yield _ok("config", f"{facts.config} is valid")
    for key in facts.passed_over:
        yield _warning("config", f"{key} has no effect in this version", "remove it")


def _ports(facts: Facts) -> Iterator[Finding]:
    for port in facts.ports:
        what = f"{port.what} on {port.where}"
        if port.error is None:
            yield _ok("ports", f"{what}: free")
        elif facts.engine is not None:
            yield _ok("ports", f"{what}: in use while {facts.engine}")
        elif port.is_emulator:
            cure = "fine if `hil emulate` runs; otherwise stop what uses it or change the port"
            yield _warning("ports", f"{what}: {port.error}", cure)
        else:
            cure = "stop what uses it or change the port"
            yield _failed("ports", f"{what}: {port.error}", cure)


def _clock(clock: ClockFact | None) -> Iterator[Finding]:
    if clock is None:
        return
    if clock.source is None or (clock.is_synchronised is None and clock.offset_s is None):
        yield _warning(
            "clock",
            "it cannot be told whether the clock is right: no time service answers here",
            "see that the host keeps its clock by NTP (chrony or systemd-timesyncd)",
        )
        return
    cure = f"see why {clock.source} does not keep the clock; setpoints are due by it"
    offset_s = clock.offset_s
    shown = "" if offset_s is None else f", {offset_s:+.3g} s off"
    if offset_s is not None and abs(offset_s) >= CLOCK_FAIL_S:
        yield _failed("clock", f"the clock is wrong by {offset_s:+.3g} s", cure)
    elif clock.is_synchronised is False or (offset_s is not None and abs(offset_s) >= CLOCK_WARN_S):
        yield _warning("clock", f"the clock is not synchronised ({clock.source}{shown})", cure)
    else:
        yield _ok("clock", f"synchronised ({clock.source}{shown})")


def _directory(directory: DirectoryFact | None) -> Iterator[Finding]:
    if directory is None:
        return
    where, free = directory.path, directory.free_bytes
    if directory.write_error is not None:
        cure = "give this user the folder, or choose another --data-dir"
        yield _failed("disk", f"{where} cannot be written: {directory.write_error}", cure)
    elif free is None:
        yield _ok("disk", f"{where} can be written")
    else:
        shown = f"{where} can be written, {free / 1e9:.3g} GB free"
        cure = "free space: recordings wait in memory while the disk is full"
        if free < DISK_FAIL_BYTES:
            yield _failed("disk", shown, cure)
        elif free < DISK_WARN_BYTES:
            yield _warning("disk", shown, cure)
        else:
            yield _ok("disk", shown)
    for path in directory.open_to_others:
        cure = f"chmod go-rwx {path}"
        yield _warning("permissions", f"other users can open {path}", cure)


def _endpoints(ends: tuple[EndpointFact, ...]) -> Iterator[Finding]:
    for end in ends:
        what = f"{end.plant} {end.transport} {end.where}"
        if end.error is None:
            yield _ok("endpoints", f"{what}: reachable")
        else:
            cure = "check address, network and device; `hil smoke` says more"
            yield _failed("endpoints", f"{what}: {end.error}", cure)


def _market(market: MarketFact | None) -> Iterator[Finding]:
    if market is None:
        return
    if market.error is not None:
        cure = "check schedule_api, the password and the network"
        yield _failed("market API", f"{market.where}: {market.error}", cure)
    elif market.logged_in:
        yield _ok("market API", f"{market.where}: it takes the log-in")
    else:
        yield _ok("market API", f"{market.where}: reachable; a password is typed in later")


def _stops(facts: Facts) -> Iterator[Finding]:
    if facts.safe_stop_s is None:
        return
    needed_s = facts.safe_stop_s + STOP_MARGIN_S
    if not facts.stops:
        text = "no service manager was found; one must wait"
        yield _ok("stop time-out", f"{text} {needed_s:g} s for a safe stop")
    for stop in facts.stops:
        if stop.stop_s is None or stop.stop_s >= needed_s:
            waits = "for ever" if stop.stop_s is None else f"{stop.stop_s:g} s"
            yield _ok("stop time-out", f"{stop.where}: {stop.setting} waits {waits}")
        else:
            yield _warning(
                "stop time-out",
                f"{stop.where}: {stop.setting} kills after {stop.stop_s:g} s, and a safe stop may"
                f" take {facts.safe_stop_s:g} s",
                f"set {stop.setting} to {needed_s:g} s or more",
            )


def _guards(guards: tuple[GuardFact, ...]) -> Iterator[Finding]:
    for guard in guards:
        if guard.has_heartbeat:
            yield _ok("watchdog", f"{guard.plant}: a heartbeat tells the plant that we live")
        elif guard.revert_s is not None:
            text = f"{guard.plant}: reverts by itself {guard.revert_s:g} s after the last write"
            yield _ok("watchdog", text)
        else:
            yield _warning(
                "watchdog",
                f"{guard.plant}: nothing stops this plant if this program dies",
                "declare a heartbeat point, or setpoint.revert_s if the device has a revert timer",
            )


def _ok(subject: str, text: str) -> Finding:
    return Finding(severity=Severity.OK, subject=subject, text=text)


def _warning(subject: str, text: str, cure: str) -> Finding:
    return Finding(severity=Severity.WARNING, subject=subject, text=text, cure=cure)


def _failed(subject: str, text: str, cure: str) -> Finding:
    return Finding(severity=Severity.FAILED, subject=subject, text=text, cure=cure)
