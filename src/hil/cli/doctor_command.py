"""`hil doctor`: what is wrong here before the plants are run, and what to do about it."""

import asyncio
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import httpx

from hil.adapters import host
from hil.adapters.data_directory import SOCKET_NAME
from hil.adapters.engine_answer import NoAnswer
from hil.adapters.engine_client import EngineClient
from hil.adapters.system_clock import SystemClock
from hil.assembly.market import market_access
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
from hil.cli.engine_session import THREADS_MAX, echo_json, json_option, stdout_console
from hil.cli.options import config_option, data_dir_option, default_data_dir, load_config
from hil.cli.smoke_view import finding_lines
from hil.config.load import find_config
from hil.config.model import Config
from hil.config.unmet import passed_over, refusals
from hil.config.values import plant_specs
from hil.domain.errors import HilError, InvalidInput
from hil.domain.finding import Severity, worst
from hil.domain.market import CallFailed
from hil.domain.plant import Device, PlantSpec, Transport
from hil.domain.signals import OptionalPoint
from hil.domain.snapshot import ConnectionStatus, LinkStatus

CONNECT_WITHIN_S = 2.0
# A market API that is only asked whether it is there.
REACHABLE_WITHIN_S = 10.0


@click.command("doctor")
@json_option
@config_option
@data_dir_option
@click.pass_context
def doctor_command(
    context: click.Context, as_json: bool, config_file: Path | None, data_dir: Path | None
) -> None:
    """Look at configuration, ports, clock, disk, endpoints and stop time-outs.

    Each finding says what to do about it. Exits with 1 when something has failed; warnings exit
    with 0. Nothing is written to a plant.
    """
    findings = judge(_facts(config_file, data_dir))
    if as_json:
        echo_json({"severity": worst(findings), "findings": findings})
    else:
        console = stdout_console()
        for line in finding_lines(findings):
            console.print(line)
    if worst(findings) is Severity.FAILED:
        context.exit(1)


def _facts(config_file: Path | None, data_dir: Path | None) -> Facts:
    found = find_config(config_file, os.environ, Path.cwd())
    name = "the packaged default" if found is None else str(found)
    try:
        config, path = load_config(config_file)
        if refused := refusals(config):
            raise InvalidInput("the configuration asks for what cannot be done", refused)
    except HilError as error:
        return Facts(config=name, config_problem=str(error), clock=_clock())
    folder = data_dir or default_data_dir(path)
    specs = plant_specs(config)
    state = _engine_state(folder)
    return Facts(
        config=name,
        passed_over=tuple(passed_over(config)),
        engine=None if state is None else f"the engine on {folder} runs",
        ports=tuple(_ports(config, specs)),
        clock=_clock(),
        directory=DirectoryFact(
            path=str(folder),
            free_bytes=host.free_bytes(folder),
            write_error=host.why_not_write(folder),
            open_to_others=host.open_to_others(
                folder / name for name in (SOCKET_NAME, "users.json")
            ),
        ),
        endpoints=_endpoints(specs, state),
        market=_market(config, specs, state),
        safe_stop_s=config.safe_stop.timeout_s,
        stops=tuple(_stops(folder)),
        guards=tuple(_guards(specs)),
    )


def _engine_state(folder: Path) -> dict[str, Any] | None:
    """What the engine of this directory shows; None when there is none."""
    try:
        with EngineClient.open(folder, {}) as client:
            return client.state()
    except NoAnswer:
        return None


def _ports(config: Config, specs: tuple[PlantSpec, ...]) -> Iterator[PortFact]:
    wanted = [("the page", config.web.host, config.web.port, False)]
    wanted.append(
        ("control of the emulated plants", "127.0.0.1", config.emulation.control_port, True)
    )
    for spec in specs:
        local = spec.endpoints[Transport.LOCAL]
        wanted += [
            (f"emulated {spec.label(name)}", device.host, device.port, True)
            for name, device in local.servers.items()
        ]
    for what, address, port, is_emulator in wanted:
        yield PortFact(
            what=what,
            where=f"{address}:{port}",
            error=host.why_not_listen(address, port),
            is_emulator=is_emulator,
        )


def _clock() -> ClockFact:
    told = host.time_service()
    if told is None:
        return ClockFact()
    source, is_synchronised, offset_s = told
    return ClockFact(source=source, is_synchronised=is_synchronised, offset_s=offset_s)


def _market(
    config: Config, specs: tuple[PlantSpec, ...], state: dict[str, Any] | None
) -> MarketFact | None:
    """The market API as the running engine sees it, else as it answers now."""
    api = config.schedule_api
    if api is None:
        return None
    where = api.base_url or api.folder or api.kind
    if state is not None:
        shown = state["schedule_api"]
        logged_in = shown["connection"] == ConnectionStatus.CONNECTED
        return MarketFact(where=where, error=shown["error"], logged_in=logged_in)
    return asyncio.run(_asked_market(config, specs, where))


async def _asked_market(
    config: Config, specs: tuple[PlantSpec, ...], where: str
) -> MarketFact | None:
    try:
        access = market_access(config, specs, SystemClock(), draw=random.SystemRandom())
    except HilError as error:
        return MarketFact(where=where, error=str(error), logged_in=False)
    assert access is not None, "an API is configured"
    logs_in = access.settings.connects_at_start
    try:
        if logs_in:
            await access.source.log_in(None)
        elif config.schedule_api is not None and config.schedule_api.base_url is not None:
            async with httpx.AsyncClient(timeout=REACHABLE_WITHIN_S) as client:
                await client.get(config.schedule_api.base_url)
    except (CallFailed, httpx.HTTPError) as error:
        why = str(error) or type(error).__name__
        return MarketFact(where=where, error=why, logged_in=False)
    finally:
        await access.source.close()
    return MarketFact(where=where, error=None, logged_in=logs_in)


def _endpoints(
    specs: tuple[PlantSpec, ...], state: dict[str, Any] | None
) -> tuple[EndpointFact, ...]:
    """The remote endpoints, and those that the engine speaks to, as the engine sees them."""
    spoken_to = None if state is None else state["transport"]

    def look(asked: tuple[str, Transport, Device]) -> EndpointFact:
        who, transport, device = asked
        if state is not None and transport == spoken_to:
            link = state["plants"].get(who, {}).get("link", {})
            is_ok = link.get("status") == LinkStatus.OK
            error = None if is_ok else link.get("last_error") or "not read yet"
        else:
            error = host.why_not_connect(device.host, device.port, within_s=CONNECT_WITHIN_S)
        where = f"{device.host}:{device.port}"
        return EndpointFact(plant=who, transport=transport, where=where, error=error)

    # A local endpoint is there only while somebody emulates it. Further devices that the engine
    # speaks to are left to its alarms.
    wanted = [
        (spec.label(name), transport, device)
        for spec in specs
        for transport, endpoint in spec.endpoints.items()
        if transport is Transport.REMOTE or transport == spoken_to
        for name, device in endpoint.servers.items()
        if name is None or transport != spoken_to
    ]
    with ThreadPoolExecutor(THREADS_MAX) as pool:
        return tuple(pool.map(look, wanted))


def _stops(folder: Path) -> Iterator[StopFact]:
    for unit, stop_s in host.systemd_stops(folder):
        yield StopFact(setting="TimeoutStopSec", where=unit, stop_s=stop_s)
    for where, seconds in host.compose_stops(iter((Path.cwd(), folder))):
        yield StopFact(setting="stop_grace_period", where=where, stop_s=seconds)


def _guards(specs: tuple[PlantSpec, ...]) -> Iterator[GuardFact]:
    for spec in specs:
        if (endpoint := spec.endpoints.get(Transport.REMOTE)) is not None:
            yield GuardFact(
                plant=spec.id,
                has_heartbeat=OptionalPoint.HEARTBEAT in endpoint.registers.points,
                revert_s=spec.setpoint.revert_s,
            )
