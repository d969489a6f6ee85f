"""Every trouble on the wire in every form: a sentence, code and next step; after it the form works again."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.forms.form import Form
from tests.fakes import FakeClock
from tests.widgets import click, shown


def about_to_delete(b24: Client) -> Form:
    form = forms.delete_form(b24, "missedCall", run=True)
    form.confirm.value = "missedCall"
    return form


#: The button that is clicked, by what it is about; how the form is made; and the method that is called.
CLICKS: dict[str, tuple[str, Callable[[Client], Form], str]] = {
    "list": ("list_button", forms.list_form, "list"),
    "inspect": ("inspect_button", lambda b24: forms.inspect_form(b24, "missedCall"), "get"),
    "preview": ("preview_button", lambda b24: forms.delete_form(b24, "missedCall"), "get"),
    "add": ("add_button", lambda b24: forms.add_form(b24, "vip", {"en": "Client"}, "VIP"), "add"),
    "delete": ("delete_button", about_to_delete, "delete"),
}


@pytest.fixture
def b24(portal: SandboxPortal, clock: FakeClock) -> Iterator[Client]:
    """Its waiting takes no time."""
    with connect(portal, clock=clock) as client:
        yield client


def test_a_form_that_only_read_says_that_nothing_was_changed(portal: SandboxPortal, b24: Client) -> None:
    form = about_to_delete(b24)
    portal.faults.next("reset", method="crm.activity.badge.get", times=9)
    click(form, form.delete_button)
    assert "nothing was changed: try again" in shown(form)
    assert "carried the call out" not in shown(form)


NEW = {"what": "NEW_TROUBLE", "description": "?", "status": 418}
#: What a reader has to find of a fault.
FAULTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"what": "expired_token"}, ["Error code: expired_token"]),
    ({"what": "OPERATION_TIME_LIMIT"}, ["Error code: OPERATION_TIME_LIMIT", "minutes"]),
    ({"what": "ACCESS_DENIED"}, ["Error code: ACCESS_DENIED"]),
    ({"what": "insufficient_scope"}, ["Error code: insufficient_scope", "crm"]),
    (NEW, ["NEW_TROUBLE", "nobody has described"]),
    ({"what": "html", "times": 9}, ["an HTML page instead of JSON", "HTTP 502"]),
    ({"what": "reset", "times": 9}, []),
]


@pytest.mark.parametrize(("button", "make", "method"), CLICKS.values(), ids=CLICKS)
@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[fault["what"] for fault, _ in FAULTS])
def test_trouble_is_a_sentence_with_code_and_next_step(
    fault: dict[str, Any], words: list[str], button: str, make: Any, method: str, portal: SandboxPortal, b24: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    form = make(b24)
    portal.faults.next(**fault, method=f"crm.activity.badge.{method}")
    click(form, getattr(form, button))
    text = shown(form)
    message = form.state.message
    assert form.state.phase == "failed"
    assert all(one in text for one in ("Error:", *words)), text
    assert re.fullmatch(r"(\S+ ){3,}\S+\.", message.text)
    assert not re.search(r"crm\.|HTML|lost or", message.text), "the details have that"
    assert message.hint
    assert message.hint in text
    assert not any(untrue in text for untrue in ("was stopped", "error-new-trouble"))
    portal.faults.clear()
    monkeypatch.setattr("b24nb.forms.form.DOUBLE_CLICK_SECONDS", 0)  # the same click once more
    click(form, getattr(form, button))
    assert form.state.phase in ("done", "confirm"), shown(form)
