"""All facts about the wire."""

from importlib import import_module

from tests.contract.wire import Fact

TOPICS = ("urls", "decoding", "envelopes", "badges", "batch", "limits", "access", "neighbours", "activities")
ALL: list[Fact] = [fact for topic in TOPICS for fact in import_module(f"tests.contract.wire_{topic}").FACTS]
