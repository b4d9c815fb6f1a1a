"""The register map of a plant: which point stands where, and how its raw words are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hil.domain.modbus_pdu import Table


class Format(StrEnum):
    """How a value is laid out in registers of 16 bits."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


class ByteOrder(StrEnum):
    """The order of the two bytes inside a register."""

    BIG = "big"
    LITTLE = "little"


class WordOrder(StrEnum):
    """The order of a value's registers: most or least significant word first."""

    MSW_FIRST = "msw_first"
    LSW_FIRST = "lsw_first"


class Access(StrEnum):
    """What the device allows: read, write or both."""

    R = "r"
    W = "w"
    RW = "rw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a register map; a value is `raw * scale + offset` in `unit`."""

    name: str
    address: int
    format: Format
    access: Access
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    table: Table = Table.HOLDING
    byte_order: ByteOrder = ByteOrder.BIG
    word_order: WordOrder = WordOrder.MSW_FIRST
    invalid: tuple[int, ...] = ()
    min: float | None = None
    max: float | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    period_s: float = 1.0
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """All points of a plant by name; `v_nominal_kv` is the base of voltages in pu."""

    points: Mapping[str, Point]
    v_nominal_kv: float
