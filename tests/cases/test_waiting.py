"""How long a call waits, for what, and what happens right before it leaves."""

from __future__ import annotations

import pytest

import b24nb
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from tests.fakes import FakeClock


@pytest.mark.parametrize("batch", [False, True])
def test_a_last_look_before_every_attempt_can_stop_it(portal: b24nb.SandboxPortal, batch: bool) -> None:
    connection = Connection(Webhook.parse(portal.webhook), clock=FakeClock())
    looks: list[int] = []

    def look() -> None:
        looks.append(len(portal.requests))
        if len(looks) == 2:
            raise LookupError("changed meanwhile")

    portal.faults.next("QUERY_LIMIT_EXCEEDED")
    ask = (connection.send_chunk, [("a", "server.time", None)]) if batch else (connection.call, "server.time")
    with pytest.raises(LookupError):
        ask[0](ask[1], before_send=look)
    assert looks == [0, 1]  # the second time after the refusal, and nothing was sent any more
    assert len(portal.requests) == len(connection.calls) == 1
    connection.close()
