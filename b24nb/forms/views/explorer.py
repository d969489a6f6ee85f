"""All forms in one widget with tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from b24nb.display import html
from b24nb.forms.views.form import Form

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.client import Client
    from b24nb.forms.presenters.base import Presenter


class Explorer(widgets.VBox):  # type: ignore[misc]
    """Forms that share one portal, one list of badges and one selection.

    What is asked of it is answered by the form of the open tab.

    Attributes
    ----------
    forms : dict of str to Form
        By the title of their tab.
    """

    def __init__(self, b24: Client, forms: dict[str, Form]) -> None:
        self.forms = forms
        self._banner = html.portal_banner(b24.portal)
        self._tabs = widgets.Tab(list(forms.values()), titles=list(forms), selected_index=0)
        super().__init__([widgets.HTML(html.page(self._banner)), self._tabs])
        self.add_class("b24nb-explorer")

    @property
    def open_form(self) -> Form:
        """The form of the open tab."""
        form: Form = self._tabs.children[self._tabs.selected_index or 0]
        return form

    @property
    def presenter(self) -> Presenter[Any]:
        return self.open_form.presenter

    @property
    def result(self) -> Any:
        return self.open_form.result

    @property
    def df(self) -> pd.DataFrame:
        return self.open_form.df

    @property
    def timings(self) -> pd.DataFrame:
        return self.open_form.timings

    @property
    def last_error(self) -> Exception | None:
        """The first fault of any of the forms."""
        return next((form.last_error for form in self.forms.values() if form.last_error), None)

    def run(self) -> None:
        """Do what the main button of the open tab does."""
        self.open_form.run()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work of the open tab is done; whether it is."""
        return self.open_form.wait(timeout)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        static = html.page(self._banner, *self.open_form.static())
        return {**bundle, "text/plain": repr(self), "text/html": static}

    def __repr__(self) -> str:
        return f"<Explorer of {', '.join(self.forms)}: {self.open_form!r}>"
