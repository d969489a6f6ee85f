"""Values as the source code of other languages writes them, whatever the texts hold."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from b24nb.errors import InvalidInput

#: What fits on one line.
_SHORT = 50


@dataclass(frozen=True, slots=True)
class Syntax:
    """How one language writes JSON's values.

    Attributes
    ----------
    text, key : callable
        A text, and a key of a map, as literals.
    pair : str
        Joins a key and its value.
    maps, lists : (str, str)
        The brackets of a map and of a list.
    constants : (str, str, str)
        True, false and null.
    indent : int
        Spaces to a level.
    padding : str
        Inside of the brackets of a map on one line.
    last : str
        Behind the last item, on several lines.
    """

    text: Callable[[str], str]
    key: Callable[[str], str]
    pair: str
    maps: tuple[str, str]
    lists: tuple[str, str]
    constants: tuple[str, str, str]
    indent: int = 4
    padding: str = ""
    last: str = ""

    def write(self, value: Any, level: int = 0) -> str:
        """The literal of a value; ``level`` is the depth of the line that it starts on.

        Raises
        ------
        InvalidInput
            For a value that JSON can't carry.
        """
        if value is None or isinstance(value, bool):
            return self.constants[2 if value is None else int(not value)]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float) and value == value and abs(value) != float("inf"):
            return json.dumps(value)
        if isinstance(value, Mapping):
            items = [
                self.key(str(key)) + self.pair + self.write(item, level + 1) for key, item in value.items()
            ]
            return self._block(self.maps, items, level)
        if isinstance(value, list | tuple):
            return self._block(self.lists, [self.write(item, level + 1) for item in value], level)
        raise InvalidInput(
            f"A {type(value).__name__} can't be sent.",
            field="params",
            hint="Use what JSON has: texts, numbers.",
        )

    def _block(self, brackets: tuple[str, str], items: list[str], level: int) -> str:
        pad = self.padding if items and brackets is self.maps else ""
        line = pad.join((brackets[0], ", ".join(items), brackets[1]))
        if not items or (len(line) <= _SHORT and "\n" not in line):
            return line
        margin = " " * self.indent * level
        body = "".join(f"{margin}{' ' * self.indent}{item},\n" for item in items)
        return f"{brackets[0]}\n{body[:-2]}{self.last}\n{margin}{brackets[1]}"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _js(text: str) -> str:
    """In single quotes; a closing tag or comment would end the script that it stands in."""
    inner = _json(text)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return "'" + inner.replace("</", "<\\/").replace("<!--", "<\\!--") + "'"


def _js_key(text: str) -> str:
    if text == "__proto__":  # in a literal, only a computed key is a key
        return "['__proto__']"
    return text if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", text) else _js(text)


def _php(text: str) -> str:
    """In single quotes, where nothing is expanded; with control characters in double quotes."""
    if not any(unicodedata.category(char) == "Cc" for char in text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    names = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "$": "\\$"}
    return (
        '"'
        + "".join(
            names.get(char) or (f"\\u{{{ord(char):x}}}" if unicodedata.category(char) == "Cc" else char)
            for char in text
        )
        + '"'
    )


JSON = Syntax(_json, _json, ": ", ("{", "}"), ("[", "]"), ("true", "false", "null"), indent=2)
JS = Syntax(_js, _js_key, ": ", ("{", "}"), ("[", "]"), ("true", "false", "null"), indent=2, padding=" ")
PHP = Syntax(_php, _php, " => ", ("[", "]"), ("[", "]"), ("true", "false", "null"), last=",")
#: The escapes of JSON's texts are Python's too.
PYTHON = Syntax(_json, _json, ": ", ("{", "}"), ("[", "]"), ("True", "False", "None"), last=",")


def bash(text: str) -> str:
    """In single quotes, where the shell expands nothing.

    Examples
    --------
    >>> bash("it's")
    "'it'\\\\''s'"
    """
    return "'" + text.replace("'", "'\\''") + "'"
