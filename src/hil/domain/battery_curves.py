"""Curves that the engine, the emulated plants and the feasibility check share."""


def soc_taper(room_pu: float, taper_pu: float) -> float:
    """The share (0..1) of rated power that is available this far from an end of the SoC window.

    Args:
        room_pu: Distance to the end that the power moves towards; negative is beyond it.
        taper_pu: Width of the band in which power falls in a straight line; 0 is a hard edge.
    """
    if room_pu <= 0:
        return 0.0
    return 1.0 if room_pu >= taper_pu else room_pu / taper_pu
