"""Endpoints and register maps fit each other: quirks, meters, plants that share a device."""

from collections.abc import Callable

import pytest

Problems = Callable[..., list[str]]
REMOTE = "      # remote: {host: 192.0.2.21, port: 502, unit_id: 1}   # the real plant\n"


def remote(more: str = "") -> tuple[str, str]:
    """Gives the plant lib a remote endpoint."""
    return (REMOTE, f"      remote: {{host: 192.0.2.21{more}}}\n")


def copy_of_lib(text: str) -> str:
    """A further plant like lib in this text, whose emulation and series are its own."""
    lib = text[text.index("  lib:") : text.index("  vrfb:")]
    copy = lib.replace("  lib:", "  copy:", 1).replace("port: 5020", "port: 5030")
    return copy.replace("{soc: 4, p: 6, q: 7, v: 8}", "null")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            ", quirks: {write_function: single}",
            (
                "plants.lib.endpoints.remote.quirks.write_function: single writes one register, "
                "but p_setpoint (int32) takes 2"
            ),
        ),
        (
            ", quirks: {max_registers: 1}",
            (
                "plants.lib.endpoints.remote.quirks.max_registers: 1 cannot hold p_setpoint "
                "(int32), which takes 2"
            ),
        ),
    ],
)
def test_a_device_must_be_able_to_carry_every_value(
    problems: Problems, more: str, problem: str
) -> None:
    assert problems(
        ("{address: 86, format: int16", "{address: 86, format: int32"), remote(more)
    ) == [problem]


@pytest.mark.parametrize(
    ("unit_id", "expected"),
    [
        (
            1,
            [
                (
                    "plants.copy.endpoints.remote: enable is a register that "
                    "plants.lib.endpoints.remote writes, too; check the unit_id"
                )
            ],
        ),
        (2, []),
    ],
)
def test_two_plants_do_not_write_one_device(
    edited: Callable[..., str], problems: Problems, unit_id: int, expected: list[str]
) -> None:
    copy = copy_of_lib(edited(remote(", unit_id: 1")))
    copy = copy.replace("unit_id: 1", f"unit_id: {unit_id}")

    assert problems(remote(", unit_id: 1"), ("  vrfb:", f"{copy}  vrfb:")) == expected


SINGLE, OPEN = "quirks: {single_connection: true}", "quirks: {single_connection: false}"


@pytest.mark.parametrize(
    ("lib", "copy", "lacking", "having"),
    [
        (SINGLE, OPEN, "copy.endpoints.remote", "lib.endpoints.remote"),
        (OPEN, SINGLE, "lib.endpoints.remote", "copy.endpoints.remote"),
        (SINGLE, SINGLE, None, None),
        (OPEN, OPEN, None, None),
        (SINGLE, f"port: 503, {OPEN}", None, None),
    ],
)
def test_plants_at_one_server_agree_on_its_single_connection(
    edited: Callable[..., str],
    problems: Problems,
    lib: str,
    copy: str,
    lacking: str | None,
    having: str | None,
) -> None:
    change = remote(f", unit_id: 1, {lib}")
    plant = copy_of_lib(edited(change)).replace(f"unit_id: 1, {lib}", f"unit_id: 2, {copy}")
    expected = [
        (
            f"plants.{lacking}.quirks.single_connection: is false, but true at the same "
            f"192.0.2.21:502 in plants.{having}; give all of them the same"
        )
    ]

    assert problems(change, ("  vrfb:", f"{plant}  vrfb:")) == (expected if lacking else [])


def test_a_meter_at_its_plants_server_agrees_on_the_single_connection(problems: Problems) -> None:
    meter = "{host: 192.0.2.21, unit_id: 7}"

    [problem] = problems(remote(f", {SINGLE}, devices: {{meter: {meter}}}"))
    place = "plants.lib.endpoints.remote.devices.meter.quirks.single_connection"
    assert problem.startswith(f"{place}: is false, but true at the same 192.0.2.21:502 in plants")


def test_a_meter_of_its_own_is_a_device(problems: Problems) -> None:
    device = "port: 5020, devices: {meter: {host: 127.0.0.1, port: 5022}}"

    assert problems(("port: 5020", device), ("unit: V}", "unit: V, device: meter}")) == []
    assert problems(
        ("port: 5020", device.replace("5022", "5021")), ("unit: V}", "unit: V, device: meter}")
    ) == [
        (
            "plants.vrfb.endpoints.local.port: port 5021 is already that of "
            "plants.lib.endpoints.local.devices.meter.port"
        )
    ]


def test_points_of_a_meter_do_not_overlap_those_of_the_plant(problems: Problems) -> None:
    device = ("port: 5020", "port: 5020, devices: {meter: {host: 127.0.0.1, port: 5022}}")
    point = (
        "{address: 296, format: uint16, access: r, unit: V}",
        "{address: 86, format: uint16, unit: V, device: meter}",
    )

    assert problems(device, point) == []
