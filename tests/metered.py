"""A plant with a meter of its own, as a specification and as a configuration."""

from dataclasses import replace

from emulated_bench import LIB_POINTS, spec_of
from hil.domain.plant import Device, PlantSpec, Transport
from hil.domain.point import Access, Format, Point

METER = Device(host="127.0.0.1", port=5030, unit_id=7)


def meter_point(name: str, address: int, unit: str, scale: float, **changes: object) -> Point:
    """A point of the meter, read as int16."""
    point = Point(
        name=name,
        address=address,
        format=Format.INT16,
        access=Access.R,
        unit=unit,
        scale=scale,
        device="meter",
    )
    return replace(point, **changes)  # type: ignore[arg-type]  # fields of a point


# A grid analyser; no model knows the last two.
METER_POINTS = [
    meter_point("meter_p", 0, "kW", 0.1),
    meter_point("meter_q", 1, "kvar", 0.1),
    meter_point("meter_f", 2, "raw", 0.001, format=Format.UINT16),
    meter_point("meter_v", 3, "V", 1.0, format=Format.UINT16),
    meter_point("meter_p_l1", 4, "kW", 0.1, invalid=(-32768,)),
    meter_point("meter_thd", 5, "%", 0.1),
]


def metered_spec(points: list[Point] = METER_POINTS, *, device: Device = METER) -> PlantSpec:
    """The specimen plant with these further points, the meter at `device`."""
    plain = spec_of([*LIB_POINTS, *points])
    local = plain.endpoints[Transport.LOCAL]
    return replace(plain, endpoints={Transport.LOCAL: replace(local, devices={"meter": device})})


def with_meter(text: str, *, port: int, lib_port: int = 5020) -> str:
    """A packaged configuration whose plant lib has a meter at this port."""
    main = f"local: {{host: 127.0.0.1, port: {lib_port}"
    last = "        v_poi:        {address: 296, format: uint16, access: r, unit: V}\n"
    assert main in text, main
    assert last in text, last
    devices = f"devices: {{meter: {{host: 127.0.0.1, port: {port}, unit_id: 7}}}}"
    more = (
        "        meter_p: {address: 0, format: int16, unit: kW, scale: 0.1, device: meter}\n"
        "        meter_q: {address: 1, format: int16, unit: kvar, scale: 0.1, device: meter}\n"
        "        meter_f: {address: 2, format: uint16, scale: 0.001, device: meter}\n"
        "        meter_v: {address: 3, format: uint16, unit: V, device: meter}\n"
    )
    return text.replace(main, f"{main}, {devices}", 1).replace(last, last + more, 1)
