"""Locks on devices: real files, held by real processes."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hil.adapters.device_lock import FileLocks, addresses_of, shared_folder
from hil.domain.errors import HilError, Impossible
from hil.domain.plant import Device

ONE = Device(host="192.0.2.1", port=502)
OTHER_UNIT = Device(host="192.0.2.1", port=502, unit_id=2)
TWO = Device(host="192.0.2.2", port=502)
HOLDER = """
import sys
from pathlib import Path
from hil.adapters.device_lock import FileLocks
from hil.domain.plant import Device
locks = FileLocks("data directory /elsewhere", {}, folder=Path(sys.argv[1]))
locks.hold([Device(host="192.0.2.1", port=502)])
print("held", flush=True)
sys.stdin.read()
"""


def locks(folder: Path, **addresses: str) -> FileLocks:
    known = {host: tuple(found.split()) for host, found in addresses.items()}
    return FileLocks("data directory /here", known, folder=folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of ONE until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_another_process_holds_is_refused_with_its_owner(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        said = (
            rf"another process \(process {process.pid}, data directory /elsewhere\) writes to"
            r" 192\.0\.2\.1:502 unit 1; end it first"
        )
        with pytest.raises(Impossible, match=said):
            locks(tmp_path).hold([ONE])


def test_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names(tmp_path) == ["hil-192.0.2.1-502-1.lock"]

        locks(tmp_path).hold([ONE])

        assert f"process {os.getpid()}, data directory /here" in (
            (tmp_path / "hil-192.0.2.1-502-1.lock").read_text()
        )


def test_other_units_and_addresses_are_free(tmp_path: Path) -> None:
    with another_process(tmp_path):
        locks(tmp_path).hold([OTHER_UNIT, TWO])

        assert names(tmp_path) == [
            "hil-192.0.2.1-502-1.lock",
            "hil-192.0.2.1-502-2.lock",
            "hil-192.0.2.2-502-1.lock",
        ]


def test_refusal_changes_nothing(tmp_path: Path) -> None:
    mine, others = locks(tmp_path), locks(tmp_path)
    others.hold([TWO])
    mine.hold([ONE])

    with pytest.raises(Impossible):
        mine.hold([OTHER_UNIT, TWO])

    with pytest.raises(Impossible):
        others.hold([TWO, ONE])
    others.hold([TWO, OTHER_UNIT])


def test_what_is_let_go_of_is_free_and_its_file_gone(tmp_path: Path) -> None:
    mine = locks(tmp_path)
    mine.hold([ONE, TWO])
    mine.hold([TWO])

    locks(tmp_path).hold([ONE])
    mine.hold([])

    assert names(tmp_path) == ["hil-192.0.2.1-502-1.lock"]


def test_two_names_of_one_device_are_one(tmp_path: Path) -> None:
    mine = locks(tmp_path, bess="192.0.2.1", gateway="192.0.2.1 2001:db8::1")
    mine.hold([Device(host="bess", port=502)])

    with pytest.raises(Impossible, match="writes to gateway:502 unit 1"):
        locks(tmp_path, gateway="192.0.2.1 2001:db8::1").hold([Device(host="gateway", port=502)])
    mine.hold([Device(host="bess", port=502), Device(host="gateway", port=502)])

    assert names(tmp_path) == ["hil-192.0.2.1-502-1.lock", "hil-2001:db8::1-502-1.lock"]


def test_every_user_may_lock_the_file(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        locks(tmp_path).hold([ONE])
    finally:
        os.umask(mask)

    mode = (tmp_path / "hil-192.0.2.1-502-1.lock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o666


def test_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "hil-192.0.2.1-502-1.lock").symlink_to(victim)

    with pytest.raises(HilError, match=r"cannot be used: .*make the file and its folder writable"):
        locks(tmp_path).hold([ONE])

    assert victim.read_text() == "precious"


def test_name_that_cannot_be_a_file_name_is_changed(tmp_path: Path) -> None:
    locks(tmp_path).hold([Device(host="../x/" + "y" * 300, port=502)])

    assert len(names(tmp_path)) == 1


def test_shared_folder_is_open_to_all_users() -> None:
    assert shared_folder().stat().st_mode & stat.S_IWOTH


@pytest.mark.real_time
async def test_hosts_are_resolved_and_unknown_ones_stand_for_themselves() -> None:
    found = await addresses_of(["127.0.0.1", "::1", "localhost", "No..Such"])

    assert found["127.0.0.1"] == ("127.0.0.1",)
    assert found["::1"] == ("::1",)
    assert {"127.0.0.1", "::1"} & set(found["localhost"])
    assert found["No..Such"] == ("no..such",)
    assert len(asyncio.all_tasks()) == 1


def test_files_that_come_and_go_never_give_two_holders(tmp_path: Path) -> None:
    holders: list[int] = []
    seen: list[int] = []

    def compete(number: int) -> None:
        mine = locks(tmp_path)
        for _ in range(2_000):
            with suppress(Impossible):
                mine.hold([ONE])
                holders.append(number)
                seen.append(len(holders))
                os.sched_yield()
                holders.remove(number)
                mine.hold([])

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads meet between any two steps
    try:
        with ThreadPoolExecutor(4) as pool:
            for ended in [pool.submit(compete, number) for number in range(4)]:
                ended.result()
    finally:
        sys.setswitchinterval(interval_s)

    assert set(seen) == {1}
    assert not names(tmp_path)
