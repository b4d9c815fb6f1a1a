"""The domain's values of a configuration: what everyone but this package works with."""

from hil.config.model import Config
from hil.config.model_plant import (
    DeviceConfig,
    EndpointConfig,
    LimitsConfig,
    ModelConfig,
    PlantConfig,
    PointConfig,
    RegisterMapConfig,
    TransportMapsConfig,
)
from hil.domain.faults import Fault, parse_faults
from hil.domain.plant import (
    ControlLimits,
    Device,
    Endpoint,
    Nameplate,
    PlantId,
    PlantSpec,
    Quirks,
    SetpointPolicy,
    Transport,
)
from hil.domain.registers import Format, Point, RegisterMap
from hil.domain.snapshot import SiteInfo

# Share of the state of charge, before its limit, over which power falls to zero.
TAPER_PU = {"vanadium_redox_flow": 0.10}
DEFAULT_TAPER_PU = 0.05


def site_info(config: Config) -> SiteInfo:
    """Name and time zone of the site."""
    return SiteInfo(name=config.site.name, timezone=config.site.timezone)


def plant_specs(config: Config) -> tuple[PlantSpec, ...]:
    """Every plant, in the order of the configuration."""
    return tuple(plant_spec(plant_id, plant) for plant_id, plant in config.plants.items())


def plant_spec(plant_id: str, plant: PlantConfig) -> PlantSpec:
    """What the engine must know of one plant."""
    maps = map_configs(plant.register_map)
    endpoints = {Transport.LOCAL: plant.endpoints.local, Transport.REMOTE: plant.endpoints.remote}
    return PlantSpec(
        id=PlantId(plant_id),
        name=plant.name,
        in_service=plant.in_service,
        nameplate=nameplate(plant.model),
        limits=control_limits(plant.limits, kind=plant.model.kind),
        setpoint=SetpointPolicy(
            rewrite_period_s=plant.setpoint.rewrite_period_s,
            settle_s=plant.setpoint.settle_s,
            tolerance_counts=plant.setpoint.tolerance_counts,
            revert_s=plant.setpoint.revert_s,
        ),
        endpoints={
            transport: _endpoint(
                endpoint,
                RegisterMap(points=points(maps[transport]), v_nominal_kv=plant.model.v_nominal_kv),
            )
            for transport, endpoint in endpoints.items()
            if endpoint is not None
        },
        alarm_bits=plant.alarm_bits,
    )


def plant_faults(config: Config) -> dict[PlantId, tuple[Fault, ...]]:
    """What the emulated plants show from the start."""
    return {
        PlantId(plant): tuple(fault for raw in each.faults for fault in parse_faults(raw))
        for plant, each in config.plants.items()
    }


def nameplate(model: ModelConfig) -> Nameplate:
    """The rated values of a plant."""
    return Nameplate(
        p_max_kw=model.p_max_kw,
        p_min_kw=model.p_min_kw,
        q_max_kvar=model.q_max_kvar,
        q_min_kvar=model.q_min_kvar,
        capacity_kwh=model.capacity_kwh,
        v_nominal_kv=model.v_nominal_kv,
    )


def control_limits(limits: LimitsConfig, *, kind: str) -> ControlLimits:
    """The limits of dispatch; a taper that is null depends on the kind of plant."""
    taper_pu = limits.soc_taper_pu
    return ControlLimits(
        soc_min_pu=limits.soc_min_pu,
        soc_max_pu=limits.soc_max_pu,
        soc_taper_pu=TAPER_PU.get(kind, DEFAULT_TAPER_PU) if taper_pu is None else taper_pu,
        soc_hysteresis_pu=limits.soc_hysteresis_pu,
        ramp_kw_per_s=limits.ramp_kw_per_s,
        s_max_kva=limits.s_max_kva,
        priority=limits.priority,
        p_deadband_kw=limits.p_deadband_kw,
    )


def map_configs(
    maps: RegisterMapConfig | TransportMapsConfig,
) -> dict[Transport, RegisterMapConfig]:
    """The map of each transport that has one."""
    if isinstance(maps, RegisterMapConfig):
        return dict.fromkeys(Transport, maps)
    by_transport = {Transport.LOCAL: maps.local, Transport.REMOTE: maps.remote}
    return {transport: one for transport, one in by_transport.items() if one is not None}


def points(config: RegisterMapConfig) -> dict[str, Point]:
    """The points of a map by name, with the map's orders filled in."""
    return {name: _point(name, point, config) for name, point in config.points.items()}


def _point(name: str, point: PointConfig, config: RegisterMapConfig) -> Point:
    return Point(
        name=name,
        address=point.address,
        format=point.format or Format.UINT16,
        access=point.access,
        unit=point.unit,
        scale=float(point.scale),
        offset=float(point.offset),
        table=point.table,
        byte_order=point.byte_order or config.byte_order,
        word_order=point.word_order or config.word_order,
        invalid=tuple(point.invalid),
        min=point.min,
        max=point.max,
        values=point.values,
        period_s=1.0 if point.period_s is None else point.period_s,
        device=point.device,
    )


def _endpoint(endpoint: EndpointConfig, registers: RegisterMap) -> Endpoint:
    return Endpoint(
        main=_device(endpoint),
        registers=registers,
        devices={name: _device(device) for name, device in endpoint.devices.items()},
    )


def _device(device: DeviceConfig) -> Device:
    return Device(
        host=device.host,
        port=device.port,
        unit_id=device.unit_id,
        quirks=Quirks(**dict(device.quirks)),
    )
