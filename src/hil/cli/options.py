"""Options that several commands share, and what they stand for."""

import os
from pathlib import Path

import click

from hil.config.load import find_config, load, load_default
from hil.config.model import Config

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration instead of $HIL_CONFIG, ./config.yaml or the packaged default.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where recordings and state are kept instead of the configuration's folder.",
)


def load_config(explicit: Path | None) -> tuple[Config, Path | None]:
    """The configuration in force and its file; None is the packaged default."""
    path = find_config(explicit, os.environ, Path.cwd())
    return (load_default() if path is None else load(path)), path


def default_data_dir(config_file: Path | None) -> Path:
    """The configuration's folder; `./hil-data` for the packaged default."""
    return Path("hil-data") if config_file is None else config_file.absolute().parent
