"""`connect()` and `Client` against a real sandbox portal: displays, batches, each error that a portal can answer."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from b24nb import Badge, Client, OAuthToken, SandboxPortal, connect, errors, explain, spec
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from b24nb.rest.response import Response
from b24nb.rest.transport import Transport
from tests.fakes import FakeClock
from tests.servers import answering, http


def test_who_am_i_is_asked_once_by_one_batch(portal: SandboxPortal) -> None:
    with connect(portal) as b24:
        repr(b24), b24._repr_html_(), repr(b24.portal), b24.portal._repr_html_(), b24.calls, b24.journal
        assert [request.method for request in portal.requests] == ["batch"]
        assert len(b24.calls) == 0, "the log begins with what the user asks for"
        assert b24.portal.admin is True
        assert b24.portal.user_id == "1"
        assert "crm" in b24.portal.scopes
        assert b24.portal.asked_at.tzinfo is not None


@pytest.mark.parametrize("wrong", [42, b"https://", ["x"]])
def test_other_things_are_refused(wrong: object) -> None:
    with pytest.raises(errors.InvalidInput, match=r"Can't connect|is not a text"):
        connect(wrong)


def test_read_only_refuses_every_write_before_it_is_sent(portal: SandboxPortal) -> None:
    with connect(portal, read_only=True) as b24:
        release = b24.badges.release("waitingPayment")
        before = len(portal.requests)
        many = {f"c{i}": ("crm.activity.badge.get", {"code": "paid"}) for i in range(60)}  # more than a request holds
        for write in (
            lambda: b24.badges.delete("missedCall"),
            lambda: b24.badges.add("x", "t", "v", "primary"),
            lambda: b24.badges.delete_many(["missedCall"]),
            lambda: release.apply(confirm=2),
            lambda: b24.call("crm.activity.badge.delete", {"code": "missedCall"}),
            lambda: b24.call("crm.something.unheard.of"),
            lambda: b24.batch({**many, "last": ("crm.activity.badge.delete", {"code": "missedCall"})}),
        ):
            with pytest.raises(errors.ReadOnly, match="No change was sent"):
                write()
        assert len(portal.requests) == before
        assert b24.badges.get("missedCall")
        for read in ("CRM.Activity.Badge.LIST", "crm.deal.list", "profile"):
            assert b24.call(read).result


@pytest.mark.parametrize("own", [True, False], ids=["a sandbox of this process", "a sandbox of another process"])
def test_a_sandbox_reached_by_its_address_leaves_no_journal_behind(
    portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not own:
        monkeypatch.setattr("b24nb._connect._sandbox_at", lambda _: None)
    with connect(portal.webhook) as b24:
        b24.badges.delete("missedCall")
        assert len(b24.journal.df) == 1
        assert bool([*tmp_path.glob("b24nb-journal-*/*")]) is not own
    assert [*tmp_path.glob("b24nb-journal-*"), *tmp_path.rglob("*.db")] == []


WAYS: dict[str, Callable[[SandboxPortal], Any]] = {
    "portal": lambda portal: portal,
    "webhook": lambda portal: portal.webhook,
    "token": lambda portal: OAuthToken(**portal.oauth),
}


@pytest.mark.parametrize(("switches", "burst"), [({}, 10**9), ({"limits": True, "tariff": "enterprise"}, 250)])
def test_a_sandbox_reached_by_its_address_has_its_own_plan(switches: dict[str, Any], burst: int) -> None:
    with SandboxPortal(**switches) as portal:
        for way in WAYS.values():
            with connect(way(portal)) as b24:
                assert b24.calls.limits.bucket.tariff.burst == burst
        with connect(portal.webhook, tariff="enterprise") as b24:
            assert b24.calls.limits.bucket.tariff.burst == 250


@pytest.mark.parametrize("changed", WAYS)
@pytest.mark.parametrize("undone", WAYS)
def test_a_sandbox_with_a_file_keeps_its_journal_on_another_port(changed: str, undone: str, tmp_path: Path) -> None:
    db = tmp_path / "portal.db"
    with SandboxPortal(db=db) as portal, connect(WAYS[changed](portal)) as b24:
        b24.badges.delete("missedCall")
    with SandboxPortal(db=db) as portal, connect(WAYS[undone](portal), journal=portal.journal_path) as b24:
        b24.journal.plan_undo().apply(progress=False)
        assert b24.badges.get("missedCall").type == "failure"


def test_a_portal_that_hides_who_i_am_is_unknown_not_wrong(portal: SandboxPortal) -> None:
    portal.faults.next("ACCESS_DENIED", method="profile")
    with connect(portal) as b24:
        seen = b24.portal
    assert (seen.user, seen.admin, seen.kind) == (None, None, "SANDBOX")
    assert "user unknown (rights unknown)" in str(seen)


def test_a_portal_that_has_blocked_only_batches_is_asked_by_single_calls(portal: SandboxPortal) -> None:
    portal.faults.next("OPERATION_TIME_LIMIT", method="batch", times=9)
    with connect(portal) as b24:
        assert b24.portal.admin
        assert "crm" in b24.portal.scopes
    portal.faults.next("ACCESS_DENIED", method="scope")
    portal.faults.next("OPERATION_TIME_LIMIT", method="batch")
    with connect(portal) as b24:
        assert (b24.portal.admin, b24.portal.scopes) == (True, None)


def test_a_call_shows_what_it_was_and_how_long_it_took() -> None:
    with connect() as b24:
        with pytest.raises(errors.NotFound):
            b24.badges.get("nobody")
        call = b24.calls.last
    assert call
    assert re.fullmatch(
        r"<Call crm\.activity\.badge\.get: [\d-]+ [\d:]+ UTC, error NOT_FOUND, HTTP 400, [\d.]+ ms(, .*)?>", repr(call)
    )
    assert "NOT_FOUND" in call._repr_html_()
    assert "nobody" in call._repr_html_()


def test_values_name_the_package_that_they_are_imported_from() -> None:
    with connect() as b24:
        badges = b24.badges.list()
        assert [type(one).__module__ for one in (b24, badges, badges[0])] == ["b24nb"] * 3
    assert connect.__module__ == SandboxPortal.__module__ == "b24nb"


GET, ADD = "crm.activity.badge.get", "crm.activity.badge.add"


@pytest.mark.parametrize("keys", [["0", "1", "2"], ["b", "a", "c"], ["2", "1", "0"], ["", " ", "ключ"]])
def test_answers_come_in_the_callers_order_under_the_callers_keys(b24: Client, keys: list[str]) -> None:
    codes = ["missedCall", "paid", "birthday"]
    answers = b24.batch({key: (GET, {"code": code}) for key, code in zip(keys, codes, strict=True)})
    assert list(answers) == keys
    assert [answer.result["badge"]["code"] for answer in answers.values()] == codes


def test_more_than_fifty_go_in_chunks(portal: SandboxPortal, b24: Client) -> None:
    before = len(portal.requests)
    assert len(b24.batch({})) == 0
    answers = b24.batch({f"c{i}": (GET, {"code": "paid"}) for i in range(120)})
    assert len(answers) == 120
    log = b24.calls.df
    assert list(log["key"][log["kind"] == "command"].tail(120)) == [f"c{i}" for i in range(120)]
    assert not answers.errors
    assert len(portal.requests) - before == 3


def test_halt_stops_later_chunks_too(portal: SandboxPortal, b24: Client) -> None:
    commands = {f"c{i}": (GET, {"code": "nobody" if i == 10 else "paid"}) for i in range(120)}
    before = len(portal.requests)
    answers = b24.batch(commands, halt=True)
    assert len(portal.requests) - before == 1
    assert list(answers) == [f"c{i}" for i in range(11)]
    assert isinstance(answers["c9"], Response)
    assert isinstance(answers["c10"], errors.NotFound)
    assert set(answers.errors) == {"c10"}
    assert answers.not_sent == tuple(f"c{i}" for i in range(11, 120))


def test_a_batch_under_the_status_of_one_of_its_commands_is_read(portal: SandboxPortal) -> None:
    """Read in the vendor's server code: a refused extranet user makes the status of the whole batch 403."""
    with connect(portal.webhooks["extranet"]) as b24:
        answers = b24.batch({"a": ("server.time", None), "b": ("crm.activity.badge.delete", {"code": "x"})})
    assert answers["a"].result
    assert isinstance(answers["b"], errors.AccessDenied)
    assert answers["a"].raw.keys() >= {"result", "time"}
    assert b24.calls.last.http_status == 403


EMPTY = {name: [] for name in ("result", "result_error", "result_total", "result_next", "result_time")}


SAYS_NOTHING = [EMPTY, *(EMPTY | {"result": {key: True}} for key in ("k0", "k1")), True, None, {"result": True}]
SAYS_NOTHING += [EMPTY | {"result": {"k0": True}, "result_error": {"k1": "denied"}}]


@pytest.mark.parametrize("result", SAYS_NOTHING)
@pytest.mark.parametrize("halt", [False, True])
def test_an_answer_that_says_nothing_about_a_command_is_no_answer(result: object, halt: bool) -> None:
    """To call such a command not sent would be a guess: it may have been carried out."""
    refused = pytest.raises(errors.BadResponse, match="batch: the answer")
    with answering({"result": result}) as (connection, _):
        with refused as caught:
            connection.batch({c: ("crm.activity.badge.delete", {"code": c}) for c in ("a", "b")}, halt=halt)
        assert [(call.error, call.outcome) for call in connection.calls] == [("BadResponse", "lost")]
    assert caught.value.sent
    assert caught.value.call


def test_a_batch_of_reads_without_its_answers_is_safe_to_repeat() -> None:
    with answering({"result": EMPTY}) as (connection, _), pytest.raises(errors.BadResponse) as caught:
        connection.batch({"me": ("profile", None)})
    assert dict(explain(caught.value).lines)["safe to repeat"] == "yes"


@pytest.mark.parametrize("halt", [False, True])
def test_a_command_behind_a_refused_one_counts_as_not_sent_only_where_the_batch_halts(halt: bool) -> None:
    refused = EMPTY | {"result_error": {"k0": {"error": "NOT_FOUND", "error_description": ""}}}
    unsure = nullcontext() if halt else pytest.raises(errors.BadResponse, match="'b'")
    with answering({"result": refused}) as (connection, _), unsure:
        answers = connection.batch({c: ("crm.activity.badge.delete", {"code": c}) for c in ("a", "b")}, halt=halt)
        assert answers.not_sent == ("b",)


def test_a_chunk_that_fails_says_what_was_sent_before() -> None:
    first = EMPTY | {"result": {f"k{i}": True for i in range(50)}}
    with answering({"result": first}, http(b"<html>")) as (connection, _), pytest.raises(errors.BadResponse) as caught:
        connection.batch({str(i): ("crm.activity.badge.delete", {"code": "x"}) for i in range(60)})
    *_, perhaps, sent = caught.value.__notes__
    assert "look before you repeat a write" in perhaps
    assert sent == "The 50 commands before were sent; error.answers has their answers."
    assert len(caught.value.answers) == 50
    assert [call.kind for call in connection.calls].count("command") == 50


@pytest.mark.parametrize(
    "wrong",
    [
        *((GET, {"code": "$result[nobody][x]"}), ("a/b", None), (GET, "vip")),
        *((GET, {"fields": {"x": [no_json]}}) for no_json in (object, float("nan"), b"bytes", {1, 2}, {}, [])),
        *((GET, {"fields": {no_key: 1}}) for no_key in ("price[EUR]", "", "\0")),
        *((GET, {"from": day}) for day in (np.datetime64("2026-11-01", "ns"), np.datetime64("NaT", "ns"))),
        *("profile", ("profile",), ("profile", None, 1), {"method": "profile"}, None, 7),
    ],
    ids=repr,
)
def test_a_wrong_command_is_refused_before_the_first_request(portal: SandboxPortal, b24: Client, wrong: object) -> None:
    before = len(portal.requests)
    with pytest.raises(errors.InvalidInput):
        b24.batch({f"c{i}": ("crm.activity.badge.delete", {"code": "paid"}) for i in range(60)} | {"last": wrong})
    for commands in (["profile"], [("a", ("profile", None))], "profile", None):
        with pytest.raises(errors.InvalidInput, match="a mapping from keys to pairs"):
            b24.batch(commands)
    with pytest.raises(errors.InvalidInput, match=r"'of many': .*JSON"):
        b24.batch({"of many": (GET, {"code": float("nan")})})
    endless: dict[str, object] = {}
    endless["fields"] = endless
    with pytest.raises(errors.InvalidInput, match="can't be sent as JSON"):
        b24.call("server.time", endless)
    assert len(portal.requests) == before


@pytest.mark.parametrize("key", ["first", "0", "k1", "the first", "a&b=c", "[", "первая", "$result["])
def test_a_command_takes_the_result_of_an_earlier_one_by_the_callers_key(b24: Client, key: str) -> None:
    badge = {"code": "copy", "title": f"Copy of $result[{key}][badge][title]", "type": "primary"}
    copy = (ADD, badge | {"value": f"$result[{key}][badge][value]"})
    answers = b24.batch({"k0": ("profile", None), key: (GET, {"code": "missedCall"}), "copy": copy})
    assert not answers.errors
    assert b24.badges.get("copy") == Badge("copy", "Copy of Missed call", "Call back", "primary")


@pytest.mark.parametrize("text", ["$result[b]", "price $total[x]", "$result[", "$error[]", "$next[a", "$time[a[a]]"])
def test_a_text_that_the_portal_would_replace_by_something_else_is_refused(b24: Client, text: str) -> None:
    for params in ({"code": text}, {"fields": {"TITLE": ["x", text]}}):
        with pytest.raises(errors.InvalidInput, match=r"'b' names no earlier command.*call\(\)"):
            b24.batch({"a": ("profile", None), "b": (GET, params)})
    assert isinstance(b24.batch({"a": ("profile", None), "b": (GET, {text: 1})})["b"], errors.BadArgument)


def test_a_command_that_gave_null_has_a_time_and_no_result() -> None:
    parts = EMPTY | {"result": {"k0": True}, "result_time": {"k0": {}, "k1": {"duration": 0.5}}}
    with answering({"result": parts}) as (connection, _):
        answers = connection.batch({"a": ("crm.deal.delete", {"id": 1}), "b": ("im.null.update", None)})
    assert [answer.result for answer in answers.values()] == [True, None]
    assert answers["b"].time == {"duration": 0.5}


def test_an_answer_has_its_total_time_and_call_and_all_have_displays(b24: Client) -> None:
    answers = b24.batch({"a": ("crm.activity.badge.list", None), "<b>": ("no.such", None)})
    assert answers["a"].total == len(answers["a"].result["badges"])
    assert answers["a"].time["date_start"]
    assert answers["a"].call.kind == "command"
    assert repr(answers) == "<BatchResponse: 2 answers, 1 errors>"
    assert "&lt;b&gt;" in answers._repr_html_()


FACTS = spec.error_facts()


@pytest.fixture
def connection(portal: SandboxPortal, clock: FakeClock) -> Iterator[Connection]:
    connection = Connection(Webhook.parse(portal.webhook), Transport(), clock=clock)
    yield connection
    connection.close()


def judge(error: object, fact: spec.ErrorFact, method: str, status: int | None) -> None:
    assert isinstance(error, getattr(errors, fact.kind))
    assert (error.code, error.method, error.http_status, error.hint) == (fact.code, method, status, fact.remedy)
    literal = re.split(r"\{\w+\}", fact.message)
    assert re.fullmatch(".*".join(map(re.escape, literal)), error.description)
    assert not re.search("localised_text|{(?!code|5)", error.description)  # no template
    assert (fact.code or "(empty code)") in str(error)
    assert error.hint in str(error)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.code}:{fact.message[:20]}")
def test_an_error_is_raised_as_what_it_is(fact: spec.ErrorFact, portal: SandboxPortal, connection: Connection) -> None:
    method = fact.methods[0] if fact.methods else "server.time"
    portal.faults.next(fact.code, description=fact.message, times=20)
    with pytest.raises(errors.ApiError) as caught:
        connection.call(method)
    assert len(connection.calls) == (15 if fact.kind == "RateLimited" else 1)
    judge(caught.value, fact, method, fact.http_observed or fact.http_documented or 400)
    portal.faults.clear()
    if fact.section not in ("batch", "oauth"):
        portal.faults.next(fact.code, description=fact.message, method=method)
        judge(connection.batch({"key": (method, {})})["key"], fact, method, None)
    assert connection.call("server.time").result


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("NOT_FOUND", "Element not found", errors.NotFound),
        ("ACCESS_DENIED", "Access denied", errors.AccessDenied),
        ("ACCESS_DENIED", "Доступ запрещен", errors.AccessDenied),
        ("BX_INVALID_VALUE", "Invalid value", errors.ApiError),
    ],
)
def test_what_another_method_answers_is_not_explained_by_badges(
    portal: SandboxPortal, connection: Connection, code: str, text: str, kind: type[errors.ApiError]
) -> None:
    portal.faults.next(code, description=text, times=2, method="crm.activity.list")
    with pytest.raises(kind) as caught:
        connection.call("crm.activity.list")
    for error in (caught.value, connection.batch({"a": ("crm.activity.list", None)})["a"]):
        assert type(error) is kind
        assert not hasattr(error, "__notes__")
        assert "badge" not in f"{error} {explain(error)!r}".replace("b24nb", "").lower()


def test_connect_trusts_the_authority_that_it_is_given() -> None:
    with SandboxPortal(tls=True) as portal:
        for given, verify in ((portal, True), (portal.webhook, portal.ca_file)):
            with connect(given, verify=verify) as b24:
                assert b24.badges.get("missedCall")


def test_a_lost_write_is_not_applied_after_the_seconds_given_to_connect(portal: SandboxPortal, clock: Any) -> None:
    portal.faults.next("reset", method="crm.activity.badge.delete")
    with connect(portal, clock=clock, settle_after=5) as b24:
        began = clock.time()
        with pytest.raises(errors.NotApplied):
            b24.badges.delete("missedCall")
    assert clock.time() - began == pytest.approx(5, abs=1)
