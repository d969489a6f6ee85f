"""What a fleet's tests import in this process and in others: vaults that read a file, functions of a client."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import b24nb

VAULT = "FLEET_VAULT"


def webhook_of(name: str) -> str:
    """The vault of the tests: a file that is named in the environment."""
    return json.loads(Path(os.environ[VAULT]).read_text())[name]


def fill(path: Path, webhooks: Mapping[str, Any], set_env: Callable[[str, str], object]) -> None:
    """Write the file of the vault, and name it."""
    path.write_text(json.dumps(dict(webhooks)))
    set_env(VAULT, str(path))


class Tokens:
    """A vault of OAuth tokens in a file, with a lock for the processes that share it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stored: list[str] = []

    def __call__(self, name: str) -> b24nb.OAuthToken:
        self.asked.append(name)
        return b24nb.OAuthToken(**self._change()[name])

    def store(self, name: str, token: b24nb.OAuthToken) -> None:
        pair = {one: getattr(token, one).reveal() for one in ("access_token", "refresh_token")}
        self._change({name: pair})
        self.stored.append(name)

    @staticmethod
    def _change(new: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, dict[str, str]]:
        with Path(os.environ[VAULT]).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = json.load(file)
            for name, pair in (new or {}).items():
                found[name] |= pair
            if new:
                file.seek(0)
                file.truncate()
                json.dump(found, file)
            return found


def code_count(b24: b24nb.Client) -> int:
    return len(b24.badges.list())


def broken(b24: b24nb.Client) -> None:
    raise ValueError("not today")


def adding(b24: b24nb.Client) -> None:
    b24.badges.add("sneaked", "In", "in", "success")


def telling(b24: b24nb.Client) -> str:
    """What nobody should do."""
    return b24._connection.credentials._secret.reveal()


def rows(table: Any, without: Iterable[str] = ("host",)) -> list[dict[str, Any]]:
    """A frame as plain rows; hosts hold ports."""
    return table.drop(columns=[*without], errors="ignore").to_dict("records")
