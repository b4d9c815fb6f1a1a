"""A small plant that tests share."""

from hil.domain.plant import ControlLimits, Nameplate, Priority

PLATE = Nameplate(
    p_max_kw=1000,
    p_min_kw=-800,
    q_max_kvar=600,
    q_min_kvar=-600,
    capacity_kwh=500,
    v_nominal_kv=20,
)
LIMITS = ControlLimits(
    soc_min_pu=0.0,
    soc_max_pu=1.0,
    soc_taper_pu=0.0,
    soc_hysteresis_pu=0.005,
    ramp_kw_per_s=None,
    s_max_kva=None,
    priority=Priority.P,
    p_deadband_kw=0.0,
)
