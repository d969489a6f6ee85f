"""A portal in a file survives kill -9: everything that was answered with success is there."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import rest

SERVE = """
import sys
from b24nb.sandbox import serve
serve(db=sys.argv[1], on_ready=lambda portal: print(portal.webhook, flush=True))
"""


def test_what_was_confirmed_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "portal.db"
    kept: list[str] = []
    for kill in range(4):
        command = [sys.executable, "-c", SERVE, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, requests.Session() as session:
            methods = process.stdout.readline().strip() + "crm.activity.badge."
            for number in range(2 + 40 * kill):  # the last one is added, or deleted, and at once comes the end
                badge = {"code": f"k{kill}-{number}", "title": "T" * 500, "value": {"en": "V"}, "type": "success"}
                assert session.post(methods + "add", json=badge, timeout=20).json()["result"]
                if number % 3:
                    kept.append(badge["code"])
                else:
                    assert session.post(methods + "delete", json=badge, timeout=20).json()["result"]
            with suppress(requests.RequestException):  # and one is on its way
                requests.post(methods + "add", json=badge | {"code": f"doubt{kill}"}, timeout=0.001)
            process.kill()
        with SandboxPortal(db=path) as portal:
            assert [badge["code"] for badge in portal.badges if badge["code"].startswith("k")] == kept
            assert rest(portal.webhook, "profile").ok
