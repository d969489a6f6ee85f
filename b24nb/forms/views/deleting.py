"""The form that deletes badges, in three moves: choose, look, confirm. And one back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb import spec
from b24nb.badges import wire
from b24nb.badges.badge import Badge, Badges
from b24nb.display import html
from b24nb.forms.presenters.deleting import DeleteBadges, DeleteState
from b24nb.forms.presenters.state import Message
from b24nb.forms.views import parts
from b24nb.forms.views.form import Form, Step

if TYPE_CHECKING:
    from b24nb.forms.presenters.desk import Change


class DeleteForm(Form):
    """Deletes badges after a look at what will go, and brings them back."""

    title = "Delete badges"
    presenter: DeleteBadges

    def __init__(self, presenter: DeleteBadges, codes: Sequence[str] = (), *, alone: bool = True) -> None:
        one, many = (codes[0], ()) if len(codes) == 1 else ("", codes)
        self.code = parts.field(widgets.Combobox, "Badge code", one, options=presenter.desk.codes)
        self.several = parts.field(widgets.SelectMultiple, "or several", many, options=many, rows=6)
        self._chosen = parts.Beside(self.code, self.several)
        self.load_button = parts.button("Load badges", icon="list")
        self.preview_button = parts.button("Preview deletion", style="primary", icon="eye")
        self.confirm = parts.field(widgets.Text, "Confirm", "")
        self._confirm = parts.Beside(self.confirm)
        self.delete_button = parts.button("Delete", style="danger", icon="trash")
        self.undo_button = parts.button("Undo", icon="undo")
        self._last_move = widgets.VBox([self._confirm, self.delete_button])
        super().__init__(presenter, alone=alone)
        self.on_click(self.load_button, lambda: self.work([self.presenter.load]))
        self.on_click(self.preview_button, lambda: self.work(self.steps()))
        self.on_click(self.delete_button, self._delete)
        self.on_click(self.undo_button, lambda: self.work([self.presenter.undo]))
        self.on_change(self.code, lambda: self._choose(self.several, ()))
        self.on_change(self.several, lambda: self._choose(self.code, ""))

    def arranged(self) -> Sequence[Any]:
        buttons = parts.row(self.load_button, self.preview_button)
        return [self._chosen, buttons, self.shown, self.beside, self._last_move, self.told, self.undo_button]

    def steps(self) -> Sequence[Step]:
        codes = self.several.value or ((self.code.value,) if self.code.value else ())
        return [lambda: self.presenter.preview(codes), self.presenter.find_holders]

    def follow(self, change: Change) -> None:
        desk = self.presenter.desk
        with self.drawing():
            if change == "badges":
                self.code.options = desk.codes
                parts.offer(self.several, desk.badges or (), self.several.value)
            elif desk.selection:
                parts.offer(self.several, desk.badges or (), desk.selection)
                self._choose(self.code, "")

    def picture(self, state: DeleteState) -> Iterable[Markup]:
        if state.doomed:
            yield html.badges_table(state.doomed, caption=f"This will be deleted: {len(state.doomed)}")
            yield from map(parts.told, _warnings(state))
            yield from parts.holders(state.holding)
            yield parts.call_as_code(*_call([badge.code for badge in state.doomed]))
        elif isinstance(state.result, Badge):
            yield html.badges_table(Badges([state.result]), caption="Deleted")
        elif state.result is not None:
            yield html.frame(state.result.df, caption="What became of each", limit=50)

    def aside(self, state: DeleteState) -> Iterable[Markup]:
        if state.doomed:
            what = "its code" if len(state.doomed) == 1 else "the number of badges"
            yield Markup("<p>To delete, type {}: <code>{}</code></p>").format(what, state.word)

    def draw(self, state: DeleteState) -> None:
        self._chosen.say(state.field_errors.get("codes", ""))
        self.several.layout.display = None if self.several.options else "none"
        self._confirm.say(state.field_errors.get("confirm", ""))
        self._last_move.layout.display = None if state.doomed else "none"
        if not state.doomed:
            self.confirm.value = ""
        count = len(state.doomed)
        self.delete_button.description = "Delete badge" if count == 1 else f"Delete {count} badges"
        self.undo_button.layout.display = "" if state.removed else "none"
        self.undo_button.description = f"Undo: bring back {_named(state.removed)}"

    def _choose(self, other: Any, empty: object) -> None:
        """One badge or several: what is chosen here empties the other field, and makes a preview stale."""
        with self.drawing():
            other.value = empty
        self.render(self.presenter.forget())

    def _delete(self) -> None:
        typed = self.confirm.value
        self.work([lambda: self.presenter.delete(typed)])


def _call(codes: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The call that deletes them: one, or the first batch of several."""
    if len(codes) == 1:
        return wire.DELETE, {"code": codes[0]}
    first = codes[: spec.BATCH_SIZE]
    return "batch", {
        "halt": 1,
        "cmd": {f"d{place}": (wire.DELETE, {"code": code}) for place, code in enumerate(first)},
    }


def _warnings(state: DeleteState) -> Iterable[Message]:
    if state.missing:
        yield Message("note", f"Not there, so nothing to delete: {', '.join(state.missing)}.")
    if state.lost_for_good:
        yield Message(
            "check",
            f"Can't be brought back: the portal would refuse to add {', '.join(state.lost_for_good)}.",
        )


def _named(badges: Badges) -> str:
    return badges[0].code if len(badges) == 1 else f"{len(badges)} badges"
