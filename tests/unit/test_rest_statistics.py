"""Statistics against an independent computation, and missing where they would mislead."""

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

import b24nb
from b24nb.errors import InvalidInput
from b24nb.rest.calls import KEPT_BYTES, Call, CallLog
from b24nb.rest.limits import LeakyBucket, Limits
from tests.fakes import FakeClock

#: The portal states seconds with ten places; no figure that is made of them can be finer.
HEADER_MS = 1e-6


def log_of(*calls: Call) -> CallLog:
    clock = FakeClock()
    log = CallLog(Limits(LeakyBucket("standard", clock), clock))
    for call in calls:
        log.record(call)
    return log


def http(method: str = "profile", client_ms: float = 10.0, **more: object) -> Call:
    return Call(1_764_000_000.0, "http", method, "", {}, client_ms=client_ms, bytes_out=2, bytes_in=20, **more)


COLUMNS = [
    *("at", "kind", "method", "key", "params", "attempt", "http_status", "error", "outcome", "client_ms", "server_ms"),
    *("network_ms", "processing_ms", "operating_s", "operating_reset_at", "bytes_out", "bytes_in"),
]


@pytest.mark.parametrize("log", [log_of(), log_of(http())], ids=["empty", "one row"])
def test_the_frame_has_its_columns_and_types_also_when_empty(log: CallLog) -> None:
    frame = log.df
    assert list(frame.columns) == COLUMNS
    assert str(frame["at"].dt.tz) == str(frame["operating_reset_at"].dt.tz) == "UTC"
    assert {str(frame[name].dtype) for name in ("attempt", "http_status", "bytes_in", "bytes_out")} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("client_ms", "server_ms", "operating_s")} == {"Float64"}


@pytest.mark.parametrize(
    ("n", "present"),
    [(4, []), (5, ["p50"]), (19, ["p50"]), (20, ["p50", "p90", "p95"]), (100, ["p50", "p90", "p95", "p99"])],
)
def test_a_percentile_needs_enough_values(n: int, present: list[str]) -> None:
    row = log_of(*(http(client_ms=float(i)) for i in range(n))).summary(full=True).loc["profile"]
    found = [name for name in ("p50", "p90", "p95", "p99") if pd.notna(row[f"client_{name}"])]
    assert found == present
    assert row["client_max"] == n - 1
    assert pd.isna(row["server_max"])


def test_a_loop_over_the_log_sees_what_was_there_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b24nb.rest.calls.KEPT", 2)
    log = log_of(http("a"), http("b"))
    for call in log:  # which adds rows, and drops those that it has not seen yet
        log.record(http(f"after {call.method}"))
    assert [call.method for call in log] == ["after a", "after b"]
    assert (log[0].method, log[-1].method) == ("after a", "after b")


def test_a_missing_server_time_is_no_zero() -> None:
    calls = [http(client_ms=10.0, server_ms=4.0)] * 5 + [http(client_ms=1000.0)] * 5
    row = log_of(*calls).summary(full=True).loc["profile"]
    assert (row["server_p50"], row["network_p50"], row["network_share"]) == (4.0, 6.0, 0.6)


def test_attempts_and_commands_are_never_mixed_and_a_refused_batch_has_none(
    portal: b24nb.SandboxPortal, b24: b24nb.Client
) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=3)
    for count in (50, 20):
        b24.batch({str(number): ("server.time", None) for number in range(count)})
    b24.call("server.time")
    counts = b24.calls.summary(full=True)[["n", "errors", "retries"]]
    assert counts.loc[["batch", "server.time"]].values.tolist() == [[5, 3, 3], [1, 0, 0]]
    for by, wanted in (("method", {"batch": 35, "server.time": 1}), ("attempt", {1: 10.5, 4: 50})):
        commands = b24.calls.summary(by, full=True)["commands_per_request"]
        assert commands.dropna().to_dict() == wanted


def test_other_groupings() -> None:
    log = log_of(http(), http(outcome="error", error="X"), http("scope"))
    assert list(log.summary(full=True, by="outcome")["n"]) == [1, 2]
    both = log.summary(full=True, by=["method", "outcome"])
    assert both.index.names == ["method", "outcome"]
    assert len(both) == 3
    with pytest.raises(InvalidInput, match="Can't group by ''"):
        log.summary(by=[])
    with pytest.raises(InvalidInput, match="Can't group by 'colour'"):
        log.summary(full=True, by="colour")
    assert list(log_of().summary(full=True).columns) == list(log.summary(full=True).columns)
    assert list(log.summary()) == [
        *("n", "errors", "retries", "client_p50", "client_p95", "client_max", "server_p50", "network_share")
    ]


def test_the_log_is_a_ring_that_says_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b24nb.rest.calls.KEPT", 10)
    log = log_of(*(http(client_ms=float(i)) for i in range(15)))
    assert (len(log), log.dropped, log[0].client_ms) == (10, 5, 5.0)
    assert "5 older ones were dropped" in repr(log)
    log.clear()
    assert (len(log), log.dropped, log.last) == (0, 0, None)


def test_the_log_is_bounded_in_bytes_too_and_keeps_the_newest() -> None:
    log = log_of()
    for number in range(5):
        log.record(http(client_ms=float(number)), KEPT_BYTES // 3)
    assert (len(log), log.dropped, log[0].client_ms) == (2, 3, 3.0)
    log.record(http(client_ms=9.0), KEPT_BYTES * 2)
    assert [call.client_ms for call in log] == [9.0]
    assert "5 older ones were dropped" in repr(log)


def test_the_statistics_are_those_of_the_portals_own_log(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    """numpy over what the sandbox wrote down itself, against what the client made of the answers."""
    b24.calls.clear()
    before = len(portal.requests)
    for number in range(120):
        b24.call("crm.activity.badge.get", {"code": "missedCall"})
        if number % 5 == 0:
            b24.batch({str(i): ("crm.activity.badge.list", None) for i in range(number % 7 + 1)})
        if number % 12 == 0:
            with pytest.raises(b24nb.errors.NotFound):
                b24.call("crm.activity.badge.get", {"code": "nobody"})
    theirs = list(portal.requests)[before:]
    log, summary = b24.calls.df, b24.calls.summary(full=True)
    for method in ("crm.activity.badge.get", "batch"):
        row, records = summary.loc[method], [record for record in theirs if record.method == method]
        answered = [record.rest_ms for record in records if record.error is None]
        ours = log[(log["method"] == method) & (log["kind"] == "http")]
        assert row["n"] == len(records)
        assert row["errors"] == len(records) - len(answered)
        assert row["bytes_in"] == sum(record.bytes for record in records)
        for name, values in (("server", answered), ("client", ours["client_ms"]), ("network", ours["network_ms"])):
            figures = values if name == "server" else values.dropna().astype(float)
            assert row[f"{name}_max"] == pytest.approx(max(figures), abs=HEADER_MS)
            for percent, needed in ((50, 5), (90, 20), (95, 20), (99, 100)):
                figure = row[f"{name}_p{percent}"]
                assert pd.isna(figure) == (len(figures) < needed)
                assert pd.isna(figure) or figure == pytest.approx(np.percentile(figures, percent), abs=HEADER_MS)
    commands = sum(sum(record.commands.values()) for record in theirs)
    assert summary.loc["batch", "commands_per_request"] == pytest.approx(commands / 24)
    assert ((log["client_ms"] - log["server_ms"]).dropna() >= 0).all()


def test_the_log_says_why_figures_of_the_portal_are_missing() -> None:
    def told(time: dict[str, object], headers: dict[str, str]) -> Call:
        call = http(client_ms=10.0)
        call.note_times(time, headers, call.client_ms)
        return call

    whole = {"start": 1, "duration": 0.004, "processing": 0}
    late, exact = ({"X-Bitrix-Rest-Time": seconds} for seconds in ("0.0200", "0.0040"))
    log = log_of(told(whole, {}), told(whole, late), told({}, {}), told(whole, exact), told({}, exact))
    assert log.missing() == [
        "No server time for 1 call: the portal counts in whole seconds and sends no exact header.",
        "No server time for 1 call: the portal's figure is more than the caller waited.",
        "No server time for 1 call: the portal states none.",
        "No processing time for 2 calls: the portal counts it in whole seconds, or states none that can be right.",
    ]
    for reason in log.missing():
        assert str(escape(reason)) in log._repr_html_()
    assert log.missing("server_ms") == log.missing()[:3]
    assert log_of(http(server_ms=1.0, processing_ms=0.5)).missing() == []


def test_what_a_command_states_is_held_against_its_request() -> None:
    command = Call(0.0, "command", "profile", "k", {})
    command.note_times({"start": 1.5, "duration": 3.0, "processing": 0.001}, {}, waited_ms=10.0)
    assert (command.server_ms, command.processing_ms) == (None, 1.0)
