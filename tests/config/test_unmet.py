"""What a configuration asks for in vain is refused or said, never passed over in silence."""

import pytest

from hil.config.load import default_text, load_text
from hil.config.unmet import is_loopback, passed_over, refusals


def changed(old: str, new: str) -> str:
    text = default_text()
    assert old in text
    return text.replace(old, new, 1)


def test_packaged_default_asks_for_nothing_in_vain() -> None:
    config = load_text(default_text())

    assert refusals(config) == []
    assert passed_over(config) == []


def test_host_that_others_can_reach_is_refused() -> None:
    config = load_text(changed("  host: 127.0.0.1", "  host: 0.0.0.0"))

    (problem,) = refusals(config)
    assert problem.where == "web.host"
    assert "can be reached from other machines" in problem.why


def test_a_meter_of_its_own_is_not_asked_for_in_vain() -> None:
    device = "port: 5020, devices: {meter: {host: 127.0.0.1, port: 5022}}"

    assert refusals(load_text(changed("port: 5020", device))) == []


def test_keys_without_effect_are_named() -> None:
    config = load_text(changed("  noise: off", "  noise: realistic"))

    assert passed_over(config) == ["grid.noise"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("bench.example", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
