"""The form that adds a badge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb import spec
from b24nb.badges import wire
from b24nb.display import html
from b24nb.forms.presenters.adding import AddBadge, AddFields, AddState, Texts
from b24nb.forms.views import parts
from b24nb.forms.views.form import Form, Step

ONE, SEVERAL = "one text for all languages", "a text per language"


class TextRow(parts.Beside):
    """Title and pill text, for all languages or for one."""

    def __init__(self, texts: Texts) -> None:
        one = not texts.language
        self.language = parts.narrow(
            widgets.Dropdown,
            "Language",
            texts.language or None,
            width="17em",
            options=parts.languages(texts.language),
        )
        self.title = self._text("Title", texts.title, alone=one)
        self.value = self._text("Pill text", texts.value, alone=one)
        self.remove_button = parts.button("Remove", icon="trash")
        super().__init__(
            *([] if one else [self.language]), self.title, self.value, *([] if one else [self.remove_button])
        )
        self.localised = not one

    @staticmethod
    def _text(label: str, value: str, *, alone: bool) -> Any:
        make, width = (parts.field, "24em") if alone else (parts.narrow, "16em")
        return make(widgets.Text, label, value, width=width)

    @property
    def texts(self) -> Texts:
        """What the fields hold."""
        return Texts(self.language.value if self.localised else "", self.title.value, self.value.value)


class AddForm(Form):
    """Adds a badge, and shows from field to field how it will look."""

    title = "Add a badge"
    presenter: AddBadge

    def __init__(self, presenter: AddBadge, fields: AddFields, *, alone: bool = True) -> None:
        self.code = parts.field(widgets.Text, "Badge code", fields.code)
        self.type = parts.choice("Type", [*spec.BadgeType], fields.type)
        self.mode = parts.choice("Texts", [ONE, SEVERAL], SEVERAL if fields.localised else ONE)
        self.type.add_class("b24nb-types")
        self._code = parts.Beside(self.code)
        self._rows = widgets.VBox()
        self.add_language_button = parts.button("Add a language", icon="plus")
        self.add_button = parts.button("Add badge", style="primary", icon="check")
        super().__init__(presenter, alone=alone)
        self._set_rows(fields.texts)
        self.on_click(self.add_button, lambda: self.work(self.steps()))
        self.on_click(self.add_language_button, self._add_language)
        self.on_change(self.mode, self._switch)
        for field in (self.code, self.type):
            self.on_change(field, self._typed)
        self._typed()

    def arranged(self) -> Sequence[Any]:
        fields = [self._code, self.type, self.mode, self._rows, self.add_language_button]
        # A preview above the button would move it away under the mouse that is leaving the last field.
        return [*fields, self.add_button, self.told, self.beside, self.shown]

    @property
    def rows(self) -> tuple[TextRow, ...]:
        """One row without a language, or one per language."""
        return tuple(self._rows.children)

    @property
    def fields(self) -> AddFields:
        """What the fields hold."""
        texts = tuple(row.texts for row in self.rows)
        return AddFields(code=self.code.value, type=self.type.value, texts=texts)

    def steps(self) -> Sequence[Step]:
        fields = self.fields  # as they are now, not when the thread gets to it
        return [lambda: self.presenter.add(fields)]

    def picture(self, state: AddState) -> Iterable[Markup]:
        if state.existing:
            yield Markup("<p>{}</p>").format("The portal has this badge under the code:")
        if badge := state.existing or state.result:
            yield html.badge_card(badge)

    def aside(self, state: AddState) -> Iterable[Markup]:
        """How the badge would look (once it is added, the result shows that), and the call that adds it."""
        fields = self.fields
        if any(row.title or row.value for row in fields.texts):
            if fields.badge != state.result:
                yield html.badge_card(fields.badge)
            yield parts.call_as_code(wire.ADD, fields.badge.to_wire())

    def draw(self, state: AddState) -> None:
        self._say(state.field_errors)

    # -- fields ---------------------------------------------------------------------------------------

    def _typed(self) -> None:
        """Say early what is wrong with what is there, and show how the badge would look."""
        fields = self.fields
        self._say(self.presenter.check(fields, complete=False), self.presenter.advise(fields))
        self.beside.value = parts.fragment(*self.aside(self.presenter.state))

    def _say(self, problems: Mapping[str, str], advice: Mapping[str, str] | None = None) -> None:
        self._code.say(problems.get("code", ""), advice=(advice or {}).get("code", ""))
        for place, row in enumerate(self.rows):
            names = (f"{name}.{place}" for name in ("language", "title", "value"))
            row.say(" ".join(problems[name] for name in names if name in problems))

    def _set_rows(self, texts: Sequence[Texts]) -> None:
        rows = [TextRow(row) for row in texts]
        for row in rows:
            for field in (row.language, row.title, row.value):
                self.on_change(field, self._typed)
            self.on_click(row.remove_button, partial(self._remove, row))
            row.remove_button.disabled = len(rows) == 1
        self._rows.children = rows
        self.add_language_button.layout.display = None if rows[0].localised else "none"

    def _switch(self) -> None:
        first = self.rows[0].texts
        language = spec.FALLBACK_LANGUAGE if self.mode.value == SEVERAL else ""
        self._change_rows([replace(first, language=language)])

    def _add_language(self) -> None:
        texts = [row.texts for row in self.rows]
        free = next((code for code in spec.LANGUAGES if code not in {row.language for row in texts}), None)
        if free:
            self._change_rows([*texts, Texts(free)])

    def _remove(self, row: TextRow) -> None:
        self._change_rows([other.texts for other in self.rows if other is not row])

    def _change_rows(self, texts: Sequence[Texts]) -> None:
        self._set_rows(texts)
        self._typed()
