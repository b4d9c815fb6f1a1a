"""Loading: every problem at once with its place and line, and one sentence for what is no YAML."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.config.load import (
    MAX_BYTES,
    default_text,
    find_config,
    load,
    load_default,
    load_text,
)
from hil.domain.errors import InvalidInput, Problem

Edited = Callable[..., str]
Problems = Callable[..., list[str]]

EMPTY = "x.yaml: is empty; it needs `plants`, and `hil init` writes an example"


def line_of(text: str, part: str) -> int:
    """The line, from 1, that the part first stands in."""
    return text.count("\n", 0, text.index(part)) + 1


def refused(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as wrong:
        load_text(text, name="x.yaml")
    return wrong.value


def test_five_mistakes_are_five_problems_with_place_and_line(edited: Edited) -> None:
    text = edited(
        ("timing: ", "timming: "),
        ("p_max_kw: 1000", "p_max_kW: 1000"),
        ("    name: LIB\n", "    name: LIB\n    in_service: yes\n"),
        ("port: 5021}", 'port: 5021, unit_id: "1"}'),
        ("      q_min_kvar: -600\n", "      q_min_kvar: -600\n      q_min_kvar: -500\n"),
    )

    wrong = refused(text)

    assert wrong.args[0] == "x.yaml: 5 problems"
    assert wrong.problems == (
        Problem(
            where="timming",
            why='unknown key; did you mean "timing"?',
            line=line_of(text, "timming"),
        ),
        Problem(
            where="plants.lib.in_service",
            why='must be true or false, is the text "yes"',
            line=line_of(text, "in_service: yes"),
        ),
        Problem(
            where="plants.lib.model.p_max_kW",
            why='unknown key; did you mean "p_max_kw"?',
            line=line_of(text, "p_max_kW"),
        ),
        Problem(
            where="plants.lib.model.q_min_kvar",
            why=f"this key stands twice; first in line {line_of(text, 'q_min_kvar: -600')}",
            line=line_of(text, "q_min_kvar: -500"),
        ),
        Problem(
            where="plants.vrfb.endpoints.local.unit_id",
            why='must be a whole number, is the text "1"; write it without quotes',
            line=line_of(text, "port: 5021"),
        ),
    )


def test_a_tab_is_named_beside_the_other_mistakes(edited: Edited) -> None:
    text = edited(
        ("timing: ", "timming: "),
        ("      p_max_kw: 1000", "\tp_max_kW: 1000"),
        ("    name: VRFB", "    name: VRFB\n    name: VRFB"),
        ("port: 8050", 'port: "8050"'),
    )

    found = [(problem.where, problem.line) for problem in refused(text).problems]

    assert found == [
        ("timming", line_of(text, "timming")),
        ("web.port", line_of(text, 'port: "8050"')),
        ("indentation", line_of(text, "\tp_max_kW")),
        ("plants.lib.model.p_max_kW", line_of(text, "\tp_max_kW")),
        ("plants.vrfb.name", line_of(text, "name: VRFB") + 1),
    ]


def test_only_tabs_are_named_when_nothing_else_is_wrong() -> None:
    lines = default_text().splitlines()
    tabbed = [
        line.replace("  ", "\t")
        if line.startswith("  ") and not line.lstrip().startswith("#")
        else line
        for line in lines
    ]

    problems = refused("\n".join(tabbed)).problems

    assert {problem.where for problem in problems} == {"indentation"}


def test_a_mistake_in_one_part_does_not_hide_those_of_others(problems: Problems) -> None:
    found = problems(
        ("p_max_kw: 1000", "p_max_kw: 4000"),
        ("host: 127.0.0.1, port: 5020", 'host: 127.0.0.1, port: 8050, unit_id: "1"'),
        (
            "    measurement_series: {soc: 4",
            "    limits: {soc_min_pu: 0.9, soc_max_pu: 0.1}\n    measurement_series: {soc: x",
        ),
        ("q_setpoint:   {address: 88, format: int16", "q_setpoint:   {address: 86, format: int16"),
        ("v_poi:        {address: 296", "v_poi:        {address: 70000"),
    )

    places = [text.split(": ")[0] for text in found]
    assert places == [
        "plants.lib.limits.soc_min_pu",
        "plants.lib.measurement_series.soc",
        "plants.lib.endpoints.local.unit_id",
        "plants.lib.endpoints.local.port",
        "plants.lib.register_map.points.p_setpoint",
        "plants.lib.register_map.points.q_setpoint.address",
        "plants.lib.register_map.points.p_battery",
        "plants.lib.register_map.points.p_poi",
        "plants.lib.register_map.points.v_poi.address",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("port: 8050", "port: true", "web.port: must be a whole number, is true"),
        ("port: 8050", "port: 8050.5", "web.port: must be a whole number, is 8050.5"),
        ("port: 8050", "port: 0", "web.port: must be at least 1, is 0"),
        ("port: 8050", "port: 70000", "web.port: must be at most 65535, is 70000"),
        ("port: 8050", "port:", "web.port: must be a whole number, is empty (null)"),
        ("f_hz: 50.0", "f_hz: .nan", "grid.f_hz: must be a finite number, is nan"),
        ("f_hz: 50.0", "f_hz: -.inf", "grid.f_hz: must be a finite number, is -inf"),
        ("f_hz: 50.0", "f_hz: true", "grid.f_hz: must be a number, is true"),
        (
            "f_hz: 50.0",
            "f_hz: '50'",
            'grid.f_hz: must be a number, is the text "50"; write it without quotes',
        ),
        ("f_hz: 50.0", "f_hz: [50]", "grid.f_hz: must be a number, is a list"),
        (
            "name: HIL bench",
            "name: 5",
            "site.name: must be text, is 5; put it in quotes",
        ),
        ("name: HIL bench", "name: ''", "site.name: must not be empty"),
        (
            "source: manual ",
            "source: manul ",
            'startup.source: must be manual or api, is the text "manul"; did you mean "manual"?',
        ),
        (
            "resume: hold ",
            "resume: on ",
            'startup.resume: must be hold or resume, is the text "on"',
        ),
        (
            "allowed_hosts: []",
            "allowed_hosts: [a, 'b:80']",
            (
                'web.allowed_hosts[1]: "b:80" is not a host: write a name or an IP address, '
                "without a port"
            ),
        ),
        (
            "dispatch_period_s: 2",
            "dispatch_period_s: 0.3333",
            "timing.dispatch_period_s: must be a whole number of milliseconds, is 0.3333 s",
        ),
        (
            "dispatch_period_s: 2",
            "dispatch_period_s: 0.01",
            "timing.dispatch_period_s: must be at least 0.1, is 0.01",
        ),
        (
            "  vrfb:",
            "  VRFB:",
            (
                'plants.VRFB: "VRFB" is not an id: it starts with a small letter and has small '
                "letters, digits and _ only"
            ),
        ),
        (
            "kind: lithium_ion",
            "kind: lead_acid",
            (
                'plants.lib.model.kind: "lead_acid" is not a kind of plant: lithium_ion, '
                "vanadium_redox_flow or python:module:Class"
            ),
        ),
        (
            "scale: 0.1}",
            "scale: 0}",
            (
                "plants.lib.register_map.points.p_setpoint.scale: must lie between 0.000000001 and "
                "1000000000 (with either sign), is 0"
            ),
        ),
        ("      capacity_kwh: 500\n", "", "plants.lib.model.capacity_kwh: this key is required"),
        (
            "grid:",
            "grid:\nxgrid:",
            'xgrid: unknown key; did you mean "grid"?',
        ),
        (
            "f_hz: 50.0",
            "f_hz: !hertz 50.0",
            "grid.f_hz: the tag !hertz has no meaning here",
        ),
    ],
)
def test_one_mistake_is_one_sentence(problems: Problems, old: str, new: str, problem: str) -> None:
    found = problems((old, new))

    assert problem in found
    assert len(found) <= 2  # a section emptied by the change may be named, too


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x.yaml: is empty; it needs `plants`, and `hil init` writes an example"),
        (
            "# only a comment\n",
            "x.yaml: is empty; it needs `plants`, and `hil init` writes an example",
        ),
        ("- a\n- b\n", "x.yaml: must be sections such as `site:` and `plants:`, is a list"),
        ("hello", 'x.yaml: must be sections such as `site:` and `plants:`, is the text "hello"'),
        ("42", "x.yaml: must be sections such as `site:` and `plants:`, is 42"),
    ],
)
def test_what_is_no_mapping_is_one_sentence(text: str, sentence: str) -> None:
    assert str(refused(text)) == sentence


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: c", "line 1: syntax: a colon stands where no key can be; check the indentation"),
        ("a: [1,\nb: 2", "line 2: syntax: "),
        ('a: "x', "line 1: syntax: a bracket or quote is opened and never closed"),
        ("a: *b", "line 1: syntax: the alias names no anchor above it"),
        ("a: 1\n---\nb: 2", "line 2: syntax: a second document begins; only one is allowed"),
        ("a: \0", "text: has a character that YAML does not allow (number 4)"),
        ("a: @b", "line 1: syntax: a character stands where none of its kind can; quote the text"),
        ("[" * 5000, "text: is nested deeper than 30 levels"),
        ("? [1]\n: 2", "line 1: text: a key must be a plain word"),
        ("plants: !x {}", "line 1: plants: the tag !x has no meaning here"),
        ("plants: {}", "line 1: plants: needs at least 1 entry"),
        ("site: {}", "plants: this key is required"),
        ("plants: [1]", "line 1: plants: must be a mapping, is a list"),
        ("plants: {lib: 5}", "line 1: plants.lib: must be a section with keys, is 5"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, problem: str) -> None:
    assert problem in str(refused(text))


def test_a_text_that_multiplies_by_aliases_is_refused() -> None:
    layers = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    text = "a0: &a0 [x]\n" + "\n".join(layers)

    assert "has more than 500000 values" in str(refused(text))


def test_anchors_and_merge_keys_are_allowed(edited: Edited) -> None:
    text = edited(
        (
            "p_battery:    {address: 270, format: int16, access: r, unit: kW, scale: 0.1}",
            "p_battery:    &kw {address: 270, format: int16, access: r, unit: kW, scale: 0.1}",
        ),
        (
            "p_poi:        {address: 290, format: int16, access: r, unit: kW, scale: 0.1}",
            "p_poi:        {<<: *kw, address: 290}",
        ),
    )

    assert load_text(text) == load_default()


def test_yes_no_on_off_are_texts_and_leading_zeros_decimal(edited: Edited) -> None:
    config = load_text(edited(("name: HIL bench", "name: no"), ("port: 8050", "port: 08050")))

    assert (config.site.name, config.web.port, config.grid.noise) == ("no", 8050, "off")


def test_hexadecimal_sentinels_are_numbers(edited: Edited) -> None:
    config = load_text(edited(("unit: V}", "unit: V, invalid: [0xFFFF]}")))

    maps = config.plants["lib"].register_map
    assert maps.points["v_poi"].invalid == [65535]  # type: ignore[union-attr]  # one map for both


def test_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + default_text().replace("\n", "\r\n").encode())

    assert load(file) == load_default()


def test_files_that_are_none_are_named_in_a_sentence(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"a: 1\nb: \xff\xfe")
    large.write_bytes(b"#" * (MAX_BYTES + 1))

    for file, sentence in {
        tmp_path / "missing.yaml": "there is no such file; `hil init` writes one",
        tmp_path: "is a folder; give the file in it",
        binary: "is not UTF-8 text (line 2)",
        large: "is larger than 4,000,000 bytes; is it a configuration?",
        binary / "x": "cannot be read: Not a directory",
    }.items():
        with pytest.raises(InvalidInput) as wrong:
            load(file)
        assert str(wrong.value) == f"{file}: {sentence}"


def test_relative_files_start_from_the_configuration(tmp_path: Path, edited: Edited) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        edited(
            ("noise: off ", "playback_file: grid.csv "),
            (
                "  allowed_hosts",
                "  tls: {cert_file: /etc/cert.pem, key_file: key.pem}\n  allowed_hosts",
            ),
        )
    )

    config = load(file)

    assert config.grid.playback_file == str(tmp_path / "grid.csv")
    assert config.web.tls.cert_file == "/etc/cert.pem"
    assert config.web.tls.key_file == str(tmp_path / "key.pem")
    assert config.recording.directory == "data"


def test_the_configuration_is_found_in_the_order_of_the_contract(tmp_path: Path) -> None:
    here = tmp_path / "config.yaml"

    assert find_config(None, {}, tmp_path) is None
    here.write_text("")
    assert find_config(None, {}, tmp_path) == here
    assert find_config(None, {"HIL_CONFIG": ""}, tmp_path) == here
    assert find_config(None, {"HIL_CONFIG": "b.yaml"}, tmp_path) == Path("b.yaml")
    assert find_config(Path("a.yaml"), {"HIL_CONFIG": "b.yaml"}, tmp_path) == Path("a.yaml")


@settings(deadline=None)
@given(st.text(alphabet="ab:{}[]-&*<>!|'\" \t\n#0.\\%@`?,", max_size=60))
def test_any_text_is_a_configuration_or_a_refusal(text: str) -> None:
    with pytest.raises(InvalidInput):
        load_text(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)  # each reads the whole configuration
@given(st.data())
def test_any_value_anywhere_is_accepted_or_a_problem(data: st.DataObject) -> None:
    tree = json.loads(load_default().model_dump_json())
    here, path = tree, []
    while isinstance(here, dict) and here:
        key = data.draw(st.sampled_from(sorted(here)))
        path.append(key)
        parent, here = here, here[key]
        if data.draw(st.integers(0, 3)) == 0:
            break
    parent[path[-1]] = data.draw(values)
    text = json.dumps(tree)

    try:
        load_text(text)
    except InvalidInput as wrong:
        assert wrong.problems  # noqa: PT017 - both outcomes are fine, silence is not
