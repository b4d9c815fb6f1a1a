"""The whole configuration: every section of config.yaml as a model."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hil.config.model_plant import PlantConfig
from hil.config.section import (
    CLOSED,
    Colour,
    EnvName,
    FilePath,
    Fraction,
    Host,
    Identifier,
    Period,
    Port,
    Proxy,
    Seconds,
    Section,
    Text,
    TimeOfDay,
    Url,
)
from hil.domain.plant import Source, Transport

SourceWord = Annotated[Source, Field(strict=False)]
TransportWord = Annotated[Transport, Field(strict=False)]
Tolerance = Annotated[float, Field(ge=0, le=1e6)]


class SiteConfig(Section):
    """The site: its name and the time zone that decides what a day is."""

    name: Text = Field("HIL bench", description="Name that people see.")
    timezone: Text = Field("Europe/Madrid", description="IANA name of the site's time zone.")


class StartupConfig(Section):
    """The selectors at a clean start, and what happens after a crash."""

    source: SourceWord = Field(
        Source.MANUAL, description="Where schedules come from: `manual` or `api`."
    )
    transport: TransportWord = Field(
        Transport.LOCAL, description="Emulated (`local`) or real (`remote`) plants."
    )
    initial_soc_pu: Fraction = Field(
        0.5, description="State of charge of an emulated plant that has no recording yet."
    )
    soc_from_recording: bool = Field(
        True, description="Emulated plants start with the SoC of their newest recording."
    )
    resume: Literal["hold", "resume"] = Field(
        "hold",
        description="After a crash: `hold` keeps all gates closed, `resume` takes up dispatch and "
        "recording again.",
    )
    resume_max_age_s: Annotated[float, Field(gt=0, le=86400)] = Field(
        300.0, description="A crash older than this is never resumed."
    )


class TimingConfig(Section):
    """Periods and time-outs; periods are whole milliseconds."""

    dispatch_period_s: Period = Field(2.0, description="How often setpoints are decided.")
    measurement_period_s: Period = Field(2.0, description="How often plants are measured.")
    emulation_period_s: Period = Field(1.0, description="Longest step of the emulated plants.")
    modbus_timeout_s: Seconds = Field(1.0, description="How long a device may take to answer.")
    start_timeout_s: Seconds = Field(
        10.0, description="How long `enable` may take to read back after Start."
    )


class SafeStopConfig(Section):
    """When a plant counts as at rest and may be disabled."""

    threshold_kw: Annotated[float, Field(gt=0, le=1e6)] = Field(
        1.0, description="Active power of the battery below which it is at rest."
    )
    threshold_kvar: Annotated[float, Field(gt=0, le=1e6)] = Field(
        1.0, description="Reactive power of the battery below which it is at rest."
    )
    timeout_s: Seconds = Field(30.0, description="Disabled anyway after this time.")


class TolerancesConfig(Section):
    """How far a signal may move before a row is kept."""

    p_setpoint_kw: Tolerance = Field(0.0, description="kW.")
    battery_active_power_kw: Tolerance = Field(0.1, description="kW.")
    q_setpoint_kvar: Tolerance = Field(0.0, description="kvar.")
    battery_reactive_power_kvar: Tolerance = Field(0.1, description="kvar.")
    soc_pu: Tolerance = Field(0.001, description="Per unit.")
    p_poi_kw: Tolerance = Field(0.1, description="kW.")
    q_poi_kvar: Tolerance = Field(0.1, description="kvar.")
    v_poi_kV: Tolerance = Field(  # noqa: N815 - the name is fixed by the recording's column
        0.001, description="kV."
    )


class CompressionConfig(Section):
    """Rows that say nothing new are left out."""

    enabled: bool = Field(True, description="Whether recordings are compressed.")
    max_gap_s: Annotated[float, Field(ge=1, le=86400)] = Field(
        360.0, description="A row is kept at least this often."
    )
    tolerances: TolerancesConfig = Field(
        default_factory=TolerancesConfig, description="Tolerance of each signal."
    )


class RecordingConfig(Section):
    """Where and how measurements are recorded."""

    directory: FilePath = Field("data", description="Relative to the data directory.")
    flush_period_s: Period = Field(
        5.0, description="How often rows go to disk; a crash loses less than this."
    )
    compression: CompressionConfig = Field(
        default_factory=CompressionConfig, description="Compression of recordings."
    )


class PostingConfig(Section):
    """Measurements to the market API."""

    enabled: bool = Field(True, description="Whether measurements are posted.")
    transports: list[TransportWord] = Field(
        [Transport.LOCAL, Transport.REMOTE],
        max_length=2,
        description="Transports on which measurements are posted.",
    )
    period_s: Period = Field(60.0, description="How often the newest sample is queued.")
    queue_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        20_000, description="Samples that wait at most; the oldest are dropped and counted."
    )
    retry_initial_s: Seconds = Field(2.0, description="First wait after a failed call.")
    retry_max_s: Seconds = Field(60.0, description="Longest wait after failed calls.")


class ScheduleApiConfig(Section):
    """The market API; which keys apply depends on `kind`."""

    kind: Identifier = Field(
        description="`istentore`, `csv_folder`, or the name of an installed adapter (entry point "
        "`hil.schedule_sources`)."
    )
    base_url: Url | None = Field(None, description="Of istentore: address of the API.")
    email: Text | None = Field(None, description="Of istentore: the user's e-mail or name.")
    password_env: EnvName | None = Field(
        None, description="Environment variable with the password; null: someone logs in."
    )
    password_file: FilePath | None = Field(None, description="File with the password.")
    folder: FilePath | None = Field(None, description="Of csv_folder: where the files appear.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Of an installed adapter: its own options."
    )
    poll_period_s: Annotated[float, Field(ge=1, le=86400)] = Field(
        120.0, description="How often a missing schedule is asked for."
    )
    error_backoff_s: Annotated[float, Field(ge=1, le=86400)] = Field(
        30.0, description="Wait after an error, and after a refused log-in."
    )
    tomorrow_poll_start: TimeOfDay = Field(
        "15:00", description="Site time from which tomorrow is asked for."
    )
    schedule_period_min: Annotated[float, Field(gt=0, le=1440)] = Field(
        15.0, description="A setpoint older than this is stale, and 0 is sent."
    )
    posting: PostingConfig = Field(
        default_factory=PostingConfig, description="Measurements to the market API."
    )


class TlsConfig(Section):
    """Certificate and key of the web page; both or neither."""

    cert_file: FilePath | None = Field(None, description="PEM file of the certificate chain.")
    key_file: FilePath | None = Field(None, description="PEM file of the private key.")


class BrandConfig(Section):
    """What the page looks like."""

    title: Text | None = Field(None, description="Title of the page; null: the site's name.")
    logo_file: FilePath | None = Field(None, description="Image beside the title.")
    accent: Colour | None = Field(None, description="Accent colour, such as `#0a7d5c`.")


class PublicConfig(Section):
    """A second, read-only page."""

    enabled: bool = Field(False, description="Whether it is served.")
    host: Host = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8060, description="Port to listen on.")
    auth: Literal["basic", "none"] = Field(
        "basic", description="`basic`: any user; `none`: everyone."
    )


class WebConfig(Section):
    """The operator's page and the HTTP API."""

    host: Host = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8050, description="Port to listen on.")
    tls: TlsConfig = Field(default_factory=TlsConfig, description="HTTPS.")
    allowed_hosts: list[Host] = Field(
        default_factory=list,
        max_length=100,
        description="Host names that browsers may use, besides loopback and `host`.",
    )
    trusted_proxies: list[Proxy] = Field(
        default_factory=list,
        max_length=100,
        description="Addresses or networks of proxies whose forwarded headers count.",
    )
    brand: BrandConfig = Field(default_factory=BrandConfig, description="Looks of the page.")
    public: PublicConfig = Field(
        default_factory=PublicConfig, description="A second, read-only page."
    )


class EmulationConfig(Section):
    """The emulated plants."""

    control_port: Port = Field(
        5019, description="Loopback port for their faults and state of charge."
    )


class GridConfig(Section):
    """The grid that the emulated plants are connected to."""

    v_source_pu: Annotated[float, Field(ge=0, le=2)] = Field(
        1.0, description="Source voltage in per unit of nominal."
    )
    f_hz: Annotated[float, Field(ge=10, le=100)] = Field(50.0, description="Frequency in Hz.")
    noise: Literal["off", "realistic"] = Field(
        "off", description="Meter and grid noise: `off` or `realistic`."
    )
    playback_file: FilePath | None = Field(
        None, description="CSV of voltage and frequency over time to play back."
    )


class LoggingConfig(Section):
    """The log files."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Least severe messages that are logged."
    )
    directory: FilePath = Field("logs", description="Relative to the data directory.")
    retention_days: Annotated[int, Field(ge=1, le=36500)] = Field(
        30, description="Older files are removed."
    )
    max_total_mb: Annotated[float, Field(ge=1, le=1e6)] = Field(
        500.0, description="The oldest files beyond this total are removed, never today's."
    )


class Config(Section):
    """HIL Scheduler's configuration."""

    site: SiteConfig = Field(default_factory=SiteConfig, description="The site.")
    startup: StartupConfig = Field(
        default_factory=StartupConfig, description="What a start begins with."
    )
    timing: TimingConfig = Field(default_factory=TimingConfig, description="Periods and time-outs.")
    safe_stop: SafeStopConfig = Field(default_factory=SafeStopConfig, description="Safe stop.")
    recording: RecordingConfig = Field(default_factory=RecordingConfig, description="Recordings.")
    schedule_api: ScheduleApiConfig | None = Field(
        None, description="The market API; null: none, and source api is impossible."
    )
    web: WebConfig = Field(default_factory=WebConfig, description="The operator's page.")
    emulation: EmulationConfig = Field(
        default_factory=EmulationConfig, description="The emulated plants."
    )
    grid: GridConfig = Field(default_factory=GridConfig, description="The emulated grid.")
    logging: LoggingConfig = Field(default_factory=LoggingConfig, description="Log files.")
    plants: dict[Identifier, PlantConfig] = Field(
        min_length=1,
        description="The plants by id, at least one.",
        json_schema_extra=CLOSED,
    )
