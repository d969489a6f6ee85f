"""``b24.badges``: the four methods of the portal, and what many badges need beyond them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from b24nb.badges import changes, evidence, files
from b24nb.badges.activities import COLUMNS, add_titles, find_holders
from b24nb.badges.apply import Cancel, ChangeApplier, RunOptions
from b24nb.badges.badge import Badge, Badges, Text, frame
from b24nb.badges.journal import Journal
from b24nb.badges.journal_store import JournalStore
from b24nb.badges.plan import Activities, How, Plan, ReleasePlan, Report
from b24nb.errors import BadgeChanged, NotFound
from b24nb.rest.connection import Connection

if TYPE_CHECKING:
    import pandas as pd


class BadgeMethods:
    """The badges of one portal.

    Parameters
    ----------
    connection : Connection
        To the portal.
    store : JournalStore
        Where changes are written down before they are sent.
    settle_after : float
        Seconds after sending until a write whose answer was lost counts as not applied.
    """

    def __init__(self, connection: Connection, store: JournalStore, settle_after: float = 60) -> None:
        self._connection = connection
        self._applier = ChangeApplier(connection, store, settle_after)
        self.journal = Journal(self._applier)

    def list(self) -> Badges:
        """All badges, by one request: the method does not page.

        Returns
        -------
        Badges
            In the portal's order, in practice that of their creation.

        Raises
        ------
        BadResponse
            If the portal's count and what it sent differ.
        TransportError, ApiError
            If there is no answer, or an error.

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-list.html

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     "missedCall" in [badge.code for badge in b24.badges.list()]
        True
        """
        return evidence.list_badges(self._connection)

    def get(self, code: str) -> Badge:
        """One badge.

        Parameters
        ----------
        code : str
            On most portals in any letter case; the badge has the stored spelling.

        Returns
        -------
        Badge

        Raises
        ------
        NotFound
            No badge has this code.

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-get.html
        """
        changes.check_code(code)
        return evidence.get_badge(self._connection, code)

    def add(self, code: str, title: Text, value: Text, type: str) -> Badge:
        """Register a badge. The portal is asked first whether there is one, so two calls.

        Parameters
        ----------
        code : str
            At most 30 characters.
        title, value : str or mapping of str to str
            Title, and text of the pill: one text, or a map language -> text.
        type : str
            ``success``, ``failure``, ``warning``, ``primary`` or ``secondary``.

        Returns
        -------
        Badge
            As the portal has it.

        Raises
        ------
        InvalidInput
            Names the field that can't be right; nothing was sent.
        DuplicateCode
            There is one, on most portals in any letter case.
        AccessDenied
            The user is no administrator of the portal.
        NotApplied, OutcomeUnknown
            The answer was lost or proves nothing, and looking showed no badge, or did not settle it.
        JournalError
            The journal can't be written; nothing was sent.

        Warns
        -----
        StoredDifferently
            The portal keeps other texts than were sent.

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-add.html

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.add("gold", {"en": "Client", "de": "Kunde"}, "Gold", "warning")
        Badge(code='gold', title={'en': 'Client', 'de': 'Kunde'}, value='Gold', type='warning')
        """
        badge = Badge(code, title, value, type)
        changes.check(badge)
        self._applier.refuse_if_read_only()
        try:
            found = evidence.get_badge(self._connection, code)
        except NotFound:
            found = None
        # Sent in any case: whether a code is taken is the portal's word.
        stored = self._applier.apply_one("add", changes.Step(code, None, badge), found).badge or badge
        if stored != badge:
            text = f"The portal stored the badge {code!r} differently: {stored!r} instead of {badge!r}."
            changes.warn(changes.StoredDifferently(text), stacklevel=2)
        return stored

    def delete(self, code: str | Badge) -> Badge:
        """Delete a badge. It is read first and written to the journal: ``b24.journal`` brings it back.

        Parameters
        ----------
        code : str or Badge
            A code, on most portals in any letter case. A badge means exactly this one: if the portal holds
            another under its code, nothing is sent.

        Returns
        -------
        Badge
            The one that was deleted.

        Raises
        ------
        NotFound
            No badge has this code.
        BadgeChanged
            The portal holds another badge than the one given; the error has both.
        BadgeInUse
            Open activities hold it; :meth:`holders` names them.
        AccessDenied
            The user is no administrator of the portal.
        NotApplied, OutcomeUnknown
            The answer was lost or proves nothing, and looking showed the badge, or did not settle it.
        JournalError
            The journal can't be written; nothing was sent.

        Warns
        -----
        NotRestorable
            Before it is sent, for a badge that ``add`` would refuse.

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-delete.html
        """
        seen, name = (code, code.code) if isinstance(code, Badge) else (None, code)
        changes.check_code(name)
        self._applier.refuse_if_read_only()
        badge = evidence.get_badge(self._connection, name)
        if seen and badge != seen:
            raise BadgeChanged(seen.code, seen, badge)
        changes.warn_if_not_restorable([badge])
        outcome = self._applier.apply_one("delete", changes.Step(badge.code, badge, None))
        if outcome.verdict is changes.Verdict.GONE:
            raise NotFound("NOT_FOUND", outcome.detail, method=changes.DELETE)
        return badge

    def holders(self, code: str) -> pd.DataFrame:
        """The open activities that may hold a badge, and how to release it.

        There is no method that tells. This reads every open configurable activity that the user may read
        and keeps those that name the badge, which is an estimate on both sides: a badge is released
        when its item reaches a final stage or the attachment is 30 days old, which does not show in the
        activity; and activities that the user may not read are not here.

        Parameters
        ----------
        code : str
            As the portal spells it.

        Returns
        -------
        pandas.DataFrame
            Columns ``code, activity_id, owner_type, owner_id, title`` (of the deal, lead, contact or company;
            empty where it may not be read)``, link`` (to it, in the portal)``, subject, last_updated,
            certainty`` (``likely``, ``possible``, ``no``)``, reason, release`` (how to).

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/activity-base/crm-activity-list.html
        """
        changes.check_code(code)
        rows = add_titles(self._connection, find_holders(self._connection, {code}))
        return frame(([row[name] for name in COLUMNS] for row in rows), COLUMNS)

    def release(
        self, code: str | Badge | Iterable[str | Badge], *, activities: Activities = None, how: How = "auto"
    ) -> ReleasePlan:
        """Show how the activities that hold a badge would be released, so that it can be deleted.

        A webhook can only delete the activity, which **can't be undone**. The application that made the activity
        clears its ``badgeCode``, which ``b24.journal`` can undo. Closing it in the portal is the third way.

        Parameters
        ----------
        code : str or Badge, or several as :meth:`delete_many` takes them
            Of the badge, as the portal spells it.
        activities : int, str, or iterable of them, optional
            The ids of activities, of :meth:`holders`; ``None``: all that may hold the badge.
        how : {"auto", "delete", "clear"}
            ``auto``: clear where these credentials are the application's that made it, else delete.

        Returns
        -------
        ReleasePlan
            Nothing is sent before its ``apply``, which wants ``confirm=<number>`` where activities are deleted.

        Raises
        ------
        InvalidInput
            No open activity of one of the ids names the badge, or these credentials can't go this way.
        TransportError, ApiError
            If the activities can't be listed.

        Notes
        -----
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/crm-activity-configurable-update.html

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     plan = b24.badges.release("onHold")
        ...     report = plan.apply(confirm=1, progress=False)
        ...     b24.badges.delete("onHold").code
        'onHold'
        """
        named = files.codes_of([code] if isinstance(code, str | Badge) else code, once=False)
        codes = [one.code if isinstance(one, Badge) else one for one in named]
        holders = add_titles(self._connection, find_holders(self._connection, codes))
        return ReleasePlan(holders, activities, how, self._applier)

    def delete_many(
        self,
        codes: Iterable[str | Badge],
        *,
        missing_ok: bool = False,
        keep_going: bool = False,
        parallel: int = 1,
        progress: bool = True,
        confirm: int | None = None,
        cancel: Cancel | None = None,
    ) -> Report:
        """Delete badges, 50 to a request. They are listed first and written to the journal.

        Parameters
        ----------
        codes : iterable of str or Badge, DataFrame, Series or Index
            Each once. A badge is deleted only if the portal holds exactly this one.
        missing_ok : bool
            Whether the report may be ``ok`` although no badge has one of the codes.
        keep_going : bool
            Go on after a failure. If not, what comes after it is not sent.
        parallel : int
            How many requests run side by side; they share the request rate of the plan.
        progress : bool
            Show a bar.
        confirm : int, optional
            If given: how many badges must be there to be deleted, else nothing is sent.
        cancel : threading.Event or callable, optional
            Set, or returning true, it ends the run between two requests, as Ctrl-C does.

        Returns
        -------
        Report
            A row per code, in the order of ``codes``; errors of single badges are in there, not raised.

        Raises
        ------
        InvalidInput
            Something that holds no codes, codes that are repeated, or that differ only in letter case;
            nothing was sent.
        Interrupted
            After Ctrl-C, with the report: what was under way was finished, the rest was not sent.
        ReadOnly, TransportError, ApiError
            If nothing could be sent at all.
        """
        wanted = files.codes_of(codes)
        options = RunOptions(keep_going, parallel, progress, confirm, cancel)
        self._applier.refuse_if_read_only()
        current = self.list()
        steps = [*changes.deletions(current, wanted, missing_ok=missing_ok)]
        changes.warn_if_not_restorable(step.before for step in steps if step.before)
        plan = Plan(steps, kind="delete_many", total=len(current), applier=self._applier)
        return plan.send(current, options)

    def plan(self, wanted: files.Source | pd.DataFrame, *, prune: bool = False) -> Plan:
        """Compare wanted badges with the portal, and show what would be changed.

        Parameters
        ----------
        wanted : path, DataFrame or iterable of Badge or mapping
            A ``.csv`` or ``.json`` file, or badges; columns ``code, title, value, type``, and
            ``title.en``, ``value.de`` and the like for languages.
        prune : bool
            Delete the badges that are not wanted. If not, they are left alone.

        Returns
        -------
        Plan
            Nothing is sent before its ``apply``.

        Raises
        ------
        InvalidInput
            Names what is wrong, by row and field.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.plan([b24nb.Badge("gold", "Client", "Gold", "warning")])
        Plan: 1 add
          + Badge(code='gold', title='Client', value='Gold', type='warning')
        Added and replaced badges take the last places of the list.
        Nothing has been sent. .apply() sends it.
        """
        badges = files.read(wanted)
        current = self.list()
        steps = [*changes.diff(current, badges, removable=None if prune else ())]
        files.refuse(changes.complaints(steps))
        return Plan(steps, kind="apply", total=len(current), applier=self._applier)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Write all badges to a ``.json`` or ``.csv`` file, from which :meth:`plan` brings them back.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InvalidInput
            Another suffix, or a badge that CSV can't hold: JSON can.
        """
        at = datetime.fromtimestamp(self._connection.clock.time(), UTC).isoformat(timespec="seconds")
        return files.write(self.list(), path, portal=self._connection.credentials.host, at=at)

    def __repr__(self) -> str:
        return "<BadgeMethods: list, get, add, delete, holders, release, delete_many, plan, backup>"
