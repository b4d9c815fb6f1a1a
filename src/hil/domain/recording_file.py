"""The format of a daily recording: its name, its columns, its numbers; also as files of old."""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from hil.domain.plant import PlantId

TIMESTAMP = "timestamp"
# Of an export for tools that want numbers: seconds since 1970 UTC, before the timestamp.
TIME_S = "time_s"
SOC = "soc_pu"
# Recorded by the program's predecessor in place of `v_poi_kV`: per unit of the nominal voltage.
VOLTAGE_PU = "v_poi_pu"
# Numbers are written to the nano of their unit; what is beyond is noise of binary fractions.
DECIMALS = 9

_NAME = re.compile(r"(?P<day>[0-9]{8})_(?P<suffix>.+)\.csv")


@dataclass(frozen=True, slots=True)
class RecordingName:
    """What the name of a daily file says."""

    day: date
    suffix: str

    def is_of(self, plant: PlantId, name: str) -> bool:
        """Whether it is the plant's: its suffix is the id, or the name as it was once spelled."""
        return self.suffix == plant or _plain(self.suffix) == _plain(name)


def file_name(day: str, plant: PlantId) -> str:
    """The name of the file of a site day, spelled `YYYYMMDD`."""
    return f"{day}_{plant}.csv"


def parse_name(name: str) -> RecordingName | None:
    """The day and the plant of a daily file; None for any other file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        day = datetime.strptime(match["day"], "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
    return RecordingName(day, match["suffix"])


# Registers repeat themselves: a setpoint holds for minutes, a power for as long.
@lru_cache(maxsize=4096)
def number_text(value: float | None) -> str:
    """The shortest decimal, without a point where it is whole; empty for what is not known."""
    if value is None or not math.isfinite(value):
        return ""
    text = repr(round(value, DECIMALS) + 0.0)
    if "e" in text:
        text = f"{value:.{DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(text: str) -> str:
    """Letters and digits alone, which is what remains of a name in whichever way it was spelled."""
    return "".join(filter(str.isalnum, text)).casefold()
