"""Many portals in one form: compared, planned, changed after the sentence was typed, and taken back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from b24nb.sandbox import SandboxFleet
from tests.browser.conftest import OpenNotebook
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import expect  # noqa: E402

from tests.browser.looks import faint  # noqa: E402

START = """import json
import b24nb
from b24nb import forms

webhooks = json.load(open({!r}))
vip = b24nb.Badge("vip", {{"en": "Client", "de": "Kunde"}}, "VIP", "primary")
paid = b24nb.Badge("paid", "Paid", "P", "success")
fleet = b24nb.Fleet(webhooks, vault=webhooks.get)"""
FORM = "form = forms.fleet(fleet, wanted=[vip, paid], run=True)\nform"
SENTENCE = "22 changes on 11 portals"


@pytest.fixture
def sandboxes() -> Iterator[SandboxFleet]:
    with SandboxFleet(12, revoked=0.08, seed=1) as fleet:
        yield fleet


def holding(sandboxes: SandboxFleet) -> int:
    return sum("vip" in [badge["code"] for badge in portal.badges] for portal in sandboxes.portals.values())


def test_compare_plan_apply_and_undo(notebook: OpenNotebook, sandboxes: SandboxFleet, tmp_path: Path) -> None:
    (tmp_path / "webhooks.json").write_text(json.dumps(sandboxes.webhooks))
    opened = notebook(START.format(str(tmp_path / "webhooks.json")), FORM)
    opened.page.set_viewport_size({"width": 800, "height": 900})
    form = opened.shown
    (revoked,) = sandboxes.trouble
    expect(form.get_by_text("12 codes on 11 portals")).to_be_visible()
    expect(form.get_by_text("SANDBOX", exact=True)).to_be_visible()
    expect(form.get_by_text(f"1 revoked ({revoked})")).to_be_visible()
    assert faint(opened, form) == []

    form.get_by_role("button", name="Plan").click()
    expect(form.get_by_text(f"{SENTENCE} would be made. Nothing has been sent yet.")).to_be_visible()
    assert holding(sandboxes) == 0
    form.get_by_role("button", name="Apply").click()
    expect(form.get_by_text(f"Type {SENTENCE}.")).to_be_visible()
    assert faint(opened, form) == []
    form.get_by_label("Confirm", exact=True).fill(SENTENCE)
    form.get_by_role("button", name="Apply").click()
    expect(form.get_by_text("11 added")).to_be_visible()
    assert holding(sandboxes) == 11
    assert faint(opened, form) == []

    form.get_by_role("button", name="Undo").click()
    expect(form.get_by_text("11 deleted")).to_be_visible()
    assert holding(sandboxes) == 0
    assert form.evaluate("form => form.scrollWidth - form.clientWidth") <= 0, "nothing is cut off at 800 px"
