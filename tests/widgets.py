"""A form as somebody without a browser uses it: set values, click, read what it shows."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

import b24nb
from b24nb.forms.form import Form
from tests.servers import Gate


def tree(widget: Any) -> Iterator[Any]:
    """A widget and everything in it that is not hidden."""
    if getattr(widget, "layout", None) is not None and widget.layout.display == "none":
        return
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


def pieces(form: Any) -> list[str]:
    """The HTML that a form shows, piece by piece."""
    return [widget.value for widget in tree(form) if isinstance(widget, widgets.HTML)]


def shown(form: Any) -> str:
    """All that the HTML of a form says, without its tags."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", " ".join(pieces(form)), flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def click(form: Form, button: Any) -> None:
    """Click, and wait until the work is done; a fault of ours would be in ``last_error``."""
    button.click()
    assert form.wait(10)
    assert form.last_error is None, repr(form.last_error)


def confirm(form: Any, word: str) -> None:
    """Type what a form asks for, and click its button that deletes or applies."""
    form.confirm.value = word
    click(form, form.apply_button if hasattr(form, "apply_button") else form.delete_button)


def release(form: Any, word: str) -> None:
    """Type what a form asks for, and click its button that releases badges."""
    form.word.value = word
    click(form, form.release_button)


def inspect_badge(form: Any, code: str) -> None:
    """Type a code into a form, and click its button that inspects."""
    form.code.value = code
    click(form, form.inspect_button)


@contextmanager
def waiting(gate: Gate, form: Form, button: Any) -> Iterator[None]:
    """Click; the portal keeps the request waiting meanwhile, and then the work goes on to its end."""
    button.click()
    assert gate.reached.wait(10)
    yield
    gate.opened.set()
    assert form.wait(10)


def times_asked(portal: b24nb.SandboxPortal, method: str) -> int:
    """How many requests of a badge method have reached the portal."""
    return sum(request.method == f"crm.activity.badge.{method}" for request in portal.requests)
