"""The form that deletes badges in three steps (choose, preview, confirm) and can undo the last delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from markupsafe import Markup

from b24nb import spec
from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import DELETE, Verdict, to_restore
from b24nb.client import Client
from b24nb.display import html
from b24nb.display.snippets import call_as_code
from b24nb.display.visible import visible
from b24nb.errors import B24Error, BadgeChanged, NotFound, OutcomeUnknown
from b24nb.forms import parts
from b24nb.forms.form import sends_changes
from b24nb.forms.release_part import HoldersState, ReleaseForm
from b24nb.forms.state import NO_BADGES, Change, SharedState
from b24nb.forms.table import Table

#: How many badges the preview shows with their texts; of the others it shows the codes.
ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteState(HoldersState):
    """``result`` is the badge that was deleted, or for several the report.

    Attributes
    ----------
    missing : tuple of str
        Chosen codes that no badge has.
    with_held : bool
        Whether to send the deletes of badges that open activities hold, too.
    removed : Badges
        The badges that were deleted and that Undo restores.
    """

    missing: tuple[str, ...] = ()
    with_held: bool = False
    removed: Badges = NO_BADGES

    @property
    def to_delete(self) -> Badges:
        """The badges that the delete button deletes."""
        held = frozenset() if self.with_held else self.held
        return Badges(badge for badge in self.badges if badge.code not in held)

    def updated(self, **more: Any) -> Any:
        """This state with new attributes, and a message that says what the delete button would do now."""
        state = replace(self, phase="confirm", field_errors={}, **more)
        held, to_delete = state.held, state.to_delete
        why = "The portal will probably refuse" if state.with_held else "Held, so probably refused:"
        stays = f" {why} {html.counted(len(held), 'badge')}." if held else ""
        text = f"{html.counted(len(to_delete), 'badge')} would be deleted.{stays} No badge has been deleted yet."
        what = "its code" if len(to_delete) == 1 else "the number of badges"
        hint = f"To delete, type {what}: {state.word}" if to_delete else None
        return state.saying("check" if held else "note", text, hint)

    @property
    def word(self) -> str:
        """What must be typed to confirm: the code as it is shown, or for several badges their number."""
        badges = self.to_delete
        return visible(badges[0].code, code=True) if len(badges) == 1 else str(len(badges))


class DeleteForm(ReleaseForm):
    """Deletes badges after a preview, and restores them by Undo."""

    title = "Delete badges"
    writes = True
    state = DeleteState()

    def make_widgets(self, codes: Sequence[str] = ()) -> Sequence[Any]:
        self._codes = tuple(codes) if len(codes) > 1 else ()  # chosen already, before the table has rows
        code = codes[0] if len(codes) == 1 else ""
        self.preview_button = self.main_button("Preview deletion", "eye", self.preview, self.find_holders)
        self._choosing = self.choosing(self.preview_button, code, lambda: self._choose((), self.code.value))
        self.table = Table(language=self.shared.language, label="Badges to choose from")
        self.on_change(self.table, lambda: self._choose(self.table.selected), "selected")
        label = "also try to delete held badges"
        self.held_too = parts.field("Checkbox", label, False, width="auto")
        self.on_change(self.held_too, lambda: self.update(with_held=self.held_too.value))
        self.confirm = parts.field("Text", "Confirm", "")
        self._confirm = self.field_row("confirm", self.confirm)
        self.delete_button = self.step_button("Delete", "trash", self.delete, style="danger")
        self.back_button = self.step_button("Choose others", "arrow-left", self.forget)
        self._last_buttons = parts.row(self.delete_button, self.back_button, indented=True)
        self.undo_button = self.step_button("Undo", "undo", self.undo)
        last = [self.held_too, self._confirm, self._last_buttons, self.undo_button]
        return [self._choosing, self.messages, *last, self.result_view, self.releasing(), self.table]

    # -- choosing -------------------------------------------------------------------------------------

    def _choose(self, codes: Sequence[str], code: str = "") -> None:
        """Choose rows or a typed code: this clears the other choice, and the preview."""
        self._codes = tuple(codes)
        with self.drawing():
            self.table.selected, self.code.value = [*codes], code
        self.render(self.forget())

    def _choose_none(self) -> None:
        """After a delete, since else a badge that gets one of the codes later would be chosen."""
        self._codes = self.shared.selection = ()
        with self.drawing():
            self.table.selected = []

    def shared_changed(self, change: Change) -> None:
        super().shared_changed(change)
        self.table.language = self.shared.language
        if change in ("badges", "listed"):
            here = self.shared.badges
            with self.drawing():
                self.table.show(self.shared.shown, self._codes)
            if any(here.find(one.code) != one for one in self.state.badges):
                text = "Badges of the preview were changed or deleted meanwhile: choose again."
                self.state = self.forget().saying("note", text)
            self.redraw()
        elif change == "selection" and (selection := self.shared.selection):
            # A badge that is not in the table is shown by its typed code.
            known = [badge.code for code in selection if (badge := self.shared.shown.find(code))]
            self._choose(known, "" if known else selection[0])

    def forget(self) -> Any:
        """Drop the preview, because another badge was chosen. Undo of the last delete is still possible."""
        return DeleteState(removed=self.state.removed)

    def failed(self, error: B24Error) -> Any:
        if isinstance(error, NotFound | BadgeChanged):  # the portal does not hold what preview and table show
            chosen = [badge.code for badge in self.state.to_delete] or [self.code.value, *self._codes]
            now = _now([error])
            self.shared.see_changed(gone=() if now else chosen, added=now)
            self.state = self.forget()
        elif isinstance(error, OutcomeUnknown):  # it may be gone; Undo leaves alone what is there
            self.state = replace(self.state, removed=self.state.to_delete)
        return super().failed(error)

    # -- looking --------------------------------------------------------------------------------------

    def preview(self) -> Any:
        """Read the badges that would be deleted. Deletes nothing."""
        codes = (self.code.value,) if self.code.value else self._codes
        self.state = state = self.forget()
        if not codes:
            load = "" if self.shared.shown else "load the badges and "
            return state.refused(code=f"Type a code, or {load}choose rows of the table.")
        here = self.b24.badges.list() if len(codes) > 1 else Badges([self.b24.badges.get(codes[0])])
        if self.state is not state:  # another badge was chosen meanwhile
            return self.state
        if len(codes) > 1:
            self.shared.see(here)
        else:
            self.shared.see_changed(added=here)
        found = {code: badge for code in codes if (badge := here.find(code))}
        missing = tuple(code for code in codes if code not in found)
        if not found:
            text = f"No badge has one of these codes: {parts.named(missing)}. Load the badges."
            return state.saying("check", text, phase="failed")
        return state.updated(badges=Badges(dict.fromkeys(found.values())), missing=missing)

    # -- deleting -------------------------------------------------------------------------------------

    @sends_changes
    def delete(self) -> Any:
        """Delete what the preview shows, if the confirmation was typed."""
        state: DeleteState = self.state
        if not state.to_delete:  # another form changed what the preview showed, right before the click
            return state.refused(code="Preview again what would be deleted: it has changed.")
        if self.confirm.value.strip() != state.word.strip():
            return state.refused(confirm=f"Type exactly {state.word} to confirm.")
        if len(state.to_delete) > 1:
            return self._delete_many(state.to_delete)
        removed = self.b24.badges.delete(state.to_delete[0])
        self._choose_none()
        self.shared.see_changed(gone=[removed.code])
        return _ended(True, f"The badge {removed.code!r} was deleted.", removed, Badges([removed]))

    def _delete_many(self, badges: Badges) -> Any:
        report = self.b24.badges.delete_many(badges, missing_ok=True, keep_going=True, **self.run_options())
        gone = [one.step.code for one in report if one.verdict in (Verdict.DELETED, Verdict.GONE)]
        lost = (one for one in report if one.changed is not False)  # those too that may be gone
        removed = Badges(was for one in lost if (was := to_restore(one.found, one.step.before)))
        if gone:
            self._choose_none()
        changed, counts = _now(one.error for one in report), Counter(one.verdict for one in report)
        self.shared.see_changed(gone=gone, added=changed)
        text = f"{counts[Verdict.DELETED]:,} of {html.counted(len(badges), 'badge')} deleted."
        text += f" {html.counted(counts[Verdict.GONE], 'badge')} already gone." if counts[Verdict.GONE] else ""
        text += f" Nobody can tell yet of {counts[Verdict.UNKNOWN]:,}." if counts[Verdict.UNKNOWN] else ""
        text += f" {html.counted(len(changed), 'badge')} changed, and left alone." if changed else ""
        return _ended(report.ok, text, report, removed or self.state.removed, offer=bool(removed))

    @sends_changes
    def undo(self) -> Any:
        """Restore exactly what the last delete of this form removed, whatever else was changed since."""
        removed: Badges = self.state.removed
        self.b24.journal.settle()  # a delete of unknown outcome may still be carried out
        plan = self.b24.journal.plan_restore(removed)
        report = plan.apply(keep_going=True, **self.run_options())
        self.shared.see_changed(added=[outcome.badge for outcome in report if outcome.badge])
        there = [outcome.step.code for outcome in report if outcome.verdict is Verdict.KEPT]
        left = Badges(one.step.after for one in report if not (one.done or one.verdict is Verdict.KEPT))
        added = report.counts.get("added", 0)
        place = ", now last in the list" if added else ""
        text = f"{added:,} of {html.counted(len(removed), 'badge')} restored{place}."
        text += f" Already there: {parts.named(there)}." if there else ""
        return _ended(report.ok, text, report, left, offer=False)

    # -- drawing --------------------------------------------------------------------------------------

    def result_html(self, state: DeleteState) -> Iterable[Any]:
        if state.badges:
            if state.missing:
                yield html.Message("note", f"Not there, so nothing to delete: {parts.named(state.missing)}.")
            if lost := parts.named(badge.code for badge in state.to_delete if badge.note):
                yield html.Message("check", f"Can't be restored: the portal would refuse to add {lost}.")
            yield from html.collapsed_after(state.badges[:ROWS], partial(self._preview_table, state))
            if more := replace(state, badges=state.badges[ROWS:]).to_delete:
                codes = html.paragraph(", ".join(visible(badge.code, code=True) for badge in more))
                yield html.collapsed(f"{len(more):,} more will be deleted: their codes", codes)
        elif isinstance(state.result, Badge):
            yield html.badges_table([state.result], self.shared.language, caption="Deleted")
        elif state.result is not None:
            table = partial(html.frame, caption="What became of each", limit=200)
            yield from html.collapsed_after(state.result.trouble_first.df, table)

    def _preview_table(self, state: DeleteState, badges: Badges) -> Markup:
        will = "would" if self.b24.portal.read_only else "will"
        words, going = {True: f"{will} be deleted", False: "held: probably refused"}, frozenset(state.to_delete)
        rows = ((*html.badge_cells(badge, self.shared.language), words[badge in going]) for badge in badges)
        count = html.counted(len(state.badges), "badge")
        caption = f"{len(going):,} of {count} {will} be deleted" if going else "None of this will be deleted"
        return html.table(("badge", "code", "title", "what will happen"), rows, caption)

    def frames_html(self, state: DeleteState) -> Iterable[Any]:
        if state.to_delete:
            yield _as_code(state.to_delete)
        yield from super().frames_html(state)

    def draw(self, state: DeleteState) -> None:
        super().draw(state)
        self.confirm.value = self.confirm.value if state.badges else ""
        # Sent with the button, so that the kernel gets what is typed before the click, also while a cell runs; but
        # before the field is shown, since such a change takes away what was typed and not sent yet.
        self.confirm.placeholder = state.word
        parts.show(self._choosing, not state.badges)
        self.field_rows["code"].hint = "or choose rows of the table" if self.shared.shown else ""
        parts.show(self.table, self.shared.shown and not state.badges)
        parts.show(self.held_too, state.held)
        parts.show(self._confirm, state.to_delete)
        parts.show(self.delete_button, state.to_delete)
        parts.show(self._last_buttons, state.badges)
        parts.show(self.undo_button, state.removed)
        self.held_too.value = state.with_held
        count, removed = len(state.to_delete), state.removed
        self.delete_button.description = "Delete badge" if count == 1 else f"Delete {count} badges"
        what = parts.named([removed[0].code]) if len(removed) == 1 else f"{len(removed)} badges"
        self.undo_button.description = f"Undo: restore {what}"


def _ended(ok: bool, text: str, result: Any, removed: Badges, *, offer: bool = True) -> Any:
    """The state after a change. ``ok``: it succeeded completely; ``removed``: what Undo restores; ``offer``: say so."""
    ended = DeleteState(result=result, removed=removed)
    if not ok:
        return ended.saying("check", text, "The report says why.", phase="failed")
    part = ", as far as the portal takes it" if any(badge.note for badge in removed) else ""
    return ended.saying("done", text, f"Undo restores what was deleted{part}." if offer else None, phase="done")


def _now(errors: Iterable[B24Error | None]) -> list[Badge]:
    """The badges that the portal holds instead of those that were shown."""
    return [error.now for error in errors if isinstance(error, BadgeChanged) and error.now]


def _as_code(badges: Badges) -> Markup:
    """The call that deletes them: one, or the first batch of several."""
    calls = {f"d{place:02}": (DELETE, {"code": badge.code}) for place, badge in enumerate(badges[: spec.BATCH_SIZE])}
    if len(badges) == 1:
        return call_as_code(*calls["d00"])
    part = f": the first {len(calls)} of {len(badges)} badges" if len(calls) < len(badges) else ""
    return call_as_code("batch", {"halt": 0, "cmd": calls}, part)


def delete_form(b24: Client, codes: str | Badge | Iterable[str | Badge] = (), *, run: bool = False) -> DeleteForm:
    """A form that deletes badges after a preview, and restores them by Undo.

    Parameters
    ----------
    b24 : Client
        The portal; its user has to be an administrator.
    codes : str or Badge, or several: iterable of str or Badge, DataFrame, Series or Index
        Chosen at the start. Of a badge only its code is used: the preview shows what the portal has.
    run : bool
        Show the preview at once. Nothing is deleted before the code, or the number of badges, is typed and the button
        clicked.

    Returns
    -------
    DeleteForm
        ``.result`` is the :class:`~b24nb.Badge` that was deleted, or the report for several.

    Raises
    ------
    InvalidInput
        ``codes`` holds no codes, or ``b24`` is no client. Errors of the portal are shown in the form.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.delete_form(b24, "newsletter", run=True)
    >>> form
    <DeleteForm on SANDBOX (this notebook), confirm: 1 badge would be deleted. No badge has been deleted yet.>
    """
    chosen = [] if isinstance(codes, str) and not codes else files.names_of(codes)
    return DeleteForm(SharedState(b24), chosen).run_if(run)
