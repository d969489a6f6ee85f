"""The form of many portals: compares their badges, plans changes, applies them and undoes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb.badges.badge import listed
from b24nb.badges.changes import Action
from b24nb.display import html
from b24nb.fleet import Fleet
from b24nb.fleet.fleet_plan import FleetPlan, FleetReport
from b24nb.fleet.results import FleetBadges, FleetResults
from b24nb.forms import parts
from b24nb.forms.form import Form, sends_changes
from b24nb.forms.state import FormState, SharedState

if TYPE_CHECKING:
    import pandas as pd

#: How many portals one table shows as columns, and how many rows a table shows.
PORTALS, ROWS = 12, 25
AGAIN = "The plan was made for other choices: preview it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState(FormState):
    """``result`` is what was found, planned or done last.

    Attributes
    ----------
    plan : FleetPlan or None
        What the apply button sends.
    before : FleetPlan or None
        What was done before it.
    asked : tuple
        The choices that the plan was made for.
    """

    plan: Any = None
    before: Any = None
    asked: tuple[Any, ...] = ()

    @property
    def done(self) -> Any:
        """What the undo button undoes: the last plan of which something was sent."""
        return next((plan for plan in (self.plan, self.before) if plan is not None and plan._made), None)


class FleetForm(Form):
    """Compares the badges of many portals, plans changes, applies them and undoes them."""

    title = "Many portals"
    writes = True
    state = FleetState()

    stops_here = False
    target = property(lambda self: id(self.state.plan))
    where = property(lambda self: f"{self.kind} {html.counted(len(self.fleet.names), 'portal')}")

    @property
    def kind(self) -> str:
        """What the portals are, as far as they were visited: ``SANDBOX``, ``LIVE`` or both."""
        return " and ".join(sorted({portal.kind for portal in self.fleet.seen.values()})) or "NOT VISITED YET"

    def head(self) -> Iterable[Markup]:
        where, _, said = repr(self.fleet)[1:-1].partition(", ")
        yield html.banner(self.kind, where, said, read_only=self.fleet.read_only)

    def make_widgets(self, wanted: Any = None, protect: Any = ()) -> Sequence[Any]:
        self.fleet: Any = self.b24
        # A generator can be read only once, and each plan reads them.
        self.wanted, self.protect = ([*one] if isinstance(one, Iterator) else one for one in (wanted, protect))
        file = str(self.wanted) if isinstance(self.wanted, str | PathLike) else ""
        given = "a CSV or JSON file" if self.wanted is None else "as given in the cell; or a CSV or JSON file"
        self.compare_button = self.main_button("Compare", "th", self.compare)
        self.file = parts.field("Text", "Wanted badges", file, width="34em", placeholder=given)
        self.prune = parts.field("Checkbox", "delete what is not wanted", False, width="auto", indent=False)
        self.plan_button = self.step_button("Preview plan", "list", self.plan)
        for field in (self.file, self.prune):
            self.on_change(field, self.redraw)
        self.first = parts.field("Text", "Portals at most", "", placeholder="all")
        self.confirm = parts.field("Text", "Confirm", "")
        self.apply_button = self.step_button("Apply", "check", self.apply, style="danger")
        self.undo_button = self.step_button("Undo", "undo", self.undo)
        file_row = parts.row(self.field_row("wanted", self.file), self.prune, self.plan_button)
        sending = [self.field_row("first", self.first), self.field_row("confirm", self.confirm), self.apply_button]
        self._sending_part = widgets.VBox(sending)
        return [self.compare_button, file_row, self.messages, self._sending_part, self.undo_button, self.result_view]

    # -- clicks ---------------------------------------------------------------------------------------

    def compare(self) -> Any:
        """Read the badges of all portals and compare them."""
        return self._finished(self.fleet.badges(**self.run_options("Visits")))

    @property
    def choices(self) -> tuple[Any, ...]:
        """What the next plan is made for."""
        return self.file.value, self.prune.value

    def plan(self) -> Any:
        """Compare the portals' badges with the wanted ones. Changes nothing."""
        asked, wanted = self.choices, self.file.value.strip(' "') or self.wanted
        if wanted is None:
            return self.state.refused(wanted="Name a CSV or JSON file, or give fleet(..., wanted=...).")
        self.confirm.value = ""
        try:
            plan = self.fleet.plan(wanted, prune=self.prune.value, protect=self.protect, **self.run_options("Visits"))
        except OSError as error:
            return self.state.refused(wanted=f"The file can't be read: {error.strerror}.")
        state = self._finished(plan, plan=plan, before=self.state.done, asked=asked)
        *notes, _ = plan._notes()  # the last one is about code
        text = " ".join([f"{plan.confirmation} would be made. Nothing has been sent yet.", *notes])
        hint = f"{plan._head()}. {_how_to_send(plan)}"
        return state.saying("check" if notes else "note", text, hint, phase="confirm")

    @sends_changes
    def apply(self) -> Any:
        """Send the plan, if its confirmation was typed."""
        plan, some = self.state.plan, self.first.value.strip()
        if self.state.asked != self.choices:
            return self.state.refused(wanted=AGAIN)
        if self.confirm.value.strip() != plan.confirmation:
            return self.state.refused(confirm=f"Type {plan.confirmation}.")
        first = int(some) if some.isdecimal() else some or None  # another text is refused by the plan
        report = plan.apply(first=first, confirm=plan.confirmation, keep_going=True, **self.run_options("Visits"))
        self.confirm.value = ""
        return self._finished(report)

    @sends_changes
    def undo(self) -> Any:
        """Undo what was applied."""
        self.confirm.value = ""
        return self._finished(self.state.done.undo(**self.run_options("Visits")))

    def _finished(self, found: FleetResults, **more: Any) -> Any:
        said = [found._head() + ".", *found._notes()]
        kind: Any = "check" if found.missing or not getattr(found, "ok", True) else "done"
        plan, hint = self.state.plan, None
        if isinstance(found, FleetReport) and self.state.asked == self.choices:
            # Not after an undo with failures, whose rest another click undoes, nor of what was done before the plan.
            told = found._plan is plan or (found.ok and self.state.before is None)
            hint = _how_to_send(plan) if told else None
        return self.state.saying(kind, " ".join(said), hint, phase="done", result=found, field_errors={}, **more)

    # -- drawing --------------------------------------------------------------------------------------

    def draw(self, state: FleetState) -> None:
        current = state.asked == self.choices
        parts.show(self._sending_part, state.plan is not None and state.plan.left and current)
        self.field_rows["wanted"].hint = AGAIN if state.plan is not None and not current else ""
        parts.show(self.undo_button, state.done)

    def result_html(self, state: FleetState) -> Iterable[Any]:
        found = state.result
        if found is None:
            return
        if isinstance(found, FleetPlan):
            yield from _planned(found)
        elif isinstance(found, FleetBadges):
            yield from _matrix(found.matrix)
        if isinstance(found, FleetReport) and len(done := found._shown()):
            yield html.figures(*html.values_of(done.head(ROWS)), "What was done", len(done) - ROWS)
        trouble = found.failed.drop(columns="error")  # the detail begins with it
        trouble = trouble[trouble["detail"] != ""]  # the message counts those that were not visited
        if len(trouble):
            yield html.frame(trouble, caption="Portals that are not ok", limit=ROWS)


def _how_to_send(plan: FleetPlan) -> str:
    """What to do to send what is left of a plan."""
    what = "what is left" if plan._made else "the plan"
    return f"To send {what}, type: {plan.confirmation}" if plan.left else "There is nothing to send."


def _planned(plan: FleetPlan) -> Iterable[Markup]:
    """A table of what the plan would do with each code, and on how many portals; what stays as it is comes last."""
    groups = plan.df.groupby(["code", "action", "note"], sort=False)["portal"]
    rows = [(*what, len(names), listed([*names])) for what, names in groups]
    rows.sort(key=lambda row: row[1] == Action.KEEP)
    head = ("code", "action", "note", "portals", "which")
    if rows:
        yield html.table(head, rows[: 2 * ROWS], "What would be done", hidden=len(rows) - 2 * ROWS)


def _matrix(matrix: pd.DataFrame) -> Iterable[Markup]:
    """Two tables: on how many portals each code is the same, differs or is missing; and the portals that differ."""
    same = (matrix == "same").all(axis=1)
    matrix = matrix.loc[[*matrix.index[~same], *matrix.index[same]]]  # what differs first, since the rest may be cut
    words, rows = sorted({*matrix.to_numpy().ravel()}), []
    for code, cells in matrix.head(2 * ROWS).iterrows():
        portals = {word: [*cells.index[cells == word]] for word in words}
        where = (f"{word}: {listed(names, PORTALS)}" for word, names in portals.items() if names and word != "same")
        rows.append([code, *map(len, portals.values()), "; ".join(where)])
    caption = f"{html.counted(len(matrix), 'code')} on {html.counted(matrix.shape[1], 'portal')}"
    yield html.table(["code", *words, "where"], rows, caption, hidden=len(matrix) - len(rows))
    odd = [name for name in matrix if (matrix[name] != "same").any()]
    part = matrix[odd[:PORTALS]]
    if (matrix[odd].nunique(axis=1) > 1).any():  # else the table above says all
        more = f"; the first {PORTALS} of them" if len(odd) > PORTALS else ""
        yield html.frame(part, caption=f"Portals that differ: {len(odd):,}{more}", limit=2 * ROWS)


def fleet(fleet: Fleet, *, wanted: Any = None, protect: Any = (), run: bool = False) -> FleetForm:
    """A form that compares many portals, plans changes on all of them, applies them and undoes them.

    Parameters
    ----------
    fleet : Fleet
        The portals.
    wanted : path, DataFrame or iterable of Badge or mapping, optional
        The badges that all portals shall have; a path can be typed in the form, too.
    protect : str, iterable of str or Badge, DataFrame, Series or Index
        Patterns of codes that are neither deleted nor replaced.
    run : bool
        Compare the portals at once.

    Returns
    -------
    FleetForm
        ``.result`` is what was found, planned or done last, ``.df`` the same as a DataFrame.

    Raises
    ------
    InvalidInput
        ``fleet`` is no fleet. Errors of portals are shown in the form.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3) as sandboxes:
    ...     form = forms.fleet(b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get), run=True)
    >>> form.df["portal"].nunique()
    3
    """
    return FleetForm(SharedState(fleet, Fleet), wanted, protect).run_if(run)
