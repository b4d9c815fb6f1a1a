"""`hil smoke` and `hil register`: whether the plants answer, and with what."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import click
from rich.live import Live

from hil.adapters.data_directory import is_taken
from hil.adapters.engine_answer import NoAnswer, read_readings, read_smoke
from hil.adapters.engine_client import EngineClient, Lost, Patience
from hil.adapters.shared_link import TcpLinks
from hil.adapters.system_clock import SystemClock
from hil.checkup.junit import junit
from hil.checkup.smoke import READS, smoke
from hil.cli.duration import DurationType
from hil.cli.engine_session import echo_json, json_option, spinner, stdout_console, with_engine
from hil.cli.options import config_option, data_dir_option, default_data_dir, load_config
from hil.cli.smoke_view import reading_table, smoke_view
from hil.config.values import plant_specs
from hil.domain.errors import HilError, InvalidInput
from hil.domain.finding import Severity
from hil.domain.plant import PlantSpec, Transport
from hil.domain.smoke_report import SmokeReport

# The engine asks between its own exchanges: a slow plant's check takes minutes.
ENGINE_ANSWERS_WITHIN_S = 300.0


@click.command("smoke")
@click.argument("plants", metavar="[PLANT]...", nargs=-1)
@click.option(
    "--transport",
    type=click.Choice([each.value for each in Transport]),
    help="Which endpoints are checked; by default those of startup.transport.",
)
@click.option(
    "--write-zero", is_flag=True, help="Write zero setpoints as well, and read them back."
)
@click.option("--trace", is_flag=True, help="Show what goes over the wire, in hex and in words.")
@click.option(
    "--over",
    type=DurationType(),
    help="Spread the reads over this time, such as 10min, to judge sign and scale of a moving SoC.",
)
@click.option(
    "--junit",
    "junit_file",
    metavar="X.xml",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result as JUnit XML as well.",
)
@json_option
@config_option
@data_dir_option
@click.pass_context
def smoke_command(
    context: click.Context,
    plants: tuple[str, ...],
    transport: str | None,
    write_zero: bool,
    trace: bool,
    over: timedelta | None,
    junit_file: Path | None,
    as_json: bool,
    config_file: Path | None,
    data_dir: Path | None,
) -> None:
    """Check PLANTs (default: all): connect, read every point, time it, and say what cannot be.

    Needs no engine; when one runs on these endpoints it asks for the check, so that no device is
    connected to twice. Exits with 1 when a check has failed.
    """
    config, path = load_config(config_file)
    asked = Transport(transport or config.startup.transport)
    specs = _chosen(plant_specs(config), plants, asked)
    engine = _engine_on(data_dir or default_data_dir(path), asked)
    with spinner(f"checking {', '.join(spec.name for spec in specs)}"):
        if engine is None:
            timeout_s = config.timing.modbus_timeout_s
            reports = asyncio.run(
                _check_all(
                    specs, asked, timeout_s=timeout_s, over=over, write_zero=write_zero, trace=trace
                )
            )
        else:
            wanted = {"write_zero": write_zero, "trace": trace}
            with engine:
                if over is not None:
                    raise HilError("--over needs the plants for itself: stop the engine first")
                reports = [read_smoke(engine.smoke(spec.id, wanted)) for spec in specs]
    if junit_file is not None:
        _write(junit_file, junit(reports))
    if as_json:
        echo_json(reports)
    else:
        for report in reports:
            stdout_console().print(smoke_view(report))
    if any(report.severity is Severity.FAILED for report in reports):
        context.exit(1)


def _chosen(
    specs: Sequence[PlantSpec], names: Sequence[str], transport: Transport
) -> list[PlantSpec]:
    known = {spec.id: spec for spec in specs}
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput(f"there is no plant {unknown[0]!r}; there are {', '.join(known)}")
    chosen = [spec for spec in specs if spec.id in names or not names]
    reachable = [spec for spec in chosen if transport in spec.endpoints]
    missing = [spec.id for spec in chosen if transport not in spec.endpoints]
    if not reachable or (names and missing):
        raise InvalidInput(
            f"no {transport} endpoint is configured for {', '.join(missing)};"
            " set endpoints or choose another --transport"
        )
    return reachable


def _engine_on(data_dir: Path, transport: Transport) -> EngineClient | None:
    """The engine of this directory when it speaks to these endpoints; None: nobody does."""
    try:
        client = EngineClient.open(
            data_dir, {}, patience=Patience(answer_s=ENGINE_ANSWERS_WITHIN_S)
        )
    except NoAnswer:
        if is_taken(data_dir):
            raise  # an engine that cannot be asked: its plants are not to be asked twice
        return None
    with ExitStack() as stack:
        stack.enter_context(client)
        if client.state().get("transport") != transport:
            return None
        stack.pop_all()
    return client


async def _check_all(
    specs: Sequence[PlantSpec],
    transport: Transport,
    *,
    timeout_s: float,
    over: timedelta | None,
    write_zero: bool,
    trace: bool,
) -> list[SmokeReport]:
    """All plants at the same time; those behind one gateway share its connection, in turn."""
    clock, links = SystemClock(), TcpLinks(timeout_s=timeout_s)

    async def check(spec: PlantSpec) -> SmokeReport:
        link = links.link(spec.endpoints[transport].main)
        try:
            return await smoke(
                spec,
                transport,
                link,
                clock,
                within_s=2 * timeout_s,
                reads=READS,
                over_s=0.0 if over is None else over.total_seconds(),
                write_zero=write_zero,
                trace=trace,
            )
        finally:
            await link.close()

    return list(await asyncio.gather(*map(check, specs)))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise HilError(f"{path} cannot be written: {error.strerror}") from error


@click.group("register")
def register_group() -> None:
    """Look at single registers of a plant, through the running engine."""


@register_group.command("read")
@click.argument("plant")
@click.argument("points", metavar="[POINT]...", nargs=-1)
@json_option
@with_engine
def read_command(client: EngineClient, plant: str, points: tuple[str, ...], as_json: bool) -> None:
    """Read POINTs of PLANT once (default: all): registers, hex and value."""
    found = client.registers(plant, points)
    if as_json:
        echo_json(found)
    else:
        stdout_console().print(reading_table(read_readings(found)))


@register_group.command("watch")
@click.argument("plant")
@click.argument("points", metavar="[POINT]...", nargs=-1)
@with_engine
def watch_command(client: EngineClient, plant: str, points: tuple[str, ...]) -> None:
    """Read POINTs of PLANT again at each change of the state, until Ctrl-C."""
    console = stdout_console()
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        for event in client.events():
            if isinstance(event, Lost):
                click.echo(f"OLD VALUES: {event.why}", err=True)
                continue
            table = reading_table(read_readings(client.registers(plant, points)))
            if console.is_terminal:
                live.update(table, refresh=True)
            else:
                console.print(table)
