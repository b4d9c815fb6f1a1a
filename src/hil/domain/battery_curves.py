"""Curves of a battery that the dispatch rule and the plant model share."""


def soc_taper(
    *,
    p_min_kw: float,
    p_max_kw: float,
    soc_pu: float,
    soc_min_pu: float,
    soc_max_pu: float,
    taper_pu: float,
) -> tuple[float, float]:
    """The power range `(p_min_kw, p_max_kw)` that is left at a state of charge.

    Discharge falls in a straight line to 0 over the last `taper_pu` above `soc_min_pu`, charge
    over the last `taper_pu` below `soc_max_pu`. A taper of 0 cuts off at the limit itself.
    """
    return (
        p_min_kw * _share(soc_max_pu - soc_pu, taper_pu),
        p_max_kw * _share(soc_pu - soc_min_pu, taper_pu),
    )


def _share(room_pu: float, taper_pu: float) -> float:
    if room_pu <= 0:
        return 0.0
    return 1.0 if room_pu >= taper_pu else room_pu / taper_pu
