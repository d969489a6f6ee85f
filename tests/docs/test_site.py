"""The site is complete, and everything on it leads somewhere."""

import dataclasses
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urljoin
from xml.etree import ElementTree

import pytest

import b24nb
from b24nb import spec
from tests.docs.test_vendor_pages import METHODS
from tests.layers import require_package

require_package("sphinx")
require_package("bs4")
require_package("numpydoc")
from bs4 import BeautifulSoup  # noqa: E402
from numpydoc.docscrape import ClassDoc, FunctionDoc  # noqa: E402
from sphinx.util.inventory import InventoryFile  # noqa: E402

pytestmark = pytest.mark.slow  # the build takes half a minute; `make docs` shows sooner what is wrong with it

#: Pages that Sphinx makes for machines and for its search.
UNWRITTEN = {"genindex.html", "search.html"}


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def test_it_builds_without_a_warning_and_without_a_network(site: Path) -> None:
    assert (site / "index.html").exists()


def test_every_link_and_anchor_leads_somewhere(site: Path) -> None:
    broken = []
    for page in pages(site):
        here = f"site:///{page.relative_to(site).as_posix()}"
        for link in soup(page).find_all("a", href=True):
            target, _, anchor = urljoin(here, link["href"]).partition("#")
            if not target.startswith("site:///"):
                continue
            path = site / unquote(target.removeprefix("site:///"))
            if not path.is_file():
                broken.append(f"{page.name}: {link['href']} is no page")
            elif anchor and path.suffix == ".html" and soup(path).find(id=unquote(anchor)) is None:
                broken.append(f"{page.name}: {link['href']} has no such place")
    assert broken == []


def test_no_link_shows_a_reader_where_it_was_built(site: Path, clone: Path) -> None:
    texts = [path for path in site.rglob("*") if path.suffix in (".html", ".txt", ".xml", ".js")]
    assert [path.name for path in texts if str(clone) in path.read_text(encoding="utf-8")] == []


def test_every_page_says_what_it_is_about(site: Path) -> None:
    titles, silent = [], []
    for page in pages(site):
        if page.name in UNWRITTEN:
            continue
        titles.append(soup(page).title.get_text())
        described = soup(page).find("meta", attrs={"name": "description"})
        if not described or len(described["content"]) < 15 or not soup(page).h1:
            silent.append(page.name)
    assert silent == []
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("method", spec.METHODS)
def test_a_method_is_found_by_its_name(site: Path, method: str) -> None:
    page = soup(site / "methods" / f"{method}.html")
    assert page.title.get_text().startswith(f"{method}: ")
    text = page.find("article").get_text()
    for expected in (*METHODS[method].errors, *spec.METHODS[method]):
        assert expected in text
    assert len(page.find_all("pre", string=None)) > 9 or not spec.METHODS[method]


def test_every_error_code_has_a_place_that_explains_it(site: Path) -> None:
    page = soup(site / "errors.html")
    for fact in spec.error_facts():
        place = page.find(id="error-" + (re.sub(r"[^a-z0-9]+", "-", fact.code.lower()) or "empty"))
        assert place is not None, fact.code
        text = place.get_text()
        for expected in (fact.code, fact.message, fact.repeat):
            assert expected in text, fact


def test_all_of_it_can_be_read_as_plain_text(site: Path) -> None:
    everything = (site / "llms-full.txt").read_text(encoding="utf-8")
    for expected in ("NOT_FOUND", "plan_undo", "crm.activity.badge.delete: delete a badge", "Changelog"):
        assert expected in everything
    listed = re.findall(r"^- \[.+?\]\((\S+)\): \S", (site / "llms.txt").read_text(encoding="utf-8"), re.M)
    addresses = [url.text for url in ElementTree.parse(site / "sitemap.xml").findall(".//{*}loc")]
    written = {page.relative_to(site).as_posix() for page in pages(site)} - UNWRITTEN
    assert {url.removeprefix("http://127.0.0.1:8000/") for url in addresses} == written
    assert {url.removesuffix(".txt") for url in listed} == {url.removesuffix(".html") for url in addresses}


# -- the reference ---------------------------------------------------------------------------------------


def members(cls: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties of a class that are ours, those it inherits included.

    Fields of values stand in the text about their class.
    """
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        field = name in getattr(cls, "__dataclass_fields__", ())
        if not name.startswith("_") and owner.__module__.startswith("b24nb") and not field:
            yield name, vars(owner)[name]


def public_names() -> Iterator[str]:
    """What ``__all__`` exports, the public names in there, and the classes that come back from their use."""
    for name in (*b24nb.__all__, *COME_BACK):
        thing = pkgutil.resolve_name(f"b24nb.{name}")
        if name.startswith("__"):
            continue
        yield f"b24nb.{name}"
        if inspect.isclass(thing):
            yield from (f"b24nb.{name}.{inner}" for inner, _ in members(thing))
        elif inspect.ismodule(thing):
            within = getattr(thing, "__all__", None) or [
                key for key, value in vars(thing).items() if getattr(value, "__module__", "") == thing.__name__
            ]
            yield from (f"b24nb.{name}.{inner}" for inner in within if not inner.startswith("_"))


#: Classes that nobody imports, and an example of a beginner touches.
COME_BACK = ["client.Portal", "badges.methods.BadgeMethods", "rest.calls.CallLog", "rest.calls.Call"]
COME_BACK += ["badges.plan.Plan", "badges.plan.Report", "rest.response.Response"]


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """Every name that has an entry of its own, also under the name of the module that it lives in."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}


def test_every_public_name_is_in_the_reference(documented: set[str]) -> None:
    assert {*public_names(), "b24nb.forms.form.Form"} <= documented


def test_every_entry_of_the_reference_says_something(documented: set[str]) -> None:
    found = []
    for name in sorted(documented):
        thing = resolve(name)
        if thing is None or not name.startswith("b24nb."):
            continue
        if not inspect.getdoc(thing):
            found.append(f"{name} says nothing")
        elif inspect.isfunction(thing):
            told = [part.strip(" *") for p in FunctionDoc(thing)["Parameters"] for part in p.name.split(",")]
            signature = inspect.signature(thing)
            for parameter in set(told) ^ (signature.parameters.keys() - {"self", "cls"}):
                found.append(f"{name}: the parameter {parameter} is not there, or not described")
            if signature.return_annotation not in ("None", "Self") and not FunctionDoc(thing)["Returns"]:
                found.append(f"{name} does not say what it returns")
    assert found == []


def resolve(name: str) -> object | None:
    """The function, class or property of this name; none for data, which has no docstring of its own."""
    try:
        thing = pkgutil.resolve_name(name)
    except AttributeError:  # a field of a value
        return None
    return thing if callable(thing) or isinstance(thing, property) else None


def test_fields_of_values_are_described() -> None:
    for cls in (getattr(b24nb, name) for name in b24nb.__all__):
        if inspect.isclass(cls) and dataclasses.is_dataclass(cls):
            doc = ClassDoc(cls)
            parts = [*doc["Parameters"], *doc["Attributes"]]
            told = {name.strip() for parameter in parts for name in parameter.name.split(",")}
            fields = {field.name for field in dataclasses.fields(cls) if not field.name.startswith("_")}
            assert fields <= told, cls
