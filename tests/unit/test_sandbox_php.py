"""How PHP reads parameters and prints answers.

The tables state the rules of PHP's documentation for ``parse_str``, ``json_decode`` and ``json_encode``
(https://www.php.net/manual/), with the flags that a portal's answers show.
"""

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24nb.sandbox import php


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a[0][k]=v&a[1][k]=w", {"a": [{"k": "v"}, {"k": "w"}]}),
        ("a[1]=x&a[0]=y", {"a": {1: "x", 0: "y"}}),
        ("a[5]=x&a[]=y", {"a": {5: "x", 6: "y"}}),
        ("a[-3]=x&a[]=y", {"a": {-3: "x", 0: "y"}}),
        ("a[01]=x", {"a": {"01": "x"}}),
        ("a[]=1&a[b]=2", {"a": {0: "1", "b": "2"}}),
        ("a=1&a=2&b[c]=1&b[c]=2", {"a": "2", "b": {"c": "2"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a.b+c=d+e%2Bf", {"a_b_c": "d e+f"}),
        ("a[b.c]=1&a%5Bd+e%5D=2", {"a": {"b.c": "1", "d e": "2"}}),
        ("a[b=1", {"a_b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("a[[b]]=1", {"a": {"[b": "1"}}),
        ("[a]=1&=2", {}),
        ("a&b=", {"a": "", "b": ""}),
        ("a%00b=1", {"a": "1"}),
    ],
)
def test_query_strings_read_as_php_reads_them(query: str, expected: dict[Any, Any]) -> None:
    assert php.parse_query(query) == expected


def test_variables_nested_deeper_than_64_are_dropped() -> None:
    assert php.parse_query(f"a{'[b]' * 64}=1&c=2").keys() == {"a", "c"}
    assert php.parse_query(f"a{'[b]' * 65}=1&c=2").keys() == {"c"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", 9.223372036854775808e18),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_json_is_decoded_as_php_decodes_it(text: str, expected: Any) -> None:
    value = php.decode_json(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "text", ["", "{", "{'a': 1}", "NaN", '{"a": Infinity}', '"\\ud83d"', "[" * 513 + "]" * 513, "[" * 10**6]
)
def test_json_that_php_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        php.decode_json(text)


def test_json_may_be_nested_512_deep() -> None:
    php.decode_json("[" * 512 + "]" * 512)
    brackets = json.dumps("[" * 600)
    assert php.decode_json(brackets) == "[" * 600


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<b>&'\"", '"\\u003Cb\\u003E\\u0026\\u0027\\u0022"'),
        ("back\\slash\\", '"back\\\\slash\\\\"'),
        ('\\"', '"\\\\\\u0022"'),
        ("line\n\u2028", '"line\\n\\u2028"'),
    ],
)
def test_answers_are_escaped_as_portals_do(value: Any, expected: str) -> None:
    assert php.encode_json(value) == expected


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_xml_is_well_formed_whatever_the_keys(value: dict[str, str]) -> None:
    root = ElementTree.fromstring(php.encode_xml({"result": value}))
    assert root.tag == "response"
    assert len(root[0]) == len(value)


@pytest.mark.parametrize(
    ("value", "truth", "text", "number"),
    [
        (None, False, "", 0),
        (False, False, "", 0),
        ("0", False, "0", 0),
        ("12abc", True, "12abc", 12),
        (" -5", True, " -5", -5),
        (1.0, True, "1", 1),
        (1.5, True, "1.5", 1),
        (1e25, True, "1.0E+25", 1),
        (float("inf"), True, "INF", 0),
        ({"a": 1}, True, "Array", 1),
        ("\x1f0", True, "\x1f0", 0),  # what PHP takes for no blank
        ("\xa05", True, "\xa05", 0),
    ],
)
def test_casts(value: Any, truth: bool, text: str, number: int) -> None:
    assert (php.truthy(value), php.to_text(value), php.to_int(value)) == (truth, text, number)
