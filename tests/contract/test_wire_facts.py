"""A sandbox portal held against all facts; and the tables themselves."""

import re
from collections import Counter

import pytest

from tests.contract.facts import ALL
from tests.contract.stage import check
from tests.contract.wire import TEXT, Answer, Fact, Send, difference


@pytest.mark.parametrize("fact", ALL, ids=str)
def test_wire(fact: Fact) -> None:
    check(fact)


def test_the_comparison_can_fail() -> None:
    assert difference({"a": 1}, {"a": True})
    assert difference({"a": 1}, {"a": 1.0})
    assert difference({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert difference([1], [1, 2])
    assert difference({"a": [TEXT]}, {"a": [5]})
    assert difference({"a": [TEXT, None]}, {"a": ["x", None]}) is None


def test_every_fact_has_an_id_and_a_source_says_something_in_one_line_and_can_fail() -> None:
    assert [name for name, count in Counter(fact.id for fact in ALL).items() if count > 1] == []
    for fact in ALL:
        assert re.fullmatch(r"[^\n]{8,110}[.)]", fact.says), fact.id
        assert fact.source, fact.id
        assert not all(isinstance(step, Send) for step in fact.steps), f"{fact.id} expects nothing"


def test_live_facts_use_nothing_that_only_a_sandbox_has() -> None:
    for fact in (fact for fact in ALL if fact.live):
        assert fact.portal == {}, fact.id
        assert fact.badges is not None, fact.id
        assert all(isinstance(step, Send | Answer) for step in fact.steps), fact.id
        for request in (step for step in fact.steps if isinstance(step, Send)):
            places = re.findall(r"<([a-z_]+)>", f"{request.path} {request.body!r} {request.headers}")
            assert set(places) <= {"admin"}, fact.id
            assert request.path.startswith(("<admin>/", "/rest/")), fact.id
