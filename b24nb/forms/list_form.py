"""The form that lists badges by one request; the table filters and sorts them in the browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from b24nb.badges.badge import FIELDS
from b24nb.client import Client
from b24nb.display import html
from b24nb.errors import InvalidInput
from b24nb.forms import parts
from b24nb.forms.form import Form
from b24nb.forms.state import Change, FormState, SharedState
from b24nb.forms.table import Table
from b24nb.spec import FALLBACK_LANGUAGE

#: How many rows a saved notebook shows without a kernel.
STILL_ROWS = 25
AS_REGISTERED = "as registered"


class ListForm(Form):
    """Lists the badges of a portal: filter, sort, select. ``result``: the badges that match, in the table's order."""

    title = "List badges"

    def make_widgets(self, words: str = "", order: str = "") -> Sequence[Any]:
        shared, options = self.shared, parts.languages(self.shared.language)
        self.list_button = self.main_button("List badges", "refresh", self._fetch)
        self.language = parts.field("Dropdown", "Language", shared.language, width="17em", options=options)
        self.language.style.description_width = "initial"
        self.table = Table(words=words, order=order, language=shared.language)
        self.on_change(self.language, lambda: shared.set_trait("language", self.language.value))
        self.on_change(self.table, lambda: shared.set_trait("selection", tuple(self.table.selected)), "selected")
        self.on_change(self.table, self._arrange, ["words", "kind", "order"])
        return [parts.row(self.list_button, self.language), self.messages, self.table]

    @property
    def selection(self) -> tuple[str, ...]:
        """Selected codes of all pages; other forms accept them: ``delete_form(b24, form.selection)``."""
        return self.shared.selection

    def _fetch(self) -> Any:
        badges = self.b24.badges.list()
        self.shared.see(badges)
        text = f"{html.counted(len(badges), 'badge')} in one answer."
        return FormState().saying("done", text, phase="done", result=self.table.matching)

    def shared_changed(self, change: Change) -> None:
        with self.drawing():
            if change in ("badges", "listed"):
                self.state = replace(self.state, message=None)  # it counts the badges that were there
                self.table.show(self.shared.shown, self.shared.selection)
            else:
                self.table.selected = [*self.shared.selection]
            self.language.value = self.table.language = self.shared.language
        self._arrange()

    def _arrange(self) -> None:
        """Set the result to what the table shows now, in its order."""
        if self.shared.listed:
            self.state = replace(self.state, result=self.table.matching)
            self.redraw()

    def draw(self, state: FormState) -> None:
        parts.show(self.table, self.shared.listed)

    def saved_html(self, state: FormState) -> Iterable[Any]:
        if state.result is not None:
            total = len(self.shared.badges)
            matching = "" if len(state.result) == total else f"{len(state.result)} matching of "
            caption = f"Badges: {matching}{total}"
            yield html.badges_table(state.result, self.shared.language, STILL_ROWS, caption)


def list_form(
    b24: Client, *, filter: str = "", language: str = FALLBACK_LANGUAGE, sort: str = AS_REGISTERED, run: bool = False
) -> ListForm:
    """A form that lists the badges: filter, sort, turn pages, select.

    Parameters
    ----------
    b24 : Client
        The portal.
    filter : str
        Words that a badge must hold, in its code, texts or type.
    language : str
        The language in which texts are shown, by the documented rule: this one, then ``en``, then the first.
    sort : str
        ``as registered``, ``code``, ``title``, ``value`` or ``type``.
    run : bool
        List the badges at once.

    Returns
    -------
    ListForm
        ``.result`` is the :class:`~b24nb.Badges` that match, on all pages; ``.df`` the same as a DataFrame;
        ``.selection`` the codes of the rows that are selected.

    Raises
    ------
    InvalidInput
        ``sort`` is another word, or ``b24`` is no client. Errors of the portal are shown in the form.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.list_form(b24, filter="call", sort="code", run=True)
    >>> list(form.df["code"])
    ['callAnswered', 'missedCall']
    >>> form
    <ListForm on SANDBOX (this notebook), done: 12 badges in one answer.>
    """
    for field, value in (("filter", filter), ("language", language)):
        if not isinstance(value, str):
            raise InvalidInput(f"{field} must be a text.", field=field)
    if sort not in (AS_REGISTERED, *FIELDS):
        hint = f"One of: {', '.join((AS_REGISTERED, *FIELDS))}."
        raise InvalidInput(f"Can't sort by {sort!r}.", field="sort", hint=hint)
    return ListForm(SharedState(b24, language=language), filter, sort if sort in FIELDS else "").run_if(run)
