"""What the i-STENTORE service says: its products into setpoints, an unfit number into a gap."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hil.domain.market import CallFailed, Failure
from hil.domain.plant import PlantId
from hil.domain.schedule import MAX_POWER

log = logging.getLogger(__name__)

# The day-ahead market.
PRODUCT = 4
# Timestamps come with fractions of a second that mean nothing.
_HALF_SECOND = timedelta(milliseconds=500)


def setpoints(
    document: Any, plants: Iterable[PlantId], periods: Sequence[datetime]
) -> dict[PlantId, dict[datetime, float]]:
    """The setpoints in kW, positive is discharge, of these delivery periods.

    Of a plant's two keys one may be absent, which is 0. Where both are absent, or one is null, no
    number or beyond 10 GW, that period is missing for that plant. Unknown fields, other products
    and other periods are passed over.

    Args:
        document: The parsed reply of `GET market_products`.

    Raises:
        CallFailed: It is no list of products.
    """
    wanted = set(periods)
    found: dict[PlantId, dict[datetime, float]] = {plant: {} for plant in plants}
    unfit = 0
    for period in _delivery_periods(document):
        at = _instant(period.get("delivery_period"))
        if at not in wanted:
            unfit += at is None
            continue
        assert at is not None
        for plant, known in found.items():
            p_kw = _setpoint(period.get("activation"), plant)
            known.pop(at, None)
            if p_kw is not None:
                known[at] = p_kw
    if unfit:
        log.warning("market API: %d delivery periods without a time were passed over", unfit)
    return found


def _delivery_periods(document: Any) -> Iterable[Mapping[str, Any]]:
    products = document.get("market_products") if isinstance(document, dict) else document
    if not isinstance(products, list):
        raise CallFailed(
            f"the market API did not answer with a list of products but with {_kind(document)}",
            Failure.TRANSIENT,
        )
    for product in products:
        if not isinstance(product, dict) or product.get("id", PRODUCT) != PRODUCT:
            continue
        periods = product.get("delivery_periods")
        yield from (
            (each for each in periods or () if isinstance(each, dict))
            if isinstance(periods, list)
            else ()
        )


def _instant(text: Any) -> datetime | None:
    """The UTC instant, to the second; without an offset it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return (at + _HALF_SECOND).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _setpoint(activation: Any, plant: PlantId) -> float | None:
    keys = (f"{plant}_to_vpp_kw", f"vpp_to_{plant}_kw")
    for entry in activation if isinstance(activation, list) else ():
        if isinstance(entry, dict) and any(key in entry for key in keys):
            discharge, charge = (_number(entry.get(key, 0.0)) for key in keys)
            return None if discharge is None or charge is None else discharge - charge
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= MAX_POWER else None


def _kind(document: Any) -> str:
    names = {dict: "an object", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(document), "a number")
