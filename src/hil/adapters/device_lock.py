"""Locks on this machine, one a device: who holds it alone may write to the device."""

import asyncio
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from hil.domain.errors import HilError, Impossible
from hil.domain.plant import Device

# A name that nobody resolves must not hold up the start of an engine.
RESOLVED_WITHIN_S = 2.0
# The file may go while it is being locked, because its last holder removes it.
TRIES_MAX = 100
# What is read of a file that somebody else wrote.
OWNER_MAX = 300
SHARED_FOLDERS = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - files here are opened with care

_IS_FREE_TO_ALL = stat.S_IWOTH | stat.S_IXOTH


def shared_folder() -> Path:
    """The folder that every user of this machine may put lock files in.

    It must be the same one for all of them, so that only what holds for all is looked at.
    """
    for folder in SHARED_FOLDERS:
        with suppress(OSError):
            mode = folder.stat().st_mode
            if stat.S_ISDIR(mode) and mode & _IS_FREE_TO_ALL == _IS_FREE_TO_ALL:
                return folder
    return Path(tempfile.gettempdir())


async def addresses_of(hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of each host, sorted; a name that is not resolved in time stands for itself."""
    loop = asyncio.get_running_loop()
    names = sorted(set(hosts))

    async def resolve(host: str) -> tuple[str, ...]:
        with suppress(OSError, UnicodeError, TimeoutError):
            async with asyncio.timeout(RESOLVED_WITHIN_S):
                found = await loop.getaddrinfo(host, None)
                return tuple(sorted({str(address[0]) for *_, address in found}))
        return (host.lower(),)

    return dict(zip(names, await asyncio.gather(*map(resolve, names)), strict=True))


class FileLocks:
    """Implements `DeviceLocks` by a locked file for each address, port and unit id.

    The kernel lets go of the locks when the process ends, however it ends.

    Args:
        owner: Who holds the locks, for those who are refused, such as "data directory /x".
        addresses: The addresses of hosts, as `addresses_of` finds them.
        folder: Where the files are; by default `shared_folder()`.
    """

    def __init__(
        self, owner: str, addresses: Mapping[str, tuple[str, ...]], *, folder: Path | None = None
    ) -> None:
        self._owner = owner
        self._addresses = addresses
        self._folder = shared_folder() if folder is None else folder
        self._held: dict[Path, int] = {}

    def hold(self, devices: Collection[Device]) -> None:
        """See `DeviceLocks.hold`."""
        wanted = {path: device for device in devices for path in self._paths(device)}
        taken: dict[Path, int] = {}
        try:
            for path, device in wanted.items():
                if path not in self._held:
                    taken[path] = _locked(path, device, self._owner)
        except BaseException:
            for path, lock in taken.items():
                _let_go(path, lock)
            raise
        for path in self._held.keys() - wanted.keys():
            _let_go(path, self._held.pop(path))
        self._held |= taken

    def _paths(self, device: Device) -> list[Path]:
        return [
            self._folder / f"hil-{_safe(address)}-{device.port}-{device.unit_id}.lock"
            for address in self._addresses.get(device.host, (device.host,))
        ]


def _safe(address: str) -> str:
    """An address as part of a file name."""
    return re.sub(r"[^0-9A-Za-z.:_-]", "_", address)[:200]


def _locked(path: Path, device: Device, owner: str) -> int:
    """Lock the file at this path; its descriptor."""
    for _ in range(TRIES_MAX):
        try:
            lock = _opened(path)
        except FileExistsError:
            continue  # somebody else has made it meanwhile
        except OSError as error:
            raise HilError(
                f"{path}, the lock on {_name(device)}, cannot be used: {error.strerror};"
                " make the file and its folder writable"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(lock)
            os.close(lock)
            raise Impossible(
                f"another process ({holder}) writes to {_name(device)};"
                " end it first, because only one may write to a device"
            ) from error
        if _is_there(path, lock):
            _say_who(lock, owner)
            return lock
        os.close(lock)  # its holder has removed it meanwhile: another file has the name now
    raise HilError(f"{path}, the lock on {_name(device)}, comes and goes; try again")


def _opened(path: Path) -> int:
    """Open the file, or make it for all users; raises OSError (`FileExistsError`: try again).

    Two steps, because the kernel may refuse (fs.protected_regular) to open somebody else's file in
    a shared folder when it might as well be made.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        lock = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(lock, 0o666)  # whatever the umask: every user must be able to lock it
    return lock


def _is_there(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.lstat())
    except FileNotFoundError:
        return False


def _say_who(lock: int, owner: str) -> None:
    """Tell those who will be refused; the lock holds on a full disk, too."""
    with suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()}, {owner}\n".encode(), 0)


def _holder(lock: int) -> str:
    with suppress(OSError):
        text = os.pread(lock, OWNER_MAX, 0).decode("utf-8", "replace")
        if text.strip():
            return " ".join(text.split())
    return "unknown"


def _let_go(path: Path, lock: int) -> None:
    """Remove the file, while it is locked, and let go of it.

    Files of ports that are never used again would fill a small shared folder. Only its maker may
    remove a file from there; another's stays, which does no harm.
    """
    with suppress(OSError):
        path.unlink()
    os.close(lock)


def _name(device: Device) -> str:
    return f"{device.host}:{device.port} unit {device.unit_id}"
