"""What a snippet is, without running it: literals, placeholders, batches, and no secret."""

from __future__ import annotations

import ast
import json
import re
import shlex
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import b24nb
from b24nb.display.literals import JSON, PYTHON, bash
from b24nb.display.snippets import FLAVOURS, PLACEHOLDERS, as_code
from b24nb.errors import InvalidInput

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)
GET, ADD = "crm.activity.badge.get", "crm.activity.badge.add"


@given(VALUES)
def test_json_and_python_read_back_what_was_written(value: object) -> None:
    assert json.loads(JSON.write(value)) == value
    assert ast.literal_eval(PYTHON.write(value)) == value


@given(st.lists(TEXTS, min_size=1))
def test_a_shell_reads_back_what_was_written(texts: list[str]) -> None:
    assert shlex.split(" ".join(map(bash, texts))) == texts


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("oauth", [False, True])
def test_host_and_secrets_are_placeholders(flavour: str, oauth: bool) -> None:
    code = as_code(
        GET, {"code": "vip", "auth": "SENTINEL", "ap": "SENTINEL", "aplogin": 1}, flavour, oauth=oauth
    )
    assert "SENTINEL" not in code
    assert "aplogin" not in code
    hosts = set(re.findall(r"https?://([^/'\"\s]+)", code))
    assert hosts <= {PLACEHOLDERS["host"], "oauth.bitrix.info", "unpkg.com"}
    if flavour not in ("bx24js", "js-umd", "crest"):
        by_token = oauth or flavour == "curl-oauth"
        assert (PLACEHOLDERS["access_token"] in code) == by_token
        assert (PLACEHOLDERS["webhook"] in code) != by_token


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_nothing_calls_a_method_that_a_plain_result_lacks(flavour: str) -> None:
    code = as_code(GET, {"code": "vip"}, flavour)
    assert ".error()" not in code or flavour == "bx24js"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_batch_is_the_same_from_the_wire_and_from_pairs(flavour: str) -> None:
    params = {"code": "it's", "title": {"en": "A & b", "de": "="}, "value": "v", "type": "primary"}
    wire = f"{ADD}?code=it%27s&title[en]=A+%26+b&title[de]=%3D&value=v&type=primary"
    from_pairs = as_code("batch", {"cmd": {"a": (ADD, params), "b": (GET, None)}, "halt": True}, flavour)
    assert from_pairs == as_code("batch", {"cmd": {"a": wire, "b": GET}, "halt": "1"}, flavour)
    assert from_pairs != as_code("batch", {"cmd": {"a": wire, "b": GET}, "halt": "0"}, flavour)


def test_a_batch_that_the_client_sent(b24: b24nb.Client) -> None:
    b24.batch({"first": (GET, {"code": "missedCall"}), "second": ("profile", None)})
    code = b24.calls.last.as_code("b24pysdk")
    assert f'("{GET}", {{"code": "missedCall"}})' in code
    assert '("profile", {})' in code


def test_a_call_that_was_made(b24: b24nb.Client) -> None:
    b24.badges.get("missedCall")
    code = b24.calls.last.as_code("curl")
    assert code == as_code(GET, {"code": "missedCall"})
    assert b24.portal.host not in code


def test_the_vendors_function_is_used_where_it_takes_the_call() -> None:
    assert 'badge.get(\n        code="vip",\n    )' in as_code(GET, {"code": "vip"}, "b24pysdk")
    assert 'call_method("crm.activity.badge.get", {"code": 7})' in as_code(GET, {"code": 7}, "b24pysdk")
    assert 'call_method("crm.activity.badge.get", {})' in as_code(GET, {}, "b24pysdk")
    assert 'call_method("profile", {})' in as_code("profile", None, "b24pysdk")


def test_values_of_this_package_are_taken() -> None:
    titles = MappingProxyType({"en": "Client"})
    params = {"code": "vip", "title": titles, "value": "VIP", "type": b24nb.BadgeType.PRIMARY}
    assert as_code(ADD, params, "python") == as_code(
        ADD, params | {"title": dict(titles), "type": "primary"}, "python"
    )


@pytest.mark.parametrize(
    ("method", "params", "flavour", "field"),
    [
        (GET, {}, "cobol", "flavour"),
        ("rm -rf; x", {}, "curl", "method"),
        (GET, {"code": date(2026, 1, 1)}, "curl", "params"),
        (GET, {"code": float("nan")}, "js", "params"),
    ],
)
def test_what_can_not_be_written_is_refused(method: str, params: dict, flavour: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_code(method, params, flavour)
    assert caught.value.field == field
    assert caught.value.hint or field == "method"


def test_code_is_a_text_with_a_display() -> None:
    code = as_code(GET, {"code": "<b>&"})
    assert isinstance(code, str)
    assert code.flavour == "curl"
    shown = code._repr_html_()
    assert "&lt;b&gt;&amp;" in shown
    assert 'aria-label="cURL (webhook)"' in shown
