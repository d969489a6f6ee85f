"""What must not happen in a browser: a click sent twice, a text that acts as HTML, noise, lost results."""

import re

import nbformat
import pytest

from b24nb import Client, SandboxPortal
from tests.browser.conftest import EXPLORER, START, OpenNotebook
from tests.layers import require_package
from tests.widgets import times_asked

require_package("playwright")
from playwright.sync_api import Page, expect  # noqa: E402

from tests.browser.lab import EVALUATE  # noqa: E402

HOSTILE = "<img src=x onerror=window.pwned=1> $5 to $10"
HOSTILE_CODE = "<img src=x onerror=pwned=1>"  # codes over 30 characters are a trouble of their own


def assert_harmless(page: Page) -> None:
    """The hostile text was not run and made no element."""
    assert page.evaluate("() => window.pwned") is None
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(".b24nb mjx-container").count() == 0, "a price is no mathematics"


@pytest.mark.parametrize("latency_ms", [0, 600], ids=["fast portal", "slow portal"])
def test_a_double_click_sends_one_request(notebook: OpenNotebook, portal: SandboxPortal, latency_ms: int) -> None:
    opened = notebook(START, "form = forms.add_form(b24, 'twice', 'Twice', 'Once')\nform")
    portal.switches.latency_ms = latency_ms
    opened.shown.get_by_role("button", name="Add badge").dblclick()
    expect(opened.shown.get_by_text("The badge 'twice' was added.")).to_be_visible()
    assert opened.evaluate("form.wait()") == "True"
    assert opened.evaluate("form.last_error") == "None"
    assert times_asked(portal, "add") == 1


@pytest.mark.slow
def test_a_button_reads_what_was_typed_last(notebook: OpenNotebook) -> None:
    """A text and the click after it may reach the kernel on two threads."""
    opened = notebook(START, "form = forms.inspect_form(b24)\nform")
    for code in ["missedCall", "newsletter", "birthday", "paid", "onHold"] * 3:
        opened.shown.get_by_label("Badge code").focus()
        opened.page.keyboard.press("Control+A")
        opened.page.keyboard.type(code)
        opened.shown.get_by_role("button", name="Inspect badge").click()
        expect(opened.shown.get_by_text(f"The portal has the badge '{code}'.")).to_be_visible()
        opened.evaluate("form.wait(20)")  # who holds it is looked up still


def test_what_is_typed_counts_at_the_click_after_it_while_a_cell_runs(notebook: OpenNotebook) -> None:
    """The kernel handles messages of a form on two threads, and one of them waits for the cell."""
    opened = notebook(START, "form = forms.delete_form(b24, 'missedCall')\nform")
    opened.shown.get_by_role("button", name="Preview deletion").click()
    expect(opened.shown.get_by_label("Confirm")).to_be_visible()
    opened.page.evaluate(f"() => {{ window.running = ({EVALUATE})('__import__(\"time\").sleep(60)') }}")
    opened.shown.get_by_label("Confirm").focus()
    opened.page.keyboard.type("missedCall")
    opened.shown.get_by_role("button", name="Delete badge").click()
    expect(opened.shown.get_by_text("The badge 'missedCall' was deleted.")).to_be_visible()
    opened.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")


def test_a_click_that_lasts_is_a_click(notebook: OpenNotebook, portal: SandboxPortal) -> None:
    """The press ends the editing of a field, the form draws, and the button is still there on release."""
    form = notebook(START, "form = forms.add_form(b24)\nform").shown
    for label in ("Badge code", "Value (pill text)", "Title"):
        form.get_by_label(label).fill("calm")
    form.get_by_role("button", name="Add badge").click(delay=200)
    expect(form.get_by_text("The badge 'calm' was added.")).to_be_visible()
    assert times_asked(portal, "add") == 1


def test_a_hostile_badge_stays_text_everywhere(notebook: OpenNotebook, portal: SandboxPortal, b24: Client) -> None:
    b24.badges.add(HOSTILE_CODE, {"en": HOSTILE, "de": HOSTILE}, HOSTILE, "failure")
    portal.attach(HOSTILE_CODE)
    b24.call("crm.deal.update", {"id": 1, "fields": {"TITLE": HOSTILE}})
    opened = notebook(
        START,
        f"code = {HOSTILE_CODE!r}\n"
        "badges = b24.badges.list()\n"
        "display(badges, badges.df, b24.badges.get(code), b24.badges.holders(code))\n"
        "display(b24.badges.plan(badges), b24.journal, b24.calls.last)\n"
        "for form in (forms.inspect_form(b24, code, run=True), forms.delete_form(b24, code, run=True)):\n"
        "    display({'text/html': form._repr_mimebundle_()['text/html']}, raw=True)",
        EXPLORER,
    )
    explorer = opened.shown
    expect(explorer.get_by_role("gridcell", name=HOSTILE).first).to_be_visible()
    assert_harmless(opened.page)

    explorer.get_by_label("Filter", exact=True).filter(visible=True).fill("onerror")
    expect(explorer.get_by_text("1 of 13 badges", exact=True)).to_be_visible()
    explorer.get_by_role("row", name=HOSTILE_CODE).filter(visible=True).first.click()
    expect(explorer.get_by_text("1 selected").filter(visible=True)).to_be_visible()
    for tab, button in [("Inspect", "Inspect badge"), ("Delete", "Preview deletion")]:
        explorer.get_by_role("tab", name=tab).click()
        explorer.get_by_role("button", name=button).click()
        expect(explorer.get_by_text("refuse to delete").filter(visible=True)).to_contain_text(HOSTILE_CODE)
        expect(explorer.get_by_label("Release").filter(visible=True)).to_contain_text(HOSTILE)  # the title of the deal
        assert_harmless(opened.page)

    explorer.get_by_role("tab", name="Add").click()
    for label, text in [("Badge code", HOSTILE_CODE), ("Title", HOSTILE), ("Value (pill text)", HOSTILE)]:
        explorer.get_by_label(label, exact=True).filter(visible=True).fill(text)
    expect(explorer.get_by_text(HOSTILE).filter(visible=True).first).to_be_visible()  # the preview
    explorer.get_by_role("button", name="Add badge").click()
    expect(explorer.get_by_text("shown below").filter(visible=True)).to_contain_text(HOSTILE_CODE)
    explorer.get_by_role("tab", name="Calls").click()
    expect(explorer.get_by_text("Statistics per method")).to_be_visible()
    assert_harmless(opened.page)
    assert portal.webhook.rstrip("/").rsplit("/", 1)[1] not in opened.page.content()


@pytest.mark.slow
def test_the_console_stays_as_quiet_as_that_of_an_empty_notebook(notebook: OpenNotebook) -> None:
    def messages(*cells: str) -> set[str]:
        opened = notebook(*cells)
        if len(cells) > 1:
            for tab in opened.shown.get_by_role("tab").all():
                tab.click()
        assert opened.outside == []
        return {re.sub(r"[0-9a-f-]{36}|:\d+", "…", message) for message in opened.messages}

    assert messages(START, EXPLORER) - messages("") == set()


def test_a_saved_notebook_shows_results_without_a_kernel(notebook: OpenNotebook) -> None:
    """As somebody meets it who was sent the file: never run on their machine, so JupyterLab does not
    trust it and takes style sheets out; and no kernel that knows the widget."""
    opened = notebook(START, "forms.delete_form(b24, 'newsletter', run=True)")
    opened.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = nbformat.read(opened.path, as_version=4)
    assert "application/vnd.jupyter.widget-view+json" in saved.cells[1].outputs[0].data
    saved.metadata = {"kernelspec": {"name": "gone", "display_name": "Gone", "language": "gone"}}
    sent_on = opened.path.with_name("sent-on.ipynb")
    nbformat.write(saved, sent_on)

    opened.open(sent_on, kernel=False)
    expect(opened.page.get_by_role("button", name="No Kernel").last).to_be_visible()
    shown = opened.shown
    expect(shown.get_by_role("table", name="1 of 1 badge will be deleted")).to_contain_text("newsletter")
    expect(shown.get_by_text("Run the cell to use it.")).to_be_visible()
    expect(shown.get_by_role("button")).to_have_count(0)
