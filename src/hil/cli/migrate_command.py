"""`hil config migrate`: a configuration of the original HIL-scheduler as one of this program."""

from pathlib import Path

import click

from hil.config.load import MAX_BYTES
from hil.config.migrate import migrate
from hil.domain.errors import HilError, InvalidInput


@click.command("migrate")
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the configuration here instead of printing it.",
)
@click.option("--force", is_flag=True, help="Write over a file that is already there.")
def migrate_command(old: Path, output: Path | None, force: bool) -> None:
    """Turn OLD, a config of the original HIL-scheduler, into a configuration of this program.

    What could not be taken over as it stood is named on stderr, with the reason.
    """
    made = migrate(_read(old), name=str(old))
    for note in made.notes:
        click.echo(str(note), err=True)
    if output is None:
        click.echo(made.text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(made.text)
    except FileExistsError:
        raise HilError(f"{output}: already there; --force writes over it") from None
    except OSError as error:
        raise HilError(f"{output}: cannot be written: {error.strerror}") from error
    click.echo(f"wrote {output}; next: `hil config check {output}`")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{path}: is larger than {MAX_BYTES:,} bytes; is it a configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text") from None
