"""Generated recordings that look real: plateaus, ramps, meter noise, sessions."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hil.domain.recording_file import TIMESTAMP, number_text
from hil.domain.signals import COLUMNS
from hil.domain.site_day import LocalText

ZONE = ZoneInfo("Europe/Madrid")
HEADER = ",".join([TIMESTAMP, *COLUMNS]).encode() + b"\n"
_STEP_S = 900


def dense_day(start: datetime, *, rows: int, seed: int = 1, period_s: float = 2.0) -> bytes:
    """A file of rows at a period from an aware UTC instant, with a boundary before and after.

    The setpoint moves every quarter of an hour and is 0 for half of the time; the plant follows
    with a little noise; the meter shows losses, the voltage wanders.
    """
    draw = random.Random(seed)
    text = LocalText(ZONE)
    lines = [HEADER]
    nothing = "," * len(COLUMNS)
    p_kw = q_kvar = 0.0
    soc_pu = 0.5

    def stamp(k: int) -> str:
        return text.text(start + timedelta(seconds=k * period_s))

    lines.append(f"{stamp(0)}{nothing}\n".encode())
    for k in range(1, rows - 1):
        if k * period_s % _STEP_S < period_s:
            p_kw = draw.choice((0.0, 0.0, 0.0, 150.0, -200.0, 437.5))
            q_kvar = draw.choice((0.0, 0.0, 60.0))
        battery_kw = round(p_kw + (draw.gauss(0, 0.03) if p_kw else 0.0), 1)
        soc_pu -= battery_kw * period_s / 3600 / 2000
        values = (
            p_kw,
            battery_kw,
            q_kvar,
            q_kvar,
            round(min(max(soc_pu, 0.0), 1.0), 4),
            round(battery_kw - 0.02 * abs(battery_kw), 1),
            q_kvar,
            round(20.0 + draw.gauss(0, 0.0003), 3),
        )
        lines.append(f"{stamp(k)},{','.join(map(number_text, values))}\n".encode())
    lines.append(f"{stamp(rows - 1)}{nothing}\n".encode())
    return b"".join(lines)


def write_days(folder: Path, days: int, *, rows: int = 43_200, plant: str = "lib") -> list[Path]:
    """Files of a plant from 4 May 2026 on, one a day."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for day in range(days):
        start = datetime(2026, 5, 3, 22, tzinfo=UTC) + timedelta(days=day)
        path = folder / f"{(start + timedelta(hours=3)):%Y%m%d}_{plant}.csv"
        path.write_bytes(dense_day(start, rows=rows, seed=day))
        paths.append(path)
    return paths
