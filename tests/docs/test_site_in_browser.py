"""The site as somebody sees it: both themes, a wide and a narrow screen, on paper, and its search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.test_site import pages
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Page, ViewportSize, expect  # noqa: E402

from tests.browser.looks import barriers, hard_to_read, unfold  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 400, "height": 800}


@contextmanager
def reader(browser: Browser, address: str, theme: str = "light") -> Iterator[tuple[Page, list[str]]]:
    """A page of a reader who has chosen a theme, and the complaints: errors, and requests to elsewhere."""
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
    context.add_init_script(f"for (const key of ['mode', 'theme']) localStorage.setItem(key, '{theme}')")
    page, complaints = context.new_page(), []

    def complain(wrong: bool, what: object) -> None:
        if wrong:
            complaints.append(str(what))

    page.on("console", lambda message: complain(message.type in ("error", "warning"), message.text))
    page.on("pageerror", lambda error: complain(True, error))
    page.on("request", lambda request: complain(not request.url.startswith((address, "data:")), request.url))
    # A browser aborts a request itself, to go to another page.
    page.on("requestfailed", lambda request: complain("ABORTED" not in (request.failure or ""), request.url))
    yield page, complaints
    context.close()


@pytest.mark.parametrize(("theme", "screen"), [("light", WIDE), ("dark", NARROW)], ids=["light", "dark"])
def test_every_page_is_readable_and_nothing_stands_in_the_way_of_a_screen_reader(
    browser: Browser, site: Path, address: str, theme: str, screen: ViewportSize
) -> None:
    found: dict[str, object] = {}
    with reader(browser, address, theme) as (page, complaints):
        for name in (path.relative_to(site).as_posix() for path in pages(site)):
            page.set_viewport_size(screen)
            page.goto(address + name)
            assert page.evaluate("() => document.documentElement.dataset.theme") == theme
            unfold(page.locator("html"))
            troubles: dict[str, Any] = {"barriers": barriers(page.locator("html"), contrast=False)}
            for size, width in (("wide", WIDE), ("narrow", NARROW)):
                page.set_viewport_size(width)
                troubles[f"faint on a {size} screen"] = hard_to_read(page.locator("body"))
            troubles["wider than the screen"] = page.evaluate(
                "() => Math.max(0, document.scrollingElement.scrollWidth - innerWidth)"
            )
            found |= {f"{name}, {what}": trouble for what, trouble in troubles.items() if trouble}
    assert found == {}
    assert complaints == []


def test_a_dark_page_is_printed_dark_on_light(browser: Browser, address: str) -> None:
    with reader(browser, address, "dark") as (page, _):
        for name in ("index", "errors", "walkthroughs/03-delete", "methods/crm.activity.badge.delete"):
            page.goto(f"{address}{name}.html")
            page.emulate_media(media="print")
            unfold(page.locator("html"))
            assert hard_to_read(page.locator("body")) == []
            background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            assert background == "rgb(255, 255, 255)"
            expect(page.locator(".bd-sidebar-primary")).to_be_hidden()


def test_the_picture_is_the_one_of_the_theme(browser: Browser, address: str) -> None:
    for theme in ("light", "dark"):
        with reader(browser, address, theme) as (page, _):
            page.goto(f"{address}index.html")
            shown = page.locator("img[src*=explorer]").filter(visible=True)
            expect(shown).to_have_attribute("src", f"_images/explorer-{theme}.png")


def test_only_headings_without_a_word_are_left_out(browser: Browser, address: str) -> None:
    with reader(browser, address) as (page, _):
        page.goto(f"{address}walkthroughs/03-delete.html")
        unfold(page.locator("html"))
        heads = page.locator("thead").all()
        assert heads
        assert [head.is_visible() for head in heads] == [bool(head.text_content().strip()) for head in heads]


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("NOT_FOUND", "Bitrix24 REST errors"),
        ("plan_undo", "plan_undo"),
        ("undo a delete", "Delete a badge"),
        ("crm.activity.badge.delete", "crm.activity.badge.delete: delete a badge in Python"),
    ],
)
def test_search_finds_it(browser: Browser, address: str, words: str, title: str) -> None:
    with reader(browser, address) as (page, complaints):
        page.goto(f"{address}index.html")
        page.keyboard.press("Control+K")
        page.keyboard.type(words)
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=*")
        expect(page.get_by_text("Search finished")).to_be_visible()
        results = page.locator("#search-results li a").all_inner_texts()
        assert any(title in result for result in results[:10]), results
        assert complaints == []
