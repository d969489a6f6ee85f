"""`Client.batch`: any number of commands, in the caller's order, whatever PHP does to maps."""

import pytest

from b24nb import Badge, Client, SandboxPortal, connect, errors
from b24nb.rest.connection import Response
from tests.servers import answering, http

GET, ADD = "crm.activity.badge.get", "crm.activity.badge.add"


@pytest.mark.parametrize("keys", [["0", "1", "2"], ["b", "a", "c"], ["2", "1", "0"], ["", " ", "ключ"]])
def test_answers_come_in_the_callers_order_under_the_callers_keys(b24: Client, keys: list[str]) -> None:
    codes = ["missedCall", "paid", "birthday"]
    answers = b24.batch({key: (GET, {"code": code}) for key, code in zip(keys, codes, strict=True)})
    assert list(answers) == keys
    assert [answer.result["badge"]["code"] for answer in answers.values()] == codes


def test_more_than_fifty_go_in_chunks(portal: SandboxPortal, b24: Client) -> None:
    before = len(portal.requests)
    answers = b24.batch({f"c{i}": (GET, {"code": "paid"}) for i in range(120)})
    assert len(answers) == 120
    assert not answers.errors
    assert len(portal.requests) - before == 3
    log = b24.calls.df
    commands = log[log["kind"] == "command"].tail(120)
    assert list(commands["key"]) == [f"c{i}" for i in range(120)]
    assert commands[["http_status", "client_ms", "bytes_in"]].isna().all(axis=None)


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
    with answering({"result": result}) as (connection, _), refused as caught:
        connection.batch({c: ("crm.activity.badge.delete", {"code": c}) for c in ("a", "b")}, halt=halt)
    assert caught.value.sent


def test_a_chunk_that_fails_says_what_was_sent_before() -> None:
    first = EMPTY | {"result": {f"k{i}": True for i in range(50)}}
    with answering({"result": first}, http(b"<html>")) as (connection, _), pytest.raises(errors.BadResponse) as caught:
        connection.batch({str(i): ("crm.activity.badge.delete", {"code": "x"}) for i in range(60)})
    assert caught.value.__notes__ == ["The 50 commands before were sent; the call log has them."]
    assert [call.kind for call in connection.calls].count("command") == 50


@pytest.mark.parametrize(
    "wrong",
    [
        *((GET, {"code": "$result[nobody][x]"}), ("a/b", None), (GET, "vip")),
        *((GET, {"fields": {"x": [no_json]}}) for no_json in (object, float("nan"), b"bytes", {1, 2}, {}, [])),
        *("profile", ("profile",), ("profile", None, 1), {"method": "profile"}, None, 7),
    ],
    ids=repr,
)
def test_a_wrong_command_is_refused_before_the_first_request(portal: SandboxPortal, b24: Client, wrong: object) -> None:
    before = len(portal.requests)
    with pytest.raises(errors.InvalidInput):
        b24.batch({f"c{i}": ("crm.activity.badge.delete", {"code": "paid"}) for i in range(60)} | {"last": wrong})
    assert len(portal.requests) == before


@pytest.mark.parametrize("wrong", [["profile"], [("a", ("profile", None))], "profile", ("profile", None), None, 7])
def test_what_is_no_mapping_is_refused_in_words(b24: Client, wrong: object) -> None:
    with pytest.raises(errors.InvalidInput, match="a mapping from keys to pairs"):
        b24.batch(wrong)  # type: ignore[arg-type]


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


def test_nothing_to_send_sends_nothing(portal: SandboxPortal, b24: Client) -> None:
    before = len(portal.requests)
    assert len(b24.batch({})) == 0
    assert len(portal.requests) == before


def test_an_answer_has_its_total_time_and_call_and_all_have_displays(b24: Client) -> None:
    answers = b24.batch({"a": ("crm.activity.badge.list", None), "<b>": ("no.such", None)})
    assert answers["a"].total == len(answers["a"].result["badges"])
    assert answers["a"].time["date_start"]
    assert answers["a"].call.kind == "command"
    assert repr(answers) == "<BatchResponse: 2 answers, 1 errors>"
    assert "&lt;b&gt;" in answers._repr_html_()
