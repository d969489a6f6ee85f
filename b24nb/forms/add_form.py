"""The form that adds a badge: it checks each field, shows how the badge will look, and shows a duplicate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import ipywidgets as widgets  # type: ignore[import-untyped]

from b24nb import spec
from b24nb.badges.badge import Badge, Text, bare
from b24nb.badges.changes import ADD, problems
from b24nb.client import Client
from b24nb.display import html
from b24nb.display.language import languages_of
from b24nb.display.snippets import call_as_code
from b24nb.errors import DuplicateCode
from b24nb.forms import parts
from b24nb.forms.form import Form, sends_changes
from b24nb.forms.messages import message_for
from b24nb.forms.state import FormState, SharedState
from b24nb.secret import MASK, known_secrets, redact_known

ONE, SEVERAL = "one text for all languages", "a text per language"
EMPTY = Badge("", "", "", spec.BadgeType.PRIMARY)


class RowTexts(NamedTuple):
    """Title and value in one language; ``language`` is ``""`` for one text for all languages."""

    language: str
    title: str
    value: str


def rows_of(badge: Badge) -> list[RowTexts]:
    """A row of texts per language. If only one of title and value is by language, the other is in every row."""
    texts = badge.title, badge.value
    return [
        RowTexts(code, *(text if isinstance(text, str) else text.get(code, "") for text in texts))
        for code in languages_of(*texts) or [""]
    ]


def check(badge: Badge, rows: Sequence[RowTexts], *, complete: bool = True) -> dict[str, str]:
    """What is wrong with the code and with each row of texts: ``code``, ``texts.0``, ``texts.1``, ...

    ``complete=False``: the user is still typing, so an empty field is not a problem yet.
    """
    found: dict[str, list[str]] = {"code": []}
    for place, row in enumerate(rows):
        twice = row.language in [other.language for other in rows[:place]]
        found[f"texts.{place}"] = ["This language has a row already."] if twice else []
        if "://" in (both := row.title + row.value) and f"/{MASK}" in both:
            found[f"texts.{place}"].append("The secret of an address was masked here: remove the address.")
        for problem in problems(Badge("code", row.title, row.value, badge.type)):
            if complete or getattr(row, problem.field or ""):
                found[f"texts.{place}"].append(problem.message)
    whole = not any(found.values()) and all(row.title and row.value for row in rows)
    for problem in problems(badge):
        if problem.field == "code" and (complete or badge.code):
            found["code"].append(problem.message.replace("The code", "The badge code", 1))  # as its label
        elif problem.field != "code" and whole:  # each text is right, but together they are too long
            found["texts.0"].append(problem.message)
    if bare(badge.code) != badge.code.casefold():
        found["code"].append("The badge code begins or ends with a space, or has an invisible character.")
    return {name: " ".join(texts) for name, texts in found.items() if texts}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddState(FormState):
    """``result`` is the badge that was added; ``existing`` the badge that already has the code."""

    existing: Badge | None = None


class TextRow(parts.FieldRow):
    """Fields for title and value in one language; with a hidden head: for all languages."""

    def __init__(self, form: AddForm, texts: RowTexts) -> None:
        language = texts.language or spec.FALLBACK_LANGUAGE
        self.language = parts.field("Dropdown", "Language", language, options=parts.languages(language))
        self.title = parts.field("Text", "Title", texts.title, continuous_update=True)
        self.value = parts.field("Text", "Value (pill text)", texts.value, continuous_update=True)
        self.remove_button = form.button("Remove", "trash", lambda: form.remove(self))
        for field in (self.title, self.value):  # others' addresses are data
            parts.hide_secrets(field, lambda text: redact_known(text, known_secrets()))
        for field in (self.language, self.title, self.value):
            form.on_change(field, form.check_early)
        self.head = parts.row(self.language, self.remove_button)
        super().__init__(widgets.VBox([self.head, self.title, self.value]))


class AddForm(Form):
    """Adds a badge, and shows how it will look while the user types."""

    title = "Add a badge"
    writes = True
    state = AddState()

    def make_widgets(self, badge: Badge = EMPTY) -> Sequence[Any]:
        texts = rows_of(badge)
        self.code = parts.field("Text", "Badge code", badge.code, continuous_update=True)
        self.type = parts.choice("Type", [*spec.BadgeType], badge.type)
        self.type.add_class("b24nb-types")
        self.mode = parts.choice("Texts", [ONE, SEVERAL], SEVERAL if texts[0].language else ONE)
        self._rows = widgets.VBox()
        self.add_language_button = self.button("Add a language", "plus", self._add_language)
        self._languages = parts.row(self.add_language_button, indented=True)
        self.add_button = self.main_button("Add badge", "check", self.add)
        code = self.field_row("code", self.code)
        self._set_rows([TextRow(self, row) for row in texts])
        self.on_change(self.mode, lambda: self._set_rows(self._rows.children))
        for field in (self.code, self.type):
            self.on_change(field, self.check_early)
        # A preview above the button would move the button while the user is moving the mouse to it.
        button = parts.row(self.add_button, indented=True)
        fields = [code, self.type, self.mode, self._rows, self._languages, button]
        return [parts.row(widgets.VBox(fields), self.side_view), self.messages, self.result_view]

    @property
    def rows(self) -> tuple[TextRow, ...]:
        """The visible rows: the first one, for all languages, or one per language."""
        rows: tuple[TextRow, ...] = self._rows.children
        return rows if self.mode.value == SEVERAL else rows[:1]

    @property
    def texts(self) -> list[RowTexts]:
        """The texts in the fields of each row."""
        several = self.mode.value == SEVERAL
        return [RowTexts(row.language.value if several else "", row.title.value, row.value.value) for row in self.rows]

    target = property(lambda self: self.badge)

    @property
    def badge(self) -> Badge:
        """The badge as the fields describe it, right or wrong."""
        rows = self.texts
        title = {row.language: row.title for row in rows}
        value = {row.language: row.value for row in rows}
        # One text for all languages is the one of the language "".
        return Badge(self.code.value, title.get("", title), value.get("", value), self.type.value)

    @sends_changes
    def add(self) -> Any:
        """Send the badge if its fields are right."""
        badge: Any = self.badge
        self.state = AddState()
        if wrong := check(badge, self.texts):
            return self.state.refused(**wrong)
        try:
            added = self.b24.badges.add(badge.code, badge.title, badge.value, badge.type)
        except DuplicateCode as error:
            existing = self.b24.badges.list().find(badge.code)
            if existing is None:  # what the portal reads may be older than what it writes
                raise
            self.shared.see_changed(added=[existing])
            wrong = {"code": f"The portal has a badge {existing.code!r}, shown below."}
            hint = "To change it, delete it first, then add it again; or choose another code."
            said = message_for(error)._replace(hint=hint)
            return AddState(phase="failed", message=said, field_errors=wrong, existing=existing)
        self.shared.see_changed(added=[added])
        state, text = AddState(phase="done", result=added), f"The badge {added.code!r} was added."
        if added != badge:
            return state.saying("check", text, "The portal changed the texts: compare them below.")
        return state.saying("done", text)

    # -- drawing --------------------------------------------------------------------------------------

    def result_html(self, state: AddState) -> Iterable[Any]:
        if state.existing:
            yield html.paragraph("The portal has this badge under the code:")
        if state.existing or (state.result and state.phase == "done"):
            yield html.badge_card(state.existing or state.result, self.shared.language)

    def side_html(self, state: AddState, *, live: bool = True) -> Iterable[Any]:
        """How the badge would look, until it is added: then the result shows it."""
        if state.phase != "done" and any(row.title or row.value for row in self.texts):
            yield html.paragraph("How it will look:")
            yield html.badge_card(self.badge, self.shared.language)

    def frames_html(self, state: AddState) -> Iterable[Any]:
        if any(row.title or row.value for row in self.texts):
            yield call_as_code(ADD, self.badge.to_wire())
        yield from super().frames_html(state)

    def check_early(self) -> None:
        """Show problems of the fields while the user types; messages about the former input are removed."""
        self._typed_at = time.monotonic()
        if not self._working:
            wrong = check(self.badge, self.texts, complete=False)
            if twin := self.shared.badges.find(self.code.value):
                wrong["code"] = f"The portal has a badge {twin.code!r}: add would be refused."
            self.render(replace(self.state, phase="idle", message=None, field_errors=wrong, existing=None))

    # -- rows -----------------------------------------------------------------------------------------

    def _set_rows(self, rows: Sequence[TextRow]) -> None:
        """Set the rows. All are kept, also while only the first one is shown, for all languages."""
        several, self._rows.children = self.mode.value == SEVERAL, tuple(rows)
        named = {f"texts.{place}": row for place, row in enumerate(rows)}
        self.field_rows = {"code": self.field_rows["code"], **named}
        for row in rows:
            parts.show(row, several or row is rows[0])
            parts.show(row.head, several)
            row.remove_button.disabled = len(rows) == 1
        parts.show(self._languages, several)
        self.check_early()

    def _add_language(self) -> None:
        used = {row.language.value for row in self.rows}
        if free := next((code for code in spec.LANGUAGES if code not in used), None):
            self._set_rows([*self.rows, TextRow(self, RowTexts(free, "", ""))])

    def remove(self, row: TextRow) -> None:
        """Remove the row of a language."""
        if others := [other for other in self.rows if other is not row]:  # a second click may come late
            self._set_rows(others)
            parts.close_all(row)


def add_form(
    b24: Client, code: str = "", title: Text = "", value: Text = "", type: str = "primary", *, run: bool = False
) -> AddForm:
    """A form that adds a badge, and shows how it will look while the user types.

    Parameters
    ----------
    b24 : Client
        The portal; its user has to be an administrator.
    code, type : str
        Start values of the fields.
    title, value : str or mapping of str to str
        Start values: one text, or a map language -> text.
    run : bool
        Add the badge at once.

    Returns
    -------
    AddForm
        ``.result`` is the :class:`~b24nb.Badge` that was added.

    Raises
    ------
    InvalidInput
        ``type`` is none of the five, a text is no text, or ``b24`` is no client. Other problems of fields, and
        errors of the portal, are shown in the form.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.add_form(b24, "vip", {"en": "Client", "de": "Kunde"}, "VIP", run=True)
    >>> form.result.title["de"]
    'Kunde'
    """
    badge: Any = Badge(code, title, value, type)
    for problem in problems(badge):  # the form has no button for another type, and shows texts only
        given = getattr(badge, problem.field)
        texts = given.values() if isinstance(given, Mapping) else [given]
        if problem.field == "type" or not all(isinstance(text, str) for text in texts):
            raise problem
    return AddForm(SharedState(b24), badge).run_if(run)
