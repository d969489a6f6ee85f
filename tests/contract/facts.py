"""All facts about the wire, by topic."""

from __future__ import annotations

from tests.contract import (
    test_wire_access,
    test_wire_activities,
    test_wire_badges,
    test_wire_batch,
    test_wire_decoding,
    test_wire_envelopes,
    test_wire_limits,
    test_wire_neighbours,
    test_wire_urls,
)
from tests.contract.wire import DERIVED, Fact

TOPICS: dict[str, list[Fact]] = {
    "addresses, verbs, order of checks": test_wire_urls.FACTS,
    "decoding of parameters": test_wire_decoding.FACTS,
    "envelopes, system errors, headers, escaping": test_wire_envelopes.FACTS,
    "the four badge methods": test_wire_badges.FACTS,
    "batch": test_wire_batch.FACTS,
    "limits": test_wire_limits.FACTS,
    "webhooks, access tokens, token endpoint": test_wire_access.FACTS,
    "neighbours: who am I, what may I call": test_wire_neighbours.FACTS,
    "activities, what holds a badge": test_wire_activities.FACTS,
}
ALL: list[Fact] = [fact for facts in TOPICS.values() for fact in facts]


def count_table() -> str:
    """The table of the README, from the rows themselves."""
    lines = ["| topic | rows | derived | also live |", "|---|---:|---:|---:|"]
    for topic, facts in [*TOPICS.items(), ("**all**", ALL)]:
        derived = sum(fact.source == DERIVED for fact in facts)
        lines.append(f"| {topic} | {len(facts)} | {derived} | {sum(fact.live for fact in facts)} |")
    return "\n".join(lines)
