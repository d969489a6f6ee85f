"""What every test gets: no settings of the developer, no network beyond this machine, a fresh portal."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import b24nb
from b24nb.credential_checks import is_loopback
from tests.fakes import FakeClock

# No test measures time: a busy machine can make an example as slow as it likes.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# A shell starts a background job with Ctrl-C ignored, and so would every test and its child processes.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No B24_* settings, no .env, no proxies, and user data in a directory that goes away."""
    for name in list(os.environ):
        if (name.startswith("B24_") and name != "B24_LIVE_WEBHOOK") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user-data"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A test that reaches for another machine fails, and says so. Only `live` tests may."""
    if request.node.get_closest_marker("live"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise AssertionError(f"a test tried to connect to {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def portal() -> Iterator[b24nb.SandboxPortal]:
    """A started sandbox portal with its seed data, limits off."""
    with b24nb.SandboxPortal() as portal:
        yield portal


@pytest.fixture
def b24(portal: b24nb.SandboxPortal) -> Iterator[b24nb.Client]:
    """An administrator's client of that portal."""
    with b24nb.connect(portal) as client:
        yield client
