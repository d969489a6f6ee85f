"""A reader opens the walkthrough on deleting, runs it, and deletes a badge with its form."""

import nbformat

from tests.browser.conftest import OpenPage
from tests.layers import require_package
from tests.notebooks.runner import NOTEBOOKS

require_package("playwright")
from playwright.sync_api import expect  # noqa: E402

WALKTHROUGH = NOTEBOOKS / "03-delete.ipynb"
CODES = "[badge.code for badge in b24.badges.list()]"


def place_of(source: str) -> int:
    """Which cell has this in it, the first being 0."""
    cells = nbformat.read(WALKTHROUGH, as_version=4).cells
    return next(place for place, cell in enumerate(cells) if source in cell.source)


def test_delete_with_the_form_of_the_walkthrough(pages: OpenPage) -> None:
    form_cell, table_cell = place_of("forms.delete_form("), place_of("b24.badges.list()")
    opened = pages(WALKTHROUGH)
    opened.run_above(form_cell + 1)

    form = opened.output(form_cell)
    code = form.get_by_label("Badge code").input_value()
    assert repr(code) in opened.evaluate(CODES)
    form.get_by_label("Confirm").fill(code)
    form.get_by_role("button", name="Delete badge").click()
    expect(form.get_by_text(f"The badge '{code}' was deleted.")).to_be_visible()

    opened.run_cell(table_cell)
    table = opened.output(table_cell).get_by_role("table")
    expect(table).to_contain_text("callAnswered")
    expect(table).not_to_contain_text(code)
    assert repr(code) not in opened.evaluate(CODES)
