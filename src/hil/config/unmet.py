"""What a valid configuration asks for and this version cannot do: refused, or said."""

import ipaddress

from hil.config.model import Config
from hil.domain.errors import Problem


def refusals(config: Config) -> list[Problem]:
    """What must not be passed over, because the bench would be less safe than it says."""
    found: list[Problem] = []

    def refuse(where: str, why: str) -> None:
        found.append(Problem(where=where, why=why))

    if not is_loopback(config.web.host):
        refuse(
            "web.host",
            f"{config.web.host} can be reached from other machines, and there are no users yet;"
            " use 127.0.0.1",
        )
    if config.web.tls.cert_file is not None:
        refuse("web.tls", "HTTPS is not served yet; remove it, the page is on loopback only")
    if config.web.public.enabled:
        refuse("web.public.enabled", "there is no public page yet; use false")
    return found


def passed_over(config: Config) -> list[str]:
    """Keys that are set and have no effect yet."""
    asked = {
        "grid.noise": config.grid.noise != "off",
        "grid.playback_file": config.grid.playback_file is not None,
    }
    return [key for key, is_asked in asked.items() if is_asked]


def is_loopback(host: str) -> bool:
    """Whether the host is this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
