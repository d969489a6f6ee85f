"""Make deceptive characters visible, so that a badge can't look like another one.

Invisible and direction-changing characters become ``⟨U+200B⟩``, blanks that HTML drops become ``␣``, and a letter
of another script that looks like its neighbours is followed by its number.
"""

from __future__ import annotations

import re
import unicodedata

#: Control and format characters, lone surrogates, blanks other than the space, fillers, and our own marks. Joiners
#: and variation selectors only after a character that does not need them, as emoji, keycaps, Arabic and Indic letters
#: do. (That is written as a negated range, since a range up to the last character takes longer to compile than all
#: the rest.)
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u2000-\u200b\u200e\u200f"
    "\u2028-\u202f\u205f-\u206f\u2423\u27e8\u2800\u3000\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]|(?<![^\x00-\u058f])(?<![\xa9\xae])(?!\ufe0f\u20e3)[\u200c\u200d\ufe00-\ufe0f]"
)
_BLANKS = "^ +| +$| {2,}"
_WORD = r"[^\W\d_]+"
_LATIN = "[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"
_OTHER = "[\u0370-\u052f\u1f00-\u1fff]"
#: Cyrillic and Greek letters that look like Latin ones, and Latin ones that look like those.
_LOOKS_LATIN = frozenset("аеорсухѕіјһԁԛԝАВЕКМНОРСТУХЅІЈԚԜοανρυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
_LOOKS_OTHER = frozenset("aeopcyxsijhdqwvukABEKMHOPCTYXSIJQWZN")


def visible(text: object, *, code: bool = False) -> str:
    """A text with deceptive characters made visible; any other value is converted to a text.

    Parameters
    ----------
    text : object
        The value to show.
    code : bool
        Whether it is a code. Then letters are marked even if all of them are look-alikes (``сор`` for ``cop``), which
        in a text could be a real word.

    Examples
    --------
    >>> visible("V\\u0406P\\u200b "), visible("Клиент с VIP"), visible(7)
    ('VІ⟨U+0406⟩P⟨U+200B⟩␣', 'Клиент с VIP', '7')
    """
    text = str(text)
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text  # a quick path for nearly all texts, since a table may have thousands
    looks_latin = code and {*re.findall(_OTHER, text)} <= _LOOKS_LATIN
    text = _INVISIBLE.sub(lambda found: _number(found[0]), text)
    if not unicodedata.is_normalized("NFKC", text):
        wide = not code and not re.search("[A-Za-z]", text)  # Japanese writes whole words so
        odd = (char for char in {*text} if _is_variant(char) and not (wide and "\uff01" <= char <= "\uff5e"))
        text = text.translate({ord(char): char + _number(char) for char in odd})
    text = re.sub(_WORD, lambda word: _marked(word[0], looks_latin), text)
    return re.sub(_BLANKS, lambda found: "␣" * len(found[0]), text)


def printable(text: str) -> str:
    """Lines of text with the characters that are not printed made visible."""
    return "".join(char if char.isprintable() or char == "\n" else _number(char) for char in text)


def _is_variant(char: str) -> bool:
    """Whether it is a variant of an ASCII letter or digit, like ``ｖ`` and ``𝐯``."""
    plain = unicodedata.normalize("NFKC", char)
    return plain.isascii() and plain != char and unicodedata.category(char) in ("Lu", "Ll", "Nd")


def _marked(word: str, looks_latin: bool) -> str:
    """A word in which letters are marked that look like those of another script."""
    other = set(re.findall(_OTHER, word))
    latin = set(re.findall(_LATIN, word)) if other else set()
    if not (latin or looks_latin):
        return word
    odd = other if other <= _LOOKS_LATIN else latin & _LOOKS_OTHER
    return "".join(char + _number(char) if char in odd else char for char in word)


def _number(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"
