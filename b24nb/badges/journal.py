"""``b24.journal``: what was changed, which changes are unfinished, and plans that undo changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb.badges.activities import Activity, ActivityStep
from b24nb.badges.apply import ChangeApplier
from b24nb.badges.badge import SHOWN, Badge, Badges, folded, frame, frame_text, listed
from b24nb.badges.changes import UNDO, Action, Outcome, Step, Verdict, Way, diff, redo_remarks, to_restore
from b24nb.badges.evidence import ask_for, confirms, list_badges, proved_by_next, reconcile
from b24nb.badges.files import clashes, codes_of, refuse
from b24nb.badges.journal_store import Entry, JournalStore, default_journal_path
from b24nb.badges.plan import Plan, Report
from b24nb.checks import check_count
from b24nb.credential_checks import host_of
from b24nb.display import html
from b24nb.errors import InvalidInput, JournalError, NotFound
from b24nb.rest.connection import Connection
from b24nb.secret import Secret

if TYPE_CHECKING:
    import pandas as pd

#: The kind of a run of a fleet.
FLEET_RUN = re.compile(f"(fleet|{UNDO}) ")
_COLUMNS = (
    *("change_set", "kind", "at", "host", "user", "step.code", "step.action", "verdict"),
    *("seen", "error", "detail", "note", "step.before", "step.after"),
)

#: How the changes of another address or user are counted.
ADOPT = (
    "If that was not done yet: after journal = b24nb.connect(..., journal=<that file>).journal,"
    " journal.adopt(host=..., user=...) counts its changes as yours; then use journal.plan_undo()."
)


class Journal:
    """What this user changed on this portal, and how to undo it.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     badge = b24.badges.delete("missedCall")
    ...     report = b24.journal.plan_restore([badge]).apply(progress=False)
    ...     b24.journal.df[["action", "verdict"]].to_numpy().tolist()
    [['delete', 'deleted'], ['add', 'added']]
    """

    def __init__(self, applier: ChangeApplier) -> None:
        self._applier = applier
        self._store = applier.store

    @property
    def df(self) -> pd.DataFrame:
        """A row per badge that was to be changed, oldest first; plain cells.

        Columns: ``change_set, kind, at`` (UTC, of the last attempt), ``host, user, code, action, verdict``
        (``None`` while unfinished), ``seen`` (the answer proved nothing; a look at the portal showed the outcome),
        ``error, detail, note, before, after`` (the badge, or the activity of a release, as JSON text; ``None``
        where there is none).
        """
        return _frame(self._store.entries())

    @property
    def unfinished(self) -> str:
        """A message if changes are unfinished, with what to do; ``""`` if none are, or the journal can't be read."""
        with suppress(JournalError):
            if entries := self._store.unfinished():
                at = datetime.fromtimestamp(entries[0].at, UTC)
                begun = f"{len(entries)} change(s) since {at:%Y-%m-%d %H:%M} UTC"
                why = f"{begun} are unfinished: still running, interrupted or killed."
                return f"{why} b24.journal.settle() finds out what became of them."
        return ""

    @property
    def notice(self) -> str:
        """A message: unfinished changes, changes of others in this file, an unreadable journal; ``""`` if none."""
        try:
            others = self._others()  # first, since it raises if the journal can't be read
            return " ".join(filter(None, [self.unfinished, *others]))
        except JournalError as error:
            return str(error)

    def settle(self) -> Report:
        """Find out what became of unfinished changes, and write their verdicts.

        A later change of the same badge in the journal may prove the outcome. If not, the portal is looked at:
        the effect of a change can appear until ``settle_after`` seconds after it was sent, also if its process was
        killed, so this waits until then if the portal shows no effect. It changes nothing on the portal.

        Returns
        -------
        Report
            A row per change that was unfinished; ``unknown`` if the portal could not be looked at.

        Raises
        ------
        JournalError
            The journal can't be read or written.
        """
        return settle_all(self._store, self._look)

    def _look(self, entries: Sequence[Entry]) -> list[Outcome]:
        connection, settle_after = self._applier.connection, self._applier.settle_after
        return reconcile_all(connection, entries, seconds_left(entries, settle_after, connection.clock.time()))

    def plan_undo(self, last: int = 1) -> Plan:
        """A plan that undoes the last change sets.

        One ``add``, ``delete``, ``delete_many`` or ``apply`` is one change set, and so is an undo; those that
        changed nothing don't count. Unfinished changes are settled first, which can take a minute.

        Parameters
        ----------
        last : int
            How many change sets to undo.

        Returns
        -------
        Plan
            Nothing is sent before its ``apply``. Restored badges take the last places of the list. A cleared
            ``badgeCode`` is set again; deleted activities can't be restored: the plan counts them in a remark.

        Raises
        ------
        InvalidInput, JournalError, TransportError, ApiError
            ``last`` is not a positive number, or the journal can't be read or the portal can't be listed.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     report = b24.badges.delete_many(["newsletter", "birthday"], progress=False)
        ...     b24.journal.plan_undo().apply(progress=False).counts
        {'added': 2}
        """
        last = check_count(last, "last", "a number of change sets, 1 or more")
        with suppress(JournalError):  # on a full disk no verdict can be written; the plan says what is unfinished
            self.settle()
        done = self._store.last(last)
        steps, total, lost = steps_back(self._applier.connection, done)
        left_out = {"deleted activities can't be restored.": lost}
        left_out["change(s) are left out: what was there before can't be read."] = sum(bool(one.unread) for one in done)
        remarks = [self.unfinished, *self._foreign(), *redo_remarks(one.kind for one in done)]
        remarks += [f"{count} {what}" for what, count in left_out.items() if count]
        return Plan(steps, kind=UNDO, total=total, applier=self._applier, remarks=[*filter(None, remarks)])

    def plan_restore(self, badges: Iterable[Badge]) -> Plan:
        """A plan that adds badges again if their codes are free; it overwrites none.

        Parameters
        ----------
        badges : iterable of Badge
            As they were before they were deleted: ``b24.badges.delete`` returns them so.

        Returns
        -------
        Plan
            Nothing is sent before its ``apply``, which leaves a badge alone that has one of the codes by then.

        Raises
        ------
        InvalidInput
            These are no badges, or two have the same code.
        """
        found = codes_of([badges] if isinstance(badges, str) else badges)
        given = [one for one in found if isinstance(one, Badge)]
        if given != found:
            raise InvalidInput("These are codes, not badges.", field="badges", hint="Give badges as they were.")
        refuse(clashes((badge.code for badge in given), given))
        return Plan((Step(badge.code, None, badge) for badge in given), kind=UNDO, total=0, applier=self._applier)

    def adopt(self, host: str = "", user: str | int | None = None) -> Journal:
        """Count the changes that were made under another address of this portal, or by another user, as yours.

        Parameters
        ----------
        host : str
            The former address of the portal, as a host or as a whole address. Empty: the present one.
        user : str or int, optional
            Id of the user who made them; by default the present one.

        Returns
        -------
        Journal
            This journal.

        Raises
        ------
        InvalidInput, JournalError
            The file holds no such changes, the address is invalid, or the journal can't be read or written.
        """
        address, host = Secret(host), ""  # it may be a whole webhook
        host = host_of(address) if address else self._store.host
        del address
        user = self._store.user if user is None else str(user)
        if not self._store.adopt(host, user):
            where = f"connect(journal=...) opens another file, for example one in {self._store.path.parent}."
            hint = " ".join([*self._others(), where])
            text = f"The journal {self._store.path} holds no changes of user {user} on {host}."
            raise InvalidInput(text, hint=hint)
        return self

    def _others(self) -> list[str]:
        """Messages: which other users' changes the file also holds, and how to count them as one's own."""
        return [
            f"This journal also holds {count} change set(s) of user {user or '(not known)'} on {host}: "
            f"b24.journal.adopt(host={host!r}, user={user!r}) counts them as yours."
            for host, user, count in self._store.others()
        ]

    def _foreign(self) -> list[str]:
        """As :meth:`_others`; as long as nothing can be undone, where the journal of a former address may be."""
        path, others = self._store.path, self._others()
        with suppress(JournalError):  # there is no data folder
            if path.name == default_journal_path(self._store.host).name and not self._store.last(1):
                names = sorted(file.name for file in path.parent.glob("*.db") if file != path)
                text = f"No changes of {self._store.host} are known. If its address was another one before, see the"
                others += [f"{text} journals in {path.parent}: {listed(names)}. {ADOPT}"] if names else []
        return others

    def __repr__(self) -> str:
        newest, notice = self._shown()
        table = "" if newest is None or newest.empty else frame_text(newest)
        return "\n".join(filter(None, [_head(newest), table, notice]))

    def _repr_html_(self) -> str:
        newest, notice = self._shown()
        table = newest is not None and html.frame(newest, caption=_head(newest), limit=SHOWN)
        return html.page(table, notice and html.Message("check", notice))

    def _shown(self) -> tuple[pd.DataFrame | None, str]:
        """The newest changes and the notes on them; the file is asked once, and its error is the note."""
        try:
            df = _frame(self._store.entries(newest=SHOWN))[["change_set", "kind", "at", "code", "action", "verdict"]]
            return df.assign(at=df["at"].dt.floor("s")), " ".join(filter(None, [self.unfinished, *self._foreign()]))
        except JournalError as error:
            return None, str(error)


def _head(newest: pd.DataFrame | None) -> str:
    if newest is not None and newest.empty:
        return "Journal: nothing was changed yet"
    return "Journal" if newest is None or len(newest) < SHOWN else f"Journal: at most the newest {SHOWN}; .df has all"


def settle_all(store: JournalStore, look: Callable[[Sequence[Entry]], Sequence[Outcome]]) -> Report:
    """Write the verdicts of unfinished changes; ``look`` returns the outcomes that the journal does not prove."""
    entries = store.unfinished()
    known = {entry.id: outcome for entry in entries if (outcome := proved_by_next(store, entry))}
    rest = [entry for entry in entries if entry.id not in known]
    known |= zip((entry.id for entry in rest), look(rest) if rest else (), strict=True)
    sure = [(id_, one) for id_, one in known.items() if one.verdict is not Verdict.UNKNOWN]
    store.conclude(sure, first_hand=False)
    for entry in rest:  # the verdicts that were just written may prove what became of an earlier change
        if known[entry.id].verdict is Verdict.UNKNOWN and not known[entry.id].open:
            known[entry.id] = proved_by_next(store, entry) or known[entry.id]
    store.conclude(known.items(), first_hand=False)
    return Report(known[entry.id] for entry in entries)


def lease(settle_after: float) -> float:
    """How many seconds after its intent a task of a fleet may begin to send."""
    return max(5.0, settle_after)


def seconds_left(entries: Iterable[Entry], settle_after: float, now: float) -> float:
    """How long the effect of an unfinished change can still appear."""
    # The clock of the process that wrote an intent may be ahead of ours.
    begun = (min(one.at, now) + (lease(settle_after) if FLEET_RUN.match(one.kind) else 0) for one in entries)
    return max(begun) + settle_after - now


def reconcile_all(connection: Connection, entries: Sequence[Entry], seconds: float) -> list[Outcome]:
    """What became of unfinished changes, as the portal shows it within ``seconds``: so long an effect can appear."""
    undecided = [Outcome(entry.step, Verdict.UNKNOWN, None, found=entry.found) for entry in entries]
    return reconcile(connection, undecided, connection.clock.monotonic() + max(0.0, seconds))


def steps_back(connection: Connection, done: Sequence[Entry]) -> tuple[list[Step], int, int]:
    """The steps that undo these changes; how many badges the portal has now; and how many activities were deleted,
    which can't be undone. ``done``: oldest first."""
    current = list_badges(connection)
    left, target = _left_and_target(done)
    held = {key: target.pop(key) for key, was in [*target.items()] if isinstance(was, Activity)}
    # The list may be out of date where it does not show what our changes left, so ask with `get`.
    answers = ask_for(connection, (code for code in target if current.find(code) != left[code]))
    lagging = {code for code, answer in answers.items() if not confirms(answer, code, current)}
    # If `get` finds none, a badge with the code in another spelling is another badge.
    absent = {code for code, answer in answers.items() if isinstance(answer, NotFound)}
    beside = {badge.code for badge in current if folded(badge.code) in map(folded, absent)} - target.keys()
    ours = [badge for code in lagging if (badge := left[code])]
    here = Badges([*(badge for badge in current if badge.code not in lagging | beside), *ours])
    pairs = [(left[key], was) for key, was in reversed(held.items())]
    holding = [ActivityStep(was.badge or now.badge, now, was) for now, was in pairs if now and now != was]
    # A badge has to exist while an activity names it.
    first = [step for step in holding if step.action is Way.CLEAR]
    later = [step for step in holding if step.action is Way.SET]
    steps = [*first, *_undo_steps(left, target, here, absent), *later]
    steps.sort(key=lambda step: isinstance(step.after, Badge) and bool(step.after.note))  # its failure ends the run
    lost = [one for one in done if isinstance(one.step, ActivityStep) and one.changed and not one.step.after]
    return steps, len(current), len(lost)


def journals_beside(paths: Iterable[Path], kinds: Iterable[str]) -> list[Path]:
    """The other journals in the folders of these that hold changes of these kinds (patterns of LIKE)."""
    found, folders = list[Path](), {path.parent for path in paths}
    for path in sorted({file for folder in folders for file in folder.glob("*.db")}.difference(paths)):
        with suppress(JournalError), closing(JournalStore(path, host="", user="")) as store:
            found += [path] if any(map(store.others, kinds)) else []
    return found


def _frame(entries: Sequence[Entry]) -> pd.DataFrame:
    import pandas as pd

    rows = (map(_plain, attrgetter(*_COLUMNS)(entry)) for entry in entries)
    df = frame(rows, [name.removeprefix("step.") for name in _COLUMNS])
    at = pd.to_datetime(df["at"].astype(float), unit="s", utc=True).dt.as_unit("us")
    return df.astype({"change_set": "int64", "seen": bool}).assign(at=at)


def _plain(cell: Any) -> Any:
    """A badge or activity as JSON text, an action as text; anything else as it is."""
    if isinstance(cell, Badge | Activity):
        return json.dumps(cell.to_wire(), ensure_ascii=False)
    return str(cell) if isinstance(cell, Action | Way) else cell


def _left_and_target(done: Sequence[Entry]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Badges and activities by code: as the last of these changes left them, and as the first one found them.

    The second are in the order of their first changes, the newest of them first.
    """
    left: dict[str, Any] = {}
    target: dict[str, Any] = {}
    # An add of unknown outcome, for which the portal found a badge in another spelling, took nothing away.
    adds = (one for one in done if one.changed is None and one.step.before is None)
    unsure = {one.id for one in adds if one.found and one.found.code != one.step.code}
    for entry in reversed([one for one in done if not (one.unread or one.id in unsure)]):
        before, after = to_restore(entry.found, entry.step.before), entry.step.after
        if after:
            left.setdefault(after.code, None if entry.verdict == Verdict.FAILED else after)  # half of a replace
            target.pop(after.code, None)
            target[after.code] = None
        if before:
            left.setdefault(before.code, None)
            target.pop(before.code, None)
            target[before.code] = before
    return left, target


def _undo_steps(
    left: dict[str, Badge | None], target: dict[str, Badge | None], current: Badges, absent: Collection[str]
) -> Iterator[Step]:
    """The steps from what the portal has now to what it had before the first of our changes."""
    here = {code: current.find(code) for code in target}
    # Of several spellings of one badge, the one in which it was changed first.
    codes = [*{now.code if now and code not in absent else code: code for code, now in here.items()}.values()]
    ours = {code: (left.get(now.code), target.get(now.code)) for code in codes if (now := here[code])}
    foreign = {code for code, known in ours.items() if here[code] not in (*known, left[code], target[code])}
    wanted = Badges(badge for code in reversed(codes) if (badge := target[code]))
    added = {code for code, was in target.items() if was is None}
    ours_last = Badges(badge for badge in left.values() if isinstance(badge, Badge))
    for step in diff(current, wanted, removable=target.keys() - foreign):
        if step.before and {step.code, step.before.code} & foreign:
            foreign -= {code for code in foreign if here[code] == step.before}
            step = step._replace(remark="changed since")
        elif step.after and not step.before and ours_last.find(step.code):
            step = step._replace(remark="deleted since")
        elif step.before and step.before.code in added:  # by us: delete it as spelled, once
            added.remove(step.before.code)
            step = step._replace(code=step.before.code)
        yield step
    for code in sorted(foreign):
        yield Step(code, here[code], here[code], "changed since: left alone")
