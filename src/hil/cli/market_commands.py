"""The commands of the market API: connect, disconnect, and its test double on a port."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click
from pydantic import ValidationError

from hil.adapters.engine_client import EngineClient
from hil.adapters.log_output import log_to_stderr
from hil.adapters.system_clock import SystemClock
from hil.assembly.fake_market import serve_fake_market
from hil.cli.engine_session import echo_json, json_option, with_engine
from hil.cli.options import config_option, load_config
from hil.virtual.fake_market import TROUBLE, Call, Trouble, TroubleKind

PASSWORD_MAX = 1000


@click.command("connect")
@click.option(
    "--password-file",
    type=click.File("r"),
    help="The file that holds the password (- is standard input); else it is asked for.",
)
@click.option("--held", is_flag=True, help="With the password that the engine holds in memory.")
@json_option
@with_engine
def connect_command(
    client: EngineClient, password_file: TextIO | None, held: bool, as_json: bool
) -> None:
    """Connect to the market API; the password stays in the engine's memory."""
    password: str | None = None
    if password_file is not None:
        password = password_file.read(PASSWORD_MAX).strip("\r\n")
    elif not held:
        password = click.prompt("Password of the market API", hide_input=True)
    _show(client.connect_schedule_api(password), as_json=as_json)


@click.command("disconnect")
@json_option
@with_engine
def disconnect_command(client: EngineClient, as_json: bool) -> None:
    """Disconnect from the market API and forget its password; what waits to be posted stays."""
    _show(client.disconnect_schedule_api(), as_json=as_json)


def _show(state: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        echo_json(state)
        return
    click.echo(f"market API: {state['connection']}")
    if state["error"] is not None:
        click.echo(state["error"], err=True)


@click.command("fake-market")
@config_option
@click.option("--port", type=click.IntRange(1, 65535), default=8070, show_default=True)
@click.option("--password", default="rehearsal", show_default=True, help="What logs in.")
@click.option(
    "--published-at",
    type=click.DateTime(["%H:%M"]),
    default="14:00",
    show_default=True,
    help="Site time from which tomorrow's plan is given.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn.")
@click.option(
    "--trouble",
    "troubles",
    multiple=True,
    metavar="KIND[:ON][:TIMES]",
    help=f"Misbehave: {', '.join(TroubleKind)}; ON is {', '.join(Call)} (any without it).",
)
def fake_market_command(
    config_file: Path | None,
    port: int,
    password: str,
    published_at: datetime,
    seed: int,
    troubles: tuple[str, ...],
) -> None:
    """Serve the market API's test double on loopback, to rehearse a whole site offline.

    More troubles are asked of it while it runs: POST /troubles takes {"kind", "on", "times",
    "after", "seconds", "code", "retry_after"}, DELETE /troubles ends them, GET /taken shows what
    was posted.
    """
    config, _ = load_config(config_file)
    wanted = [_trouble(text) for text in troubles]
    click.echo(
        f"fake market: http://127.0.0.1:{port} with the password {password!r};"
        f" point schedule_api.base_url there"
    )
    with log_to_stderr(config.logging.level, zone=config.site.timezone, clock=SystemClock()):
        asyncio.run(
            serve_fake_market(
                config,
                port=port,
                password=password,
                published_at=published_at.time(),
                seed=seed,
                troubles=wanted,
            )
        )


def _trouble(text: str) -> Trouble:
    """A trouble in the words of `--trouble`; raises click's usage error."""
    kind, *more = text.split(":")
    wanted: dict[str, Any] = {"kind": kind}
    for word in more:
        wanted["times" if word.isdecimal() else "on"] = int(word) if word.isdecimal() else word
    try:
        return TROUBLE.validate_python(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise click.UsageError(f"--trouble {text}: {where}: {first['msg']}") from None
