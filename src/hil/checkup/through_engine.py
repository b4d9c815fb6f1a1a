"""Registers and smoke checks over the link of a running engine."""

from collections.abc import Sequence

from hil.api import Lender
from hil.checkup.smoke import smoke
from hil.domain.errors import Impossible, InvalidInput, NotFound
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Refusal
from hil.domain.phase import Phase
from hil.domain.plant import PlantId, PlantSpec
from hil.domain.smoke_report import Reading, SmokeReport, reading_of
from hil.ports import Clock


class Checkups:
    """A `CheckupApi` over an engine that lends its links.

    Args:
        within_s: Seconds that one request may take.
    """

    def __init__(
        self, engine: Lender, specs: Sequence[PlantSpec], clock: Clock, *, within_s: float
    ) -> None:
        self._engine = engine
        self._specs = {spec.id: spec for spec in specs}
        self._clock = clock
        self._within_s = within_s
        self._checked: set[PlantId] = set()

    async def registers(self, plant: PlantId, points: Sequence[str]) -> tuple[Reading, ...]:
        """See `CheckupApi.registers`; a request a point, of a device until one is not answered."""
        transport = self._engine.snapshot().transport
        endpoint = self._spec(plant).endpoints.get(transport)
        if endpoint is None:
            raise InvalidInput(f"{plant} has no {transport} endpoint")
        known = {
            name: point for name, point in endpoint.registers.points.items() if point.is_readable
        }
        if unknown := [name for name in points if name not in known]:
            raise InvalidInput(
                f"{plant} has no point {unknown[0]!r} that can be read; there are"
                f" {', '.join(known)}"
            )
        found: list[Reading] = []
        problems: dict[str | None, str] = {}
        for name in dict.fromkeys(points or known):
            point = known[name]
            if point.device in problems:
                problem = problems[point.device]
                found.append(reading_of(endpoint.registers, name, None, problem))
                continue
            request = ReadRequest(point.table, point.address, point.length)
            link = self._engine.lend(plant, point.device)
            got = await link.exchange([request], within_s=self._within_s)
            answer = got.responses[0] if got.responses else None
            words = answer.values if isinstance(answer, ReadReply) else None
            why = answer.text if isinstance(answer, Refusal) else None
            if got.problem is not None:
                why = problems[point.device] = got.problem.text
            found.append(reading_of(endpoint.registers, name, words, why))
        return tuple(found)

    async def smoke(
        self, plant: PlantId, *, device: str | None = None, write_zero: bool, trace: bool
    ) -> SmokeReport:
        """See `CheckupApi.smoke`."""
        spec = self._spec(plant)
        picture = self._engine.snapshot()
        phase = picture.plants[plant].phase
        if write_zero and phase is not Phase.STOPPED:
            raise Impossible(f"{spec.name} is {phase}: zero is written only to a stopped plant")
        if plant in self._checked:
            raise Impossible(f"a smoke check of {spec.name} is under way; wait for its end")
        self._checked.add(plant)
        try:
            return await smoke(
                spec,
                picture.transport,
                self._engine.lend(plant, device),
                self._clock,
                within_s=self._within_s,
                device=device,
                beside=None if device is None else self._engine.lend(plant),
                write_zero=write_zero,
                trace=trace,
            )
        finally:
            self._checked.discard(plant)

    def _spec(self, plant: PlantId) -> PlantSpec:
        if plant not in self._specs:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._specs)}")
        return self._specs[plant]
