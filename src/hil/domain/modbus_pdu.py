"""Modbus requests and responses as values."""

from dataclasses import dataclass
from enum import StrEnum


class Table(StrEnum):
    """The four tables of a Modbus device; coils and discrete inputs are bits."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read `count` registers or bits from `address` (0-based, as on the wire)."""

    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Write registers (0..65535) or bits (0, 1) from `address`.

    `multiple` False: FC5 or FC6 and exactly one value. True: FC15 or FC16.
    """

    table: Table
    address: int
    values: tuple[int, ...]
    multiple: bool


@dataclass(frozen=True, slots=True)
class ReadWriteRequest:
    """Write holding registers, then read some, in one request (FC23)."""

    read_address: int
    read_count: int
    write_address: int
    values: tuple[int, ...]


Request = ReadRequest | WriteRequest | ReadWriteRequest


@dataclass(frozen=True, slots=True)
class ReadReply:
    """The registers or bits that were asked for, as many as asked."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WriteReply:
    """The device acknowledged the write."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Modbus exception: the device answered, and said no."""

    code: int


Response = ReadReply | WriteReply | Refusal
