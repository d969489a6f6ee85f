"""Settings from the environment and the file ``.env``. A setting that can't be read is an error, never "off"."""

from __future__ import annotations

import codecs
import io
import os
import re
from pathlib import Path
from typing import NamedTuple, NoReturn

from b24nb.errors import InvalidInput
from b24nb.secret import Secret, without_frames

WEBHOOK, READ_ONLY = "B24_WEBHOOK", "B24_READ_ONLY"
_SWITCH = dict.fromkeys(("1", "true", "t", "yes", "y", "on", "enable", "enabled", "да", "д"), True)
_SWITCH |= dict.fromkeys(("0", "false", "f", "no", "n", "off", "disable", "disabled", "нет", "н"), False)
_FILE = ".env"
#: Cyrillic letters that look like Latin ones.
_LATIN = str.maketrans("веокану", "beokahy")


class Setting(NamedTuple):
    """The value of a setting, and where it is set."""

    value: Secret
    source: str

    @property
    def is_on(self) -> bool:
        """Whether a switch is on.

        Raises
        ------
        InvalidInput
            For a value that is neither yes nor no.
        """
        on = _SWITCH.get(self.value.reveal().strip("\"' ").lower())  # no variable: the value may be a secret
        if on is None:
            _refuse(f"{self.source} is neither yes nor no.", "Write 1 or 0 (or yes, no, on, off).")
        return on


def read_settings() -> dict[str, Setting]:
    """The settings that are not empty: from the environment, else from ``.env`` in the working directory.

    Raises
    ------
    InvalidInput
        Names the file and line that can't be read, or the variable with a misspelled name.
    """
    return without_frames(_read)


def _read() -> dict[str, Setting]:
    path = Path(_FILE)
    found = _from_file(path) if os.path.lexists(path) and not path.is_dir() else {}
    for name, value in os.environ.items():
        _check_name(name, f"The environment variable {name!r}")
        if name in (WEBHOOK, READ_ONLY) and value.strip():
            found[name] = Setting(Secret(value), f"{name} in the environment")
    return found


def _from_file(path: Path) -> dict[str, Setting]:
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    text = re.sub(r"\r\n?", "\n", _text_of(path))
    bindings, found = [*parse_stream(io.StringIO(text))], {}
    # Without the lines that can't be read, for each of which python-dotenv would log a warning.
    values = dotenv_values(stream=io.StringIO("".join(one.original.string for one in bindings if not one.error)))
    for binding in bindings:
        before = binding.original.string
        line = binding.original.line + before[: len(before) - len(before.lstrip())].count("\n")
        where = f"Line {line} of {_FILE}"
        # A quote left open takes the lines after it into its value; a blank, another setting of its line.
        if (binding.error or re.search(rf"\n|\b{READ_ONLY}=", binding.value or "")) and "b24_" in before.lower():
            _refuse(f"{where} can't be read.", f"Write {WEBHOOK}=… or {READ_ONLY}=1, quotes closed.")
        _check_name(binding.key or "", f"The name in line {line} of {_FILE}")
        if binding.key not in (WEBHOOK, READ_ONLY):
            continue
        value = values.get(binding.key) or ""
        if binding.value is None or (binding.value and not value):
            later = binding.value and "${" not in binding.value
            where = f"A line after line {line} of {_FILE}" if later else where
            _refuse(f"{where} sets {binding.key} to nothing.", "Give it a value, or remove the line.")
        if re.search("[\udc80-\udcff]", value):
            _refuse(f"{where} is not written in UTF-8.", f"Save {_FILE} as UTF-8.")
        if value.strip():
            found[binding.key] = Setting(Secret(value), f"{binding.key} in {_FILE}")
    return found


def _text_of(path: Path) -> str:
    """The text of the file; a byte that is not UTF-8 becomes a lone surrogate, since it may be in a comment only."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        _refuse(f"{_FILE} can't be read: {error.strerror}.", "Check who may read it.")
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = raw.decode("utf-16", "replace") if marked else raw.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        _refuse(f"{_FILE} is not written in UTF-8.", "Save it as UTF-8.")
    return text


def _check_name(name: str, what: str) -> None:
    """Refuse misspelled names (``B24_READONLY``, ``$env:B24NB_READ_ONLY``), which would be ignored without an error."""
    latin = name.lower().translate(_LATIN).removeprefix("$env:").partition(":")[0]
    spelled = re.sub(r"[^a-z0-9]", "", latin).replace("b24nb", "b24")
    if not spelled.startswith("b24"):
        return
    from difflib import get_close_matches  # not above: few have such a name, and it costs a start 1 ms

    for known in (WEBHOOK, READ_ONLY):
        plain = known.replace("_", "").lower()
        near = known == READ_ONLY and get_close_matches(spelled, [plain], cutoff=0.84)
        if name != known and (spelled == plain or near):
            _refuse(f"{what} looks like {known}, but is spelled otherwise.", f"Write {known}.")


def _refuse(message: str, hint: str) -> NoReturn:
    raise InvalidInput(message, field="settings", hint=hint)
