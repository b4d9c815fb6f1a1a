"""From the configuration to a schedule source and what the engine is told of it."""

import os
import random
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from hil.adapters.csv_folder import CsvFolder
from hil.adapters.istentore import Istentore
from hil.config.check_site import SOURCE_GROUP
from hil.config.model import Config, ScheduleApiConfig
from hil.domain.errors import HilError
from hil.domain.market import DeliveryDays
from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.engine.fetcher import FetchPolicy
from hil.engine.market import MarketAccess, MarketSettings
from hil.engine.poster import PlantSeries, PostingPolicy
from hil.ports import Clock, ScheduleSource

# A password is one line; a larger file is another one.
PASSWORD_MAX = 4096


def market_access(
    config: Config,
    specs: Sequence[PlantSpec],
    clock: Clock,
    *,
    draw: random.Random,
    environ: Mapping[str, str] = os.environ,
    transport: httpx.AsyncBaseTransport | None = None,
) -> MarketAccess | None:
    """The market API of the configuration, and how it is used; None when there is none.

    Args:
        transport: How the requests of istentore travel; None: over the network.

    Raises:
        HilError: The password cannot be read, or an installed adapter cannot be made.
    """
    api = config.schedule_api
    if api is None:
        return None
    source = _source(config, api, specs, clock, environ, transport)
    return MarketAccess(settings=_settings(config, api, specs), source=source, draw=draw)


def _settings(config: Config, api: ScheduleApiConfig, specs: Sequence[PlantSpec]) -> MarketSettings:
    return MarketSettings(
        fetch=FetchPolicy(
            days=DeliveryDays(
                zone=ZoneInfo(config.site.timezone),
                period=timedelta(minutes=api.schedule_period_min),
                tomorrow_from=time.fromisoformat(api.tomorrow_poll_start),
            ),
            poll_period_s=api.poll_period_s,
            error_backoff_s=api.error_backoff_s,
        ),
        posting=PostingPolicy(
            transports=frozenset(Transport(each) for each in api.posting.transports),
            period_s=api.posting.period_s,
            retry_initial_s=api.posting.retry_initial_s,
            retry_max_s=api.posting.retry_max_s,
            error_backoff_s=api.error_backoff_s,
        ),
        queue_max=api.posting.queue_max,
        series={spec.id: _series(config, spec) for spec in specs},
        connects_at_start=api.kind != "istentore" or _names_password(api),
    )


def _source(
    config: Config,
    api: ScheduleApiConfig,
    specs: Sequence[PlantSpec],
    clock: Clock,
    environ: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None,
) -> ScheduleSource:
    plants = [spec.id for spec in specs]
    zone = ZoneInfo(config.site.timezone)
    if api.kind == "istentore":
        assert api.base_url is not None, "checked with the configuration"
        assert api.email is not None, "checked with the configuration"
        return Istentore(
            api.base_url,
            api.email,
            _password(api, environ),
            plants,
            clock,
            error_backoff_s=api.error_backoff_s,
            transport=transport,
        )
    if api.kind == "csv_folder":
        assert api.folder is not None, "checked with the configuration"
        return CsvFolder(Path(api.folder), plants, zone=zone)
    return _installed(api, plants, zone)


def _installed(api: ScheduleApiConfig, plants: list[PlantId], zone: ZoneInfo) -> ScheduleSource:
    """An entry point makes a `ScheduleSource` from `options`, the plants and the zone."""
    entry: EntryPoint
    (entry,) = entry_points(group=SOURCE_GROUP, name=api.kind)
    try:
        source = entry.load()(api.options, plants=plants, zone=zone)
    except Exception as error:
        raise HilError(f"schedule_api.kind {api.kind}: {entry.value}: {error!r}") from error
    if not isinstance(source, ScheduleSource):
        raise HilError(f"schedule_api.kind {api.kind}: {entry.value} makes no ScheduleSource")
    return source


def _names_password(api: ScheduleApiConfig) -> bool:
    return api.password_env is not None or api.password_file is not None


def _password(api: ScheduleApiConfig, environ: Mapping[str, str]) -> str | None:
    """The password from where the configuration points; None where somebody types it in."""
    if api.password_env is not None:
        if not environ.get(api.password_env):
            raise HilError(
                f"schedule_api.password_env: the environment variable {api.password_env} is not"
                " set; set it, or remove the key and connect on the page"
            )
        return environ[api.password_env]
    if api.password_file is None:
        return None
    try:
        with Path(api.password_file).open(encoding="utf-8") as file:
            text = file.read(PASSWORD_MAX + 1)
    except (OSError, ValueError) as error:
        raise HilError(f"schedule_api.password_file cannot be read: {error}") from None
    password = text.strip("\r\n")
    if not password or len(text) > PASSWORD_MAX or "\n" in password:
        raise HilError(
            f"schedule_api.password_file {api.password_file} must hold the password alone"
        )
    return password


def _series(config: Config, spec: PlantSpec) -> PlantSeries:
    series = config.plants[spec.id].measurement_series
    return PlantSeries(
        soc=None if series is None else series.soc,
        p=None if series is None else series.p,
        q=None if series is None else series.q,
        v=None if series is None else series.v,
        capacity_kwh=spec.nameplate.capacity_kwh,
    )
