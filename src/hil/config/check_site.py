"""What must hold between the sections and the plants of a site."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hil.config.model import (
    EmulationConfig,
    PostingConfig,
    ScheduleApiConfig,
    SiteConfig,
    StartupConfig,
    WebConfig,
)
from hil.config.shape import did_you_mean
from hil.config.values import map_configs, points
from hil.domain.errors import Problem
from hil.domain.plant import Source, Transport

Problems = Iterator[Problem]
# The valid parts of each plant, by id.
Plants = Mapping[str, Mapping[str, Any]]

SOURCE_GROUP = "hil.schedule_sources"
_NEEDED = {"istentore": ("base_url", "email"), "csv_folder": ("folder",)}
_OWN = {
    "istentore": {"base_url", "email", "password_env", "password_file"},
    "csv_folder": {"folder"},
}


def time_zone(site: SiteConfig) -> Problems:
    """The time zone exists, with or without the system's own database."""
    try:
        ZoneInfo(site.timezone)
    except (ValueError, OSError, KeyError):  # a bad name, a folder of zones, no such zone
        hint = did_you_mean(site.timezone, available_timezones(), cutoff=0.8)
        yield Problem(
            where="site.timezone",
            why=f'"{site.timezone}" is not an IANA time zone such as Europe/Madrid{hint}',
        )


def certificate(web: WebConfig) -> Problems:
    """TLS has both of its files."""
    if (web.tls.cert_file is None) != (web.tls.key_file is None):
        yield Problem(where="web.tls", why="needs both cert_file and key_file, or neither")


def schedule_source(api: ScheduleApiConfig | None) -> Problems:
    """The adapter exists and has its keys, and only those."""
    if api is None:
        return
    adapters = {*_NEEDED, *(entry.name for entry in entry_points(group=SOURCE_GROUP))}
    if api.kind not in adapters:
        why = f'there is no adapter "{api.kind}"{did_you_mean(api.kind, adapters)}'
        yield Problem(where="schedule_api.kind", why=why)
        return
    for key in _NEEDED.get(api.kind, ()):
        if getattr(api, key) is None:
            yield Problem(where=f"schedule_api.{key}", why=f"{api.kind} needs this key")
    for kind, keys in _OWN.items():
        for key in sorted(keys if kind != api.kind and api.kind in _NEEDED else ()):
            if getattr(api, key) is not None:
                yield Problem(where=f"schedule_api.{key}", why=f"does not belong to {api.kind}")
    if api.options and api.kind in _NEEDED:
        yield Problem(where="schedule_api.options", why=f"does not belong to {api.kind}")
    if api.password_env is not None and api.password_file is not None:
        where = "schedule_api.password_file"
        yield Problem(where=where, why="only one of password_env and password_file")
    yield from _posting(api.posting)


def _posting(posting: PostingConfig) -> Problems:
    if posting.retry_max_s < posting.retry_initial_s:
        yield Problem(
            where="schedule_api.posting.retry_max_s",
            why=f"must be at least retry_initial_s ({posting.retry_initial_s:g} s), "
            f"is {posting.retry_max_s:g} s",
        )


def first_source(startup: StartupConfig, api: ScheduleApiConfig | None) -> Problems:
    """The source that is selected first exists."""
    if startup.source is Source.API and api is None:
        yield Problem(where="startup.source", why="is api, but schedule_api is null")


def first_transport(startup: StartupConfig, plants: Plants) -> Problems:
    """The transport that is selected first reaches every plant."""
    without = [
        plant
        for plant, parts in plants.items()
        if "endpoints" in parts and parts["endpoints"].remote is None
    ]
    if startup.transport is Transport.REMOTE and without:
        names = ", ".join(without)
        why = f"is remote, but these plants have no remote endpoint: {names}"
        yield Problem(where="startup.transport", why=why)


def ports(web: WebConfig, emulation: EmulationConfig, plants: Plants) -> Problems:
    """No two of our own servers listen on one port."""
    taken: dict[int, str] = {}
    for place, port in _listening(web, emulation, plants):
        if port in taken:
            yield Problem(where=place, why=f"port {port} is already that of {taken[port]}")
        taken.setdefault(port, place)


def _listening(
    web: WebConfig, emulation: EmulationConfig, plants: Plants
) -> Iterator[tuple[str, int]]:
    yield "web.port", web.port
    if web.public.enabled:
        yield "web.public.port", web.public.port
    yield "emulation.control_port", emulation.control_port
    for plant, parts in plants.items():
        if "endpoints" not in parts:
            continue
        local, place = parts["endpoints"].local, f"plants.{plant}.endpoints.local"
        yield f"{place}.port", local.port
        for name, device in local.devices.items():
            yield f"{place}.devices.{name}.port", device.port


def writers(plants: Plants) -> Problems:
    """No two plants write the same register of the same device."""
    taken: dict[tuple[str, int, int, str, int], str] = {}
    for plant, parts in plants.items():
        if not parts.keys() >= {"endpoints", "register_map"}:
            continue
        device = parts["endpoints"].remote
        registers = map_configs(parts["register_map"]).get(Transport.REMOTE)
        if device is None or registers is None:
            continue
        place = f"plants.{plant}.endpoints.remote"
        for point in points(registers).values():
            written = range(point.address, point.end) if point.is_writable else ()
            keys = [
                (device.host.lower(), device.port, device.unit_id, point.table.value, address)
                for address in written
            ]
            rival = next((taken[key] for key in keys if key in taken), place)
            if rival != place:
                why = f"{point.name} is a register that {rival} writes, too; check the unit_id"
                yield Problem(where=place, why=why)
                break
            taken |= dict.fromkeys(keys, place)


def shared_connections(plants: Plants) -> Problems:
    """Who shares a host and port agrees on `single_connection`: it accepts one connection or more.

    Emulated plants have a port each.
    """
    by_server: dict[tuple[str, int], dict[str, bool]] = {}
    for plant, parts in plants.items():
        remote = parts["endpoints"].remote if "endpoints" in parts else None
        if remote is None:
            continue
        place = f"plants.{plant}.endpoints.remote"
        named = {f"{place}.devices.{name}": device for name, device in remote.devices.items()}
        for where, device in {place: remote, **named}.items():
            users = by_server.setdefault((device.host.lower(), device.port), {})
            users[where] = device.quirks.single_connection
    for (host, port), users in by_server.items():
        sharing = ", ".join(where for where, is_single in users.items() if is_single)
        for where, is_single in users.items():
            if sharing and not is_single:
                yield Problem(
                    where=f"{where}.quirks.single_connection",
                    why=f"is false, but true at the same {host}:{port} in {sharing}; "
                    "give all of them the same",
                )


def series(plants: Plants) -> Problems:
    """No two measurements are posted to one series."""
    taken: dict[int, str] = {}
    for plant, parts in plants.items():
        for signal, number in dict(parts.get("measurement_series") or {}).items():
            place = f"plants.{plant}.measurement_series.{signal}"
            if number in taken:
                yield Problem(
                    where=place, why=f"series {number} is already that of {taken[number]}"
                )
            elif number is not None:
                taken[number] = place


# A check runs when the parts that it needs are valid by themselves.
SITE_CHECKS: tuple[tuple[tuple[str, ...], Callable[..., Problems]], ...] = (
    (("site",), time_zone),
    (("web",), certificate),
    (("schedule_api",), schedule_source),
    (("startup", "schedule_api"), first_source),
    (("startup", "plants"), first_transport),
    (("web", "emulation", "plants"), ports),
    (("plants",), writers),
    (("plants",), shared_connections),
    (("plants",), series),
)


def site_problems(parts: Mapping[str, Any], plants: Plants) -> list[Problem]:
    """Everything that does not fit together between sections.

    Args:
        parts: The sections that are valid by themselves, with their models.
        plants: The valid parts of each plant.
    """
    given = {**parts, "plants": plants}
    return [
        problem
        for needed, check in SITE_CHECKS
        if given.keys() >= set(needed)
        for problem in check(*(given[name] for name in needed))
    ]
