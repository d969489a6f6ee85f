"""Forms: list, inspect, add and delete badges with the mouse or the keyboard.

Each function makes a widget; show it as the last line of a cell. Nothing is sent before a button is clicked,
unless ``run=True`` asks for a result at once. Code can read the attributes of a form: ``.result``, ``.df`` (the
last result as a DataFrame), ``.timings`` (its calls as a DataFrame) and ``.last_error``. A saved notebook shows
without a kernel what the form showed when it was displayed.
"""

from __future__ import annotations

from b24nb.forms.add_form import add_form
from b24nb.forms.calls_form import calls_form
from b24nb.forms.delete_form import delete_form
from b24nb.forms.explorer import explorer
from b24nb.forms.fleet_form import fleet
from b24nb.forms.inspect_form import inspect_form
from b24nb.forms.list_form import list_form

fleet_form = fleet  # the other forms have such names
__all__ = ["add_form", "calls_form", "delete_form", "explorer", "fleet", "inspect_form", "list_form"]


def __dir__() -> list[str]:
    return __all__
