"""Every trouble on the wire in every form: a sentence, code and next step; after it the form works again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.forms.form import Form
from tests.fakes import FakeClock
from tests.widgets import click, shown

PREFIX = "crm.activity.badge."


def add(b24: Client) -> tuple[Form, Any]:
    form = forms.add_form(b24, "vip", {"en": "Client"}, "VIP")
    return form, form.add_button


def delete(b24: Client) -> tuple[Form, Any]:
    form = forms.delete_form(b24, "missedCall", run=True)
    form.confirm.value = "missedCall"
    return form, form.delete_button


def preview(b24: Client) -> tuple[Form, Any]:
    form = forms.delete_form(b24, "missedCall")
    return form, form.preview_button


def inspect(b24: Client) -> tuple[Form, Any]:
    form = forms.inspect_form(b24, "missedCall")
    return form, form.inspect_button


def list_(b24: Client) -> tuple[Form, Any]:
    form = forms.list_form(b24)
    return form, form.list_button


def in_explorer(b24: Client) -> tuple[Form, Any]:
    form = forms.explorer(b24).forms["List"]
    return form, form.list_button


#: What is clicked, and the method that it is about.
CLICKS: dict[Callable[[Client], tuple[Form, Any]], str] = {
    list_: "list",
    in_explorer: "list",
    inspect: "get",
    preview: "get",
    add: "add",
    delete: "delete",
}


@pytest.fixture(params=list(CLICKS), ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[Client], tuple[Form, Any]]:
    maker: Callable[[Client], tuple[Form, Any]] = request.param
    return maker


@pytest.fixture
def b24(portal: SandboxPortal, clock: FakeClock) -> Iterator[Client]:
    """Its waiting takes no time."""
    with connect(portal, clock=clock) as client:
        yield client


def works(form: Form, button: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same click once more, later: now it does what it is for."""
    monkeypatch.setattr("b24nb.forms.form.ECHO_SECONDS", 0)
    click(form, button)
    assert form.state.phase in ("done", "confirm"), shown(form)
    assert form.last_error is None


@dataclass
class Case:
    """A fault, and what a reader has to find."""

    what: str
    words: tuple[str, ...]
    times: int = 1
    options: dict[str, Any] | None = None


CASES = [
    Case("expired_token", ("Error:", "The portal's code: expired_token")),
    Case("OPERATION_TIME_LIMIT", ("Error:", "The portal's code: OPERATION_TIME_LIMIT", "minutes")),
    Case("ACCESS_DENIED", ("Error:", "The portal's code: ACCESS_DENIED")),
    Case("insufficient_scope", ("Error:", "The portal's code: insufficient_scope", "crm")),
    Case("NEW_TROUBLE", ("Error:", "NEW_TROUBLE", "nobody has described"), options={"description": "?", "status": 418}),
    Case("html", ("Error:", "an HTML page instead of JSON", "HTTP 502"), times=9),
    Case("reset", ("Error:",), times=9),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_trouble_is_a_sentence_with_code_and_next_step(
    case: Case,
    make: Callable[[Client], tuple[Form, Any]],
    portal: SandboxPortal,
    b24: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, button = make(b24)
    portal.faults.next(case.what, method=PREFIX + CLICKS[make], times=case.times, **(case.options or {}))
    click(form, button)
    text = shown(form)
    message = form.state.message
    assert form.state.phase == "failed"
    assert all(words in text for words in case.words), text
    assert len(message.text.split()) >= 4
    assert message.text.endswith(".")
    assert message.hint
    assert message.hint in text
    portal.faults.clear()
    works(form, button, monkeypatch)


def test_a_portal_that_is_down_and_comes_back(
    make: Callable[[Client], tuple[Form, Any]], tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused connections: nothing listens at the address."""
    first = SandboxPortal(db=tmp_path / "portal.db").start()
    port = int(first.url.rpartition(":")[2])
    with connect(first.webhook, clock=clock) as b24:
        form, button = make(b24)
        first.stop()
        click(form, button)
        assert form.state.phase == "failed"
        assert form.state.message.hint
        assert "Error:" in shown(form)
        with SandboxPortal(db=tmp_path / "portal.db", port=port):
            works(form, button, monkeypatch)
