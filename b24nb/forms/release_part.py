"""The part of the forms Inspect and Delete that shows which activities hold a badge, and releases it.

It has a table, a list to choose one activity or all, a field for the confirmation, and a button. It says before
the release what can't be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from b24nb.badges.badge import Badges, grouped
from b24nb.badges.changes import Way
from b24nb.badges.plan import ReleasePlan, Report
from b24nb.display import html
from b24nb.display.visible import visible
from b24nb.errors import B24Error, NotFound
from b24nb.forms import parts
from b24nb.forms.form import Form, sends_changes
from b24nb.forms.messages import message_for
from b24nb.forms.state import NO_BADGES, Change, FormState

WAYS = (
    ("close it in the portal", "it stays in the history, and can be opened again", "whoever may edit the item"),
    ("delete the activity", "it is gone for good: this can't be undone", "any webhook or application"),
    ("clear its badgeCode", "it stays open without the badge; b24.journal can undo it", "the application that made it"),
)
_DOES: dict[str, str] = {Way.DELETE: "delete {} for good", Way.CLEAR: "clear badgeCode of {}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldersState(FormState):
    """A state with the activities that hold the badges.

    Attributes
    ----------
    badges : Badges
        The badges that are shown.
    holders : ReleasePlan or None
        The activities that hold them, and the step that releases each; ``None``: not known.
    unknown : Message or None
        Why the holders are not known.
    released : Report or None
        The report of the last release.
    ended : frozenset of str
        Ids of activities that were released after ``holders`` were found.
    """

    badges: Badges = NO_BADGES
    holders: ReleasePlan | None = None
    unknown: html.Message | None = None
    released: Report | None = None
    ended: frozenset[str] = frozenset()

    @property
    def rows(self) -> Sequence[dict[str, str]]:
        """The activities that name the badges; empty if they are not known."""
        found = self.holders.holders if self.holders is not None else ()
        return [row for row in found if row["activity_id"] not in self.ended]

    @property
    def held(self) -> frozenset[str]:
        """Codes of badges that the portal would probably refuse to delete."""
        return frozenset(row["code"] for row in self.rows if row["certainty"] == "likely")


class ReleaseForm(Form):
    """A form about badges that activities may hold, with a part that releases them.

    Its state has ``updated(**more)``, which returns the state with new attributes and a message for them.
    """

    def releasing(self) -> Any:
        """Make the part: the holders, and below them the choice, the confirmation and the button."""
        self.which = parts.field("Dropdown", "Release", (), width="44em", options=[("", ())])
        self.word = parts.field("Text", "Type it here", "")
        self.release_button = self.step_button("Release", "unlink", self.release, style="danger")
        self.on_change(self.which, self.update)
        fields = [self.which, self.field_row("release", self.word), parts.row(self.release_button, indented=True)]
        self._releasing = widgets.VBox(fields)
        return widgets.VBox([self.side_view, self._releasing])

    def choosing(self, main: Any, code: str, changed: Any) -> Any:
        """Make a field for a code that offers the known codes, and below it the main button and ``load_button``."""
        self.code = parts.field("Combobox", "Badge code", code, options=self.shared.codes)
        code_row = self.field_row("code", self.code)
        self.on_change(self.code, changed)
        self.load_button = self.step_button("Load badges", "list", self.load)
        return widgets.VBox([code_row, parts.row(main, self.load_button, indented=True)])

    def shared_changed(self, change: Change) -> None:
        super().shared_changed(change)
        self.code.options = self.shared.codes
        if change == "released" and self.shared.released.intersection(row["activity_id"] for row in self.state.rows):
            self.update(ended=self.state.ended | self.shared.released)

    def failed(self, error: B24Error) -> Any:
        state, shown = super().failed(error), visible(self.code.value, code=True)
        odd = isinstance(error, NotFound) and shown != self.code.value
        return replace(state, field_errors={"code": f"It was typed as {shown}."}) if odd else state

    def load(self) -> Any:
        """List the badges, so that they can be chosen from."""
        badges = self.b24.badges.list()
        self.shared.see(badges)
        return self.state.saying("note", f"{html.counted(len(badges), 'badge')} to choose from.", field_errors={})

    def find_holders(self) -> Any:
        """Find the open activities that may hold the badges; an error leaves the badges visible."""
        state = self.state
        if not state.badges:
            return state
        try:
            holders = self.b24.badges.release(state.badges)
            known: dict[str, Any] = {"holders": holders, "unknown": None, "ended": frozenset()}
        except B24Error as error:
            known = {"holders": None, "unknown": message_for(error, sandbox=self.stops_here)}
        return state.updated(**known) if self.state is state else self.state  # another badge was chosen meanwhile

    def update(self, **more: Any) -> None:
        """Show the state for another choice; the former message is replaced."""
        if not self._working:
            self.render(self.state.updated(**more))

    # -- releasing ------------------------------------------------------------------------------------

    @sends_changes
    def release(self) -> Any:
        """Release the badges from the chosen activities, if the confirmation was typed; then find the other holders."""
        state, ids = self.state, self.which.value
        if not ids or self.word.value.strip() != _word(ids):
            return state.refused(release=f"Type exactly {_word(ids)} to confirm.")
        plan = state.holders.only(ids)
        report = plan.apply(confirm=plan.deletes, keep_going=True, **self.run_options())
        self.state = replace(self.state, released=report)
        self.shared.see_released(frozenset(str(one.step.before.id) for one in report if one.ok))
        state = self.find_holders()
        said = state.message or html.Message("note", "")
        text = f"Activities released: {sum(one.done for one in report)} of {len(report)}. {said.text}".rstrip()
        return replace(state, message=said._replace(kind=said.kind if report.ok else "check", text=text))

    # -- drawing --------------------------------------------------------------------------------------

    def side_html(self, state: HoldersState, *, live: bool = True) -> Iterable[Any]:
        # No links in a saved notebook to a sandbox that stopped with its kernel.
        links = live or not self.b24.portal.own_sandbox
        if state.released is not None:
            report = partial(html.frame, caption="What became of each activity")
            yield from html.collapsed_after(state.released.trouble_first.df, report)
        if state.unknown:
            yield html.paragraph("The activities that hold it could not be read.")
            yield state.unknown
        elif state.holders is not None:
            yield _verdict(state)
            if state.rows:
                table = partial(html.holders_table, state.holders, links=links)
                yield from html.collapsed_after(state.rows, table)
                yield html.table(("way to release", "what happens", "who can"), WAYS)

    def draw(self, state: Any) -> None:
        self.load_button.description = "Reload badges" if self.shared.listed else "Load badges"
        actions = state.holders.actions if state.rows else {}
        rows = [row for row in state.rows if row["activity_id"] in actions]
        every = [(f"all {len(rows)} activities", tuple(row["activity_id"] for row in rows))] if len(rows) != 1 else []
        options = [*every, *((_choice(row), (row["activity_id"],)) for row in rows)]
        if options != [*self.which.options]:
            self.which.options, self.word.value = options, ""
        ids = self.which.value
        ways = grouped((actions[id_], id_) for id_ in ids)
        does = " and ".join(_DOES[way].format(_named(some)) for way, some in ways.items())
        self.field_rows["release"].hint = f"To {does}, type: {_word(ids)}"
        self.release_button.description = does[:1].upper() + does[1:]
        parts.show(self._releasing, rows)


def _word(ids: Sequence[str]) -> str:
    """What must be typed to confirm: the id of the activity, or for several how many they are."""
    return ids[0] if len(ids) == 1 else _named(ids)


def _named(ids: Sequence[str]) -> str:
    return f"activity {ids[0]}" if len(ids) == 1 else f"{len(ids)} activities"


def _choice(row: dict[str, str]) -> str:
    return visible(f"activity {row['activity_id']}: {row['owner_type']} {row['owner_id']} {row['title']}".rstrip())


def _verdict(state: HoldersState) -> html.Message:
    certainty, them = "likely" if state.held else "possible", "it" if len(state.badges) == 1 else "them"
    codes = parts.named(dict.fromkeys(row["code"] for row in state.rows if row["certainty"] == certainty))
    if not codes:
        return html.Message("note", f"No open activity that this user may read holds {them}.")
    will = "will probably" if state.held else "may"
    text = f"The portal {will} refuse to delete {codes} (ENTITY_WITH_BADGE_EXISTS): open activities hold {them}."
    hint = f"Release {them} below. Closed activities, and those of items in a final stage, do not count."
    return html.Message("check", text, hint=hint)
