"""One engine a data directory."""

import os
import socket
import stat
from pathlib import Path

import pytest

from hil.adapters.data_directory import DataDirectory, listen_tcp
from hil.domain.errors import HilError


def test_second_engine_on_the_directory_is_refused_with_its_owner(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path / "new" / "data")

    with pytest.raises(HilError, match=rf"another engine \(process {os.getpid()}\) runs on"):
        DataDirectory(tmp_path / "new" / "data")

    first.close()
    DataDirectory(tmp_path / "new" / "data").close()


def test_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(HilError, match=r"file/data cannot be used: .*choose another"):
        DataDirectory(tmp_path / "file" / "data")


def test_socket_belongs_to_its_owner_and_replaces_a_dead_one(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    (tmp_path / "engine.sock").write_text("left behind")

    listener = directory.listen()

    assert stat.S_IMODE((tmp_path / "engine.sock").stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "engine.sock"))
    listener.close()
    directory.close()
    assert not (tmp_path / "engine.sock").exists()


def test_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / ("x" * 120))

    with pytest.raises(HilError, match="too long for a Unix socket"):
        directory.listen()
    directory.close()


def test_port_in_use_is_named_with_its_use() -> None:
    taken = listen_tcp("127.0.0.1", 0, what="the page")
    port = taken.getsockname()[1]

    with pytest.raises(HilError, match=rf"the page cannot listen on 127.0.0.1:{port}: Address"):
        listen_tcp("127.0.0.1", port, what="the page")
    taken.close()
