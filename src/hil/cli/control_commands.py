"""The commands that make a running engine do something: plants, switches and the e-stop."""

import re
from pathlib import Path
from typing import Any

import click

from hil.adapters.engine_client import EngineClient
from hil.cli.engine_session import (
    Asked,
    Outcome,
    carry_out,
    echo_json,
    json_option,
    open_engine,
    report,
    wait_option,
    with_engine,
)
from hil.cli.options import config_option, data_dir_option
from hil.domain.commands import CommandKind
from hil.domain.errors import HilError
from hil.domain.plant import Source, Transport

# Zero and disable are written at once; a plant that has not confirmed by then will not soon.
ESTOP_S_MAX = 30.0

_PLANT_ID = re.compile(r"[a-z][a-z0-9_]*")


class PlantType(click.ParamType[str]):
    """The id of a plant."""

    name = "plant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if not _PLANT_ID.fullmatch(text):
            self.fail(
                f"{text!r} is no id of a plant, such as lib; `hil status` shows them", param, ctx
            )
        return text


PLANT = PlantType()

# What one plant can be asked to do, and what --all stands for.
_ACTIONS = {
    CommandKind.START: "Start plants: zero, enable, then the schedule. --all also records.",
    CommandKind.STOP: "Stop plants safely: zero, rest, disable. --all also ends recordings.",
    CommandKind.DISPATCH: "Let running plants follow their schedule again after a pause.",
    CommandKind.PAUSE: "Hold running plants at zero; they stay enabled.",
    CommandKind.RECORD: "Start a recording of each plant.",
    CommandKind.STOP_RECORDING: "End the recording of each plant.",
}
_BY_FLEET = {
    CommandKind.START: CommandKind.FLEET_START,
    CommandKind.STOP: CommandKind.FLEET_STOP,
}


def _plant_command(kind: CommandKind, text: str) -> click.Command:
    @click.command(kind.value, help=text)
    @click.argument("plants", metavar="PLANT...", nargs=-1, type=PLANT)
    @click.option("--all", "every", is_flag=True, help="All plants instead of some.")
    @wait_option
    @json_option
    @with_engine
    def command(
        client: EngineClient, plants: tuple[str, ...], every: bool, wait: bool, as_json: bool
    ) -> None:
        asked = _asked_of_plants(client, kind, plants, every=every)
        report(carry_out(client, asked, wait=wait), as_json=as_json)

    return command


def _asked_of_plants(
    client: EngineClient, kind: CommandKind, plants: tuple[str, ...], *, every: bool
) -> list[Asked]:
    if every == bool(plants):
        raise click.UsageError("Name one or more plants, or give --all.")
    if every and kind in _BY_FLEET:
        return [_asked_of_fleet(_BY_FLEET[kind])]
    names = client.state().get("plants") if every else dict.fromkeys(plants)
    return [
        Asked(
            label=f"{plant}: {kind.value}",
            kind=kind.value,
            plant=plant,
            method="POST",
            path=f"/plants/{plant}/{kind.value}",
        )
        for plant in names or {}
    ]


def _asked_of_fleet(kind: CommandKind) -> Asked:
    action = kind.value.removeprefix("fleet-")
    return Asked(
        label=f"all plants: {action}",
        kind=kind.value,
        plant=None,
        method="POST",
        path=f"/fleet/{action}",
    )


PLANT_COMMANDS = tuple(_plant_command(kind, text) for kind, text in _ACTIONS.items())


def _switch(
    client: EngineClient,
    kind: CommandKind,
    to: str,
    body: dict[str, Any],
    *,
    plant: str | None = None,
    wait: bool,
    as_json: bool,
) -> None:
    asked = Asked(
        label=f"{'' if plant is None else plant + ': '}{kind.value} {to}",
        kind=kind.value,
        plant=plant,
        method="PUT",
        path=f"/{kind.value}" if plant is None else f"/plants/{plant}/{kind.value}",
        body=body,
    )
    report(carry_out(client, [asked], wait=wait), as_json=as_json)


@click.command("source")
@click.argument("source", type=click.Choice([each.value for each in Source]))
@wait_option
@json_option
@with_engine
def source_command(client: EngineClient, source: str, wait: bool, as_json: bool) -> None:
    """Stop all plants safely, then take base schedules from this source."""
    _switch(client, CommandKind.SOURCE, source, {"source": source}, wait=wait, as_json=as_json)


@click.command("transport")
@click.argument("transport", type=click.Choice([each.value for each in Transport]))
@click.option("--force", is_flag=True, help="Switch also when a plant does not stop; is audited.")
@wait_option
@json_option
@with_engine
def transport_command(
    client: EngineClient, transport: str, force: bool, wait: bool, as_json: bool
) -> None:
    """Stop all plants safely, then speak to the emulated (local) or the real (remote) ones."""
    body: dict[str, Any] = {"transport": transport, **({"force": True} if force else {})}
    _switch(client, CommandKind.TRANSPORT, transport, body, wait=wait, as_json=as_json)


@click.command("posting")
@click.argument("enabled", metavar="on|off", type=click.Choice(["on", "off"]))
@wait_option
@json_option
@with_engine
def posting_command(client: EngineClient, enabled: str, wait: bool, as_json: bool) -> None:
    """Switch the posting of measurements; off keeps what is queued."""
    body = {"enabled": enabled == "on"}
    _switch(client, CommandKind.POSTING, enabled, body, wait=wait, as_json=as_json)


@click.command("service")
@click.argument("plant", type=PLANT)
@click.argument("where", metavar="in|out", type=click.Choice(["in", "out"]))
@click.option("--note", help="Why; kept with the command.")
@wait_option
@json_option
@with_engine
def service_command(
    client: EngineClient, plant: str, where: str, note: str | None, wait: bool, as_json: bool
) -> None:
    """Put a plant into service or out of it; out of service it cannot be started."""
    body = {"in_service": where == "in", "note": note}
    _switch(client, CommandKind.SERVICE, where, body, plant=plant, wait=wait, as_json=as_json)


@click.command("estop-reset")
@wait_option
@json_option
@with_engine
def estop_reset_command(client: EngineClient, wait: bool, as_json: bool) -> None:
    """Allow start and dispatch again after an emergency stop."""
    asked = [_asked_of_fleet(CommandKind.FLEET_ESTOP_RESET)]
    report(carry_out(client, asked, wait=wait), as_json=as_json)


@click.command("estop")
@config_option
@data_dir_option
@wait_option
@json_option
def estop_command(
    config_file: Path | None, data_dir: Path | None, wait: bool, as_json: bool
) -> None:
    """Write zero and disable every plant at once; start and dispatch are refused until reset."""
    asked = _asked_of_fleet(CommandKind.FLEET_ESTOP)
    try:
        with open_engine(config_file, data_dir) as client:
            (outcome,) = carry_out(client, [asked], wait=wait, within_s=ESTOP_S_MAX)
    except HilError as error:
        outcome = Outcome(asked=asked, error=error)
    if as_json:
        echo_json([outcome.facts()])
    doubts = _unconfirmed(outcome)
    if doubts:
        raise HilError(
            f"E-STOP NOT CONFIRMED: {'; '.join(doubts)}\nSTOP THE PLANTS BY THEIR OWN CONTROLS"
        )
    if not wait:
        click.echo("E-STOP SENT, NOT CONFIRMED; `hil status` shows what became of it", err=True)
    elif not as_json:
        click.echo("e-stop done: every plant has read back zero and disabled")


def _unconfirmed(outcome: Outcome) -> list[str]:
    """What the engine has not confirmed, the plants in capitals."""
    result = (outcome.command or {}).get("result") or {}
    doubts = [
        f"{plant.upper()}: {_DOUBTS.get(name, name.upper())}"
        for plant, facts in result.items()
        if isinstance(facts, dict)
        for name, value in facts.items()
        if value is False
    ]
    return [*doubts, *([outcome.sentence()] if outcome.is_refused else [])]


_DOUBTS = {"threshold_reached": "STILL CARRIES POWER", "disable_ok": "NOT READ BACK DISABLED"}
