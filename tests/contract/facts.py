"""All facts about the wire."""

from types import ModuleType

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
from tests.contract.wire import Fact

TOPICS: list[ModuleType] = [wire_urls, wire_decoding, wire_envelopes, wire_badges, wire_batch]
TOPICS += [wire_limits, wire_access, wire_neighbours, wire_activities]
ALL: list[Fact] = [fact for topic in TOPICS for fact in topic.FACTS]
