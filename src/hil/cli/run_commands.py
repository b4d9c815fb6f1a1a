"""`hil run`, `hil engine` and `hil emulate`: the live parts until a signal."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import click

from hil.adapters.log_output import log_to_stderr
from hil.adapters.system_clock import SystemClock
from hil.api import EngineApi
from hil.assembly.live import Live, Parts, user_name
from hil.cli.options import config_option, data_dir_option, default_data_dir, load_config
from hil.config.model import Config
from hil.config.values import plant_specs
from hil.domain.commands import CommandKind
from hil.domain.errors import HilError
from hil.domain.phase import Phase
from hil.domain.plant import Transport

port_option = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the page instead of web.port."
)
start_option = click.option(
    "--start", "start_all", is_flag=True, help="Record and start all plants at once (Start All)."
)


@click.command("run")
@config_option
@data_dir_option
@port_option
@click.option("--no-web", is_flag=True, help="Without the page; the Unix socket still answers.")
@start_option
def run_command(
    config_file: Path | None,
    data_dir: Path | None,
    port: int | None,
    no_web: bool,
    start_all: bool,
) -> None:
    """Run the engine, one emulated plant per plant and the page, in one process.

    Ctrl-C stops the plants safely, closes the recordings and ends; a second one quits at once.
    """
    _run(config_file, data_dir, port, Parts(web=not no_web), start_all=start_all)


@click.command("engine")
@config_option
@data_dir_option
@port_option
@click.option("--no-web", is_flag=True, help="Without the page; the Unix socket still answers.")
@start_option
def engine_command(
    config_file: Path | None,
    data_dir: Path | None,
    port: int | None,
    no_web: bool,
    start_all: bool,
) -> None:
    """Run the engine and its page; plants are emulated by `hil emulate`, or are real."""
    _run(config_file, data_dir, port, Parts(emulation=False, web=not no_web), start_all=start_all)


@click.command("emulate")
@config_option
def emulate_command(config_file: Path | None) -> None:
    """Run the emulated plants alone, as Modbus TCP servers on their local endpoints."""
    _run(config_file, None, None, Parts(engine=False, web=False), start_all=False)


def _run(
    config_file: Path | None,
    data_dir: Path | None,
    port: int | None,
    parts: Parts,
    *,
    start_all: bool,
) -> None:
    config, path = load_config(config_file)
    if port is not None:
        config = config.model_copy(update={"web": config.web.model_copy(update={"port": port})})
    live = Live(config, data_dir or default_data_dir(path), parts)
    with log_to_stderr(config.logging.level, zone=config.site.timezone, clock=SystemClock()):
        left = asyncio.run(_until_signal(live, config, parts, start_all=start_all))
    for sentence in left:
        _say(sentence, err=True)
    if left:
        raise SystemExit(1)
    _say("every plant is stopped and recorded to its end" if parts.engine else "ended", err=True)


def _say(text: str, *, err: bool = False) -> None:
    """Print, where somebody still reads: a closed terminal must not hold up a stop."""
    with suppress(OSError, ValueError):
        click.echo(text, err=err)


async def _until_signal(
    live: Live, config: Config, parts: Parts, *, start_all: bool
) -> tuple[str, ...]:
    """Run until the first signal, then stop safely; returns what could not be stopped."""
    asked = asyncio.Event()

    def on_signal() -> None:
        if asked.is_set():
            _say("quitting at once; " + _what_is_left(live), err=True)
            os._exit(130)
        asked.set()
        _say("stopping safely; Ctrl-C again quits at once", err=True)

    # A terminal that is closed (SIGHUP) ends the bench as safely as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await live.start()
    try:
        _say(_welcome(live, config, parts))
        if start_all and live.engine is not None and not asked.is_set():
            _start_all(live.engine)
        await asked.wait()
    finally:
        left = await live.stop()
    return left


def _start_all(engine: EngineApi) -> None:
    """Start All; what is impossible now is said, and the bench runs on."""
    try:
        engine.submit(CommandKind.FLEET_START, None, by=f"os:{user_name()}")
    except HilError as error:
        _say(f"nothing was started: {error}", err=True)


def _welcome(live: Live, config: Config, parts: Parts) -> str:
    lines = []
    if parts.emulation:
        lines += [
            f"{spec.name if name is None else f'{spec.name}/{name}'} is emulated on"
            f" {device.host}:{device.port}"
            for spec in plant_specs(config)
            for name, device in spec.endpoints[Transport.LOCAL].servers.items()
        ]
    if parts.engine and parts.web:
        lines.append(f"{config.site.name}: {live.address}")
    return "\n".join(lines) or f"{config.site.name}: the engine runs without a page"


def _what_is_left(live: Live) -> str:
    if live.engine is None:
        return "the emulated plants end with this program"
    moving = [
        f"{plant.name} is {plant.phase} with setpoint"
        f" {'unknown' if plant.setpoint.p_kw is None else f'{plant.setpoint.p_kw:g} kW'}"
        for plant in live.engine.snapshot().plants.values()
        if plant.phase is not Phase.STOPPED
    ]
    return "; ".join(moving) or "every plant is stopped"
