"""One sentinel secret goes through everything that can be shown, and is found nowhere."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import b24nb
from b24nb import errors, forms

BADGE = ("secretTest", {"en": "Title", "de": "Titel"}, "Value", "primary")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, urllib3 at DEBUG too."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    yield stream
    logging.getLogger("urllib3").setLevel(logging.NOTSET)
    root.setLevel(level)
    root.removeHandler(handler)


def secrets_of(portal: b24nb.SandboxPortal) -> set[str]:
    webhooks = {
        webhook.rstrip("/").rsplit("/", 1)[1] for webhook in (portal.webhook, *portal.webhooks.values())
    }
    tokens = {portal.oauth[key] for key in ("access_token", "refresh_token", "client_secret")}
    return webhooks | tokens


def shown(value: object) -> str:
    """A value as a terminal, a notebook, a log and a debugger would show it."""
    parts = [repr(value), str(value)]
    for name in ("_repr_html_", "_repr_markdown_", "_repr_mimebundle_", "_render_traceback_"):
        render = getattr(value, name, None)
        if render is not None:
            parts.append(str(render()))
    if hasattr(value, "get_state"):
        parts.append(str([widget.get_state() for widget in walk(value)]))
    return "\n".join(parts)


def walk(widget: object) -> Iterator[object]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def provoke(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> Iterator[Callable[[], object]]:
    """Every kind of trouble that a client meets."""
    for fault in ("reset", "html", "cut", "QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT", "INVALID_CREDENTIALS"):
        portal.faults.next(fault, times=20)
        yield lambda: b24.call("crm.activity.badge.get", {"code": "missedCall", "auth": "x"})
        yield lambda: b24.call("crm.activity.badge.delete", {"code": "nobody"})
        portal.faults.clear()
    yield lambda: b24.badges.get("nobody")
    yield lambda: b24.badges.add("x", "", "v", "primary")
    yield lambda: b24.call("no.such.method")


def credentials_of(portal: b24nb.SandboxPortal, kind: str) -> object:
    if kind == "webhook":
        return b24nb.Webhook.parse(portal.webhook)
    oauth = {
        key: portal.oauth[key] for key in ("access_token", "refresh_token", "client_id", "client_secret")
    }
    return b24nb.OAuthToken(portal=portal.url, auth_server=portal.url, **oauth)


@pytest.mark.parametrize("kind", ["webhook", "token"])
def test_no_secret_is_shown_anywhere(
    portal: b24nb.SandboxPortal, kind: str, log: io.StringIO, clock: object, tmp_path: Path
) -> None:
    seen: list[str] = []
    credentials = credentials_of(portal, kind)
    journal = tmp_path / "journal.db"
    with b24nb.connect(credentials, clock=clock, journal=journal) as b24:
        b24.badges.add(*BADGE)
        deleted = b24.badges.delete("secretTest")
        plan = b24.badges.plan([deleted])
        report = plan.apply(progress=False)
        answer = b24.call("profile")
        batch = b24.batch({"a": ("profile", None), "b": ("nonsense", None)})
        b24.badges.backup(tmp_path / "backup.json")
        values = [credentials, b24, b24.portal, b24._connection, deleted, b24.badges, b24.badges.list()]
        values += [plan, report, answer, answer.call, batch, b24.calls, b24.calls.limits, b24.journal]
        values += [b24.journal.plan_undo(), b24.badges.holders("waitingPayment")]

        caught = []
        for attempt in provoke(b24, portal):
            try:
                attempt()
            except errors.B24Error as error:
                caught.append(error)
                seen.append("".join(traceback.format_exception(error)))
                tb = traceback.TracebackException.from_exception(error, capture_locals=False)
                seen.append("".join(tb.format(chain=True)))
        assert len({type(error) for error in caught}) >= 6
        values += caught + [b24nb.explain(error) for error in caught]

        for make in (
            forms.list_form,
            forms.inspect_form,
            forms.add_form,
            forms.delete_form,
            forms.calls_form,
        ):
            values.append(make(b24, run=True))
        values.append(forms.explorer(b24, run=True))
        values += [b24.calls.df.to_csv(), b24.calls.summary().to_html(), b24.journal.df.to_csv()]
        values += [
            call.as_code(flavour) for call in [b24.calls.last] for flavour in ("curl", "curl-oauth", "python")
        ]
    seen += [shown(value) for value in values]
    seen += [json.dumps([shown(request) for request in portal.requests])]
    seen += [(tmp_path / "backup.json").read_text(), log.getvalue()]
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("journal.db*")]
    assert "urllib3" in log.getvalue() or "HTTP/1.1" in log.getvalue(), "the log did not listen"
    everything = "\n".join(seen)
    for secret in secrets_of(portal):
        assert secret not in everything, f"…{everything[everything.index(secret) - 200 :][:300]}"
