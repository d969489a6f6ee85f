"""One call over a real connection, for tests of the sandbox portal."""

from typing import Any

import requests


def rest(webhook: str, method: str, params: dict[str, Any] | None = None, **options: Any) -> requests.Response:
    """POST a method's parameters as JSON to a webhook's address."""
    options.setdefault("timeout", 20)
    return requests.post(webhook + method, json=params or {}, **options)


def code_of(answer: requests.Response) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return answer.status_code, answer.json()["error"]
