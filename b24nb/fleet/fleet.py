"""The class ``Fleet``: visit many portals, compare them with wanted badges, change them, undo the changes."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb import errors
from b24nb._settings import READ_ONLY, read_settings
from b24nb.badges.badge import folded, listed
from b24nb.badges.bulk import RunOptions
from b24nb.badges.changes import Outcome, plan_steps, redo_remarks
from b24nb.badges.files import clashes, names_of, read, refuse
from b24nb.badges.journal import ADOPT, FLEET_RUN, journals_beside, reconcile_all, seconds_left, settle_all, steps_back
from b24nb.badges.journal_store import Entry, JournalStore, default_journal_path
from b24nb.checks import check_count, check_journal, check_seconds, check_switch
from b24nb.client import Client, Portal, unless_forked
from b24nb.fleet.fleet_plan import FleetPlan, keep_if_changed, matching, protected
from b24nb.fleet.results import FleetBadges, FleetCheck, FleetValues, counted, table_of
from b24nb.fleet.visit import OK, Access, Visit, call, carry_out, look, parallel_in, prepare
from b24nb.secret import Secret, mask_address, masked, without_frames

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.badges.plan import Report

#: A pattern of the kinds of all runs, as in SQL.
_ANY_RUN = "fleet %"
_ELSEWHERE = "Changes of another address or user, not of user {0.user} on {0.host}, are in the journal {0.path}."
_OTHERS = "Other journals in {} also hold changes of these runs, of other portals or former addresses: {}. "


class Fleet:
    """Many portals as one: one DataFrame, one plan, one report.

    One portal is one task, and never has two at a time; its error is a row of the result and does not end the run.
    Credentials come from a vault, which is called where a portal is visited; they are never sent to another process.
    Changes are written to the journals of this machine before a task is submitted.

    Parameters
    ----------
    portals : iterable of str, DataFrame or path
        Names, each once, read without blanks around; or a table or CSV file: a column ``portal``, and your labels.
    vault : callable
        Returns the :class:`Webhook`, :class:`OAuthToken` or address of a webhook for a name; for an executor of
        processes, a function of a module. If it has a method ``store(name, token)``, that is called with a renewed
        token before its use; without it (and without ``on_refresh``) only this process knows the renewed token.
    executor : concurrent.futures.Executor, optional
        Runs the tasks. ``None``: threads. For Dask: ``distributed.Client(...).get_executor()``.
    parallel : int
        How many portals are visited at a time; at most as many as the executor has workers, if it says so.
    read_only : bool
        Refuse every change before it is sent; so does ``B24_READ_ONLY=1``.
    journal : path, optional
        A folder: a file per portal. ``None``: where ``connect`` keeps them; those of sandboxes end with this object.
    timeout : (float, float)
        Seconds to connect, and in total. A request that is refused for its rate is repeated for about a minute more.
    **settings
        ``tariff, verify, settle_after, clock``, as of :func:`connect`, for all portals.

    Raises
    ------
    InvalidInput
        The names, the vault or a setting are wrong; it says which.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3, revoked=0.4) as sandboxes:
    ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
    ...     fleet.check(progress=False).df["status"].value_counts().to_dict()
    {'ok': 2, 'revoked': 1}
    """

    def __init__(
        self,
        portals: Iterable[str] | pd.DataFrame | str | os.PathLike[str],
        vault: Callable[[str], Any],
        *,
        executor: Executor | None = None,
        parallel: int = 32,
        read_only: bool = False,
        journal: str | os.PathLike[str] | None = None,
        timeout: tuple[float, float] = (5, 60),
        **settings: Any,
    ) -> None:
        # A webhook in a wrong place must not be in a traceback.
        timeout, journal, settings = mask_address(timeout), mask_address(journal), masked(settings)
        given, vault = Secret([portals]), vault if callable(vault) else None
        del portals
        if vault is None:
            what = "a function that gives credentials for a name (of a dictionary: its .get)"
            raise errors.InvalidInput(f"vault must be {what}.", field="vault")
        self._table = without_frames(table_of, given)
        self.names: tuple[str, ...] = tuple(self._table["portal"])
        switch = read_settings().get(READ_ONLY)
        self.read_only = check_switch(read_only, "read_only") or bool(switch and switch.is_on)  #: refuses changes
        self.settle_after = check_seconds(settings.pop("settle_after", 60), "settle_after")
        self._access = Access(vault, timeout, read_only=self.read_only, **settings)
        self._time = self._access.clock.time
        self._access.connection(None).close()  # refuses wrong settings
        self._executor, self.parallel = executor, parallel_in(executor, RunOptions(parallel=parallel).parallel)
        folder = check_journal(journal, "folder")
        self._folder = Path(os.path.expanduser(folder)).absolute() if folder else None  # noqa: PTH111
        # For journals of sandboxes: a later sandbox may get the same port, but must not get the journal.
        self._temporary = Path(tempfile.mkdtemp(prefix="b24nb-journals-"))
        remove = partial(shutil.rmtree, self._temporary, ignore_errors=True)
        weakref.finalize(self, unless_forked, os.getpid(), remove)
        self.seen: dict[str, Portal] = {}
        self._hosts: defaultdict[str, dict[str, Portal]] = defaultdict(dict)  # by name, then by former addresses, too
        self._files = set[Path]()  # the journals of these portals that were read
        #: Pairs of a run's kind and a portal: where the run has changed something; where an undo of it has begun.
        self.changed, self.undone = set[tuple[str, str]](), set[tuple[str, str]]()
        self._locks: defaultdict[str, Any] = defaultdict(threading.RLock)

    # -- reading --------------------------------------------------------------------------------------

    def check(self, *, limit: int | None = None, **options: Any) -> FleetCheck:
        """Ask each portal for our user and rights, and list its badges, by one request.

        Parameters
        ----------
        limit : int, optional
            Ask only so many portals, the first ones.
        **options
            ``progress=False`` shows no bar; ``parallel`` portals at a time, instead of the fleet's; ``cancel``, a
            ``threading.Event`` or a callable, ends the run when it is set or returns true.

        Returns
        -------
        FleetCheck

        Raises
        ------
        InvalidInput
            ``limit`` or an option is wrong. What is wrong with a portal is its row.
        """
        names = self.names if limit is None else self.names[: check_count(limit, "limit")]
        return FleetCheck(self, self._look, options, names, unvisited=self.names)

    def badges(self, **options: Any) -> FleetBadges:
        """The badges of all portals, by one request each.

        Parameters
        ----------
        **options
            As of :meth:`check`.

        Returns
        -------
        FleetBadges
            ``.df`` a row per portal and badge, ``.status`` a row per portal, ``.matrix``, ``.failed``, ``.retry()``.

        Raises
        ------
        InvalidInput
            An option is wrong. What is wrong with a portal is its row.
        """
        return FleetBadges(self, self._look, options)

    def map(self, function: Callable[[Client], Any], **options: Any) -> FleetValues:
        """Call a function with a client of each portal.

        Parameters
        ----------
        function : callable
            For processes, a function of a module. The badge methods of its client refuse changes, since only
            :meth:`plan` writes them to journals; ``call`` and ``batch`` send them, unless the fleet is ``read_only``.
        **options
            As of :meth:`check`.

        Returns
        -------
        FleetValues
            ``.values`` and ``.df``: a value or an error per portal.

        Raises
        ------
        InvalidInput
            The executor's processes can't get the function; or this was called by a function of a fleet.

        Examples
        --------
        >>> import b24nb
        >>> from b24nb.sandbox import SandboxFleet
        >>> with SandboxFleet(2) as sandboxes:
        ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
        ...     fleet.map(lambda b24: b24.portal.admin, progress=False).values
        {'portal-0001': True, 'portal-0002': True}
        """
        prepare(self._executor, self._access, function)
        return FleetValues(self, lambda name: self._look(name, call, function), options)

    # -- changing -------------------------------------------------------------------------------------

    def plan(self, wanted: Any, *, prune: bool = False, protect: Any = (), **options: Any) -> FleetPlan:
        """Compare wanted badges with each portal's, and plan the changes. Nothing is sent before ``apply``.

        Parameters
        ----------
        wanted : path, DataFrame or iterable of Badge or mapping
            As of ``b24.badges.plan``.
        prune : bool
            Delete the badges that are not in ``wanted``. By default they are left alone.
        protect : str, iterable of str or Badge, DataFrame, Series or Index
            Codes, or patterns of codes (``vip*``), in any letter case, that are neither deleted nor replaced.
        **options
            As of :meth:`check`.

        Returns
        -------
        FleetPlan

        Raises
        ------
        InvalidInput, OSError
            Names what is wrong with the wanted badges, or with the codes to protect. What is wrong with a portal is
            its row.

        Examples
        --------
        >>> import b24nb
        >>> from b24nb.sandbox import SandboxFleet
        >>> with SandboxFleet(3, badges=[]) as sandboxes:
        ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
        ...     plan = fleet.plan([b24nb.Badge("vip", "Deal", "VIP", "primary")], progress=False)
        ...     plan.confirmation
        '3 changes on 3 portals'
        """
        badges, prune = read(wanted), check_switch(prune, "prune")
        patterns = [folded(one.strip()) for one in names_of(protect)]
        idle = {*patterns}  # those that match no badge
        refuse(clashes(badge.code for badge in badges))

        def compare(name: str) -> Visit:
            found = self._look(name)
            if found.status != OK:
                return found
            idle.difference_update(one for badge in found.value for one in matching(badge.code, patterns))
            steps = plan_steps(found.value, badges, prune=prune)
            return found._replace(value=([protected(step, patterns) for step in steps], len(found.value)))

        return FleetPlan(self, compare, options, idle=idle)

    def plan_undo(self, last: int = 1, **options: Any) -> FleetPlan:
        """A plan that undoes the last runs, whichever process of this machine made them; ``apply`` sends it.

        Unfinished changes are settled first, which can take two minutes; Ctrl-C does not shorten that. Badges changed
        since are left alone.

        Parameters
        ----------
        last : int
            How many runs to undo: all changes of one plan are one run, and so is an undo.
        **options
            As of :meth:`check`.

        Returns
        -------
        FleetPlan

        Examples
        --------
        >>> import b24nb
        >>> from b24nb.sandbox import SandboxFleet
        >>> with SandboxFleet(3) as sandboxes:
        ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
        ...     made = fleet.plan([b24nb.Badge("vip", "Deal", "VIP", "primary")], progress=False).apply(progress=False)
        ...     fleet.plan_undo(progress=False).apply(progress=False).counts
        {'deleted': 3}
        """
        check_count(last, "last")
        # Settled first: a run that was killed before it changed something does not count.
        looked, runs = FleetBadges(self, self._look_settled, options).visits, dict[str, float]()
        for name in self.seen:
            with suppress(errors.JournalError):  # the plan below shows this error
                for one in self._changes(name):  # when each run changed something last
                    runs[one.kind] = max(one.at, runs.get(one.kind, 0))
        known = sorted(filter(FLEET_RUN.match, runs), key=runs.__getitem__)
        # The first is a pattern: if there are fewer runs than that, any run of somebody else may be meant.
        return self._plan_back({*[_ANY_RUN, *known][-last:]}, self.names, options, looked)

    def _plan_back(
        self, kinds: set[str], names: Sequence[str], options: dict[str, Any], looked: dict[str, Visit] | None = None
    ) -> FleetPlan:
        """The plan that undoes runs of these kinds on these portals; ``looked``: visits that were just made."""

        def compare(name: str) -> Visit:
            found = (looked or {}).pop(name, None) or self._look_settled(name)
            if found.status != OK:
                return found
            portal = self.seen[name]
            try:
                with self._alone(name):
                    changes = [*self._changes(name, kinds)]
            except errors.B24Error as error:
                return Visit.failed(error)
            done = [one for one in changes if one.kind in kinds]
            if not done and self.changed.intersection((kind, name) for kind in kinds):
                return Visit.failed(errors.JournalError("The journal lacks what was changed: put its file back."))
            found = self._visit(name, portal.host, steps_back, done) if done else Visit(value=((), 0))
            if found.status != OK:
                return found
            steps, *more = found.value
            verdicts = {one.step.code: one.verdict for one in changes}  # the last ones
            kept = [keep_if_changed(step, verdicts.get(step.code)) for step in steps]
            return found._replace(value=(kept, *more), portal=portal)

        remarks = [*self._elsewhere(kinds), *redo_remarks(kinds - {_ANY_RUN})] if looked else []
        return FleetPlan(self, compare, options, names, undoes=kinds, remarks=remarks)

    def _visit(self, name: str, host: str, work: Callable[..., Any], *args: Any) -> Visit:
        """Run a task on a portal by the executor; this fleet runs no other task there at the same time."""
        with self._alone(name):
            return carry_out(self._executor, self._access, name, host, work, *args)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """In this context no other thread of this fleet has anything to do with the portal."""
        # Another name may mean the same portal, so lock the host, too.
        with self._locks[name], self._locks[f"//{self.seen[name].host if name in self.seen else name}"]:
            yield

    def _journal(self, portal: Portal, host: str = "") -> closing[JournalStore]:
        """The journal of a portal that was visited before; ``host``: that of another address of it."""
        path = default_journal_path(host or portal.host)
        folder = self._folder or (self._temporary if portal.kind != "LIVE" else path.parent)
        return closing(JournalStore(folder / path.name, host=portal.host, user=portal.user_id or ""))

    def _changes(self, name: str, kinds: Iterable[str] = ()) -> Iterator[Entry]:
        """Our changes of a portal under all addresses where it answered; raises if others' are of these kinds."""
        for host in [*self._hosts[name]]:
            with self._journal(self.seen[name], host) as store:
                self._files.add(store.path)
                if any(map(store.others, kinds)):
                    raise errors.JournalError(_ELSEWHERE.format(store), hint=ADOPT)
                yield from (one for one in store.entries() if one.changed is not False)

    def _settle(self, name: str, store: JournalStore) -> Report:
        """Settle changes without a verdict, whose task was lost; raises the error that prevents it."""

        def look_at_portal(entries: Sequence[Entry]) -> Sequence[Outcome]:
            seconds = seconds_left(entries, self.settle_after, self._time())
            found = self._visit(name, store.host, reconcile_all, entries, seconds)
            if found.failure:
                raise found.failure
            return found.value  # type: ignore[no-any-return]

        settled = settle_all(store, look_at_portal)
        for outcome in settled:
            if outcome.open and outcome.error:
                raise outcome.error
        return settled

    def _look_settled(self, name: str) -> Visit:
        """Visit a portal, and settle its changes that have no verdict."""
        found = self._look(name)
        if found.status == OK:
            try:
                with self._alone(name), self._journal(self.seen[name]) as store:
                    self._settle(name, store)
            except errors.B24Error as error:
                return Visit.failed(error)
        return found

    def _look(self, name: str, work: Callable[..., Any] = look, *args: Any) -> Visit:
        """Visit with work that also returns the portal, and remember the portal."""
        found = self._visit(name, "", work, *args)
        if found.status != OK:
            return found
        portal, value = found.value
        self.seen[name] = self._hosts[name][portal.host] = portal
        refused = work is look and isinstance(value, errors.ApiError)
        seen = Visit.failed(value) if refused else Visit(value=value)
        return seen._replace(portal=portal)

    def _elsewhere(self, kinds: Iterable[str]) -> list[str]:
        """In which other journals of this machine there are changes of these runs."""
        found = journals_beside(self._files, kinds)
        return [_OTHERS.format(found[0].parent, listed([path.name for path in found])) + ADOPT] if found else []

    def __repr__(self) -> str:
        if not hasattr(self, "parallel"):  # a traceback may show it before all is checked
            return "<Fleet>"
        where = type(self._executor).__name__ if self._executor else "threads"
        only = ", read-only" if self.read_only else ""
        return f"<Fleet of {counted(len(self.names), 'portal')}, {self.parallel} at a time, by {where}{only}>"
