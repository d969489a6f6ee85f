"""Random changes by two processes with one journal that are killed, on a portal where somebody else is at work between
any two requests: the journal's account, the verdicts and the portal agree, and undo never deletes what was there."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import b24nb
from b24nb import errors
from b24nb.badges.badge import Badge
from tests.fakes import FakeClock, applier_of

CODES = ["a", "A", "b", "c", "d", "e", "f", "long" * 8]
texts = st.sampled_from(["x", "y", {"en": "x", "ru": "ю"}, {}, "$result[s0-add][badge][code]"])
badges = st.builds(Badge, st.sampled_from(CODES[:-1]), texts, texts, st.sampled_from(["primary", "success"]))
wanted = st.lists(badges, unique_by=lambda badge: badge.code.casefold(), max_size=5)
#: What may happen to the next write: nothing, or an answer lost before or after the effect.
faults = st.none() | st.tuples(st.sampled_from(["reset", "cut", "html", "empty"]), st.booleans())
#: What somebody else does before each of our requests: nothing, or an edit, add or delete of a code.
rivals = st.lists(st.none() | st.tuples(st.sampled_from(["put", "delete"]), st.sampled_from(CODES[:-1])), max_size=4)
#: At which request of a change its process is killed, and whether after the effect; "late": it comes after the kill.
kills = st.none() | st.tuples(st.integers(0, 3), st.sampled_from([False, True, "late"]))
ALL = 10_000  # change sets to undo
WRITES = ("crm.activity.badge.add", "crm.activity.badge.delete", "batch")
_send = requests.Session.send


class Killed(BaseException):
    """The process ends here: nothing of it runs any more."""


class Portal(RuleBasedStateMachine):
    """One portal and one journal; two processes of one user, of which one is killed and replaced; and somebody else."""

    @initialize(exact=st.booleans(), code_limit=st.sampled_from([30, 255]))
    def start(self, exact: bool, code_limit: int) -> None:
        self.stack = ExitStack()
        self.exact = exact
        self.clock = FakeClock()
        rows = [{"code": code, "title": "t", "value": "v", "type": "primary"} for code in [*"abcd", CODES[-1]]]
        self.portal = self.stack.enter_context(
            b24nb.SandboxPortal(badges=rows, clock=self.clock, case_sensitive=exact, code_limit=code_limit)
        )
        self.journal = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "journal.db"
        self.rival = self.stack.enter_context(requests.Session())
        self.rival.trust_env = False
        self.number = 0
        self.ours: dict[str, list[tuple[Badge | None, Badge | None]]] = {}  # what our requests did, by code
        self.known: dict[str, int] = {}  # how many of them by code were made before the change that is made now
        self.blurred: set[str] = set()  # codes of which nobody can know who did what
        self.open: set[str] = set()  # codes, in lower case, of changes whose answer did not arrive, not judged yet
        self.late: tuple[float, requests.PreparedRequest] | None = None  # until when it can come, and what
        self.sets: dict[int, dict[str, int]] = {}  # `known` of a change by its number, unless a late request followed
        self.held: list[str] = []  # activities that hold badges
        self.b24, self.other = self.connect(), self.connect()

    def connect(self) -> b24nb.Client:
        options: dict[str, Any] = {"journal": self.journal, "clock": self.clock, "tariff": "enterprise"}
        with warnings.catch_warnings(action="ignore"):  # of what a killed process left
            return self.stack.enter_context(b24nb.connect(self.portal, **options))

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def key(self, code: str) -> str:
        return code if self.exact else code.casefold()

    def blur(self, codes: set[str]) -> None:
        """Of these, in lower case, nobody can know: our client can't tell which portal tells letter case apart."""
        self.blurred |= {self.key(code) for code in CODES if code.casefold() in codes}

    def now(self) -> dict[str, Badge]:
        return {self.key(row["code"]): Badge.from_wire(row) for row in self.portal.badges}

    def somebody_else(self, action: str, code: str) -> None:
        """Edits, adds or deletes a badge with texts that are nobody else's."""
        there = self.now().get(self.key(code))
        if there:
            self.rival.post(f"{self.portal.webhook}crm.activity.badge.delete", json={"code": there.code}, timeout=30)
        if action == "put":
            self.number += 1
            row = {"code": code, "title": f"theirs {self.number}", "value": "v", "type": "primary"}
            self.rival.post(f"{self.portal.webhook}crm.activity.badge.add", json=row, timeout=30)
        self.blur({code.casefold()} & self.open)

    @contextmanager
    def at_work(self, rivals: list[Any], fault: Any, kill: Any) -> Iterator[None]:
        """Our requests, with somebody else acting before each, a fault, and an end of the process."""
        acts, count, unbroken = iter(rivals), 0, set(WRITES if fault else ())

        def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
            nonlocal count
            with mock.patch.object(requests.Session, "send", _send):
                if act := next(acts, None):
                    self.somebody_else(*act)
            method = str(request.url).rpartition("/")[2]
            if method in WRITES:
                self.work_off(method, blur=bool(fault or kill))
            if method in unbroken:
                unbroken.discard(method)
                self.portal.faults.next(fault[0], method=method, after_effect=fault[1])
            here, place = kill in ((count, False), (count, "late")), count
            count += 1
            if here:
                if kill == (place, "late") and method in WRITES:
                    self.late = self.clock.time() + 60, request
                raise Killed
            before = self.now()
            try:
                return _send(session, request, **options)
            finally:
                self.note(before, self.now())
                if kill == (place, True):
                    raise Killed

        try:
            with mock.patch.object(requests.Session, "send", send):
                yield
        except Killed:
            self.forget_the_process()
        finally:
            self.portal.faults.clear()

    def work_off(self, method: str, *, blur: bool) -> None:
        """The portal comes to a request of a process that is dead, right before a request that changes something."""
        late, self.late = self.late, None
        if late and self.clock.time() < late[0]:
            before = self.now()
            _send(self.rival, late[1], timeout=30)
            after = self.now()
            self.note(before, after)
            changed = {code for code in before.keys() | after.keys() if before.get(code) != after.get(code)}
            self.known |= {code: len(self.ours[code]) for code in changed}
            self.sets.clear()
            # A lost answer can't be told apart from it, and a single delete looks one request earlier.
            single = method.endswith("delete")
            self.blurred |= {code for code in changed if blur or (single and code in after)}

    def note(self, before: dict[str, Badge], after: dict[str, Badge]) -> None:
        """What one of our requests did to the portal."""
        for code in before.keys() | after.keys():
            if before.get(code) != after.get(code):
                effects = self.ours.setdefault(code, [])
                if effects[self.known.get(code, 0) :][-1:] == [(after.get(code), None)] and before.get(code) is None:
                    effects.pop()  # put back
                else:
                    effects.append((before.get(code), after.get(code)))

    def forget_the_process(self) -> None:
        """What was in its memory is gone; the file is as it is. The next one does not settle."""
        self.open |= {entry.step.code.casefold() for entry in self.entries() if entry.verdict is None}
        self.b24 = self.connect()

    def entries(self) -> list[Any]:
        with applier_of(self.portal, self.journal) as another:
            return another.store.entries()

    def change(self, codes: Any, rivals: Any, fault: Any, kill: Any, work: Any) -> Any:
        """Do something; the result, or the error; ``None`` where the process was killed."""
        self.known = {code: len(effects) for code, effects in self.ours.items()}
        touched = {code.casefold() for code in codes}
        if fault or kill:  # a lost answer and somebody else at the same badge: nobody can tell them apart
            self.blur(touched & {act[1].casefold() for act in rivals if act})
            self.open |= touched
        result = None
        with self.at_work(rivals, fault, kill), warnings.catch_warnings(action="ignore"):
            try:
                result = work()
            except errors.B24Error as error:
                result = error
        for entry in self.entries()[-1:]:
            self.sets.setdefault(entry.change_set, self.known)
        return result

    def effects(self, code: str) -> list[Any]:
        """What our requests did to a badge in the change that was made last."""
        return self.ours.get(self.key(code), [])[self.known.get(self.key(code), 0) :]

    def settled(self, verdict: str, code: str, effects: list[Any]) -> None:
        """A verdict says what our requests did."""
        if self.key(code) in self.blurred or verdict == "unknown":
            return
        did = bool(effects)
        assert did == (verdict in ("added", "deleted", "replaced")), (verdict, code, effects)

    def single(self, verdict: str, code: str, *change: Any) -> None:
        result = self.change([code], *change)
        if result is not None and not isinstance(result, errors.OutcomeUnknown):
            self.settled(verdict if isinstance(result, Badge) else "failed", code, self.effects(code))

    @rule(badge=badges, rivals=rivals, fault=faults, kill=kills)
    def add(self, badge: Badge, rivals: Any, fault: Any, kill: Any) -> None:
        self.single("added", badge.code, rivals, fault, kill, lambda: self.b24.badges.add(*badge.to_wire().values()))

    @rule(code=st.sampled_from(CODES), rivals=rivals, fault=faults, kill=kills)
    def delete(self, code: str, rivals: Any, fault: Any, kill: Any) -> None:
        if any(act and self.key(act[1]) == self.key(code) for act in rivals):
            self.blurred.add(self.key(code))  # a single delete looks one request earlier
        self.single("deleted", code, rivals, fault, kill, lambda: self.b24.badges.delete(code))

    @rule(
        codes=st.lists(st.sampled_from(CODES), unique_by=str.casefold),
        going=st.booleans(), parallel=st.integers(1, 2), rivals=rivals, fault=faults, kill=kills,
    )  # fmt: skip
    def delete_many(self, codes: Any, going: bool, parallel: int, rivals: Any, fault: Any, kill: Any) -> None:
        options = {"keep_going": going, "parallel": parallel, "progress": False}
        work = lambda: self.b24.badges.delete_many(codes, **options)  # noqa: E731
        self.bulk(codes, rivals, fault, kill, work)
        if self.late:  # whoever killed it does it again
            self.bulk(codes, [], None, None, work)

    @rule(wanted=wanted, prune=st.booleans(), rivals=rivals, fault=faults, kill=kills)
    def plan(self, wanted: Any, prune: bool, rivals: Any, fault: Any, kill: Any) -> None:
        plan = self.b24.badges.plan(wanted, prune=prune)
        options = {"confirm": plan.counts["delete"], "keep_going": True, "progress": False}
        self.bulk([step.code for step in plan.steps], rivals, fault, kill, lambda: plan.apply(**options))

    def bulk(self, codes: Any, rivals: Any, fault: Any, kill: Any, work: Any) -> Any:
        report = self.change(codes, rivals, fault, kill, work)
        if report is None or isinstance(report, errors.B24Error):
            return None
        now = self.now()
        for row, outcome in zip(report.df.itertuples(), report, strict=True):
            badge = outcome.step.after
            same = badge and outcome.found == badge  # to replace it by the same has no effect
            if not (outcome.half_done or same):
                self.settled(row.verdict, row.code, self.effects(row.code))
            if row.verdict in ("added", "replaced") and self.key(row.code) not in self.blurred and not rivals:
                assert badge in now.values()
        return report

    @rule()
    def swap(self) -> None:
        """From here on the other process is at work."""
        self.b24, self.other = self.other, self.b24

    @rule(code=st.sampled_from(CODES[:-1]))
    def hold(self, code: str) -> None:
        """An open activity holds a badge, so that nobody can delete it."""
        if badge := self.now().get(self.key(code)):
            self.held.append(str(self.portal.attach(badge.code)))

    @rule()
    def release(self) -> None:
        while self.held:
            self.b24.call("crm.activity.delete", {"id": self.held.pop()})

    @rule(last=st.integers(1, 4), fault=faults)
    def undo(self, last: int, fault: Any) -> None:
        """Everything back as the last changes found it, but for what somebody else did since."""
        self.clock.advance(120)
        self.late = None
        plan = self.b24.journal.plan_undo(last)
        numbers = {entry.change_set for entry in self.entries() if entry.changed is not False}
        since = self.sets.get(next(iter(sorted(numbers)[-last:]), 0), None if last < ALL else {})
        ours = {code: effects[since.get(code, 0) :] for code, effects in self.ours.items()} if since is not None else {}
        now, restored = self.now(), [effects[-1][1] for effects in self.ours.values() if effects]
        options = {"confirm": plan.counts["delete"], "keep_going": True, "progress": False}
        report = self.bulk([step.code for step in plan.steps], [], fault, None, lambda: plan.apply(**options))
        after = self.now()
        for code, badge in now.items():
            theirs = str(badge.title).startswith("theirs") and badge not in restored
            assert code in after or not theirs, f"undo deleted what somebody else had put there: {badge!r}"
        for code, effects in ours.items():
            first, latest = (effects[0][0], effects[-1][1]) if effects else (now.get(code), now.get(code))
            spelled = {badge.code for effect in effects for badge in effect if badge}
            if len(spelled) > 1:  # two badges for our client: it can't know how the portal compares
                continue
            lost = first and len(first.code) > self.portal.switches.code_limit
            if code in self.blurred or lost or (last < ALL and not (report is not None and report.ok)):
                continue
            if now.get(code) in (latest, first):
                assert after.get(code) == first, (code, effects, now.get(code), after.get(code), report)
            elif first is None:
                assert after.get(code) == now.get(code), (code, effects)

    @rule()
    def undo_all(self) -> None:
        self.release()
        self.undo(ALL, None)
        # From here on what is there is the state to go back to.
        for memory in (self.ours, self.known, self.blurred, self.open, self.sets):
            memory.clear()
        self.b24.close()
        self.other.close()
        self.journal = self.journal.with_name(f"{self.journal.stem}x.db")
        self.b24, self.other = self.connect(), self.connect()

    @invariant()
    def journal_agrees(self) -> None:
        """Every change of ours is in the journal, with the badge as it was last."""
        entries: dict[str, list[Any]] = {}
        for entry in self.entries():
            if entry.changed is not False:
                entries.setdefault(self.key(entry.step.code), []).append(entry)
        for code, effects in self.ours.items():
            known: list[Any] = [entry.found or entry.step.before for entry in entries.get(code, ())]
            removed = [gone for gone, _ in effects if gone]
            if code not in self.blurred:
                assert all(badge in known for badge in removed), (code, removed, known)

    @rule()
    def look_at_it(self) -> None:
        """The displays and the frame stand in every state, and hold plain cells."""
        assert repr(self.b24.journal)
        for text in self.b24.journal.df["before"].dropna():
            assert json.loads(text)["code"]


def run(max_examples: int, steps: int = 40) -> None:
    checks = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
    run_state_machine_as_test(Portal, settings=settings(max_examples=max_examples, stateful_step_count=steps, **checks))


def test_journal_and_portal_agree_in_every_state() -> None:
    run(max_examples=12, steps=15)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_journal_and_portal_agree_in_many_more_states() -> None:
    """200,000 steps, shared by the cores; ``STATE_EXAMPLES`` is how many times 40."""
    cores = os.cpu_count() or 1
    share = int(os.environ.get("STATE_EXAMPLES", "5000")) // cores
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(run, [share] * cores))
