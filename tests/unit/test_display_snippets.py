"""What a snippet is, without running it: literals, placeholders, batches, and no secret."""

import ast
import copy
import json
import re
import shutil
import subprocess
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from IPython.lib.pretty import pretty

import b24nb
from b24nb.display import literals
from b24nb.display.literals import JSON, PYTHON
from b24nb.display.snippets import FLAVOURS, PLACEHOLDERS, as_code
from b24nb.errors import InvalidInput
from b24nb.secret import masked

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)
GET, ADD = "crm.activity.badge.get", "crm.activity.badge.add"


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("oauth", [False, True])
def test_host_and_secrets_are_placeholders(flavour: str, oauth: bool) -> None:
    secrets = {"auth": "SENTINEL", "ap": "SENTINEL", "aplogin": 1, "client_secret": "SENTINEL"}
    code = as_code(GET, {"code": "vip", **secrets, "x": {"refresh_token": "SENTINEL"}}, flavour, oauth=oauth)
    assert "SENTINEL" not in code
    assert "aplogin" not in code
    hosts = set(re.findall(r"https?://([^/'\"\s]+)", code))
    assert hosts <= {PLACEHOLDERS["host"], "oauth.bitrix.info", "unpkg.com"}
    if flavour not in ("bx24js", "js-umd", "crest"):
        by_token = oauth or flavour == "curl-oauth"
        assert (PLACEHOLDERS["access_token"] in code) == by_token
        assert (PLACEHOLDERS["webhook"] in code) != by_token


#: What Go's literals are made of, where JSON has something else; and strings, so that nothing in them is taken for it.
GO = re.compile(r'"(?:[^"\\]|\\.)*"|b24\.Params\{|\[\]any\{|,(?=\s*\})|\}|nil')


def read_go(text: str) -> object:
    """The value of a Go literal."""
    ends: list[str] = []

    def as_json(found: re.Match[str]) -> str:
        if found[0] in ("b24.Params{", "[]any{"):
            ends.append("}" if "Params" in found[0] else "]")
            return "{" if "Params" in found[0] else "["
        return ends.pop() if found[0] == "}" else {"nil": "null", ",": ""}.get(found[0], found[0])

    return json.loads(GO.sub(as_json, text))


@given(VALUES)
def test_json_python_and_go_read_back_what_was_written(value: object) -> None:
    text = literals.GO.write(value)
    assert read_go(text) == value
    assert json.loads(JSON.write(value)) == ast.literal_eval(PYTHON.write(value)) == value
    assert "\ufeff" not in text, "a Go source may not have it"
    assert not re.search(r"[^,{]\n\t*\}", text), "a line break inside of braces follows a comma"


@pytest.mark.parametrize("oauth", [False, True])
def test_go_calls_the_official_sdk(oauth: bool) -> None:
    params = {"code": "it's", "title": {"en": 'A "client"', "de": "\\"}, "value": "v", "type": "primary"}
    code = as_code(ADD, params, "go", oauth=oauth)
    call = re.search(r'client\.Core\(\)\.Call\(ctx, "([\w.]+)", (b24\.Params\{.*?\n\t\})\)\n', code, re.DOTALL)
    assert (call[1], read_go(call[2])) == (ADD, params)
    assert ("b24.NewOAuthClient(" if oauth else "b24.NewClient(") in code
    read = as_code(GET, {"code": "vip"}, "go")
    assert 'b24.Params{"code": "vip"}, b24.WithIdempotent())' in read, "a read may be sent again"
    for text in (code, read, as_code("batch", {"cmd": {"a": (GET, {"code": "vip"})}}, "go")):
        if gofmt := shutil.which("gofmt"):
            subprocess.run([gofmt, "-e"], input=text, text=True, capture_output=True, check=True)


@given(VALUES)
def test_a_powershell_reads_back_what_was_written(value: object) -> None:
    assume(masked(value) == value)  # a name like "authorization" hides its value
    code = as_code(GET, {"code": value}, "curl", shell="powershell")
    assert code.isascii(), "what a pipe of Windows PowerShell lets through"
    text = re.match(r"'((?:[^']|'')*)' \| curl\.exe ", code)[1]
    assert json.loads(text.replace("''", "'")) == {"code": value}


def test_powershell_has_a_notation_for_curl_only() -> None:
    assert "Bearer" in as_code(GET, {}, "curl-oauth", shell="powershell")
    assert as_code(GET, {}, "php", shell="powershell") == as_code(GET, {}, "php")
    assert literals.powershell("it\u2019s") == "'it\u2019\u2019s'", "a quote to PowerShell"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_commands_as_texts_stay_as_they_are(flavour: str) -> None:
    wire = f"{GET}?code=it%27s%26"
    code = as_code("batch", {"cmd": {"a": wire, "b": (GET, {"code": "a&b"})}}, flavour)
    assert "it%27s%26" in code
    assert "code=a%26b" in code, "beside a text, a pair is one, too"


@pytest.mark.parametrize("flavour", ["curl", "php", "python", "go"])
def test_a_batch_of_pairs_is_written_as_on_the_wire(flavour: str) -> None:
    params = {"code": "it's", "title": {"en": "A & b", "de": "="}, "value": "v", "type": "primary"}
    wire = f"{ADD}?code=it%27s&title[en]=A%20%26%20b&title[de]=%3D&value=v&type=primary"
    from_pairs = as_code("batch", {"cmd": {"a": (ADD, params), "b": (GET, None)}, "halt": True}, flavour)
    assert from_pairs == as_code("batch", {"cmd": {"a": wire, "b": GET}, "halt": "1"}, flavour)
    assert from_pairs != as_code("batch", {"cmd": {"a": wire, "b": GET}, "halt": "0"}, flavour)


def test_a_language_that_sorts_maps_gets_a_batch_as_a_list() -> None:
    commands = {"old": (GET, {"code": "a"}), "new": (GET, {"code": "b"})}
    assert re.search(r'"cmd": \[\]any\{\s*"\S+code=a",\s*"\S+code=b"', as_code("batch", {"cmd": commands}, "go"))
    assert "old" in as_code("batch", {"cmd": commands}, "js")
    assert "calls: [\n" in as_code("batch", {"cmd": {"b": (GET, None), "2": (GET, None), "1": (GET, None)}}, "js")
    commands["new"] = (GET, {"code": "$result[old][badge][code]"})
    with pytest.raises(InvalidInput, match="another order"):
        as_code("batch", {"cmd": commands}, "go")


def test_javascript_keeps_the_digits_of_long_numbers() -> None:
    code = as_code("crm.item.get", {"id": 2**53 + 1, "entityTypeId": 2}, "js")
    assert f"'{2**53 + 1}'" in code
    assert "entityTypeId: 2" in code


@pytest.mark.parametrize("text", ["2FA auth: pending", "Rest/Pause/Ende", "Bearer bonds", "auth:done", "AP: approved"])
def test_an_ordinary_text_is_not_taken_for_a_secret(b24: b24nb.Client, text: str) -> None:
    b24.batch({"a": (GET, {"code": text})})
    assert text in b24.calls.last.as_code("b24pysdk")
    assert text in b24.calls.df["params"].iloc[-1]


def test_a_call_that_the_client_made(b24: b24nb.Client) -> None:
    b24.badges.get("missedCall")
    assert b24.calls.last.as_code("curl") == as_code(GET, {"code": "missedCall"})
    b24.batch({"first": (GET, {"code": "missedCall"}), "second": ("profile", None)})
    assert b24.calls.last.params["cmd"]["first"] == (GET, {"code": "missedCall"})
    code = b24.calls.last.as_code("b24pysdk")
    assert f'("{GET}", {{"code": "missedCall"}})' in code
    assert '("profile", {})' in code


def test_the_vendors_function_is_used_where_it_takes_the_call() -> None:
    assert 'badge.get(\n        code="vip",\n    )' in as_code(GET, {"code": "vip"}, "b24pysdk")
    assert 'call_method("crm.activity.badge.get", {"code": 7})' in as_code(GET, {"code": 7}, "b24pysdk")
    assert 'call_method("crm.activity.badge.get", {})' in as_code(GET, {}, "b24pysdk")
    assert 'call_method("profile", {})' in as_code("profile", None, "b24pysdk")


def test_values_of_this_package_are_taken() -> None:
    titles = MappingProxyType({"en": "Client"})
    params = {"code": "vip", "title": titles, "value": "VIP", "type": b24nb.BadgeType.PRIMARY}
    assert as_code(ADD, params, "python") == as_code(ADD, params | {"title": dict(titles), "type": "primary"}, "python")


@pytest.mark.parametrize(
    ("method", "params", "flavour", "field"),
    [
        (GET, {}, "cobol", "flavour"),
        ("batch", {"cmd": {"a": (GET, {"code": date(2026, 1, 1)})}}, "curl", "params"),
        ("batch", {"cmd": [7]}, "curl", "params"),
        ("rm -rf; x", {}, "curl", "method"),
        ("oauth.token", {"grant_type": "refresh_token"}, "curl", "method"),
        (GET, {"code": date(2026, 1, 1)}, "curl", "params"),
        (GET, {"code": float("nan")}, "js", "params"),
        (GET, ["code"], "js", "params"),
        ("crm.deal.list", {"start": 50}, "bx24js", "params"),
        (7, {}, "curl", "method"),
        *(("batch", {"cmd": odd}, "python", "params") for odd in (5, GET, [(GET,)], {"a": (GET, "x")}, {"a": (7, {})})),
        ("batch", {"cmd": {"the 1st": (GET, {}), "b": (GET, {"code": "$result[the 1st][x]"})}}, "python", "params"),
    ],
)
def test_what_can_not_be_written_is_refused(method: str, params: dict, flavour: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_code(method, params, flavour)
    assert caught.value.field == field
    assert caught.value.hint or field == "method" or isinstance(params, list)
    with pytest.raises(InvalidInput, match="bash, powershell"):
        as_code(GET, {}, "curl", shell="fish")


def test_code_is_a_text_with_a_display() -> None:
    code = as_code(GET, {"code": "<b>&"})
    assert isinstance(code, str)
    assert code.flavour == copy.copy(code).flavour == "curl"
    shown = code._repr_html_()
    assert "&lt;b&gt;&amp;" in shown
    assert 'aria-label="cURL (webhook)"' in shown


def test_crest_sends_a_text_for_none() -> None:
    assert "'COMMENTS' => ''" in as_code("crm.deal.update", {"id": 1, "fields": {"COMMENTS": None}}, "crest")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_batch_goes_on_after_an_error_unless_it_was_told_to_halt(flavour: str) -> None:
    commands = {"cmd": {"a": (GET, {"code": "vip"})}}
    codes = {as_code("batch", commands | halt, flavour) for halt in ({}, {"halt": 0}, {"halt": ""}, {"halt": "0"})}
    assert len(codes) == 1
    assert as_code("batch", None, flavour)
    upper = {"CMD": commands["cmd"], "Halt": 1}  # the portal reads them so
    assert as_code("batch", upper, flavour) == as_code("batch", commands | {"halt": 1}, flavour)


def test_a_terminal_shows_code_as_it_is() -> None:
    assert pretty(as_code(GET, {"code": "vip"})) == as_code(GET, {"code": "vip"})
