"""A point of a register map: where a value stands and how its raw words are read."""

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


class WriteFunction(StrEnum):
    """How registers are written: FC6 where one is enough, always FC6, or always FC16."""

    AUTO = "auto"
    SINGLE = "single"
    MULTIPLE = "multiple"


# How many registers a value of each format takes.
WORDS: dict[Format, int] = {
    Format.INT16: 1,
    Format.UINT16: 1,
    Format.INT32: 2,
    Format.UINT32: 2,
    Format.FLOAT32: 2,
    Format.INT64: 4,
    Format.UINT64: 4,
    Format.FLOAT64: 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a register map; a value is `raw * scale + offset` in `unit`.

    `invalid` are raw numbers that mean "not known"; for integers also as the bare pattern
    (0x8000 is the same as -32768 of an int16). A coil or discrete input is the number 0 or 1.
    """

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
    invalid: tuple[float, ...] = ()
    min: float | None = None
    max: float | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    period_s: float = 1.0
    device: str | None = None

    @property
    def is_bit(self) -> bool:
        return self.table in {Table.COIL, Table.DISCRETE}

    @property
    def length(self) -> int:
        """How many registers (or bits) the point takes."""
        return 1 if self.is_bit else WORDS[self.format]

    @property
    def end(self) -> int:
        """The first address after the point."""
        return self.address + self.length

    @property
    def is_readable(self) -> bool:
        return self.access is not Access.W

    @property
    def is_writable(self) -> bool:
        return self.access is not Access.R
