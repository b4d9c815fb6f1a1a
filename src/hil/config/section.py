"""What every section of the configuration shares: strictness, and kinds of values."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema


class Section(BaseModel):
    """A mapping with fixed keys; no conversion, so that `"1"`, `true` and NaN are no numbers."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=False
    )


_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_.])?")
_KIND = re.compile(r"lithium_ion|vanadium_redox_flow|python:[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def _is_host(text: str) -> str:
    if not _HOST_NAME.fullmatch(text) and not _is_address(text):
        raise ValueError(f'"{text}" is not a host: write a name or an IP address, without a port')
    return text


def _is_proxy(text: str) -> str:
    if not _is_address(text):
        raise ValueError(f'"{text}" is not an IP address or a network such as 10.0.0.0/8')
    return text


def _is_address(text: str) -> bool:
    try:
        ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return False
    return True


def _is_time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f'"{text}" is not a time of day such as "15:00"')
    return text


def _is_env_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(
            "is not the name of an environment variable; the secret itself never stands here"
        )
    return text


def _is_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise ValueError("is not a URL such as https://host/path (without user or password)")
    return text


def _is_colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ValueError(f'"{text}" is not a colour such as "#0a7d5c"')
    return text


def _is_identifier(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError(
            f'"{text}" is not an id: it starts with a small letter and has small letters, '
            "digits and _ only"
        )
    return text


def _is_model_kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ValueError(
            f'"{text}" is not a kind of plant: lithium_ion, vanadium_redox_flow or '
            "python:module:Class"
        )
    return text


def _is_whole_ms(seconds: float) -> float:
    if abs(seconds * 1000 - round(seconds * 1000)) > 1e-6:
        raise ValueError(f"must be a whole number of milliseconds, is {seconds!r} s")
    return seconds


def _is_scale(scale: float) -> float:
    if not 1e-9 <= abs(scale) <= 1e9:
        raise ValueError(
            f"must lie between 0.000000001 and 1000000000 (with either sign), is {scale:.10g}"
        )
    return scale


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


# For mappings whose keys are ids: the schema refuses other keys, as the models do.
CLOSED: dict[str, JsonValue] = {"additionalProperties": False}

Text = Annotated[str, Field(min_length=1, max_length=200)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096)]
Host = Annotated[str, AfterValidator(_is_host)]
Proxy = Annotated[str, AfterValidator(_is_proxy)]
Port = Annotated[int, Field(ge=1, le=65535)]
Identifier = Annotated[str, AfterValidator(_is_identifier), _text("^[a-z][a-z0-9_]*$")]
TimeOfDay = Annotated[
    str, AfterValidator(_is_time_of_day), _text("^([01][0-9]|2[0-3]):[0-5][0-9]$")
]
EnvName = Annotated[str, AfterValidator(_is_env_name), _text("^[A-Za-z_][A-Za-z0-9_]*$")]
Url = Annotated[str, AfterValidator(_is_url), _text("^https?://")]
Colour = Annotated[str, AfterValidator(_is_colour), _text("^#[0-9A-Fa-f]{6}$")]
ModelKind = Annotated[
    str,
    AfterValidator(_is_model_kind),
    _text(
        "^(lithium_ion|vanadium_redox_flow|python:[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*)$"
    ),
]
Fraction = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, AfterValidator(_is_scale)]
# Steps are whole multiples of the period since the epoch, and rows show at most milliseconds.
Period = Annotated[float, Field(ge=0.1, le=3600), AfterValidator(_is_whole_ms)]
# Waits and time-outs; an hour is longer than anything here should ever wait.
Seconds = Annotated[float, Field(gt=0, le=3600)]
SecondsOrNone = Annotated[float, Field(gt=0, le=86400)] | None
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]
