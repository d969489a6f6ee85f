"""Errors explain themselves: in a table, in words, in HTML, and under the traceback."""

import inspect
import re

import pandas as pd
import pytest
from markupsafe import escape

from b24nb import catalogue, errors, explain, spec
from b24nb.errors import ConnectionFailed, InvalidInput, NotApplied, OutcomeUnknown, Timeout, from_answer
from tests.servers import answering, hang

FACTS = spec.error_facts()
CODES = sorted({fact.code for fact in FACTS})


def plain(html: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", html)


def test_the_catalogue_is_the_table_of_facts() -> None:
    table = catalogue()
    assert list(table.columns) == [
        "code", "kind", "message", "http_documented", "http_observed", "meaning", "cause", "remedy",
        "repeat", "before_effect", "methods", "section", "source", "system_page",
    ]  # fmt: skip
    assert len(table) == len(FACTS)
    assert table["http_observed"].dtype == table["http_documented"].dtype == pd.Int64Dtype()
    assert table["system_page"].dtype == bool
    deleting = table[table["methods"].str.contains("crm.activity.badge.delete")]
    assert set(deleting["code"]) == set(spec.METHODS["crm.activity.badge.delete"].errors)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code or "empty")
def test_every_code_is_explained_in_words_and_in_html(code: str) -> None:
    explanation = explain(code)
    words, shown = repr(explanation), explanation._repr_html_()
    assert {fact.code for fact in explanation.facts} == {code}
    assert f"errors.html#error-{code.lower().replace('_', '-') or 'empty'}" in words
    for fact in explanation.facts:
        for text in (fact.message, fact.meaning, fact.remedy, fact.repeat, fact.kind):
            assert text in words
            assert str(escape(text)) in shown
        for status in (fact.http_documented, fact.http_observed):
            assert status is None or str(status) in plain(shown)


@pytest.mark.parametrize(
    ("code", "description", "method", "meaning"),
    [
        ("ACCESS_DENIED", "Access denied", "crm.activity.badge.add", "administrator of the portal"),
        ("ACCESS_DENIED", "Доступ запрещен", "crm.activity.badge.delete", "administrator of the portal"),
        ("ACCESS_DENIED", "REST is available only by subscription.", "profile", "no REST for webhooks"),
        ("ACCESS_DENIED", "Access denied! Application context required", "app.info", "for applications"),
        ("100", "Could not find value for parameter {code}", "crm.activity.badge.get", "did not arrive"),
        ("100", "Invalid value {5} to match with parameter {code}. Should be value of type string.",
         "crm.activity.badge.get", "wrong type"),
        ("400", "Mysql query error: (1406) Data too long for column 'CODE' at row 1",
         "crm.activity.badge.add", "longer than"),
        ("400", "Mysql query error: (2006) MySQL server has gone away", "crm.activity.badge.list", "refused"),
        ("NOT_FOUND", "Item was not found.", "crm.activity.configurable.get", "configurable activity"),
        ("", "Activity is not found.", "crm.activity.delete", "no activity with this id"),
        ("", "Something else", "crm.activity.delete", "classic CRM method"),
        ("insufficient_scope", "", "crm.activity.badge.get", "command of the batch"),
        ("PAYMENT_REQUIRED", "Payment required", "crm.activity.badge.list", "paid for"),
    ],
)  # fmt: skip
def test_an_answer_is_explained_by_the_meaning_that_it_has(
    code: str, description: str, method: str, meaning: str
) -> None:
    explanation = explain(from_answer(code, description, http_status=400, method=method))
    (fact,) = explanation.facts
    assert meaning in fact.meaning
    assert description in explanation.title
    assert ("answered", f"{method}, HTTP 400") in explanation.lines


def test_an_unknown_code_keeps_what_is_known() -> None:
    words = repr(explain(from_answer("NEW", "Something", http_status=418, method="a.b")))
    assert words.startswith("ApiError - NEW: Something")
    assert "a.b, HTTP 418" in words
    with pytest.raises(InvalidInput, match="'NEW'"):
        explain("NEW")


@pytest.mark.parametrize(
    ("error", "sent", "repeat"),
    [
        (Timeout("No answer.", hint="Wait.", sent=True), "perhaps", "look first"),
        (ConnectionFailed("Refused.", hint="Is it on?"), "no", "yes"),
        (NotApplied("It did not happen.", sent=True), "perhaps", "yes"),
        (OutcomeUnknown("It shows other texts."), "perhaps: the portal may have", "look first"),
    ],
)
def test_errors_of_the_transport_say_whether_the_call_may_have_run(
    error: errors.TransportError, sent: str, repeat: str
) -> None:
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


def test_without_docstrings_an_explanation_claims_no_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotApplied, "__doc__", None)  # as under `python -OO`
    assert list(dict(explain("NotApplied").lines)) == ["safe to repeat"]


OURS = [name for name, one in vars(errors).items() if inspect.isclass(one) and one.__module__ == errors.__name__]


@pytest.mark.parametrize("name", OURS)
def test_the_name_of_every_class_of_ours_is_explained(name: str) -> None:
    words = repr(explain(name))
    assert "safe to repeat" in words
    assert all(fact.code in words and fact.meaning in words for fact in FACTS if fact.kind == name)


def test_input_names_its_field() -> None:
    lines = dict(explain(InvalidInput("Empty.", field="title", hint="Give one.")).lines)
    assert lines["field"] == "title"
    assert "Nothing was sent" in lines["meaning"]


def test_texts_of_a_portal_are_escaped() -> None:
    attack = "<img src=x onerror=alert(1)>"
    for code in ("NOT_FOUND", attack):
        shown = explain(from_answer(code, attack, http_status=400, method=attack))._repr_html_()
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_a_code_that_a_table_made_a_number_is_explained() -> None:
    assert explain(100).facts == explain("100").facts
