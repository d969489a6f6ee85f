"""All facts about the wire, by topic."""

from tests.contract import (
    wire_access,
    wire_activities,
    wire_badges,
    wire_batch,
    wire_decoding,
    wire_envelopes,
    wire_limits,
    wire_neighbours,
    wire_urls,
)
from tests.contract.wire import DERIVED, Fact

TOPICS: dict[str, list[Fact]] = {
    "addresses, verbs, order of checks": wire_urls.FACTS,
    "decoding of parameters": wire_decoding.FACTS,
    "envelopes, system errors, headers, escaping": wire_envelopes.FACTS,
    "the four badge methods": wire_badges.FACTS,
    "batch": wire_batch.FACTS,
    "limits": wire_limits.FACTS,
    "webhooks, access tokens, token endpoint": wire_access.FACTS,
    "neighbours: who am I, what may I call": wire_neighbours.FACTS,
    "activities, what holds a badge": wire_activities.FACTS,
}
ALL: list[Fact] = [fact for facts in TOPICS.values() for fact in facts]


def count_table() -> str:
    """The table of the README, from the rows themselves."""
    lines = ["| topic | rows | derived | also live |", "|---|---:|---:|---:|"]
    for topic, facts in [*TOPICS.items(), ("**all**", ALL)]:
        derived = sum(fact.source == DERIVED for fact in facts)
        lines.append(f"| {topic} | {len(facts)} | {derived} | {sum(fact.live for fact in facts)} |")
    return "\n".join(lines)
