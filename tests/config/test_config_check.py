"""What must hold between the values of a configuration."""

import zoneinfo
from collections.abc import Callable

import pytest

Problems = Callable[..., list[str]]
POINTS = "plants.lib.register_map.points"


def test_the_packaged_default_has_no_problem(problems: Problems) -> None:
    assert problems() == []


def test_limits_that_the_register_cannot_encode_are_named_with_a_way_out(
    problems: Problems,
) -> None:
    found = problems(("p_max_kw: 1000", "p_max_kw: 4000"))

    assert found == [
        f"{POINTS}.{name}: {name} cannot encode 4000 kW: int16 at scale 0.1 kW spans "
        "-3276.8 to 3276.7 kW; a scale of 0.2 would fit"
        for name in ("p_setpoint", "p_battery", "p_poi")
    ]


def test_an_unsigned_setpoint_cannot_charge(problems: Problems) -> None:
    found = problems(("{address: 86, format: int16", "{address: 86, format: uint16"))

    assert found == [
        (
            f"{POINTS}.p_setpoint: p_setpoint cannot encode -1000 kW: uint16 at scale 0.1 kW spans "
            "0 to 6553.5 kW; a signed format would fit"
        )
    ]


def test_zero_limits_are_limits(problems: Problems) -> None:
    assert problems(("p_max_kw: 1000", "p_max_kw: 0"), ("p_min_kw: -1000", "p_min_kw: 0")) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "{address: 86, format: int16",
            "{address: 87, format: int32",
            (
                f"{POINTS}.q_setpoint.address: overlaps p_setpoint (87 to 88) with 88; points may "
                "share registers only with equal address, format and order"
            ),
        ),
        (
            "{address: 85, format: uint16",
            "{address: 86, format: int16",
            (
                f"{POINTS}.p_setpoint.address: overlaps stop_command (86) with 86; only read-only "
                "points may share registers"
            ),
        ),
        (
            "{address: 290, format: int16",
            "{address: 270, word_order: lsw_first, format: int16",
            (
                f"{POINTS}.p_poi.address: overlaps p_battery (270) with 270; points may share "
                "registers only with equal address, format and order"
            ),
        ),
        (
            "v_poi:        {address: 296, format: uint16",
            "v_poi:        {address: 65535, format: uint32",
            f"{POINTS}.v_poi.address: ends at 65536, behind the last address 65535",
        ),
        (
            "unit: kvar, scale: 0.1}",
            "unit: kW, scale: 0.1}",
            f'{POINTS}.q_setpoint.unit: "kW" does not fit q_setpoint: kvar, var or Mvar',
        ),
        (
            "unit: pu, scale",
            "unit: pc, scale",
            f'{POINTS}.soc.unit: "pc" does not fit soc: pu or %',
        ),
        (
            "        soc:          {",
            "        sock:         {",
            f'{POINTS}.soc: this point is required; is it "sock"?',
        ),
        (
            "enable:       {address: 1, format: uint16, access: rw",
            "enable:       {address: 1, format: uint16, access: r",
            f"{POINTS}.enable.access: enable is written and read back: rw",
        ),
        (
            "access: rw, unit: raw, values",
            "access: r, unit: raw, values",
            f"{POINTS}.stop_command.access: stop_command is written: w or rw",
        ),
        (
            "{address: 270, format: int16, access: r",
            "{address: 270, format: int16, access: w",
            f"{POINTS}.p_battery.access: p_battery is read: r or rw",
        ),
        (
            "{address: 86, format: int16, access: rw",
            "{address: 86, table: input, format: int16, access: rw",
            f"{POINTS}.p_setpoint.access: the table input can only be read: r",
        ),
        (
            "values: {run: 0, stop: 1}",
            "values: {run: 0}",
            (
                f"{POINTS}.stop_command.values: needs the raw numbers for run and stop, as "
                "{run: 2, stop: 0}"
            ),
        ),
        (
            "values: {run: 0, stop: 1}",
            "values: {run: 1, stop: 1}",
            f"{POINTS}.stop_command.values: run and stop must be different numbers",
        ),
        (
            "values: {run: 0, stop: 1}",
            "values: {run: 0, stop: 70000}",
            (
                f"{POINTS}.stop_command: stop_command cannot encode 70000: uint16 at scale 1 raw "
                "spans 0 to 65535; a scale of 2 would fit"
            ),
        ),
        (
            "enable:       {address: 1, ",
            "enable:       {values: {run: 1, stop: 0}, address: 1, ",
            f"{POINTS}.enable.values: only start_command and stop_command have values",
        ),
        (
            "{address: 296, ",
            "{period_s: 1, address: 296, ",
            f"{POINTS}.v_poi.period_s: only heartbeat has a period",
        ),
        (
            "{address: 296, format: uint16, ",
            "{address: 296, ",
            f'{POINTS}.v_poi: the key "format" is missing',
        ),
        (
            "unit: V}",
            "unit: V, min: 1, max: 1}",
            f"{POINTS}.v_poi.min: must be less than max (1), is 1",
        ),
        (
            "unit: V}",
            "unit: V, max: 10000}",
            f"{POINTS}.v_poi: 20 lies outside min and max, and would never be known",
        ),
        (
            "unit: V}",
            "unit: V, invalid: [65536]}",
            f"{POINTS}.v_poi.invalid: 65536 does not fit uint16",
        ),
        (
            "unit: V}",
            "unit: V, invalid: [1.5]}",
            f"{POINTS}.v_poi.invalid: 1.5 is not a whole number, as uint16 has",
        ),
        (
            "unit: V}",
            "unit: V}\n        soc_pu: {address: 400, format: int16}",
            f"{POINTS}.soc_pu: is the name of a column of the recordings; choose another",
        ),
        (
            "unit: V}",
            "unit: V}\n        door: {address: 0, table: coil, unit: kW}",
            f"{POINTS}.door.table: a bit has the unit raw, no scale and no offset",
        ),
        (
            "unit: V}",
            "unit: V, device: meter}",
            "plants.lib.endpoints.local.devices: has no meter, which the point v_poi is read from",
        ),
        (
            "    endpoints:\n",
            "    limits: {soc_min_pu: 0.5, soc_max_pu: 0.5}\n    endpoints:\n",
            "plants.lib.limits.soc_min_pu: must be less than soc_max_pu (0.5), is 0.5",
        ),
        (
            "    endpoints:\n",
            "    setpoint: {revert_s: 30}\n    endpoints:\n",
            "plants.lib.setpoint.revert_s: must be longer than rewrite_period_s (30 s), is 30 s",
        ),
        (
            "    endpoints:\n",
            "    setpoint: {revert_s: 30, rewrite_period_s: null}\n    endpoints:\n",
            (
                "plants.lib.setpoint.rewrite_period_s: is null (never), but the device reverts "
                "after 30 s; give a shorter time than that"
            ),
        ),
        (
            "    endpoints:\n",
            "    alarm_bits: {64: x}\n    endpoints:\n",
            "plants.lib.alarm_bits[64]: must be at most 63, is 64",
        ),
        (
            "timezone: Europe/Madrid ",
            "timezone: Europe ",
            'site.timezone: "Europe" is not an IANA time zone such as Europe/Madrid',
        ),
        (
            "timezone: Europe/Madrid ",
            "timezone: ../etc ",
            'site.timezone: "../etc" is not an IANA time zone such as Europe/Madrid',
        ),
        (
            "  allowed_hosts",
            "  tls: {cert_file: cert.pem}\n  allowed_hosts",
            "web.tls: needs both cert_file and key_file, or neither",
        ),
        (
            "port: 5021",
            "port: 5020",
            (
                "plants.vrfb.endpoints.local.port: port 5020 is already that of "
                "plants.lib.endpoints.local.port"
            ),
        ),
        (
            "control_port: 5019",
            "control_port: 8050",
            "emulation.control_port: port 8050 is already that of web.port",
        ),
        (
            "{enabled: false, host: 127.0.0.1, port: 8060",
            "{enabled: true, host: 127.0.0.1, port: 8050",
            "web.public.port: port 8050 is already that of web.port",
        ),
        (
            "{soc: 5,",
            "{soc: 4,",
            (
                "plants.vrfb.measurement_series.soc: series 4 is already that of "
                "plants.lib.measurement_series.soc"
            ),
        ),
        ("source: manual ", "source: api ", "startup.source: is api, but schedule_api is null"),
        (
            "transport: local ",
            "transport: remote ",
            "startup.transport: is remote, but these plants have no remote endpoint: lib, vrfb",
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: istentor}",
            'schedule_api.kind: there is no adapter "istentor"; did you mean "istentore"?',
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: istentore, base_url: 'https://m.example'}",
            "schedule_api.email: istentore needs this key",
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: csv_folder, folder: x, email: y}",
            "schedule_api.email: does not belong to csv_folder",
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: csv_folder, folder: x, options: {a: 1}}",
            "schedule_api.options: does not belong to csv_folder",
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: istentore, email: x, base_url: 'https://u:p@m.example'}",
            (
                "schedule_api.base_url: is not a URL such as https://host/path (without user or "
                "password)"
            ),
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: istentore, email: x, base_url: 'https://m', password_env: pa$$}",
            (
                "schedule_api.password_env: is not the name of an environment variable; the secret "
                "itself never stands here"
            ),
        ),
        (
            "schedule_api: null",
            (
                "schedule_api: {kind: istentore, email: x, base_url: 'https://m', password_env: A, "
                "password_file: b}"
            ),
            "schedule_api.password_file: only one of password_env and password_file",
        ),
        (
            "schedule_api: null",
            "schedule_api: {kind: csv_folder, folder: x, posting: {retry_initial_s: 90}}",
            "schedule_api.posting.retry_max_s: must be at least retry_initial_s (90 s), is 60 s",
        ),
    ],
)
def test_what_does_not_fit_together_is_one_problem(
    problems: Problems, old: str, new: str, problem: str
) -> None:
    assert problems((old, new)) == [problem]


def test_public_port_counts_only_when_it_is_served(problems: Problems) -> None:
    assert problems(("port: 8060", "port: 8050")) == []


def test_alarm_bits_must_exist_in_the_alarm_word(problems: Problems) -> None:
    word = ("unit: V}", "unit: V}\n        alarm_word: {address: 400, format: uint16}")
    bits = ("    endpoints:\n", "    alarm_bits: {0: Inverter fault, 16: x}\n    endpoints:\n")

    assert problems(word, bits) == [
        "plants.lib.alarm_bits[16]: alarm_word has the bits 0 to 15 only"
    ]
    assert problems(bits) == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu"])
def test_time_zones_are_known_without_the_system_database(problems: Problems, zone: str) -> None:
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=())
    try:
        assert problems(("timezone: Europe/Madrid ", f"timezone: {zone} ")) == []
        assert len(problems(("timezone: Europe/Madrid ", "timezone: Europe/Madird "))) == 1
    finally:
        zoneinfo.reset_tzpath()


def test_wrong_unit_is_named_beside_wrong_format_and_scale_of_its_point(problems: Problems) -> None:
    found = problems(
        (
            "p_poi:        {address: 290, format: int16, access: r, unit: kW, scale: 0.1}",
            "p_poi:        {address: 290, format: int17, access: r, unit: kWh, scale: 0}",
        )
    )

    places = [text.partition(":")[0].rpartition(".")[2] for text in found]
    assert sorted(places) == ["format", "scale", "unit"]
    assert any('unit: "kWh" does not fit p_poi' in text for text in found)
