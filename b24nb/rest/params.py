"""Parameters on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from b24nb.display.literals import plain
from b24nb.errors import InvalidInput


def as_json(params: Mapping[str, Any]) -> bytes:
    """Parameters as a JSON body.

    Raises
    ------
    InvalidInput
        A value that JSON does not have.
    """
    try:
        return json.dumps(params, ensure_ascii=False, allow_nan=False, default=plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise InvalidInput(f"These parameters can't be sent as JSON: {problem}.", field="params")
