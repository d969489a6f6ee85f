"""Literals are read by the languages themselves: what comes out is what went in."""

import json
import subprocess
from itertools import product
from typing import Any

from b24nb.display.literals import JS, PHP, bash
from tests.layers import require_program

#: Everything that means something to some language, alone and before another, every control character, other planes.
TEXTS = [*map(chr, range(160)), "\u2028", "\u2029", "\ufeff", "é", "Ж", "中", "😀", "ab", "</", "<!--", "?>", "${"]
TEXTS += map("".join, product("\0\a\b\x1b\x7f\n\r\t '\"\\$`{}()%<>/?!-*#&=é😀nux019", repeat=2))
VALUES = [TEXTS, [True, False, None, 0, 7, -(2**40), 2**40, 0.25, [[["x", False]], {"a": {"b": [None]}}]]]
# A key that is a number is one to PHP and JavaScript; the portal's keys are words.
VALUES += [{f"{text}_": [place, {text + "a": text}] for place, text in enumerate(TEXTS)}]
VALUES += [{"__proto__": "kept", "constructor": 1, "$a": 2, "a-b": 3, "": 4}]


def read_by(program: list[str], text: str) -> Any:
    ran = subprocess.run(program, input=text, capture_output=True, encoding="utf-8", check=True, timeout=60)
    return json.loads(ran.stdout)


def test_javascript() -> None:
    program = [require_program("node"), "--input-type=module", "-"]
    assert read_by(program, f"console.log(JSON.stringify({JS.write(VALUES)}))") == VALUES


def test_php() -> None:
    text = f"<?php echo json_encode({PHP.write(VALUES)}, JSON_THROW_ON_ERROR);"
    assert read_by([require_program("php")], text) == VALUES


def test_bash() -> None:
    texts = [text.replace("\0", "") for text in TEXTS]
    script = "printf '%s\\0' " + " ".join(map(bash, texts))
    ran = subprocess.run([require_program("bash")], input=script.encode(), capture_output=True, check=True, timeout=60)
    assert ran.stdout.decode().split("\0")[:-1] == texts
