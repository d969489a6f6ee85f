"""Random changes by two clients with faults: journal and portal agree in every state, undo goes back."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import b24nb
from b24nb import errors
from b24nb.badges.badge import Badge
from tests.fakes import FakeClock

CODES = ["a", "A", "b", "c", "d", "e", "f"]
texts = st.sampled_from(["x", "y", {"en": "x", "ru": "ю"}, {}, "$result[s0-add][badge][code]"])
badges = st.builds(Badge, st.sampled_from(CODES), texts, texts, st.sampled_from(["primary", "success"]))
wanted = st.lists(badges, unique_by=lambda badge: badge.code.casefold(), max_size=5)
clients = st.integers(0, 1)
#: What may happen to the next write: nothing, or an answer lost before or after the effect.
faults = st.none() | st.tuples(st.sampled_from(["reset", "cut", "html", "empty"]), st.booleans())
WRITES = ("crm.activity.badge.add", "crm.activity.badge.delete", "batch")


class TwoClients(RuleBasedStateMachine):
    """One portal, one journal, two clients of the same user."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        clock = FakeClock()
        rows = [{"code": code, "title": "t", "value": "v", "type": "primary"} for code in "abcd"]
        self.portal = self.stack.enter_context(b24nb.SandboxPortal(badges=rows, clock=clock))
        journal = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "journal.db"
        self.clients = [
            self.stack.enter_context(b24nb.connect(self.portal, journal=journal, clock=clock))
            for _ in range(2)
        ]
        self.start = self.now()
        self.states: list[tuple[int, set[Badge]]] = []  # each change set with what was there before it
        self.held: list[int] = []

    def teardown(self) -> None:
        self.stack.close()

    def now(self) -> set[Badge]:
        return set(map(Badge.from_wire, self.portal.badges))

    def change(self, fault: Any, work: Any) -> Any:
        """Do something under a fault and note what was there before, if it changed anything."""
        before = self.now()
        if fault:
            for method in WRITES:
                self.portal.faults.next(fault[0], method=method, after_effect=fault[1])
        try:
            result = work()
        except (errors.ApiError, errors.NotApplied) as error:
            assert self.now() == before
            result = error
        self.portal.faults.clear()
        entries = self.clients[0].journal._journal.last(1)
        if entries and entries[0].change_set not in [number for number, _ in self.states]:
            self.states.append((entries[0].change_set, before))
        else:
            assert self.now() == before
        return result

    @rule(client=clients, badge=badges, fault=faults)
    def add(self, client: int, badge: Badge, fault: Any) -> None:
        there = badge.code.casefold() in {item.code.casefold() for item in self.now()}
        # A lost add of a code that exists can't be told from one that was applied and changed since.
        fault = None if there else fault
        result = self.change(fault, lambda: self.clients[client].badges.add(*badge.to_wire().values()))
        if isinstance(result, Badge):
            assert result == badge
            assert not there
            assert badge in self.now()

    @rule(client=clients, code=st.sampled_from(CODES), fault=faults)
    def delete(self, client: int, code: str, fault: Any) -> None:
        before = self.now()
        result = self.change(fault, lambda: self.clients[client].badges.delete(code))
        if isinstance(result, Badge):
            assert self.now() == before - {result}

    @rule(
        client=clients,
        codes=st.lists(st.sampled_from(CODES), unique_by=str.casefold),
        going=st.booleans(),
        parallel=st.integers(1, 2),
        fault=faults,
    )
    def delete_many(self, client: int, codes: list[str], going: bool, parallel: int, fault: Any) -> None:
        options = {"keep_going": going, "parallel": parallel, "progress": False}
        report = self.change(fault, lambda: self.clients[client].badges.delete_many(codes, **options))
        left = {badge.code.casefold() for badge in self.now()}
        for row in report.df.itertuples():
            assert (row.verdict in ("deleted", "already gone")) == (row.code.casefold() not in left)

    @rule(client=clients, wanted=wanted, prune=st.booleans(), fault=faults)
    def plan(self, client: int, wanted: list[Badge], prune: bool, fault: Any) -> None:
        plan = self.clients[client].badges.plan(wanted, prune=prune)
        report = self.change(
            fault, lambda: plan.apply(confirm=plan.counts["delete"], keep_going=True, progress=False)
        )
        now = self.now()
        for outcome in report:
            done = outcome.verdict in ("added", "replaced", "kept")
            assert outcome.step.after is None or done == (outcome.step.after in now)

    @rule(client=clients, last=st.integers(1, 4), fault=faults)
    def undo(self, client: int, last: int, fault: Any) -> None:
        plan = self.clients[client].journal.plan_undo(last)
        before = self.states[-last:][0][1] if self.states else self.now()
        report = self.change(
            fault, lambda: plan.apply(confirm=plan.counts["delete"], keep_going=True, progress=False)
        )
        if report.ok:
            assert self.now() == before

    @rule(code=st.sampled_from(CODES))
    def hold(self, code: str) -> None:
        if code in {badge.code for badge in self.now()} and not self.held:
            self.held.append(self.portal.attach(code))

    @rule()
    def release(self) -> None:
        while self.held:
            self.clients[0].call("crm.activity.delete", {"id": self.held.pop()})

    @invariant()
    def journal_and_portal_agree(self) -> None:
        account = set(self.start)
        for entry in self.clients[1].journal._journal.entries():
            assert entry.verdict is not None
            assert entry.changed is not None
            if entry.changed:
                account -= {entry.step.before}
                if entry.step.after and entry.verdict != "failed":  # a half-done replace only deleted
                    account |= {entry.step.after}
        assert account == self.now()


def run(max_examples: int, steps: int) -> None:
    run_state_machine_as_test(
        TwoClients,
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_journal_and_portal_agree_in_every_state() -> None:
    run(max_examples=12, steps=15)


@pytest.mark.slow
def test_journal_and_portal_agree_in_many_more_states() -> None:
    run(max_examples=150, steps=40)
