"""The table in a page of its own, without a kernel: mouse, keys, filter, order, languages, hostile texts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from b24nb.badges.badge import Badge, Badges
from b24nb.display import html
from b24nb.forms.table import Table
from tests.hostile import HOSTILE
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Browser, Locator, Page, expect  # noqa: E402

from tests.browser.lab import tab_to  # noqa: E402

TRAITS = ("rows", "selected", "words", "kind", "order", "language", "label", "types")
#: A stand-in for the model of a widget, with what the table uses of it.
SHOW = """async ([code, traits]) => {
  const listeners = [];
  window.model = {
    traits,
    saved: 0,
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
      listeners.filter(([event]) => event === `change:${name}`).forEach(([, listener]) => listener());
    },
    on: (event, listener) => listeners.push([event, listener]),
    off: (event, listener) => listeners.splice(listeners.findIndex((one) => one[1] === listener), 1),
    save_changes: () => { window.model.saved += 1; },
    listeners,
  };
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  window.table = (await import(url)).default;
  window.cleanUp = window.table.render({ model: window.model, el: document.querySelector("#table") });
}"""
SEED = Badges(
    [
        Badge("missedCall", "Missed call", "Call back", "failure"),
        Badge("signed", {"en": "Contract", "de": "Vertrag"}, {"en": "Signed", "de": "Fertig"}, "success"),
        Badge("paid", {"en": "zebra", "de": "Ameise"}, "Paid", "success"),
        *(Badge(f"more{n:02}", f"Title {n}", f"More {n}", "primary") for n in range(30)),
    ]
)
Show = Callable[..., Locator]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 900, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def show(page: Page) -> Show:
    """Shows badges in a page, and gives the table."""

    def show(badges: Badges = SEED, **traits: Any) -> Locator:
        table = Table(**traits)
        table.show(badges, table.selected)
        style = f"{html.css()}<style>{Table._css}</style>"
        page.set_content(f'<body style="background: #fff">{style}<main><div id="table"></div></main>')
        page.evaluate(SHOW, [Table._esm, {name: getattr(table, name) for name in TRAITS}])
        return page.locator("#table")

    return show


def trait(page: Page, name: str) -> Any:
    return page.evaluate("name => window.model.traits[name]", name)


def codes(table: Locator) -> list[str]:
    return table.locator("tbody tr:not([hidden]) code").all_inner_texts()


def row(table: Locator, code: str) -> Locator:
    return table.get_by_role("row").filter(has=table.page.get_by_text(code, exact=True))


def status(table: Locator) -> Locator:
    return table.get_by_role("status")


def test_the_mouse_selects_rows_ranges_and_all_that_match(show: Show, page: Page) -> None:
    table = show()
    expect(status(table)).to_have_text("33 badges")
    row(table, "missedCall").click()
    table.get_by_role("checkbox", name="Select paid").click()
    assert trait(page, "selected") == ["missedCall", "paid"]
    expect(row(table, "paid")).to_have_attribute("aria-selected", "true")
    row(table, "missedCall").click()
    row(table, "more01").click(modifiers=["Shift"])
    assert trait(page, "selected") == ["paid", "missedCall", "signed", "more00", "more01"]
    table.get_by_label("Type").select_option("success")
    expect(status(table)).to_have_text("2 of 33 badges, 5 selected (3 not among these)")
    everything = table.get_by_role("checkbox", name="Select all 2 that match")
    expect(everything).to_be_checked()
    everything.click()
    assert trait(page, "selected") == ["missedCall", "more00", "more01"]
    table.get_by_role("button", name="Clear selection").click()
    expect(status(table)).to_have_text("2 of 33 badges")
    page.wait_for_function("() => window.model.saved > 0")


def test_marking_a_text_does_not_select_its_row(show: Show, page: Page) -> None:
    box = row(show(), "missedCall").locator("code").bounding_box()
    assert box
    page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert page.evaluate("() => String(getSelection())") in "missedCall"
    assert trait(page, "selected") == []


def test_keys_reach_every_row_and_select_it(show: Show, page: Page) -> None:
    table, keys = show(), page.keyboard
    table.get_by_label("Filter").focus()
    tab_to(page, row(table, "missedCall"), at_most=12)  # what can be clicked lies between
    assert row(table, "missedCall").evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
    for key in ("ArrowDown", "Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        keys.press(key)
    assert trait(page, "selected") == ["signed", "paid", "more00"]
    keys.press("End")
    expect(row(table, "more29")).to_be_focused()
    assert codes(table) == ["more27", "more28", "more29"]
    keys.press("Space")
    keys.press("Home")
    expect(row(table, "missedCall")).to_be_focused()
    keys.press("PageDown")
    expect(row(table, "more12")).to_be_focused()
    keys.press("ArrowUp")
    expect(row(table, "more11")).to_be_focused()
    assert trait(page, "selected") == ["signed", "paid", "more00", "more29"]
    seen = set()
    keys.press("Home")
    for _ in range(len(SEED)):
        seen.add(page.evaluate("() => document.activeElement.querySelector('code').textContent"))
        keys.press("ArrowDown")
    assert seen == {badge.code for badge in SEED}
    keys.press("Control+a")
    assert len(trait(page, "selected")) == 33
    keys.press("Tab")
    expect(table.get_by_role("button", name="First")).to_be_focused()


def test_filter_order_and_pages(show: Show, page: Page) -> None:
    table = show()
    assert len(codes(table)) == 15
    pages = {"First": "1 to 15", "Next": "16 to 30", "Last": "31 to 33", "Previous": "16 to 30"}
    for button in ("Next", "Last", "Previous", "First", "Next"):
        table.get_by_role("button", name=button).click()
        expect(table.get_by_text(f"Rows {pages[button]} of 33")).to_be_visible()
    table.get_by_label("Filter").fill("FERTIG")
    assert codes(table) == ["signed"]
    expect(table.get_by_role("button", name="Next")).to_be_hidden()
    table.get_by_label("Filter").fill("success")
    title = table.get_by_role("columnheader", name="Title")
    for order, found in (("ascending", "signed paid"), ("descending", "paid signed"), ("none", "signed paid")):
        title.get_by_role("button").click()
        assert codes(table) == found.split()
        expect(title).to_have_attribute("aria-sort", order)
    table.get_by_label("Filter").fill("nothing like this")
    expect(status(table)).to_have_text("0 of 33 badges")
    page.wait_for_function("() => window.model.saved > 0")
    assert (trait(page, "words"), trait(page, "order")) == ("nothing like this", "")


def test_code_has_the_rows_in_the_order_that_is_shown(show: Show) -> None:
    titles: dict[str, Any] = {"a": "Mail", "b": " Anruf", "c": "🔥 Heiß", "d": "ＶＩＰ会員", "e": "Zeit", "Z": "İ"}
    titles |= {"f": "\u200bBrief", "y": {"en": ""}}
    odd = Badges(Badge(code, title, "v", "primary") for code, title in titles.items())
    for order in ("title", "-title", "code", "-code"):
        table = Table(order=order, words="\ufeff")
        table.show(odd)
        shown = show(odd, order=order, words=table.words)
        expect(status(shown)).to_have_text("8 badges")
        assert codes(shown) == [badge.code for badge in table.matching]


@pytest.mark.parametrize("language", ["de", "DE"])
def test_texts_are_those_of_the_language(show: Show, page: Page, language: str) -> None:
    table = show(language=language)
    expect(row(table, "signed")).to_contain_text("Vertrag (+1)")
    expect(row(table, "signed").get_by_text("Fertig")).to_have_attribute("lang", "de")
    expect(row(table, "missedCall")).to_contain_text("Missed call")
    page.evaluate("() => window.model.set('language', 'en')")
    expect(row(table, "signed")).to_contain_text("Contract (+1)")


def test_what_the_kernel_changes_is_shown_in_every_view(show: Show, page: Page) -> None:
    table = show()
    page.evaluate(
        """() => {
          const second = document.createElement("div");
          document.querySelector("main").append(second);
          window.table.render({ model: window.model, el: second });
        }"""
    )
    page.get_by_role("row", name="paid").nth(1).click()
    expect(row(table, "paid")).to_have_attribute("aria-selected", "true")
    fresh = Table()
    fresh.show(Badges(SEED[:2]))
    page.evaluate("rows => { window.model.set('rows', rows); window.model.set('selected', []); }", fresh.rows)
    expect(status(table)).to_have_text("2 badges")
    listening = page.evaluate("() => { window.cleanUp(); return window.model.listeners.length; }")
    assert listening == page.evaluate("() => new Set(window.model.listeners.map(([event]) => event)).size")


def test_hostile_texts_stay_texts(show: Show, page: Page) -> None:
    codes = [f"{place}{text}"[:200] for place, text in enumerate(HOSTILE)]
    texts = zip(codes, HOSTILE, strict=True)
    badges = Badges(Badge(code, {"en": text, text[:20]: text}, text, text) for code, text in texts)
    table = show(badges, selected=codes[:2])
    for text in HOSTILE[:5]:
        expect(table.get_by_text(text, exact=True).first).to_be_visible()
    expect(table.get_by_text(" does not exist.)").first).to_contain_text("(not restorable: The type ")
    for _ in range(4):
        for button in table.get_by_role("columnheader").get_by_role("button").all():
            button.click()
    tags = table.evaluate("table => [...new Set([...table.querySelectorAll('*')].map((e) => e.localName))]")
    wanted = "button code div input label option select span table tbody td th thead tr"
    assert sorted(tags) == wanted.split()
    handlers = "table => [...table.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())"
    names = set(table.evaluate(handlers))
    assert not names & {"src", "href", "style"}
    assert not [name for name in names if name.startswith("on")]
    assert page.evaluate("() => window.pwned") is None


@pytest.mark.parametrize("width", [1280, 800, 600])
def test_nothing_is_cut_off(show: Show, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    long = Badge("c" * 30, {"en": "Title " * 40, "de": "x" * 200}, "Pill text " * 20, "warning")
    table = show(Badges([long, *SEED]))
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert table.locator(".b24nb-scroll").evaluate("box => box.scrollWidth <= box.clientWidth")
