"""``b24.badges``: the four REST methods of badges, and operations on many badges."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from b24nb.badges import changes, evidence, files
from b24nb.badges.activities import COLUMNS, add_titles, find_holders
from b24nb.badges.apply import ChangeApplier, warn, warn_if_not_restorable
from b24nb.badges.badge import Badge, Badges, Text, frame
from b24nb.badges.bulk import Cancel, Progress, RunOptions
from b24nb.badges.journal import Journal
from b24nb.badges.journal_store import JournalStore
from b24nb.badges.plan import Activities, How, Plan, ReleasePlan, Report
from b24nb.checks import check_switch
from b24nb.errors import BadgeChanged, NotFound, StoredDifferently
from b24nb.rest.connection import Connection

if TYPE_CHECKING:
    import pandas as pd

    Chosen = Iterable[str | Badge] | pd.DataFrame


class BadgeMethods:
    """The badges of one portal: ``b24.badges`` of a client that :func:`b24nb.connect` returned.

    The REST methods are ``list, get, add, delete``; ``holders, release`` are about activities that hold a badge;
    ``delete_many, plan, backup`` about many badges. ``b24.journal`` can undo the changes of badges.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     gold = b24.badges.add("gold", "Client", "Gold", "warning")
    ...     b24.badges.get("GOLD") == gold, gold in b24.badges.list(), b24.badges.delete(gold) == gold
    (True, True, True)
    """

    def __init__(self, connection: Connection, store: JournalStore, settle_after: float = 60) -> None:
        self._connection = connection
        self._applier = ChangeApplier(connection, store, settle_after)
        self.journal = Journal(self._applier)

    def list(self) -> Badges:
        """All badges, by one request: the method does not page.

        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-list.html

        Returns
        -------
        Badges
            In the portal's order, in practice that of their creation.

        Raises
        ------
        TransportError, ApiError
            There is no answer, or its ``total`` is not the number of badges (``BadResponse``), or it is an error.

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

        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-get.html

        Parameters
        ----------
        code : str
            On most portals in any letter case; the returned badge has the stored spelling.

        Returns
        -------
        Badge

        Raises
        ------
        InvalidInput, NotFound
            This can't be a code (nothing was sent), or no badge has it.
        TransportError, ApiError
            There is no answer, or it is another error.
        """
        changes.check_code(code)
        return evidence.get_badge(self._connection, code)

    def add(self, code: str, title: Text, value: Text, type: str) -> Badge:
        """Register a badge, by two calls: the first looks whether the portal already has one with this code.

        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-add.html

        Parameters
        ----------
        code : str
            At most 30 characters.
        title, value : str or mapping of str to str
            The title, and the text of the pill: one text, or a map language -> text.
        type : str
            ``success``, ``failure``, ``warning``, ``primary`` or ``secondary``.

        Returns
        -------
        Badge
            As the portal stored it.

        Raises
        ------
        InvalidInput, ReadOnly, JournalError
            A field is wrong (it says which), the client is read-only, or the journal can't be written; not sent.
        DuplicateCode
            A badge has this code already, on most portals in any letter case.
        AccessDenied, ApiError, TransportError
            The user is no administrator, or the portal answers with another error or can't be reached; not added.
        NotApplied, OutcomeUnknown
            The answer was lost or proves nothing; a look at the portal showed no effect, or not what happened.

        Warns
        -----
        StoredDifferently, JournalNotWritten
            The portal stored other texts than were sent; the journal does not hold what became of the change.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.add("gold", {"en": "Client", "de": "Kunde"}, "Gold", "warning")
        Badge(code='gold', title={'en': 'Client', 'de': 'Kunde'}, value='Gold', type='warning')
        """
        badge = Badge(code, title, value, type)
        for problem in changes.problems(badge):
            raise problem
        self._applier.refuse_if_read_only()
        try:
            found = evidence.get_badge(self._connection, code)
        except NotFound:
            found = None
        # Send even if a badge was found: only the portal decides whether a code is taken.
        stored = self._applier.apply_one("add", changes.Step(code, None, badge), found).badge or badge
        if stored != badge:
            text = f"The portal stored the badge {code!r} differently: {stored!r} instead of {badge!r}."
            warn(StoredDifferently(text))
        return stored

    def delete(self, code: str | Badge) -> Badge:
        """Delete a badge. It is read first and written to the journal: ``b24.journal`` can restore it.

        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-delete.html

        Parameters
        ----------
        code : str or Badge
            A code, on most portals in any letter case; a badge is deleted only if the portal holds exactly this one.

        Returns
        -------
        Badge
            The badge that was deleted.

        Raises
        ------
        InvalidInput, ReadOnly, JournalError
            This can't be a code, the client is read-only, or the journal can't be written; no change was sent.
        NotFound, BadgeChanged
            No badge has this code, or the portal holds another badge than was given or seen; the error holds both.
        BadgeInUse
            Open activities hold it; :meth:`holders` names them.
        AccessDenied, ApiError, TransportError
            The user is no administrator, or the portal answers with another error or can't be reached; not deleted.
        NotApplied, OutcomeUnknown
            The answer was lost or proves nothing; a look at the portal showed no effect, or not what happened.

        Warns
        -----
        NotRestorable, JournalNotWritten
            Before it is sent: ``add`` would refuse this badge. After: the journal does not hold what became of it.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.delete("newsletter").value
        'Subscribed'
        """
        seen, name = (code, code.code) if isinstance(code, Badge) else (None, code)
        changes.check_code(name)
        self._applier.refuse_if_read_only()
        badge = evidence.get_badge(self._connection, name)
        if seen and badge != seen:
            raise BadgeChanged(seen.code, seen, badge)
        warn_if_not_restorable([badge])
        self._applier.apply_one("delete", changes.Step(badge.code, badge, None, missing_ok=False))
        return badge

    def holders(self, code: str) -> pd.DataFrame:
        """The open activities that may hold a badge, and how to release it.

        No REST method returns them. This reads every open configurable activity that the user may read, and keeps
        those that name the badge. Other activities are missing, and some if activities are closed meanwhile. Some rows
        may not hold it any more: an item in a final stage releases it, and so do 30 (or 60 or 90) days since the
        activity got it, which the activity does not show.
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/activity-base/crm-activity-list.html

        Parameters
        ----------
        code : str
            As the portal spells it.

        Returns
        -------
        pandas.DataFrame
            Columns ``code, activity_id, owner_type, owner_id, title`` (of the deal, lead, contact or company;
            empty where the user may not read it), ``link`` (to it, in the portal), ``subject, last_updated,
            certainty`` (``likely``, ``possible``, ``no``), ``reason, release`` (how to release the badge).

        Raises
        ------
        InvalidInput, TransportError, ApiError
            This can't be a code (nothing was sent), or the activities can't be listed.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.holders("onHold")[["owner_type", "title", "certainty"]].to_dict("records")
        [{'owner_type': 'deal', 'title': 'Annual service, Café Lumière', 'certainty': 'likely'}]
        """
        changes.check_code(code)
        rows = add_titles(self._connection, find_holders(self._connection, {code}))
        return frame(([row[name] for name in COLUMNS] for row in rows), COLUMNS)

    def release(self, code: str | Badge | Chosen, *, activities: Activities = None, how: How = "auto") -> ReleasePlan:
        """Plan how to release a badge from the activities that hold it, so that it can be deleted.

        A webhook can only delete the activity, which **can't be undone**. The application that made the activity
        can clear its ``badgeCode``, which ``b24.journal`` can undo. A person can also close it in the portal.
        Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/crm-activity-configurable-update.html

        Parameters
        ----------
        code : str or Badge, or several as :meth:`delete_many` takes them
            Of the badge, as the portal spells it.
        activities : int, str, or iterable of them, optional
            The ids of activities; ``None``: those of ``code``, if that is a part of the rows of :meth:`holders`,
            else all that may hold the badge.
        how : {"auto", "delete", "clear"}
            ``auto``: clear if these credentials belong to the application that made the activity, else delete.

        Returns
        -------
        ReleasePlan
            Nothing is sent before its ``apply``, which needs ``confirm=<number>`` if activities are deleted.

        Raises
        ------
        InvalidInput, TransportError, ApiError
            No open activity with one of the ids names the badge, these credentials can't do what ``how`` says, or
            the activities can't be listed.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     report = b24.badges.release("onHold").apply(confirm=1, progress=False)
        ...     b24.badges.delete("onHold").code
        'onHold'
        """
        if activities is None and (rows := files.frame_of(code)) is not None:
            activities = rows.get("activity_id")
        holders = add_titles(self._connection, find_holders(self._connection, files.names_of(code)))
        return ReleasePlan(holders, activities, how, self._applier)

    def delete_many(
        self,
        codes: Chosen,
        *,
        missing_ok: bool = False,
        keep_going: bool = False,
        parallel: int = 1,
        progress: Progress = True,
        confirm: int | None = None,
        cancel: Cancel | None = None,
    ) -> Report:
        """Delete badges, 50 to a request. They are listed first and written to the journal.

        Parameters
        ----------
        codes : iterable of str or Badge, DataFrame, Series or Index
            Each of them once. A badge is deleted only if the portal holds exactly this one.
        missing_ok : bool
            Whether the report may be ``ok`` although no badge has one of the codes.
        keep_going, progress : bool
            Go on after a failure (else the rest is not sent); show a bar, or call a function as ``Plan.apply`` does.
        parallel : int
            How many requests run side by side; they share the request rate, so more than 16 gain nothing.
        confirm : int, optional
            The number of badges that will be deleted. If it is another number, nothing is sent.
        cancel : threading.Event or callable, optional
            Ends the run as Ctrl-C does; a function is asked only between two requests, an event also while one waits.

        Returns
        -------
        Report
            A row per code, in the order of ``codes``. It holds the errors of single badges: they are not raised.

        Raises
        ------
        InvalidInput
            Not codes, or one is repeated (in another letter case, too, unless the portal has both); nothing is deleted.
        Interrupted
            After Ctrl-C, with the report: running requests were finished, the rest was not sent.
        ReadOnly, TransportError, ApiError
            If nothing could be sent at all.

        Warns
        -----
        NotRestorable, JournalNotWritten
            As of :meth:`delete`, once for all badges.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.delete_many(["newsletter", "birthday", "onHold"], progress=False)
        Report: 2 deleted, 1 refused
          'onHold'  delete: refused  ENTITY_WITH_BADGE_EXISTS  held by activity 5 of deal 5
        """
        wanted, missing_ok = files.codes_of(codes), check_switch(missing_ok, "missing_ok")
        options = RunOptions(keep_going, parallel, progress, confirm, cancel)
        self._applier.refuse_if_read_only()
        current = self.list()
        steps = [*changes.deletions(current, wanted, missing_ok=missing_ok)]
        files.refuse(files.clashes((step.code for step in steps), current))
        return Plan(steps, kind="delete_many", total=len(current), applier=self._applier)._send(current, options)

    def plan(self, wanted: files.Source | pd.DataFrame, *, prune: bool = False) -> Plan:
        """Compare wanted badges with the portal's, and plan the changes.

        Parameters
        ----------
        wanted : path, DataFrame or iterable of Badge or mapping
            A ``.csv`` or ``.json`` file, or badges; columns ``code, title, value, type``, by language ``title.en, …``.
        prune : bool
            Delete the badges that are not in ``wanted``. By default they are left alone.

        Returns
        -------
        Plan
            Nothing is sent before its ``apply``.

        Raises
        ------
        InvalidInput, OSError, TransportError, ApiError
            What is wrong, by row and field; the file can't be read; the portal can't be listed.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.plan([b24nb.Badge("gold", "Client", "Gold", "warning")]).counts
        {'add': 1, 'replace': 0, 'delete': 0, 'keep': 0}
        """
        prune, badges = check_switch(prune, "prune"), files.read(wanted)
        current = self.list()
        files.refuse(files.clashes((badge.code for badge in badges), current))
        steps = [*changes.plan_steps(current, badges, prune=prune)]
        files.refuse(changes.step_problems(steps))
        return Plan(steps, kind="apply", total=len(current), applier=self._applier)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Write all badges to a ``.json`` or ``.csv`` file, from which :meth:`plan` can restore them.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InvalidInput, OSError, TransportError, ApiError
            Another suffix, or a badge that only JSON can hold; no file can be written; the portal can't be listed.
        """
        at = datetime.fromtimestamp(self._connection.clock.time(), UTC).isoformat(timespec="seconds")
        return files.write(self.list(), path, portal=self._connection.credentials.host, at=at)

    def __repr__(self) -> str:
        return "<BadgeMethods: list, get, add, delete, holders, release, delete_many, plan, backup>"
