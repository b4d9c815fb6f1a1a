"""`make soak`: seeded virtual days for hours; each is played twice and must give equal bytes."""

import argparse
import hashlib
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from hil.assembly.rehearsal import rehearsal
from hil.config.load import load_default
from hil.config.values import plant_specs
from hil.domain.schedule_random import random_schedule

FIRST_DAY = date(2026, 1, 1)


def play(seed: int, folder: Path) -> str:
    """Play a random day of this seed below the folder; returns a hash of everything written."""
    draw = Random(f"{seed}/soak")
    config = load_default()
    day = FIRST_DAY + timedelta(days=draw.randrange(365))
    schedules = {
        spec.id: random_schedule(
            start=datetime(day.year, day.month, day.day, tzinfo=UTC),
            duration_h=draw.choice([6.0, 24.0]),
            resolution_min=draw.choice([1.0, 15.0, 60.0]),
            seed=seed,
            nameplate=spec.nameplate,
        )
        for spec in plant_specs(config)
    }
    rehearsal(config, schedules, day=day, days=1, seed=seed, out=folder, progress=lambda _: None)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.csv")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Play seeds until the time is over; the exit code is 1 when two runs of a seed differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    deadline = time.monotonic() + options.hours * 3600
    seed = options.first_seed
    while time.monotonic() < deadline:
        with tempfile.TemporaryDirectory() as folder:
            first, second = (play(seed, Path(folder) / run) for run in ("first", "second"))
        if first != second:
            sys.stdout.write(f"seed {seed}: two runs differ ({first} and {second})\n")
            return 1
        sys.stdout.write(f"seed {seed}: {first[:16]}\n")
        sys.stdout.flush()
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
