"""Configurations of the original HIL-scheduler become this program's, and nothing gets lost."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.config import yaml_source
from hil.config.load import load_text
from hil.config.migrate import Migrated, migrate
from hil.config.model import Config
from hil.config.model_plant import RegisterMapConfig
from hil.config.unmet import refusals
from hil.config.values import plant_spec
from hil.domain.errors import InvalidInput
from hil.domain.plant import Source, Transport
from old_configs import FLAT_REGISTERS, NEWEST, OLD_CONFIGS, ONE_PLANT

Path = tuple[str, ...]
TIME = 'must be a time of day such as "17:30"'


def migrated(text: str) -> tuple[Config, list[str]]:
    made = migrate(text, name="old.yaml")
    return load_text(made.text), [str(note) for note in made.notes]


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as wrong:
        migrate(text, name="old.yaml")
    assert str(wrong.value).startswith("old.yaml: ")
    return [str(problem) for problem in wrong.value.problems]


@pytest.mark.parametrize("text", OLD_CONFIGS.values(), ids=OLD_CONFIGS)
def test_every_spelling_becomes_a_configuration_that_passes_the_check(text: str) -> None:
    config, _ = migrated(text)

    assert refusals(config) == []
    assert [plant_spec(*each).id for each in config.plants.items()] == list(config.plants)


def test_the_newest_spelling_is_taken_over_to_the_letter() -> None:
    config, notes = migrated(NEWEST)

    assert (config.site.timezone, config.logging.level) == ("Europe/Lisbon", "DEBUG")
    assert config.startup.transport is Transport.REMOTE
    assert config.startup.initial_soc_pu == 0.4
    timing = config.timing
    assert (timing.dispatch_period_s, timing.measurement_period_s) == (1, 4)
    assert (timing.emulation_period_s, config.recording.flush_period_s) == (0.5, 60)
    assert not config.recording.compression.enabled
    assert config.recording.compression.max_gap_s == 300
    assert list(config.recording.compression.tolerances.model_dump().values()) == [
        *(0.01, 0.2, 0.02, 0.3, 0.0002, 0.4, 0.5, 0.002)
    ]
    api = config.schedule_api
    assert api is not None
    assert (api.kind, api.base_url) == ("istentore", "https://market.example/default")
    assert (api.email, api.poll_period_s) == ("bench@example.org", 100)
    assert (api.tomorrow_poll_start, api.schedule_period_min) == ("09:30", 30)
    assert (api.posting.enabled, api.posting.period_s) == (False, 90)
    assert (api.posting.queue_max, api.posting.retry_initial_s) == (2000, 3)
    assert (api.posting.retry_max_s, config.web.port) == (70, 8051)
    assert (config.web.public.enabled, config.web.public.auth) == (False, "none")
    assert (config.web.public.host, config.web.public.port) == ("127.0.0.2", 8061)
    assert [note.partition(": ")[2].partition(":")[0] for note in notes] == [
        "schedule.source_csv",
        "schedule.duration_h",
        "schedule.default_resolution_min",
        "plants.lib.modbus.local.points.stop_command",
        "plants.lib.modbus.remote.points.stop_command",
        "plants.vrfb.modbus.remote.points.start_command",
    ]


def test_plants_keep_their_nameplate_endpoints_and_registers() -> None:
    config, _ = migrated(NEWEST)

    lib = plant_spec("lib", config.plants["lib"])
    vrfb = plant_spec("vrfb", config.plants["vrfb"])
    assert (lib.name, config.plants["lib"].model.kind) == ("LIB one", "lithium_ion")
    assert config.plants["vrfb"].model.kind == "vanadium_redox_flow"
    assert (lib.nameplate.capacity_kwh, lib.nameplate.v_nominal_kv) == (510, 20.5)
    assert (lib.nameplate.p_max_kw, lib.nameplate.p_min_kw) == (1001, -1002)
    assert (lib.nameplate.q_max_kvar, lib.nameplate.q_min_kvar) == (601, -602)
    series = config.plants["lib"].measurement_series
    assert series is not None
    assert series.model_dump() == {"soc": 4, "p": 6, "q": None, "v": 8}
    remote = vrfb.endpoints[Transport.REMOTE]
    assert (remote.main.host, remote.main.port, remote.main.unit_id) == ("192.0.2.22", 1502, 1)
    points = vrfb.endpoints[Transport.LOCAL].registers.points
    assert str(points["p_battery"].word_order) == "lsw_first"
    assert (points["p_battery"].format, points["p_battery"].scale) == ("int32", 10)
    assert (points["q_battery"].unit, points["q_battery"].scale) == ("Mvar", 0.00001)
    assert remote.registers.points["start_command"].values == {"run": 2, "stop": 0}
    soc = lib.endpoints[Transport.LOCAL].registers.points["soc"]
    assert (soc.unit, soc.scale) == ("%", 0.01)
    assert isinstance(config.plants["lib"].register_map, RegisterMapConfig)


def test_registers_without_formats_get_the_ones_that_the_original_had() -> None:
    config, notes = migrated(FLAT_REGISTERS)

    lib = plant_spec("lib", config.plants["lib"])
    points = lib.endpoints[Transport.REMOTE].registers.points
    assert (points["p_setpoint"].address, points["p_setpoint"].format) == (86, "int16")
    assert (points["p_setpoint"].scale, points["p_setpoint"].unit) == (0.1, "kW")
    assert (points["v_poi"].unit, points["v_poi"].scale) == ("pu", 0.01)
    assert lib.nameplate.v_nominal_kv == 20
    assert config.recording.compression.tolerances.v_poi_kV == pytest.approx(0.0004)
    assert sum("compare them with the device" in note for note in notes) == 4


def test_the_oldest_spelling_is_one_plant_reached_in_two_ways() -> None:
    config, notes = migrated(ONE_PLANT)

    assert list(config.plants) == ["lib"]
    lib = plant_spec("lib", config.plants["lib"])
    assert lib.endpoints[Transport.LOCAL].registers.points["soc"].address == 12
    assert lib.endpoints[Transport.REMOTE].registers.points["soc"].address == 112
    assert (config.startup.transport, config.startup.initial_soc_pu) == ("remote", 0.6)
    assert config.schedule_api is not None
    assert config.schedule_api.tomorrow_poll_start == "17:30"
    said = "\n".join(notes)
    assert "never show me" not in said + migrate(ONE_PLANT, name="").text
    for place in ("password", "poll_interval_min", "measurement_series_by_plant.remote.soc"):
        assert f"istentore_api.{place}: " in said
    assert "modbus_local.description: " in said


def test_series_listed_by_plant_are_those_of_the_plants() -> None:
    own = "    measurement_series: {soc: 5, p: 11, q: 10, v: 9}\n"
    listed = "  measurement_series_by_plant: {vrfb: {soc: 21, p: 22, q: null, v: 24}}\n"
    assert own in NEWEST

    config, notes = migrated(
        NEWEST.replace(own, "").replace("istentore_api:\n", "istentore_api:\n" + listed)
    )

    series = config.plants["vrfb"].measurement_series
    assert series is not None
    assert series.model_dump() == {"soc": 21, "p": 22, "q": None, "v": 24}
    assert not any("measurement_series" in note for note in notes)


def test_what_this_version_cannot_do_is_left_at_its_default_and_said() -> None:
    text = NEWEST.replace('host: "127.0.0.1"\n    port: 8051', 'host: "0.0.0.0"\n    port: 8051')
    config, notes = migrated(text.replace("enabled: false", "enabled: true"))

    assert (config.web.host, config.web.public.enabled) == ("127.0.0.1", False)
    assert any(note.startswith("web.host: is left at its default") for note in notes)
    assert any(note.startswith("web.public.enabled: is left at its default") for note in notes)


def test_the_source_is_the_api_where_one_is_configured() -> None:
    config, notes = migrated(ONE_PLANT)

    assert config.startup.source is Source.API
    assert not any(note.startswith("startup.source: ") for note in notes)


def test_a_level_by_its_other_name_is_the_same() -> None:
    assert migrated(NEWEST.replace("debug", "Warn"))[0].logging.level == "WARNING"


def test_an_api_without_an_address_is_none() -> None:
    config, notes = migrated(NEWEST.replace('  base_url: "https://market.example/default"\n', ""))

    assert config.schedule_api is None
    assert sum("whose base_url is absent" in note for note in notes) == 9
    assert any("istentore_api.base_url: is absent" in note for note in notes)


def test_every_wrong_value_is_named_with_its_line() -> None:
    text = NEWEST.replace("debug", "loud").replace('"9:30"', '"25:30"')
    text = text.replace("scheduler_period_s: 1", "scheduler_period_s: often")
    text = text.replace("unit: pc", "unit: furlong").replace("port: 1502", "port: 1502.5")

    units = "kW, W, MW, hW, kvar, var, Mvar, pu, %, raw, V, kV, pc"
    soc = "points.soc.unit: must be one of"
    levels = "DEBUG, INFO, WARNING, ERROR, CRITICAL, WARN, FATAL"
    assert problems_of(text) == [
        f'line 3: general.log_level: must be {levels}, is "loud"',
        f'line 21: istentore_api.tomorrow_poll_start_time: {TIME}, is "25:30"',
        'line 31: timing.scheduler_period_s: must be a number, is the text "often"',
        f'line 83: plants.lib.modbus.local.{soc} {units}, is "furlong"',
        f'line 83: plants.lib.modbus.remote.{soc} {units}, is "furlong"',
        "line 116: plants.vrfb.modbus.remote.port: must be a whole number, is 1502.5",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a configuration of the original HIL-scheduler"),
        ("- 1", "is not a configuration of the original HIL-scheduler"),
        ("site: {name: x}", "is not a configuration of the original HIL-scheduler"),
        ("plants: {lib: {register_map: {}}}", "is a configuration of this program already"),
        ("general: [", "1 problem"),
        ("general: {a: 1, a: 2}", "1 problem"),
    ],
)
def test_what_is_no_old_configuration_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        migrate(text, name="old.yaml")


def test_what_the_registers_cannot_hold_is_named_by_its_new_place() -> None:
    found = problems_of(NEWEST.replace("p_max_kw: 1001.0", "p_max_kw: 4001.0"))

    assert [each.partition(": ")[0] for each in found] == [
        f"plants.lib.register_map.points.{point}" for point in ("p_setpoint", "p_poi", "p_battery")
    ]


def test_missing_keys_of_a_point_are_named() -> None:
    found = problems_of(NEWEST.replace("{address: 14, format: int16, access: r, ", "{", 1))

    assert [each.partition(": ")[2].rpartition(":")[0] for each in found] == [
        f"plants.vrfb.modbus.remote.points.p_poi.{key}" for key in ("address", "format", "access")
    ]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif path:
        yield path


def parent_of(tree: Any, path: Path) -> dict[str, Any]:
    for part in path[:-1]:
        tree = tree[part]
    assert isinstance(tree, dict)
    return tree


def tree_of(text: str) -> Any:
    """A copy without shared parts: an alias in YAML is one object."""
    return orjson.loads(orjson.dumps(yaml_source.parse(text).value))


def attempt(tree: Any) -> Migrated | str:
    try:
        return migrate(orjson.dumps(tree).decode(), name="old")
    except InvalidInput as wrong:
        return str(wrong)


TREES = {name: tree_of(text) for name, text in OLD_CONFIGS.items()}
BEFORE = {name: migrate(text, name="old") for name, text in OLD_CONFIGS.items()}
LEAVES = [(name, path) for name, tree in TREES.items() for path in leaves(tree)]


@settings(max_examples=25)
@given(st.sampled_from(LEAVES), st.sampled_from([7, "zz", 0.25, True, [1], {"a": 1}]))
def test_no_value_is_without_effect_unless_it_is_listed(where: tuple[str, Path], new: Any) -> None:
    name, path = where
    tree = orjson.loads(orjson.dumps(TREES[name]))
    before = BEFORE[name]
    parent = parent_of(tree, path)
    if parent[path[-1]] == new:
        return
    parent[path[-1]] = new

    after = attempt(tree)

    listed = {note.where for note in before.notes}
    place = yaml_source.where(path)
    changed = isinstance(after, str) or after.text != before.text
    assert changed or any(each.startswith(place) for each in listed)


KEYS = st.text("abcdefgh_", min_size=1, max_size=8).map("x_".__add__)


@settings(max_examples=25)
@given(st.sampled_from(LEAVES), st.integers(0, 5), KEYS, st.sampled_from([1, "zz", None, {}]))
def test_a_key_that_nobody_knows_is_listed_wherever_it_stands(
    where: tuple[str, Path], depth: int, key: str, value: Any
) -> None:
    name, path = where
    tree = orjson.loads(orjson.dumps(TREES[name]))
    path = path[: min(depth, len(path) - 1)]
    parent_of(tree, (*path, key))[key] = value

    made = attempt(tree)

    place = yaml_source.where((*path, key))
    if isinstance(made, str):
        assert place in made
    else:
        assert place in {note.where for note in made.notes}


@settings(max_examples=25)
@given(st.sampled_from(LEAVES))
def test_a_missing_key_is_a_problem_or_leaves_a_valid_configuration(
    where: tuple[str, Path],
) -> None:
    name, path = where
    tree = orjson.loads(orjson.dumps(TREES[name]))
    del parent_of(tree, path)[path[-1]]

    made = attempt(tree)

    if isinstance(made, Migrated):
        assert refusals(load_text(made.text)) == []


PATHS = sorted({(name, path[:size]) for name, path in LEAVES for size in range(1, len(path))})


@settings(max_examples=25)
@given(st.sampled_from(PATHS), st.sampled_from([5, "zz", True, [1], [{"a": 1}], None, {}]))
def test_a_section_that_is_none_is_named_or_empty(where: tuple[str, Path], new: Any) -> None:
    name, path = where
    tree = orjson.loads(orjson.dumps(TREES[name]))
    parent_of(tree, path)[path[-1]] = new

    made = attempt(tree)

    place = yaml_source.where(path)
    if new:
        assert place in (made if isinstance(made, str) else {note.where for note in made.notes})
