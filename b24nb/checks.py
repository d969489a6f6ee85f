"""Checks of arguments: switches, counts, seconds, paths of journals."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

from b24nb.errors import InvalidInput
from b24nb.secret import is_address

_DAY = 24 * 3600


def check_seconds(value: Any, field: str, *, least: float = 0) -> float:
    """A number of seconds up to a day; anything else is refused."""
    if isinstance(value, Real) and not isinstance(value, bool) and least <= value <= _DAY:  # type: ignore[operator]
        return float(value)
    raise InvalidInput(f"{field} must be seconds, from {least:g} to {_DAY}.", field=field)


def check_count(value: Any, field: str, what: str = "a number, 1 or more", *, least: int = 1) -> int:
    """A whole number, which may come out of a frame; anything else is refused."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise InvalidInput(f"{field} must be {what}.", field=field)


def check_switch(value: Any, field: str) -> bool:
    """A yes or a no; anything else is refused, since Python takes a text like "no" for a yes."""
    if type(value).__name__ in ("bool", "bool_"):  # also of numpy
        return bool(value)
    raise InvalidInput(f"{field} must be True or False, not {value!r}.", field=field)


def check_journal(value: Any, what: str) -> Any:
    """The path of a journal or ``None``; an address is refused, since folders would get its name."""
    if value is None or (value and isinstance(value, str | os.PathLike) and not is_address(value)):
        return value
    raise InvalidInput(f"journal must be the path of a {what}.", field="journal")
