"""Literals of values in the source code of other languages, correct for any text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from b24nb.errors import InvalidInput

#: How many characters of a map or list are written on one line.
_SHORT = 50


class Syntax(NamedTuple):
    """How one language writes JSON's values.

    Attributes
    ----------
    text, key : callable
        Functions that write a text, and a key of a map, as literals.
    pair : str
        Written between a key and its value.
    maps, lists : (str, str)
        The brackets of a map and of a list.
    constants : (str, str, str)
        True, false and null.
    indent : str
        The indentation of a level.
    padding : str
        Written inside the brackets of a map on one line.
    last : str
        Written after the last item, if there are several lines.
    largest : float
        Larger whole numbers would lose digits, and are written as texts.
    """

    text: Callable[[str], str]
    key: Callable[[str], str]
    pair: str
    maps: tuple[str, str] = ("{", "}")
    lists: tuple[str, str] = ("[", "]")
    constants: tuple[str, str, str] = ("true", "false", "null")
    indent: str = "    "
    padding: str = ""
    last: str = ""
    largest: float = math.inf

    def write(self, value: Any, level: int = 0) -> str:
        """The literal of a value of JSON; ``level`` is the depth of the line that it starts on."""
        if value is None or isinstance(value, bool):
            return self.constants[(True, False, None).index(value)]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            items = [self.key(key) + self.pair + self.write(item, level + 1) for key, item in value.items()]
            return self._block(self.maps, items, level)
        if isinstance(value, list):
            return self._block(self.lists, [self.write(item, level + 1) for item in value], level)
        return self.text(str(value)) if isinstance(value, int) and abs(value) > self.largest else json.dumps(value)

    def _block(self, brackets: tuple[str, str], items: list[str], level: int) -> str:
        pad = self.padding if items and brackets is self.maps else ""
        line = pad.join((brackets[0], ", ".join(items), brackets[1]))
        if len(line) <= _SHORT:
            return line
        margin = self.indent * level
        body = "".join(f"{margin}{self.indent}{item},\n" for item in items)
        return f"{brackets[0]}\n{body[:-2]}{self.last}\n{margin}{brackets[1]}"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _js(text: str) -> str:
    """In single quotes; a closing tag or comment is escaped, since it would end a script in HTML."""
    inner = _json(text)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return "'" + inner.replace("</", "<\\/").replace("<!--", "<\\!--") + "'"


def _js_key(text: str) -> str:
    if text == "__proto__":  # in a literal this would set the prototype; a computed key does not
        return "['__proto__']"
    return text if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", text) else _js(text)


_PHP_ESCAPES = {number: f"\\u{{{number:x}}}" for number in (*range(0x20), *range(0x7F, 0xA0))}
_PHP_ESCAPES |= str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "$": "\\$"})


def _php(text: str) -> str:
    """In single quotes, where PHP expands nothing; with control characters: in double quotes, with escapes."""
    if not re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return '"' + text.translate(_PHP_ESCAPES) + '"'


def _go(text: str) -> str:
    """Go's texts have the same escapes as JSON's; a byte order mark is not allowed in Go source."""
    return _json(text).replace("\ufeff", "\\ufeff")


JSON = Syntax(_json, _json, ": ", indent="  ")
#: For PowerShell, whose pipe may turn other characters into question marks.
ASCII_JSON = JSON._replace(text=json.dumps, key=json.dumps)
JS = Syntax(_js, _js_key, ": ", indent="  ", padding=" ", largest=2**53 - 1)
#: BX24.js posts a form, in which PHP reads the word false as true; null is left out.
BX24 = JS._replace(constants=("1", "0", "''"))
PHP = Syntax(_php, _php, " => ", maps=("[", "]"), last=",")
#: CRest sends a query string, from which PHP drops null; an empty text clears a field as well.
CREST = PHP._replace(constants=("true", "false", "''"))
#: Python's texts have the same escapes as JSON's.
PYTHON = Syntax(_json, _json, ": ", constants=("True", "False", "None"), last=",")
GO = Syntax(_go, _go, ": ", ("b24.Params{", "}"), ("[]any{", "}"), ("true", "false", "nil"), indent="\t", last=",")

#: By the names of the filters of the templates.
SYNTAXES = {"json": JSON, "ascii_json": ASCII_JSON, "js": JS, "bx24": BX24, "php": PHP, "crest": CREST}
SYNTAXES |= {"python": PYTHON, "go": GO}


def bash(text: str) -> str:
    """In single quotes, where the shell expands nothing.

    Examples
    --------
    >>> bash("it's")
    "'it'\\\\''s'"
    """
    return "'" + text.replace("'", "'\\''") + "'"


def powershell(text: str) -> str:
    """The same for PowerShell, for which typographic quotes are quotes, too.

    Examples
    --------
    >>> powershell("it's")
    "'it''s'"
    """
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


def as_json(params: Any, errors: str = "strict") -> bytes:
    """Parameters as JSON in UTF-8. ``errors``: as of ``str.encode``; half a character can be shown, but not sent.

    Raises
    ------
    InvalidInput
        For a value that JSON does not have.
    """
    try:
        return json.dumps(params, ensure_ascii=False, allow_nan=False, default=_plain).encode(errors=errors)
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    hint = "Use what JSON has: texts, numbers."
    raise InvalidInput(f"These parameters can't be sent as JSON: {problem}.", field="params", hint=hint)


def _plain(value: Any) -> Any:
    """Convert a value that JSON does not have: a mapping to a dict, a scalar of numpy or pandas to a number."""
    if isinstance(value, Mapping):
        return dict(value)
    if getattr(value, "ndim", None) == 0 and value.dtype.kind in "biuf":  # numpy's and pandas' scalars; not its dates
        return value.item()
    raise TypeError(f"a value is a {type(value).__name__}")


def command(method: str, params: Mapping[str, Any] | None) -> str:
    """A command of a batch as it is sent: a method and a query string, in PHP's notation.

    Raises
    ------
    InvalidInput
        A value that a query can't carry.

    Examples
    --------
    >>> command("crm.activity.badge.get", {"code": "a&b", "of": ["x"]})
    'crm.activity.badge.get?code=a%26b&of[0]=x'
    """
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in _flat(json.loads(as_json(params or {}))))
    return method + "?" + query if query else method


def in_query(value: Any) -> Any:
    """A value as a query carries it: 1 and 0 instead of true and false, an empty text instead of null."""
    if isinstance(value, dict):
        return {key: in_query(item) for key, item in value.items()}
    if isinstance(value, list):
        return [in_query(item) for item in value]
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """``a[b]=c`` for maps, ``a[0]=c`` for lists. An empty one can't be written, and is refused."""
    if isinstance(value, dict | list):
        if name and not value:
            hint = "An empty list or map needs a call of its own."
            raise InvalidInput(f"A command can't carry {name}, which is empty.", field="params", hint=hint)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if name and (not (text := str(key)) or {*text} & {"]", "\0"}):
                hint = "call() can."
                raise InvalidInput(f"A command can't carry the key {key!r} of {name}.", field="params", hint=hint)
            part = quote(str(key), safe="")
            yield from _flat(item, f"{name}[{part}]" if name else part)
    else:
        yield name, str(in_query(value))
