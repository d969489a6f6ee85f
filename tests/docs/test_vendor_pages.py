"""What the vendor's pages said when they were last read, and whether `spec` and the site say the same.

The next reading is an edit of this table, and a red test where they have to follow.
"""

import runpy
from pathlib import Path
from typing import NamedTuple

import pytest

from b24nb import spec

METHODS = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "method_descriptions.py"))["METHODS"]


class Page(NamedTuple):
    """One page of the vendor: name, type and need of each parameter, access, and the codes it lists."""

    read: str
    parameters: list[tuple[str, str, str]]
    access: str
    errors: set[str]


CODE = ("code", "string", "required")
TEXT = "string or map of languages"
ADMIN = "users with administrative access to the crm section"
OF_ADD = [CODE, ("title", TEXT, "required"), ("value", TEXT, "required"), ("type", "string", "required")]
ADD_REFUSES = {"ACCESS_DENIED", "100", "REQUIRED_ARG_MISSING", "WRONG_TYPE_VALUE", "BX_INVALID_VALUE", "0"}
DELETE_REFUSES = {"ACCESS_DENIED", "NOT_FOUND", "ENTITY_WITH_BADGE_EXISTS"}
PAGES = {
    "crm.activity.badge.add": Page("2026-11", OF_ADD, ADMIN, ADD_REFUSES),
    "crm.activity.badge.get": Page("2026-08", [CODE], "any user", {"ACCESS_DENIED", "NOT_FOUND"}),
    "crm.activity.badge.list": Page("2026-11", [], "any user", set()),
    "crm.activity.badge.delete": Page("2026-11", [CODE], ADMIN, DELETE_REFUSES),
}
TYPES = {"success", "failure", "warning", "primary", "secondary"}
WORDS = {"string": "string", "string | map": TEXT}


def test_the_pages_are_those_of_the_methods() -> None:
    assert set(spec.METHODS) == set(METHODS) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_method_is_described_as_on_its_page(name: str) -> None:
    page, method = PAGES[name], METHODS[name]
    assert [
        (parameter.name, WORDS[parameter.type], "required" if parameter.required else "optional")
        for parameter in method.parameters
    ] == page.parameters
    types = {parameter.name: (str, dict) if "map" in parameter.type else (str,) for parameter in method.parameters}
    assert types == spec.METHODS[name]
    assert method.access_documented == page.access
    assert set(method.documented_errors) == page.errors
    assert method.page.endswith(f"/badges/{name.replace('.', '-')}.html")


@pytest.mark.parametrize("name", PAGES)
def test_an_error_on_a_page_is_known_as_documented(name: str) -> None:
    for code in PAGES[name].errors & set(METHODS[name].errors):
        facts = [fact for fact in spec.error_facts() if fact.code == code and name in fact.methods]
        assert any("docs" in fact.source and fact.http_documented == 400 for fact in facts), code


@pytest.mark.parametrize("name", PAGES)
def test_the_catalogue_has_each_error_of_a_method(name: str) -> None:
    codes = {fact.code for fact in spec.error_facts()}
    assert {*METHODS[name].documented_errors, *METHODS[name].errors} <= codes
    if name == "crm.activity.badge.delete":
        assert {fact.code for fact in spec.error_facts() if name in fact.methods} == set(METHODS[name].errors)


def test_the_types_are_those_of_the_overview() -> None:
    assert {badge_type.value for badge_type in spec.BadgeType} == TYPES
