"""How PHP decodes a request and encodes an answer: arrays, query strings, casts, JSON, XML.

A portal is written in PHP, and its answers show that: ``a[b][]=c`` is a nested array, a map whose keys are 0, 1, 2
is a list, an empty map is ``[]``, ``"0"`` is false, and quotes are sent as ``\\u0022``. Nothing here is about badges.

PHP's only array type becomes a ``list`` if its keys are 0..n-1 in order, else a ``dict`` whose keys are texts and
integers. General decoders of query strings differ from PHP in cases that matter here: a plain value and an array
under one name, unclosed brackets, dots in names, and the next index of ``a[]``.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

Array = list[Any] | dict[str | int, Any]

#: PHP's ``max_input_nesting_level``: a variable nested deeper is dropped.
MAX_NESTING = 64
_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]{0,18}")


class TooManyParameters(ValueError):
    """The request has more parameters than the server accepts."""


class _Growing(dict[str | int, Any]):
    """An array while it is filled; it keeps the next index of ``a[]``."""

    next_index = 0

    def put(self, key: str | int | None, value: Any) -> None:
        if key is None:
            key = self.next_index
        if isinstance(key, int) and key >= self.next_index:
            self.next_index = key + 1
        self[key] = value


def parse_query(text: str, *, limit: int | None = None) -> dict[str | int, Any]:
    """The parameters of a query string or form, by the rules of PHP's ``parse_str``.

    Parameters
    ----------
    text : str
        ``a=1&b[]=2``, still percent-encoded.
    limit : int, optional
        How many parameters to read.

    Returns
    -------
    dict

    Raises
    ------
    TooManyParameters

    Examples
    --------
    >>> parse_query("code=vip&title[en]=Client&title[de]=Kunde&list[]=x&list[]=y")
    {'code': 'vip', 'title': {'en': 'Client', 'de': 'Kunde'}, 'list': ['x', 'y']}
    """
    parts = [part for part in text.split("&") if part]
    pairs = (part.partition("=") for part in parts)
    return from_pairs(((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs), limit=limit)


def from_pairs(pairs: Iterable[tuple[str, str]], *, limit: int | None = None) -> dict[str | int, Any]:
    """Decoded names with brackets and their values, as nested arrays; see :func:`parse_query`."""
    root = _Growing()
    for number, (name, value) in enumerate(pairs, 1):
        if limit is not None and number > limit:
            raise TooManyParameters(f"More than {limit} parameters.")
        keys = _split_name(name)
        if not keys or len(keys) > MAX_NESTING + 1:
            continue
        target = root
        for key in keys[:-1]:
            inner = None if key is None else target.get(key)
            if not isinstance(inner, _Growing):
                target.put(key, inner := _Growing())
            target = inner
        target.put(keys[-1], value)
    return {key: _settled(value) for key, value in root.items()}


def _split_name(name: str) -> list[str | int | None]:
    """``a[b][]`` is ``["a", "b", None]``; ``[]`` when PHP would ignore the variable."""
    name = name.partition("\0")[0].lstrip(" ")
    base, bracket, rest = name.partition("[")
    if not base:
        return []
    if bracket and "]" not in rest:
        base, rest = name.replace("[", "_"), ""
    keys: list[str | int | None] = [array_key(base.replace(".", "_").replace(" ", "_"))]
    rest = bracket + rest if rest else ""
    while rest.startswith("[") and "]" in rest and len(keys) <= MAX_NESTING + 1:
        key, _, rest = rest[1:].partition("]")
        keys.append(None if key in ("", " ") else array_key(key))
    return keys


def _settled(value: Any) -> Any:
    if isinstance(value, _Growing):
        return array({key: _settled(inner) for key, inner in value.items()})
    return value


def array_key(key: str) -> str | int:
    """A key as PHP has it: a decimal integer is an integer, anything else stays a text (``"01"``, ``"1.0"``).

    >>> array_key("7"), array_key("07")
    (7, '07')
    """
    if _INTEGER_KEY.fullmatch(key) and -(2**63) <= int(key) < 2**63:
        return int(key)
    return key


def array(mapping: Mapping[Any, Any]) -> Array:
    """A list if the keys are 0..n-1 in order, else the map. An empty map is an empty list.

    >>> array({0: "a", 1: "b"}), array({"en": "a"}), array({})
    (['a', 'b'], {'en': 'a'}, [])
    """
    if all(index == key for index, key in enumerate(mapping)):
        return list(mapping.values())
    return dict(mapping)


def items(value: Any) -> Iterable[tuple[str | int, Any]]:
    """Keys and values of an array, a list or a dict; nothing for any other value."""
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()


def truthy(value: Any) -> bool:
    """PHP's ``(bool)``: ``"0"`` and the empty array are false, ``"false"`` is true."""
    return bool(value) and value != "0"


def to_text(value: Any) -> str:
    """PHP's ``(string)``: true is ``1``, false and null are empty, an array is ``Array``."""
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    if isinstance(value, list | dict):
        return "Array"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value).upper()
        mantissa, exponent, power = str(int_if_whole(value)).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}E{power}" if exponent else mantissa
    return str(value)


def to_int(value: Any) -> int:
    """PHP's ``(int)``: the digits at the beginning of a text, else 0."""
    if isinstance(value, list | dict):
        return int(bool(value))
    found = re.match(r"\s*[+-]?[0-9]{1,18}", to_text(value), re.ASCII)
    return int(found[0]) if found else 0


def int_if_whole(value: float) -> float | int:
    """PHP prints ``2.0`` as ``2``."""
    return int(value) if abs(value) < 1e15 and value == int(value) else value


#: The portal's time zone, also in ``schema.sql``. It is not UTC, so that clients must take notice of the offset.
TIME_ZONE = timezone(timedelta(hours=3))


def iso(at: float) -> str:
    """PHP's ``date("c")``: ``2026-05-14T10:26:32+03:00``."""
    return _iso(int(at))


@lru_cache(maxsize=8)  # there may be thousands of answers in one second
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, TIME_ZONE).isoformat()


def _pairs_hook(pairs: list[tuple[str, Any]]) -> Array:
    return array({array_key(key): value for key, value in pairs})


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse_int(digits: str) -> int | float:
    # A text of thousands of digits does not reach int(), which would refuse it.
    return int(digits) if len(digits) < 21 and -(2**63) <= int(digits) < 2**63 else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs_hook, parse_constant=_no_constant, parse_int=_parse_int)
#: ``json_decode`` gives up below this depth.
MAX_JSON_DEPTH = 512


def decode_json(text: str) -> Any:
    """A JSON text as PHP's ``json_decode(..., true)`` decodes it.

    Raises
    ------
    ValueError
        For what PHP can't decode: malformed JSON, nesting deeper than 512, a lone surrogate.

    Examples
    --------
    >>> decode_json('{"0": "a", "1": {}}')
    ['a', []]
    """
    try:
        value = _DECODER.decode(text)
        # Counting brackets is quick; only a text with so many can be nested too deep.
        if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(value) > MAX_JSON_DEPTH:
            raise ValueError("nested too deep")
    except RecursionError:
        raise ValueError("nested too deep") from None
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    return 1 + max((_depth(inner) for _, inner in items(value)), default=0)


_ESCAPES = {
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "'": "\\u0027",
    '\\"': "\\u0022",
    "/": "\\/",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
# The pattern takes a backslash together with the escaped character, so a quote after `\\` is not escaped again.
_TO_ESCAPE = re.compile(r"\\.|[<>&'/\u2028\u2029]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode_json(value: Any) -> str:
    """An answer as the portal prints it: ``<>&'"`` as ``\\u00XX``, ``/`` escaped, the rest UTF-8.

    >>> encode_json({"text": "Argument 'title'/\\"value\\" é"})
    '{"text":"Argument \\\\u0027title\\\\u0027\\\\/\\\\u0022value\\\\u0022 é"}'
    """
    return _TO_ESCAPE.sub(lambda found: _ESCAPES.get(found[0], found[0]), _ENCODER.encode(value))


def encode_ascii_json(value: Any) -> str:
    """JSON as the portal stores texts, with ``\\uXXXX`` for what is not ASCII; the widths of columns apply to this."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def encode_xml(value: Any) -> str:
    """An answer as XML: ``<response>``, list members as ``<item>``, true as ``1``, false and null empty.

    >>> encode_xml({"result": [True, None, "a<b"]})
    '<response><result><item>1</item><item></item><item>a&lt;b</item></result></response>'
    """
    return f"<response>{_xml(value)}</response>"


def _xml(value: Any) -> str:
    if not isinstance(value, list | dict):
        return html.escape(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", to_text(value)), quote=False)
    parts = []
    for key, inner in items(value):
        # A key that is not an XML name could inject markup.
        name = key if isinstance(key, str) and re.fullmatch(r"[A-Za-z_][\w.-]*", key, re.ASCII) else "item"
        parts.append(f"<{name}>{_xml(inner)}</{name}>")
    return "".join(parts)
