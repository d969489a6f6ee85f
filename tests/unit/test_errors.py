"""Errors: the vendor's facts hang together, and explain themselves in a table, in words, in HTML, in a notebook."""

import inspect
import re

import IPython
import nbformat
import pandas as pd
import pytest
from markupsafe import escape
from nbclient import NotebookClient

from b24nb import Client, catalogue, errors, explain, spec
from b24nb.errors import ApiError, ConnectionFailed, InvalidInput, NotApplied, OutcomeUnknown, Timeout
from b24nb.rest.response import error_of
from tests.servers import answering, hang

ADD = "crm.activity.badge.add"
FACTS = spec.error_facts()
CODES = sorted({fact.code for fact in FACTS})


def api_error(code: str, description: str, *, http_status: int, method: str) -> ApiError:
    return error_of({"error": code, "error_description": description}, method, (), http_status)


def test_the_catalogue_is_the_table_of_facts() -> None:
    table = catalogue()
    assert list(table.columns) == [
        "code", "kind", "message", "http_documented", "http_observed", "meaning", "cause", "remedy",
        "repeat", "before_effect", "methods", "section", "source", "system_page",
    ]  # fmt: skip
    assert len(table) == len(FACTS)
    assert table["http_observed"].dtype == table["http_documented"].dtype == pd.Int64Dtype()
    assert table["system_page"].dtype == bool


#: Class -> what it is raised for: codes of any method and of the authorization server, with a status other than 401.
CLASSES = {
    "PortalUnavailable": "ACCESS_DENIED ACCESS_DENIED ACCESS_DENIED:403 PORTAL_DELETED:403 OVERLOAD_LIMIT "
    "CONNECTION_ERROR PAYMENT_REQUIRED PAYMENT_REQUIRED INTERNAL_SERVER_ERROR:500 ERROR_UNEXPECTED_ANSWER:500 "
    "ERROR_CORE:500",
    "AccessDenied": "ACCESS_DENIED " + "ACCESS_DENIED:403 " * 4 + "user_access_error METHOD_CONFIRM_WAITING "
    "METHOD_CONFIRM_DENIED:403 WRONG_LICENSE:403 WRONG_AUTH_TYPE:403",
    "BadCredentials": "NO_AUTH_FOUND INVALID_CREDENTIALS INVALID_REQUEST APPLICATION_NOT_FOUND authorization_error "
    "NOT_INSTALLED ERROR_OAUTH invalid_token invalid_grant:400 invalid_client:400 invalid_request:400 wrong_client:200",
    "InsufficientScope": "insufficient_scope insufficient_scope invalid_scope:403",
    "ApiError": "ERROR_METHOD_NOT_FOUND:404 ERROR_MANIFEST_IS_NOT_AVAILABLE:404 WRONG_ENCODING:200 ERROR_CORE:400",
    "BadArgument": "ERROR_ARGUMENT:400",
    "OperatingTimeExceeded": "OPERATION_TIME_LIMIT:429",
    "RateLimited": "QUERY_LIMIT_EXCEEDED:503",
    "TokenExpired": "expired_token",
}


def test_the_table_gives_each_system_error_its_class_and_status() -> None:
    facts = [fact for fact in FACTS if fact.section in ("system", "oauth")]
    table = [(one.kind, f"{one.code}:{one.http_observed or one.http_documented}".removesuffix(":401")) for one in facts]
    assert sorted(table) == sorted((kind, code) for kind, codes in CLASSES.items() for code in codes.split())


@pytest.mark.parametrize("code", CODES, ids=lambda code: code or "empty")
def test_every_fact_is_complete_and_explained_in_words_and_in_html(code: str) -> None:
    explanation = explain(code)
    assert explain(f" {code.lower()}") if code.isupper() else True
    assert explain(errors.NotFound) == explain("NotFound")
    words, shown = repr(explanation), explanation._repr_html_()
    assert {fact.code for fact in explanation.facts} == {code}
    assert f"errors.html#error-{code.lower().replace('_', '-') or 'empty'}" in words
    for fact in explanation.facts:
        for text in (fact.message, fact.meaning, fact.remedy, fact.repeat, fact.kind):
            assert text in words
            assert str(escape(text)) in shown
        for status in (fact.http_documented, fact.http_observed):
            assert status is None or str(status) in re.sub(r"<style>.*?</style>|<[^>]*>", " ", shown)
        assert issubclass(getattr(errors, fact.kind), errors.ApiError)
        assert all(sentence.endswith(".") for sentence in (fact.meaning, fact.cause, fact.remedy))
        assert fact.repeat in {"yes", "after waiting", "after a change", "look first", "no"}
        assert fact.section in {"method", "system", "batch", "oauth", "related"}
        assert fact.http_documented or fact.http_observed or fact.source == "docs"


@pytest.mark.parametrize(
    ("code", "description", "method", "words"),
    [
        ("ACCESS_DENIED", "Доступ запрещен", "crm.activity.badge.delete", "administrator of the portal"),
        ("ACCESS_DENIED", "REST is available only by subscription.", "profile", "no REST for webhooks"),
        ("ACCESS_DENIED", "REST API is available only on commercial plans", ADD, "tariff of this portal"),
        ("ACCESS_DENIED", "Access denied! Application context required", "app.info", "for applications"),
        ("100", "Invalid value {5} to match with parameter {code}. Should be value of type string.",
         "crm.activity.badge.get", "wrong type"),
        ("400", "Mysql query error: (1406) Data too long for column 'CODE' at row 1", ADD, "longer than"),
        ("400", "Mysql query error: (2006) MySQL server has gone away", "crm.activity.badge.list", "refused"),
        ("", "Something else", "crm.activity.delete", "classic CRM method"),
        ("insufficient_scope", "", "crm.activity.badge.get", "command of the batch"),
        ("0", "Wrong value of field `title` for language de", ADD, "the text for the language"),
        *(("0", text, ADD, "Read the portal's message") for text in ("Something that nobody has described", "")),
    ],
)  # fmt: skip
def test_an_answer_is_explained_by_the_meaning_it_has(code: str, description: str, method: str, words: str) -> None:
    error = api_error(code, description, http_status=400, method=method)
    explanation = explain(error)
    (fact,) = explanation.facts
    assert words in (error.hint if code == "0" else fact.meaning)
    assert words in repr(explanation)
    assert description in explanation.title
    assert ("answered", f"{method}, HTTP 400") in explanation.lines


def test_an_unknown_code_keeps_what_is_known() -> None:
    words = repr(explain(api_error("NEW", "Something", http_status=418, method="a.b")))
    assert words.startswith("ApiError - NEW: Something")
    assert "a.b, HTTP 418" in words


@pytest.mark.parametrize(
    ("error", "sent", "repeat"),
    [
        (Timeout("No answer.", hint="Wait.", sent=True), "perhaps", "look first"),
        (ConnectionFailed("Refused.", hint="Is it on?"), "no", "yes"),
        (NotApplied("It did not happen.", sent=True), "perhaps", "yes"),
        (OutcomeUnknown("It shows other texts."), "perhaps: the portal may have", "look first"),
    ],
)
def test_transport_errors_say_if_the_call_may_have_run(error: errors.TransportError, sent: str, repeat: str) -> None:
    lines = dict(explain(error).lines)
    assert lines["was it sent"].startswith(sent)
    assert lines["safe to repeat"] == repeat
    assert lines.get("what to do", "") == error.hint


@pytest.mark.parametrize(("method", "repeat"), [("crm.deal.list", "yes"), ("crm.deal.delete", "look first")])
def test_a_read_without_an_answer_is_safe_to_repeat(method: str, repeat: str) -> None:
    with answering(hang, timeout=(5, 0.2)) as (connection, _), pytest.raises(Timeout) as caught:
        connection.call(method, {"id": 1})
    lines = dict(explain(caught.value).lines)
    assert lines["safe to repeat"] == repeat
    assert ("carried it out" in lines["was it sent"]) is (repeat == "look first")


def test_what_logs_and_reports_call_our_errors_is_explained() -> None:
    assert dict(explain("NotApplied").lines)["safe to repeat"] == "yes"
    assert "not sent" in dict(explain(errors.JournalError("It is locked.")).lines)["meaning"]
    assert repr(explain(errors.Interrupted("a report"))) == repr(explain("Interrupted"))
    for given in (errors.NotRestorable("vip"), "NotRestorable"):
        assert list(dict(explain(given).lines)) == ["meaning"]


STRANGE = [TimeoutError(), ValueError("100"), KeyboardInterrupt(), KeyError("vip"), FileNotFoundError("x.csv"), "NEW"]


@pytest.mark.parametrize("error", STRANGE, ids=repr)
def test_what_is_no_error_of_ours_is_said_to_be_unknown(error: object) -> None:
    name = error if isinstance(error, str) else type(error).__name__
    with pytest.raises(InvalidInput, match=f"{name!r} is known"):
        explain(error)


def test_without_docstrings_an_explanation_claims_no_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotApplied, "__doc__", None)  # as under `python -OO`
    assert list(dict(explain("NotApplied").lines)) == ["safe to repeat"]


def test_an_error_of_a_portal_does_not_control_the_terminal_and_half_a_character_leaves_no_cell_empty() -> None:
    error = api_error("\ud83d\x1b[2J", "half \ud83d a\u202eb\x07", http_status=400, method="profile")
    assert str(error).isprintable()
    assert all(text.encode() for text in (error.code, error.description, repr(explain(error))))


def test_a_code_that_a_table_made_a_number_is_explained() -> None:
    assert explain(100).facts == explain(100.0).facts == explain("100").facts


OURS = [
    name
    for name, one in vars(errors).items()
    if inspect.isclass(one) and one.__module__ == errors.__name__ and not issubclass(one, Warning)
]


@pytest.mark.parametrize("name", OURS)
def test_the_name_of_every_class_of_ours_is_explained(name: str) -> None:
    words = repr(explain(name))
    assert "safe to repeat" in words
    assert all(fact.code in words and fact.meaning in words for fact in FACTS if fact.kind == name)


def test_input_names_its_field() -> None:
    lines = dict(explain(InvalidInput("Empty.", field="title", hint="Give one.")).lines)
    assert lines["field"] == "title"
    assert "No change was sent" in lines["meaning"]


def test_texts_of_a_portal_are_escaped() -> None:
    attack = "<img src=x onerror=alert(1)>"
    for code in ("NOT_FOUND", attack):
        shown = explain(api_error(code, attack, http_status=400, method=attack))._repr_html_()
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_messages_speak_to_the_reader() -> None:
    error = errors.ApiError("", "", http_status=400, method="crm.activity.get")
    assert str(error) == f"(empty code) (crm.activity.get, HTTP 400). {error.hint}"


#: Name of an output -> the cell that makes it.
CELLS = {
    "start": "import b24nb\nportal = b24nb.SandboxPortal().start()\nb24 = b24nb.connect(portal)",
    "not found": "b24.badges.get('nosuch')",
    "unreachable": "b24nb.connect(portal.webhook.replace(portal.webhook.split('/')[2], '127.0.0.1:9'))",
    "wrong input": "b24.badges.add('x', title='t', value='v', type='shiny')",
}


@pytest.fixture(scope="module")
def cells() -> dict[str, nbformat.NotebookNode]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS.values()])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    return dict(zip(CELLS, notebook.cells, strict=True))


def traceback(cell: nbformat.NotebookNode) -> str:
    (output,) = cell.outputs
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))


def test_a_traceback_ends_with_what_it_means_and_keeps_the_failing_line(cells: dict) -> None:
    text = traceback(cells["not found"])
    (fact,) = explain(api_error("NOT_FOUND", "", http_status=400, method="crm.activity.badge.get")).facts
    sentences = [fact.remedy, fact.meaning, fact.cause, f"Safe to repeat: {fact.repeat}."]
    if IPython.version_info < (8,):  # Colab's shows the message, and no notes
        sentences = [fact.remedy]
    places = [text.index(words) for words in ("b24.badges.get('nosuch')", *sentences)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("cell", "name", "next_step"),
    [("unreachable", "ConnectionFailed", "Check the address"), ("wrong input", "InvalidInput", "primary")],
)
def test_each_traceback_names_the_trouble_and_the_next_step(cells: dict, cell: str, name: str, next_step: str) -> None:
    (output,) = cells[cell].outputs
    assert output.ename == name
    assert next_step in output.evalue
    assert "urllib3" not in traceback(cells[cell]), "what the client's libraries do inside is not the reader's"


def test_an_explanation_says_what_answered_whom_and_the_same_in_html(b24: Client) -> None:
    lines = dict(explain(b24.batch({"a": ("crm.activity.badge.get", {"code": "nobody"})})["a"]).lines)
    assert lines["answered"] == "crm.activity.badge.get, inside a batch"
    assert lines["answered by"] == "crm.activity.badge.get, crm.activity.badge.delete"
    assert dict(explain("QUERY_LIMIT_EXCEEDED").lines)["answered by"] == "any method"
    assert dict(explain("InvalidInput").lines)["safe to repeat"] == "after a change"
    assert "safe to repeat" in explain("OutcomeUnknown")._repr_html_()
