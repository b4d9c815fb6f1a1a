"""The domain's values of a configuration."""

from collections.abc import Callable

from hil.config.load import load_default, load_text
from hil.config.values import plant_specs, site_info
from hil.domain.modbus_pdu import Table
from hil.domain.plant import Device, Nameplate, Priority, Quirks, SetpointPolicy, Transport
from hil.domain.registers import Access, ByteOrder, Format, Point, WordOrder, WriteFunction

Edited = Callable[..., str]


def test_the_packaged_default_is_the_two_plants_of_the_contract() -> None:
    lib, vrfb = plant_specs(load_default())

    assert (lib.id, lib.name, lib.in_service) == ("lib", "LIB", True)
    assert lib.nameplate == Nameplate(
        p_max_kw=1000,
        p_min_kw=-1000,
        q_max_kvar=600,
        q_min_kvar=-600,
        capacity_kwh=500,
        v_nominal_kv=20.0,
    )
    assert vrfb.nameplate == Nameplate(
        p_max_kw=160,
        p_min_kw=-160,
        q_max_kvar=64,
        q_min_kvar=-64,
        capacity_kwh=400,
        v_nominal_kv=0.22,
    )
    assert lib.setpoint == SetpointPolicy(
        rewrite_period_s=30, settle_s=3, tolerance_counts=1, revert_s=None
    )
    assert lib.endpoints.keys() == {Transport.LOCAL}
    assert lib.endpoints[Transport.LOCAL].main == Device(host="127.0.0.1", port=5020)
    assert vrfb.endpoints[Transport.LOCAL].main.port == 5021


def test_the_packaged_registers_are_those_of_the_contract() -> None:
    lib, vrfb = plant_specs(load_default())

    def addresses(registers: dict[str, Point]) -> dict[str, int]:
        return {name: point.address for name, point in registers.items()}

    lib_map, vrfb_map = (plant.endpoints[Transport.LOCAL].registers for plant in (lib, vrfb))
    assert addresses(dict(lib_map.points)) == {
        "enable": 1,
        "stop_command": 85,
        "p_setpoint": 86,
        "q_setpoint": 88,
        "p_battery": 270,
        "q_battery": 272,
        "soc": 281,
        "p_poi": 290,
        "q_poi": 292,
        "v_poi": 296,
    }
    assert addresses(dict(vrfb_map.points)) == {
        "p_setpoint": 1,
        "q_setpoint": 2,
        "start_command": 5,
        "enable": 7,
        "p_poi": 14,
        "p_battery": 14,
        "q_poi": 15,
        "q_battery": 15,
        "soc": 22,
        "v_poi": 29,
    }
    assert lib_map.points["stop_command"].values == {"run": 0, "stop": 1}
    assert vrfb_map.points["start_command"].values == {"run": 2, "stop": 0}
    assert lib_map.encode("p_setpoint", -100.0) == (0x10000 - 1000,)
    assert lib_map.encode("v_poi", 20.0) == (20000,)
    assert lib_map.encode("soc", 0.5) == (5000,)
    assert vrfb_map.encode("v_poi", 0.22) == (220,)


def test_taper_that_is_null_depends_on_the_kind_of_plant(edited: Edited) -> None:
    lib, vrfb = plant_specs(load_default())
    plug_in, own = plant_specs(
        load_text(
            edited(
                ("kind: lithium_ion", "kind: python:my_plants.sodium:Sodium"),
                (
                    "    measurement_series: {soc: 5",
                    "    limits: {soc_taper_pu: 0}\n    measurement_series: {soc: 5",
                ),
            )
        )
    )

    tapers = [plant.limits.soc_taper_pu for plant in (lib, vrfb, plug_in, own)]
    assert tapers == [0.05, 0.10, 0.05, 0.0]
    assert lib.limits.priority is Priority.P


def test_maps_may_differ_between_transports(edited: Edited) -> None:
    text = edited()
    start, end = text.index("    register_map:"), text.index("  vrfb:")
    one = text[start:end].replace(
        "    register_map:              # addresses count from 0, as on the wire\n", ""
    )
    deeper = "".join(f"  {line}\n" for line in one.splitlines())
    both = (
        "    register_map:\n      local:\n"
        + deeper
        + "      remote:\n"
        + deeper.replace("byte_order: big", "byte_order: little").replace(
            "address: 86", "address: 186"
        )
    )
    remote = (
        "      remote: {host: gateway.example, unit_id: 0, "
        "quirks: {write_function: multiple, max_fill: 3}}\n"
    )
    text = text[:start] + remote + both + text[end:]

    lib, _ = plant_specs(load_text(text))

    setpoints = {
        str(transport): endpoint.registers.points["p_setpoint"]
        for transport, endpoint in lib.endpoints.items()
    }
    assert [(name, p.address, p.byte_order) for name, p in setpoints.items()] == [
        ("local", 86, ByteOrder.BIG),
        ("remote", 186, ByteOrder.LITTLE),
    ]
    assert lib.endpoints[Transport.REMOTE].main == Device(
        host="gateway.example",
        port=502,
        unit_id=0,
        quirks=Quirks(write_function=WriteFunction.MULTIPLE, max_fill=3),
    )


def test_a_point_has_what_its_keys_say(edited: Edited) -> None:
    device = "port: 5020, devices: {meter: {host: 127.0.0.1, port: 5022, unit_id: 7}}"
    wanted = (
        "unit: V}\n        f_hz: {address: 2, format: float64, table: input, unit: raw, scale: -2, "
        "offset: 5, invalid: [-1, 1.5], min: -9, max: 9, device: meter, word_order: lsw_first}"
        "\n        heartbeat: {address: 0, format: uint16, access: w, period_s: 0.5}"
        "\n        door: {address: 9, table: coil, access: rw}"
    )

    lib, _ = plant_specs(load_text(edited(("port: 5020", device), ("unit: V}", wanted))))

    endpoint = lib.endpoints[Transport.LOCAL]
    assert endpoint.devices == {"meter": Device(host="127.0.0.1", port=5022, unit_id=7)}
    points = endpoint.registers.points
    assert points["f_hz"] == Point(
        name="f_hz",
        address=2,
        format=Format.FLOAT64,
        access=Access.R,
        unit="raw",
        scale=-2.0,
        offset=5.0,
        table=Table.INPUT,
        word_order=WordOrder.LSW_FIRST,
        invalid=(-1, 1.5),
        min=-9.0,
        max=9.0,
        device="meter",
    )
    assert points["heartbeat"].period_s == 0.5
    assert (points["door"].is_bit, points["door"].length) == (True, 1)


def test_site() -> None:
    config = load_default()

    assert (site_info(config).name, site_info(config).timezone) == ("HIL bench", "Europe/Madrid")
