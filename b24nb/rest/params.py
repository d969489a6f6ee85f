"""Parameters on the wire: as JSON, and as the query text of a command of a batch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from b24nb.errors import InvalidInput


def as_json(params: Mapping[str, Any]) -> bytes:
    """Parameters as a JSON body.

    Raises
    ------
    InvalidInput
        A value that JSON does not have.
    """
    try:
        return json.dumps(params, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise InvalidInput(f"These parameters can't be sent as JSON: {problem}.", field="params")


def as_command(method: str, params: Mapping[str, Any] | None) -> str:
    """A call as a batch carries it: a method and a query text.

    Raises
    ------
    InvalidInput
        A value that a query can't carry.
    """
    try:
        query = "&".join(f"{name}={quote(text, safe='')}" for name, text in _flat(params or {}))
        return f"{method}?{query}" if query else method
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise InvalidInput(f"A command can't carry these parameters: {problem}.", field="params")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """PHP's notation: ``a[b]=c`` for maps, ``a[0]=c`` for lists. An empty one can't be written."""
    if isinstance(value, str):
        yield name, value
    elif value is None or isinstance(value, bool):
        yield name, "1" if value else "" if value is None else "0"
    elif isinstance(value, int):
        yield name, str(int(value))
    elif isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in pairs:
            part = quote(str(key), safe="")
            yield from _flat(item, f"{name}[{part}]" if name else part)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
        yield name, str(float(value))
    else:
        yield from _flat(_plain(value, name), name)


def _plain(value: Any, name: str = "a value") -> Any:
    """What stands for a value that JSON does not have; a number out of a DataFrame is a number."""
    if isinstance(value, Mapping):
        return dict(value)
    if getattr(value, "ndim", None) == 0:  # numpy's and pandas' scalars
        return value.item()
    raise TypeError(f"{name} is a {type(value).__name__}")
