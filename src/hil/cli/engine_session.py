"""What commands that talk to a running engine share: whom to ask, following, and answers."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate

import click
import orjson
from rich.console import Console
from rich.text import Text

from hil.adapters.engine_answer import NoAnswer
from hil.adapters.engine_client import EngineClient
from hil.cli.options import config_option, data_dir_option, default_data_dir
from hil.config.load import find_config
from hil.domain.commands import CommandStatus
from hil.domain.errors import HilError, InvalidInput

# Requests on their way at the same time; a silent plant holds up none, a thousand plants no engine.
THREADS_MAX = 16

json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Follow the command to its end, and fail when it does.",
)


def with_engine(
    command: Callable[Concatenate[EngineClient, ...], None],
) -> Callable[..., None]:
    """The command with --config and --data-dir, given a client of the engine that they mean."""

    @config_option
    @data_dir_option
    @functools.wraps(command)
    def run(config_file: Path | None, data_dir: Path | None, **given: Any) -> None:
        with open_engine(config_file, data_dir) as client:
            command(client, **given)

    return run


def open_engine(config_file: Path | None, data_dir: Path | None) -> EngineClient:
    """A client of the engine that --config and --data-dir mean; nothing is asked of it yet.

    The configuration is looked for and not read: a broken one must not hold up a stop.
    """
    folder = data_dir or default_data_dir(find_config(config_file, os.environ, Path.cwd()))
    return EngineClient.open(folder, os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for a command; `label` says it in words, `plant` None is the whole site."""

    label: str
    kind: str
    plant: str | None
    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request: the command as the engine shows it, what went wrong, or both."""

    asked: Asked
    command: dict[str, Any] | None = None
    error: HilError | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the request or its command has failed, or nobody knows."""
        bad = {CommandStatus.FAILED, CommandStatus.REJECTED}
        return self.error is not None or (self.command or {}).get("status") in bad

    def sentence(self) -> str:
        """The outcome in a line."""
        if self.error is not None:
            if self.command is not None:
                word = "is not known to have ended"
            else:
                word = "got no answer" if isinstance(self.error, NoAnswer) else "was refused"
            return f"{self.asked.label} {word}: {self.error}"
        assert self.command is not None, self.asked
        reason = self.command.get("error")
        return f"{self.asked.label} {self.command['status']}" + (f": {reason}" if reason else "")

    def facts(self) -> dict[str, Any]:
        """The outcome as a command; what got no command looks like one without an id."""
        if self.command is not None:
            return (
                self.command if self.error is None else {**self.command, "error": str(self.error)}
            )
        status = "unknown" if isinstance(self.error, NoAnswer) else CommandStatus.REJECTED
        return {
            "id": None,
            "kind": self.asked.kind,
            "plant": self.asked.plant,
            "status": status,
            "error": str(self.error),
        }


def carry_out(
    client: EngineClient, asked: Sequence[Asked], *, wait: bool, within_s: float | None = None
) -> list[Outcome]:
    """Send all requests at once; with `wait` each outcome is that of its ended command.

    Raises:
        HilError: A person has interrupted it.
    """

    def send(one: Asked) -> Outcome:
        try:
            return Outcome(asked=one, command=client.submit(one.method, one.path, one.body))
        except HilError as error:
            return Outcome(asked=one, error=error)

    def follow(sent: Outcome) -> Outcome:
        if sent.command is None:
            return sent
        try:
            ended = client.wait(sent.command["id"], within_s=within_s)
            return Outcome(asked=sent.asked, command=ended)
        except HilError as error:
            return Outcome(asked=sent.asked, command=sent.command, error=error)

    try:
        with (
            spinner(", ".join(one.label for one in asked)),
            ThreadPoolExecutor(THREADS_MAX) as pool,
        ):
            outcomes = list(pool.map(send, asked))
            # One after the other: they all run meanwhile, and the last to end decides.
            return [follow(sent) for sent in outcomes] if wait else outcomes
    except KeyboardInterrupt:
        raise HilError(
            "interrupted; what was sent goes on in the engine, see `hil status`"
        ) from None


def report(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what was done; raises `HilError` with what was not."""
    if as_json:
        echo_json([outcome.facts() for outcome in outcomes])
    else:
        for outcome in outcomes:
            if not outcome.is_refused:
                click.echo(outcome.sentence())
    bad = [outcome for outcome in outcomes if outcome.is_refused]
    if not bad:
        return
    text = "\n".join(outcome.sentence() for outcome in bad)
    if any(isinstance(outcome.error, InvalidInput) for outcome in bad):
        raise InvalidInput(text)
    raise HilError(text)


def echo_json(facts: Any) -> None:
    """Print facts as indented JSON."""
    click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def stdout_console() -> Console:
    """Where tables go; one that is no terminal is wide enough to cut nothing."""
    console = Console()
    return console if console.is_terminal else Console(width=240)


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Show on a terminal that something is under way."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(Text(what)):
        yield
