"""`hil smoke` against the fixed set of remote endpoints: verdict, cure and exit code of each."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from remote_devices import Device, neighbours, site_of, wide_block, wide_power

Shell = Callable[..., Any]

DEVICES = {
    "healthy": Device(),
    "swapped_words": Device(
        points=wide_power(), mistaken={"p_battery": {"word_order": "lsw_first"}}
    ),
    "scale_too_large": Device(faults=[{"kind": "scale_error", "point": "p_poi", "factor": 10}]),
    "inverted_battery": Device(faults=[{"kind": "inverted_sign"}], p_kw=900.0),
    "fc6_refused": Device(faults=[{"kind": "fc16_only"}]),
    "fc6_refused_and_wanted": Device(
        faults=[{"kind": "fc16_only"}], quirks={"write_function": "single"}
    ),
    "fc16_refused_and_wanted": Device(
        faults=[{"kind": "fc6_only"}], quirks={"write_function": "multiple"}
    ),
    "gap_refused": Device(quirks={"max_fill": 20}),
    "joined_points_refused": Device(points=neighbours(), faults=[{"kind": "gap_refusal"}]),
    "short_blocks": Device(points=wide_block(), faults=[{"kind": "max_block", "registers": 20}]),
    "short_blocks_known": Device(
        points=wide_block(),
        faults=[{"kind": "max_block", "registers": 20}],
        quirks={"max_registers": 20},
    ),
    "slow_accept": Device(faults=[{"kind": "silent_accept", "first_s": 0.6}]),
    "slow_accept_known": Device(
        faults=[{"kind": "silent_accept", "first_s": 0.3}],
        quirks={"pause_after_connect_ms": 350},
    ),
    "silent": Device(faults=[{"kind": "silent_accept"}]),
    "refusing": Device(faults=[{"kind": "refuse"}]),
    "failing": Device(faults=[{"kind": "exception", "code": 4, "on": "reads"}]),
    "one_point_failing": Device(faults=[{"kind": "exception", "code": 4, "address": 281}]),
    "another_unit": Device(faults=[{"kind": "wrong_unit_id"}]),
    "unknown_values": Device(faults=[{"kind": "sentinel_values", "point": "soc"}]),
    "losing_writes": Device(faults=[{"kind": "lost_write"}]),
    "single_connection": Device(faults=[{"kind": "single_connection"}]),
}


@dataclass(frozen=True)
class Expected:
    """What a person is told of a device."""

    severity: str
    subject: str = ""
    sentence: str = ""
    options: tuple[str, ...] = ()


ZERO = ("--write-zero",)
EXPECTED = {
    "healthy": Expected("ok"),
    "swapped_words": Expected("failed", "p_battery", "swap words? word_order msw_first reads"),
    "scale_too_large": Expected("failed", "p_poi", "scale 0.1 too large? 0.01 reads"),
    "inverted_battery": Expected(
        "failed", "p_battery", "the sign of p_battery contradicts the SoC slope", ("--over", "2s")
    ),
    "fc6_refused": Expected("warning", "write", "set quirks.write_function: multiple", ZERO),
    "fc6_refused_and_wanted": Expected(
        "failed", "write", "set quirks.write_function: multiple", ZERO
    ),
    "fc16_refused_and_wanted": Expected(
        "failed", "write", "set quirks.write_function: single", ZERO
    ),
    "gap_refused": Expected("failed", "holding 85", "set quirks.max_fill: 0"),
    "joined_points_refused": Expected("failed", "holding 270", "set quirks.max_registers: 1"),
    "short_blocks": Expected("failed", "holding 500", "set quirks.max_registers: 20"),
    "short_blocks_known": Expected("ok"),
    "slow_accept": Expected("failed", "link", "quirks.pause_after_connect_ms"),
    "slow_accept_known": Expected("ok"),
    "silent": Expected("failed", "link", "a wrong unit_id, a device that ignores its first second"),
    "refusing": Expected("failed", "link", "check the address and that the device is on"),
    "failing": Expected("failed", "soc", "server device failure (exception 4)"),
    "one_point_failing": Expected("failed", "soc", "server device failure (exception 4)"),
    "another_unit": Expected("failed", "link", "unit id 247 instead of 1"),
    "unknown_values": Expected("failed", "soc", "expected"),
    "losing_writes": Expected("failed", "p_setpoint", "reads 300 after zero was written", ZERO),
    "single_connection": Expected("ok"),
}


def test_every_device_has_its_verdict() -> None:
    assert set(EXPECTED) == set(DEVICES)


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_judged_with_what_to_do(shell: Shell, data_dir: Path, name: str) -> None:
    expected = EXPECTED[name]

    with site_of({name: DEVICES[name]}, data_dir) as ports:
        found = shell("smoke", *expected.options, "--json")
    with site_of({name: DEVICES[name]}, data_dir) as ports:
        text = shell("smoke", *expected.options, "--junit", "smoke.xml")

    failed = expected.severity == "failed"
    assert (text.code, found.code) == (int(failed), int(failed)), text.out + text.err
    (report,) = found.json()
    assert report["severity"] == expected.severity, report["findings"]
    assert f"127.0.0.1:{ports[name]} unit 1 · {expected.severity}" in text.out
    said = [f"{one['text']} -> {one['cure']}" for one in report["findings"]]
    suite = ET.parse(data_dir / "smoke.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("failures") != "0") is failed
    if not expected.subject:
        assert said == []
        assert report["reads"] == 50
        return
    assert any(expected.sentence in one for one in said), said
    assert expected.sentence in text.out
    (case,) = (one for one in suite if one.get("name") == expected.subject)
    shown = case.findtext("failure" if failed else "system-out")
    assert expected.sentence in str(shown)


def test_the_whole_site_is_checked_in_one_run(shell: Shell, data_dir: Path) -> None:
    with site_of(DEVICES, data_dir):
        found = shell("smoke", "--transport", "remote", "--json")

    assert found.code == 1
    reports = {one["plant"]: one["severity"] for one in found.json()}
    assert list(reports) == list(DEVICES)
    for name, expected in EXPECTED.items():
        if not expected.options:
            assert reports[name] == expected.severity, name


def test_the_only_place_that_somebody_else_holds_is_named(shell: Shell, data_dir: Path) -> None:
    device = DEVICES["single_connection"]
    with site_of({"lib": device}, data_dir) as ports:
        with socket.create_connection(("127.0.0.1", ports["lib"]), timeout=5):
            held = shell("smoke")
        again = shell("smoke")

    assert held.code == 1
    assert "another client that holds its only connection" in held.out
    assert (again.code, again.err) == (0, "")


def test_units_behind_the_only_place_of_a_gateway_are_asked_in_turn(
    shell: Shell, data_dir: Path
) -> None:
    device = Device(faults=[{"kind": "single_connection"}], quirks={"single_connection": True})
    with site_of({"lib": device}, data_dir):
        path = data_dir / "config.yaml"
        config = orjson.loads(path.read_bytes())
        other = device.plant(config["plants"]["lib"]["endpoints"]["remote"]["port"])
        other["endpoints"]["remote"]["unit_id"] = 2
        config["plants"]["other"] = other
        path.write_bytes(orjson.dumps(config))
        found = shell("smoke", "--json")

    lib, other = found.json()
    assert lib["severity"] == "ok", lib["findings"]
    assert {one["text"] for one in other["findings"]} == {
        "cannot be read: refused: gateway target device failed to respond (exception 11)"
    }
