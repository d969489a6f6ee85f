"""One call over a real connection, for tests of the sandbox portal."""

import socket
from typing import Any
from urllib.parse import urlsplit

import requests

from b24nb.sandbox import SandboxPortal


def rest(webhook: str, method: str, params: dict[str, Any] | None = None, **options: Any) -> requests.Response:
    """POST a method's parameters as JSON to a webhook's address."""
    options.setdefault("timeout", 20)
    return requests.post(webhook + method, json=params or {}, **options)


def refresh(portal: SandboxPortal, refresh_token: str) -> requests.Response:
    """Ask the authorization server for a new pair of tokens."""
    query = {name: portal.oauth[name] for name in ("client_id", "client_secret")}
    query |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return requests.get(portal.oauth["auth_server"] + "/oauth/token/", query, timeout=20)


def by_hand(portal: SandboxPortal, head: str, *, hang_up: bool = False) -> bytes:
    """What comes back for a request written by hand, until the portal hangs up; ``hang_up`` before that."""
    url = urlsplit(portal.url)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def code_of(answer: requests.Response) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return answer.status_code, answer.json()["error"]
