"""Repeats: the first few are admitted, the rest is counted and told once."""

from hypothesis import given
from hypothesis import strategies as st

from hil.domain.log_repeat import Repeats


def repeats(*, different_max: int = 100) -> Repeats[str]:
    return Repeats(most=3, window_ns=60, different_max=different_max)


def test_the_first_few_of_a_window_are_admitted() -> None:
    said = repeats()

    assert [said.is_admitted("a", now_ns=k) for k in range(5)] == [True] * 3 + [False] * 2
    assert said.is_admitted("b", now_ns=5)
    assert said.ended(now_ns=59) == []
    assert said.ended(now_ns=60) == [("a", 2)]
    assert said.ended(now_ns=61) == []
    assert said.is_admitted("a", now_ns=61)


def test_what_was_not_repeated_often_is_not_told() -> None:
    said = repeats()
    for k in range(3):
        said.is_admitted("a", now_ns=k)

    assert said.ended(now_ns=1_000) == []


def test_one_thing_too_many_ends_the_oldest_window_early() -> None:
    said = repeats(different_max=2)
    for _ in range(5):
        said.is_admitted("a", now_ns=0)
    said.is_admitted("b", now_ns=1)
    assert said.ended(now_ns=1) == []
    said.is_admitted("c", now_ns=1)

    assert said.ended(now_ns=1) == [("a", 2)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 40)), max_size=200))
def test_each_is_admitted_or_told_of_exactly_once(events: list[tuple[str, int]]) -> None:
    said = repeats(different_max=3)
    counts = dict.fromkeys("abcd", 0)
    now_ns = 0
    for word, after_ns in events:
        now_ns += after_ns
        for told, times in said.ended(now_ns=now_ns):
            counts[told] += times
        counts[word] += said.is_admitted(word, now_ns=now_ns)
    for told, times in said.rest():
        counts[told] += times

    assert counts == {word: sum(one == word for one, _ in events) for word in "abcd"}
    assert said.rest() == []
