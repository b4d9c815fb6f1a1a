"""Connecting and disconnecting are in the audit trail, without the password."""

import pytest

from fake_source import FakeSource, log_in_refused
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible
from rig import running


async def test_who_connects_and_disconnects_is_kept() -> None:
    source = FakeSource()
    async with running(source=source) as rig:
        await rig.wait(3)
        await rig.engine.connect_schedule_api("secret", by="ana")
        source.failures = [log_in_refused()] * 3
        with pytest.raises(Impossible, match="password is wrong"):
            await rig.engine.connect_schedule_api("guess", by="ben")
        await rig.engine.disconnect_schedule_api(by="ana")

        told = [
            (each.kind, each.by, each.asked, each.status, each.error)
            for each in rig.engine.commands()
        ]
    kind, done, failed = CommandKind.CONNECTION, CommandStatus.DONE, CommandStatus.FAILED
    assert sorted(told, key=str) == sorted(
        [
            (kind, "ana", {"connected": True}, done, None),
            (kind, "ben", {"connected": True}, failed, "the password is wrong"),
            (kind, "ana", {"connected": False}, done, None),
        ],
        key=str,
    )


async def test_without_a_market_api_there_is_nothing_to_connect_to() -> None:
    async with running() as rig:
        with pytest.raises(Impossible, match="no market API is configured"):
            await rig.engine.connect_schedule_api("secret", by="ana")
        assert rig.engine.commands() == ()
