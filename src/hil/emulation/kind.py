"""The kinds of plant models: by name, or a class of somebody else's."""

import importlib
from collections.abc import Callable

from hil.domain.errors import InvalidInput
from hil.domain.plant import PlantSpec
from hil.emulation.battery import LITHIUM_ION, VANADIUM_REDOX_FLOW, Battery
from hil.emulation.model import PlantModel

_PYTHON = "python:"
_PARAMETERS = {"lithium_ion": LITHIUM_ION, "vanadium_redox_flow": VANADIUM_REDOX_FLOW}


def model_of(kind: str, spec: PlantSpec) -> PlantModel:
    """A new model of this kind for a plant; it must be `reset` before its first step.

    Args:
        kind: `lithium_ion`, `vanadium_redox_flow`, or `python:module:Class`, which is called as
            `Class(spec)` and must be a `PlantModel`.

    Raises:
        InvalidInput: No such kind, or its class cannot be loaded or made.
    """
    parameters = _PARAMETERS.get(kind)
    if parameters is not None:
        return Battery(kind, parameters, nameplate=spec.nameplate, limits=spec.limits)
    if not kind.startswith(_PYTHON):
        raise InvalidInput(
            f"plant {spec.id}: model kind {kind!r} is not one of"
            f" {', '.join(_PARAMETERS)}, python:module:Class"
        )
    # A plug-in may raise anything.
    try:
        return _class_named(kind.removeprefix(_PYTHON))(spec)
    except Exception as error:
        raise InvalidInput(
            f"plant {spec.id}: model {kind!r} cannot be made: {type(error).__name__}: {error}"
        ) from error


def _class_named(path: str) -> Callable[[PlantSpec], PlantModel]:
    module, _, name = path.partition(":")
    made: Callable[[PlantSpec], PlantModel] = getattr(importlib.import_module(module), name)
    return made
