"""The vocabulary of faults: one parser for files, requests and documents."""

from typing import Any

import pytest

from hil.domain.errors import InvalidInput
from hil.domain.faults import (
    FAULT_TYPES,
    PROFILES,
    FaultKind,
    kinds_of,
    parse_faults,
    point_problem,
)


@pytest.mark.parametrize("kind", [*FaultKind])
def test_every_kind_has_valid_defaults_and_comes_back_from_its_document(kind: FaultKind) -> None:
    (fault,) = parse_faults({"kind": kind})

    assert fault.kind is kind
    assert parse_faults(fault.document()) == (fault,)
    for param in FAULT_TYPES[kind].params:
        assert param.why_not(param.default) is None


@pytest.mark.parametrize("profile", [*PROFILES])
def test_every_profile_stands_for_its_kinds(profile: str) -> None:
    faults = parse_faults({"kind": profile, "for_s": 5})

    assert tuple(fault.kind for fault in faults) == kinds_of(profile)
    assert {fault.for_s for fault in faults} == {5}


@pytest.mark.parametrize(
    ("document", "where", "why"),
    [
        ({}, "kind", "is missing"),
        ({"kind": "delya"}, "kind", 'did you mean "delay"'),
        ({"kind": 3}, "kind", "no fault or profile is called 3"),
        ({"kind": "delay", "s": 3}, "s", "delay takes ms, for_s"),
        ({"kind": "delay", "ms": "300"}, "ms", "must be a number"),
        ({"kind": "delay", "ms": True}, "ms", "must be a number"),
        ({"kind": "delay", "ms": float("nan")}, "ms", "must be from 0 to 600000"),
        ({"kind": "delay", "ms": 10**5000}, "ms", "must be from 0 to 600000"),
        ({"kind": "delay", "ms": None}, "ms", "must be a number"),
        ({"kind": "delay", "ms": -1}, "ms", "must be from 0 to 600000"),
        ({"kind": "delay", "for_s": 0}, "for_s", "must be from 0.001 to 604800"),
        ({"kind": "drop", "every": 1.5}, "every", "must be a whole number"),
        ({"kind": "exception", "on": "x"}, "on", "must be one of all, reads, writes"),
        ({"kind": "frozen_registers", "point": 3}, "point", "must be the name of a point"),
        ({"kind": "old_gateway", "ms": 3}, "ms", "a profile takes only for_s"),
    ],
)
def test_wrong_document_is_named_by_its_key(document: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_faults(document)

    (problem,) = caught.value.problems
    assert problem.where == where
    assert why in problem.why


def test_every_wrong_key_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_faults({"kind": "max_block", "registers": 0, "code": 0, "for_s": "x"})

    assert [problem.where for problem in caught.value.problems] == ["for_s", "registers", "code"]


def test_fault_reads_as_a_person_would_write_it() -> None:
    (fault,) = parse_faults({"kind": "late_answer", "s": 2.5})

    assert str(fault) == "late_answer s=2.5 every=1"


def test_point_that_the_plant_has_not_is_named() -> None:
    (fault,) = parse_faults({"kind": "scale_error", "point": "p_mid"})

    problem = point_problem(fault, {"p_poi"})
    assert problem is not None
    assert "no point p_mid" in problem.why
    assert point_problem(fault, {"p_mid"}) is None
