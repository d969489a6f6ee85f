"""All forms in one widget with tabs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from b24nb.client import Client
from b24nb.display import html
from b24nb.forms import parts
from b24nb.forms.add_form import AddForm
from b24nb.forms.calls_form import CallsForm
from b24nb.forms.delete_form import DeleteForm
from b24nb.forms.form import Form
from b24nb.forms.inspect_form import InspectForm
from b24nb.forms.list_form import ListForm
from b24nb.forms.state import SharedState
from b24nb.forms.table import KeyGuard

FORMS = {"List": ListForm, "Inspect": InspectForm, "Add": AddForm, "Delete": DeleteForm, "Calls": CallsForm}


class Explorer(parts.Panel):
    """Forms that share one portal, one list of badges and one selection.

    Its attributes ``result``, ``df`` and ``timings`` are those of the form in the open tab.

    Attributes
    ----------
    forms : dict of str to Form
        By the title of their tab.
    """

    result = property(lambda self: self.open_form.result, doc="The last result of the open tab; ``None`` if none.")
    df = property(lambda self: self.open_form.df, doc="The same as a DataFrame.")
    timings = property(lambda self: self.open_form.timings, doc="The calls of the open tab, as in ``b24.calls.df``.")

    def __init__(self, b24: Client) -> None:
        shared = SharedState(b24)
        self.forms = {title: form(shared, alone=False) for title, form in FORMS.items()}
        self._banner = html.portal_banner(b24.portal)
        self._tabs = widgets.Tab([*self.forms.values()], selected_index=0)
        for place, title in enumerate(self.forms):
            self._tabs.set_title(place, title)
        super().__init__([KeyGuard(), widgets.HTML(html.page(self._banner)), self._tabs])
        self.add_class("b24nb-explorer")

    @property
    def open_form(self) -> Form:
        """The form of the open tab."""
        form: Form = self._tabs.children[self._tabs.selected_index or 0]
        return form

    @property
    def last_error(self) -> Exception | None:
        """The first unexpected exception of any of the forms."""
        return next((form.last_error for form in self.forms.values() if form.last_error), None)

    def run(self) -> None:
        """Do what the main button of the open tab does."""
        self.open_form.run()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work of the open tab is done; returns whether it is."""
        return self.open_form.wait(timeout)

    def saved_page(self) -> Iterable[Any]:
        """What the open tab shows, without fields and buttons."""
        return [self._banner, *self.open_form.saved_page()]

    def __repr__(self) -> str:
        return f"<Explorer of {', '.join(self.forms)}: {self.open_form!r}>"


def explorer(b24: Client, *, run: bool = False) -> Explorer:
    """All forms in one widget with tabs: a badge selected in the list is also selected in the other forms.

    Parameters
    ----------
    b24 : Client
        The portal.
    run : bool
        List the badges at once.

    Returns
    -------
    Explorer
        Its ``result``, ``df`` and ``timings`` are those of the open tab; ``.forms`` has each form by its tab's title.

    Raises
    ------
    InvalidInput
        ``b24`` is no client. Errors of the portal are shown in the form.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     explorer = forms.explorer(b24, run=True)
    >>> list(explorer.forms)
    ['List', 'Inspect', 'Add', 'Delete', 'Calls']
    >>> len(explorer.df)
    12
    """
    return Explorer(b24).run_if(run)
