"""What a fleet's tests import in this process and in others: vaults that read a file, functions of a client."""

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import b24nb
from b24nb.fleet import visit
from b24nb.rest.transport import HttpAnswer
from b24nb.sandbox import SandboxFleet
from tests.fakes import FakeClock

VAULT = "FLEET_VAULT"
QUIET = {"progress": False}


def fleet_of(sandboxes: SandboxFleet, vault: Any = None, **options: Any) -> b24nb.Fleet:
    """A fleet of all these portals; ``vault``: another one than their webhooks."""
    return b24nb.Fleet(sandboxes.names, vault=vault or sandboxes.webhooks.get, **options)


def webhook_of(name: str) -> str | b24nb.OAuthToken:
    """The vault of the tests: a file that is named in the environment, with webhooks and tokens."""
    found = json.loads(Path(os.environ[VAULT]).read_text())[name]
    return b24nb.OAuthToken(**found) if isinstance(found, dict) else found


def fill(path: Path, webhooks: Mapping[str, Any], set_env: Callable[[str, str], object]) -> None:
    """Write the file of the vault, and name it."""
    path.write_text(json.dumps(dict(webhooks)))
    set_env(VAULT, str(path))


def code_count(b24: b24nb.Client) -> int:
    return len(b24.badges.list())


def broken(b24: b24nb.Client) -> None:
    raise ValueError("not today")


def adding(b24: b24nb.Client) -> None:
    b24.badges.add("sneaked", "In", "in", "success")


async def waiting(b24: b24nb.Client) -> None:
    raise AssertionError("nobody waits for it")


def tidying(b24: b24nb.Client) -> None:
    b24.badges.delete_many(b24.badges.list(), progress=False)


def adding_and_dying(b24: b24nb.Client) -> None:
    """Its worker dies after it has sent something."""
    b24.call("crm.activity.badge.add", {"code": "once", "title": "T", "value": "V", "type": "success"})
    os.kill(os.getpid(), signal.SIGKILL)


def sleeping(b24: b24nb.Client) -> None:
    time.sleep(60)


def telling(b24: b24nb.Client) -> str:
    """What nobody should do."""
    found = json.loads(Path(os.environ[VAULT]).read_text()).values()
    given = next(one for one in found if b24.portal.host in str(one))
    return given["access_token"] if isinstance(given, dict) else given.rstrip("/").split("/")[-1]


def rows(table: Any, without: Iterable[str] = ("host",)) -> list[dict[str, Any]]:
    """A frame as plain rows; hosts hold ports."""
    return table.drop(columns=[*without], errors="ignore").to_dict("records")


def badges_of(sandboxes: SandboxFleet) -> dict[str, list[str]]:
    """What each portal holds, whatever the order."""
    return {name: sorted(map(str, portal.badges)) for name, portal in sandboxes.portals.items()}


def meddle(webhook: str, code: str, title: str = "") -> None:
    """Somebody else deletes a badge of this portal; with a title he adds it again as his own."""
    with b24nb.connect(webhook) as somebody:
        somebody.badges.delete(code)
        if title:
            somebody.badges.add(code, title, "V", "primary")


def holding(sandboxes: SandboxFleet) -> int:
    """How many of the portals have a badge `vip`."""
    return sum("vip" in [badge["code"] for badge in portal.badges] for portal in sandboxes.portals.values())


class SimulatedPortals:
    """Answers at once what a portal with a dozen badges would; keeps the codes that were added, by portal."""

    total = 60.0

    def __init__(self) -> None:
        self.added: dict[str, list[dict[str, Any]]] = {}
        self.usual = [{"code": f"c{n}", "title": f"T{n}", "value": "V", "type": "primary"} for n in range(12)]

    def post(self, endpoint: Any, body: bytes, *, method: str, total: float | None = None) -> HttpAnswer:
        sent, mine = json.loads(body), self.added.setdefault(endpoint.origin, [])
        listed = self.usual + mine
        known: dict[str, Any] = {
            "profile": {"ID": "1", "NAME": "A", "ADMIN": True},
            "scope": ["crm"],
            "crm.activity.badge.list": {"badges": listed},
        }
        if method != "batch":
            return self._answer({"result": known[method], "total": len(listed)})
        results, totals = {}, {}
        for key, command in sent["cmd"].items():
            name, _, query = command.partition("?")
            if name == "crm.activity.badge.add":
                mine.append({one: "".join(parse_qs(query)[one]) for one in ("code", "title", "value", "type")})
                results[key] = {"badge": mine[-1]}
            else:
                results[key], totals[key] = known[name], len(listed)
        parts = {"result": results, "result_total": totals, "result_error": {}, "result_next": {}, "result_time": {}}
        return self._answer({"result": parts})

    @staticmethod
    def _answer(envelope: dict[str, Any]) -> HttpAnswer:
        return HttpAnswer(200, {}, json.dumps(envelope | {"time": {}}).encode())

    def close(self) -> None:
        """Nothing."""


@contextmanager
def simulated(count: int) -> Iterator[b24nb.Fleet]:
    """A fleet of so many portals without a network, on a clock that passes only by waiting."""
    portals = SimulatedPortals()
    with mock.patch.object(visit, "Transport", return_value=portals), tempfile.TemporaryDirectory() as folder:
        names = [f"portal-{number:05}" for number in range(count)]
        yield b24nb.Fleet(names, address_of, journal=folder, clock=FakeClock())


def address_of(name: str) -> str:
    return f"https://{name}.example/rest/1/abcdef0123456789/"
