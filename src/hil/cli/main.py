"""The `hil` command: its sub-commands, and how errors become words and exit codes."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from hil import __version__
from hil.cli.checkup_commands import register_group, smoke_command
from hil.cli.config_commands import config, init
from hil.cli.control_commands import (
    PLANT_COMMANDS,
    estop_command,
    estop_reset_command,
    posting_command,
    service_command,
    source_command,
    transport_command,
)
from hil.cli.doctor_command import doctor_command
from hil.cli.fault_commands import fault_group
from hil.cli.market_commands import connect_command, disconnect_command, fake_market_command
from hil.cli.migrate_command import migrate_command
from hil.cli.override_commands import override_group, set_command
from hil.cli.recordings_commands import recordings_group
from hil.cli.run_commands import emulate_command, engine_command, run_command
from hil.cli.schedule_check_command import check_command
from hil.cli.schedule_commands import schedule_group
from hil.cli.simulate_command import simulate_command
from hil.cli.status_commands import ack_command, alarms_command, status_command
from hil.domain.errors import HilError, InvalidInput

FAILED = 1
WRONG_USAGE = 2


class Edge(click.Group):
    """A group whose errors are one sentence on stderr and an exit code, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run a command and exit: 0 fine, 1 it failed, 2 wrong usage or configuration."""
        given = list(sys.argv[1:] if args is None else args)
        words = given[: given.index("--")] if "--" in given else given
        debug = "--debug" in words
        # The flag may stand anywhere, also after the name of a command.
        given = [word for word in words if word != "--debug"] + given[len(words) :]
        extra["standalone_mode"] = False
        try:
            code = super().main(given, *more, **extra)
        except click.ClickException as wrong:
            wrong.show()
            sys.exit(wrong.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            sys.exit(FAILED)
        except HilError as error:
            if debug:
                raise
            click.echo(str(error), err=True)
            sys.exit(WRONG_USAGE if isinstance(error, InvalidInput) else FAILED)
        except Exception as error:
            if debug:
                raise
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            click.echo(f"unexpected error: {what}; add --debug for details", err=True)
            sys.exit(FAILED)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Edge, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hil")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
def hil() -> None:
    """Dispatch power schedules to battery plants, record and show what they did."""


for command in (
    run_command,
    engine_command,
    emulate_command,
    simulate_command,
    status_command,
    *PLANT_COMMANDS,
    source_command,
    transport_command,
    posting_command,
    service_command,
    connect_command,
    disconnect_command,
    estop_command,
    estop_reset_command,
    set_command,
    override_group,
    schedule_group,
    recordings_group,
    fault_group,
    alarms_command,
    ack_command,
    smoke_command,
    register_group,
    doctor_command,
    fake_market_command,
    init,
    config,
):
    hil.add_command(command)
config.add_command(migrate_command)
schedule_group.add_command(check_command)


def main() -> None:
    """The console script."""
    hil(prog_name="hil")
