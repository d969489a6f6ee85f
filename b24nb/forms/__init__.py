"""Forms: list, inspect, add and delete badges with the mouse, the keyboard, and no fear.

Each function makes a widget; show it as the last line of a cell. Nothing is sent before a button is
clicked, or ``run=True`` asks for a result at once. Beside the widget, each form is an object for code:
``.result``, ``.df`` (the last result as a DataFrame), ``.timings`` (what its calls cost, as a DataFrame)
and ``.last_error``. In a saved notebook without a kernel, what it showed is still there.
"""

from __future__ import annotations

from b24nb.forms.add_form import add_form
from b24nb.forms.calls_form import calls_form
from b24nb.forms.delete_form import delete_form
from b24nb.forms.explorer import explorer
from b24nb.forms.fleet_form import fleet
from b24nb.forms.inspect_form import inspect_form
from b24nb.forms.list_form import list_form

__all__ = ["add_form", "calls_form", "delete_form", "explorer", "fleet", "inspect_form", "list_form"]
