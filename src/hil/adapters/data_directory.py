"""The data directory of one engine: made, locked, and its Unix socket."""

import fcntl
import os
import socket
from pathlib import Path

from hil.domain.errors import HilError

LOCK_NAME = "engine.lock"
SOCKET_NAME = "engine.sock"
# What a Unix socket's path may be long (sun_path of unix(7), without the closing NUL).
SOCKET_PATH_MAX = 107


class DataDirectory:
    """`path` is made if need be and belongs to this process until `close`.

    Raises:
        HilError: It cannot be made or written, or another engine has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise HilError(
                f"the data directory {self.path} cannot be used: {error.strerror};"
                " choose another with --data-dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise HilError(
                f"another engine (process {owner or 'unknown'}) runs on {self.path};"
                " stop it first, or choose another --data-dir"
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def listen(self) -> socket.socket:
        """Listen on the directory's Unix socket, which only its owner may use."""
        path = self.path / SOCKET_NAME
        if len(os.fsencode(path)) > SOCKET_PATH_MAX:
            raise HilError(
                f"the path {path} is too long for a Unix socket ({SOCKET_PATH_MAX} bytes);"
                " choose a shorter --data-dir"
            )
        path.unlink(missing_ok=True)  # left by an engine that was killed: the lock is ours
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        except OSError as error:
            listener.close()
            raise HilError(f"cannot listen on {path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        listener.listen(128)
        return listener

    def close(self) -> None:
        """Give the directory up."""
        (self.path / SOCKET_NAME).unlink(missing_ok=True)
        os.close(self._lock)


def is_taken(path: Path) -> bool:
    """Whether an engine has this data directory, whoever runs it."""
    try:
        lock = os.open(path / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def listen_tcp(host: str, port: int, *, what: str) -> socket.socket:
    """Listen on a TCP address; `what` names its use in the error of a port that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise HilError(
            f"{what} cannot listen on {host}:{port}: {error.strerror};"
            " stop what uses the port, or choose another"
        ) from error
