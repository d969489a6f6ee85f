"""The form that lists badges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb.display import html
from b24nb.forms.presenters.listing import ORDERS, ListBadges, ListFields, ListState
from b24nb.forms.views import parts
from b24nb.forms.views.form import Form, Step

if TYPE_CHECKING:
    from b24nb.forms.presenters.desk import Change

#: JupyterLab keeps plain arrows and letters for itself, wherever a list has the focus.
SELECTING = "Keyboard: Ctrl+Arrow moves, Space selects."


class ListForm(Form):
    """Lists the badges of a portal: filter, sort, turn pages, select."""

    title = "List badges"
    presenter: ListBadges

    def __init__(self, presenter: ListBadges, fields: ListFields, *, alone: bool = True) -> None:
        self.list_button = parts.button("List badges", style="primary", icon="refresh")
        self.words = parts.narrow(widgets.Text, "Filter", fields.words, width="17em", continuous_update=True)
        self.language = parts.narrow(
            widgets.Dropdown,
            "Language",
            fields.language,
            width="17em",
            options=parts.languages(fields.language),
        )
        self.order = parts.narrow(widgets.Dropdown, "Sort by", fields.order, width="15em", options=ORDERS)
        self.back_button = parts.button("Previous page", icon="chevron-left")
        self.next_button = parts.button("Next page", icon="chevron-right")
        self._where = widgets.HTML()
        self.selected = parts.field(widgets.SelectMultiple, "Select", (), rows=6)
        self._selection = widgets.HTML()
        self._below = widgets.VBox(
            [
                parts.row(self.back_button, self.next_button, self._where),
                parts.row(self.selected, self._selection),
            ]
        )
        self._page = 0
        super().__init__(presenter, alone=alone)
        self.on_click(self.list_button, lambda: self.work(self.steps()))
        self.on_click(self.back_button, lambda: self._turn(-1))
        self.on_click(self.next_button, lambda: self._turn(+1))
        for widget in (self.words, self.language, self.order):
            self.on_change(widget, self._show_first_page)
        self.on_change(self.selected, self._select)

    def arranged(self) -> Sequence[Any]:
        fields = parts.row(self.words, self.language, self.order)
        return [self.list_button, fields, self.told, self.shown, self._below]

    @property
    def selection(self) -> tuple[str, ...]:
        """Selected codes, on whatever page; other forms take them: ``delete_form(b24, form.selection)``."""
        return self.presenter.desk.selection

    @property
    def fields(self) -> ListFields:
        """What the fields hold."""
        return ListFields(
            words=self.words.value, language=self.language.value, order=self.order.value, page=self._page
        )

    def steps(self) -> Sequence[Step]:
        return [lambda: self.presenter.fetch(self.fields)]

    def follow(self, change: Change) -> None:
        if not self.presenter.at_work:
            self._show()

    def _show(self) -> None:
        self.render(self.presenter.show(self.fields))

    def picture(self, state: ListState) -> Iterable[Markup]:
        if state.result is None:
            return []
        matching = "" if len(state.result) == state.total else f"{len(state.result)} matching of "
        caption = f"Badges: {matching}{state.total}"
        return [html.badges_table(state.rows, language=state.language, caption=caption)]

    def draw(self, state: ListState) -> None:
        self._page = state.page
        known = [code for _, code in self.language.options]
        maps = [
            text for badge in state.rows for text in (badge.title, badge.value) if not isinstance(text, str)
        ]
        if met := {code for text in maps for code in text} - set(known):
            self.language.options = parts.languages(*known, *sorted(met))
            self.language.value = state.language
        self._below.layout.display = None if state.pages else "none"
        self._where.value = f"Page {state.page + 1} of {state.pages}"
        self.back_button.disabled = state.page == 0
        self.next_button.disabled = state.page + 1 >= state.pages
        parts.offer(self.selected, state.rows, state.selection, state.language)
        count = len(state.selection)
        self._selection.value = f"{count} selected" if count else SELECTING

    def _turn(self, pages: int) -> None:
        self._page += pages
        self._show()

    def _show_first_page(self) -> None:
        self._page = 0
        self._show()

    def _select(self) -> None:
        self.presenter.select((badge.code for badge in self.presenter.state.rows), self.selected.value)
