"""What a schedule is checked against: each plant's rules with the losses of its model."""

from collections.abc import Mapping

from hil.config.model import Config
from hil.domain.feasibility import Subject
from hil.domain.plant import PlantId, PlantSpec
from hil.emulation.battery import Battery
from hil.emulation.kind import model_of


def subject_of(config: Config, spec: PlantSpec) -> Subject:
    """The plant as a check sees it; raises `InvalidInput` when its model cannot be made."""
    model = model_of(config.plants[spec.id].model.kind, spec)
    return Subject(
        nameplate=spec.nameplate,
        limits=spec.limits,
        period_s=config.timing.dispatch_period_s,
        loss_kw=model.loss_kw,
        # Of somebody else's model nothing is known: it is taken to lose for ever.
        idle_after_s=model.block_after_s if isinstance(model, Battery) else None,
    )


def subjects_of(config: Config, specs: tuple[PlantSpec, ...]) -> Mapping[PlantId, Subject]:
    """The plants by their ids, as `subject_of`."""
    return {spec.id: subject_of(config, spec) for spec in specs}
