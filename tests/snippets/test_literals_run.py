"""Literals are read by the languages themselves: what comes out is what went in."""

import json
import random
import subprocess
from typing import Any

from b24nb.display.literals import JS, PHP, bash
from tests.layers import require_program

#: Everything that means something to some language, every control character, and other planes.
LETTERS = [*map(chr, range(160)), "\u2028", "\u2029", "\ufeff", "é", "Ж", "中", "😀", "ab", "</", "<!--", "?>", "${"]


def values(count: int) -> list[Any]:
    """Nested values of all kinds, always the same ones."""
    chance = random.Random(1)

    def text() -> str:
        return "".join(chance.choices(LETTERS, k=chance.randrange(12)))

    def value(depth: int) -> Any:
        kind = chance.randrange(8 if depth else 6)
        if kind < 3:
            return text()
        if kind < 6:
            return chance.choice([True, False, None, chance.randrange(-(2**40), 2**40), 0.25])
        items = [value(depth - 1) for _ in range(chance.randrange(1, 5))]
        # a key that is a number is one to PHP and JavaScript; the portal's keys are words
        return items if kind == 6 else {f"{text()}{place}_": item for place, item in enumerate(items)}

    return [value(3) for _ in range(count)]


VALUES = [*values(300), {"__proto__": "kept", "constructor": 1, "$a": 2, "a-b": 3, "": 4}]


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
    texts = [text.replace("\0", "") for text in VALUES if isinstance(text, str)]
    script = "printf '%s\\0' " + " ".join(map(bash, texts))
    ran = subprocess.run([require_program("bash")], input=script.encode(), capture_output=True, check=True, timeout=60)
    assert ran.stdout.decode().split("\0")[:-1] == texts
