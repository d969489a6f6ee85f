"""`connect()` and `Client` against a real sandbox portal."""

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from b24nb import OAuthToken, SandboxPortal, connect, errors


def test_who_am_i_is_asked_once_by_one_batch(portal: SandboxPortal) -> None:
    with connect(portal) as b24:
        repr(b24), b24._repr_html_(), repr(b24.portal), b24.portal._repr_html_(), b24.calls, b24.journal
        assert [request.method for request in portal.requests] == ["batch"]
        assert b24.portal.admin is True
        assert b24.portal.user_id == "1"
        assert "crm" in b24.portal.scopes
        assert b24.portal.asked_at.tzinfo is not None


@pytest.mark.parametrize("wrong", [42, b"https://", ["x"]])
def test_other_things_are_refused(wrong: object) -> None:
    with pytest.raises(errors.InvalidInput, match="Can't connect"):
        connect(wrong)


def test_read_only_refuses_every_write_before_it_is_sent(portal: SandboxPortal) -> None:
    with connect(portal, read_only=True) as b24:
        release = b24.badges.release("waitingPayment")
        before = len(portal.requests)
        many = {f"c{i}": ("crm.activity.badge.get", {"code": "paid"}) for i in range(60)}  # more than a request holds
        for write in (
            lambda: b24.badges.delete("missedCall"),
            lambda: b24.badges.add("x", "t", "v", "primary"),
            lambda: b24.badges.delete_many(["missedCall"]),
            lambda: release.apply(confirm=2),
            lambda: b24.call("crm.activity.badge.delete", {"code": "missedCall"}),
            lambda: b24.call("crm.something.unheard.of"),
            lambda: b24.batch({**many, "last": ("crm.activity.badge.delete", {"code": "missedCall"})}),
        ):
            with pytest.raises(errors.ReadOnly, match="Nothing was sent"):
                write()
        assert len(portal.requests) == before
        assert b24.badges.get("missedCall")
        for read in ("CRM.Activity.Badge.LIST", "crm.deal.list", "profile"):
            assert b24.call(read).result


def test_a_sandbox_reached_by_its_address_leaves_no_journal_behind(portal: SandboxPortal) -> None:
    with connect(portal.webhook) as b24:
        b24.badges.delete("missedCall")
        assert len(b24.journal.df) == 1
    assert not list(Path(os.environ["XDG_DATA_HOME"]).rglob("*.db"))


WAYS: dict[str, Callable[[SandboxPortal], Any]] = {
    "portal": lambda portal: portal,
    "webhook": lambda portal: portal.webhook,
    "token": lambda portal: OAuthToken(**portal.oauth),
}


@pytest.mark.parametrize(("switches", "burst"), [({}, 10**9), ({"limits": True, "tariff": "enterprise"}, 250)])
def test_a_sandbox_reached_by_its_address_has_its_own_plan(switches: dict[str, Any], burst: int) -> None:
    with SandboxPortal(**switches) as portal:
        for way in WAYS.values():
            with connect(way(portal)) as b24:
                assert b24.calls.limits.bucket.tariff.burst == burst
        with connect(portal.webhook, tariff="enterprise") as b24:
            assert b24.calls.limits.bucket.tariff.burst == 250


@pytest.mark.parametrize("changed", WAYS)
@pytest.mark.parametrize("undone", WAYS)
def test_a_sandbox_with_a_file_keeps_its_journal_on_another_port(changed: str, undone: str, tmp_path: Path) -> None:
    db = tmp_path / "portal.db"
    with SandboxPortal(db=db) as portal, connect(WAYS[changed](portal)) as b24:
        b24.badges.delete("missedCall")
    with SandboxPortal(db=db) as portal, connect(WAYS[undone](portal), journal=portal.journal_path) as b24:
        b24.journal.plan_undo().apply(progress=False)
        assert b24.badges.get("missedCall").type == "failure"


def test_a_portal_that_hides_who_i_am_is_unknown_not_wrong(portal: SandboxPortal) -> None:
    portal.faults.next("ACCESS_DENIED", method="profile")
    with connect(portal) as b24:
        seen = b24.portal
    assert (seen.user, seen.admin, seen.kind) == (None, None, "SANDBOX")
    assert "user unknown (rights unknown)" in str(seen)


def test_the_call_log_begins_with_what_the_user_asked_for() -> None:
    with connect() as b24:
        assert len(b24.calls) == 0
        b24.badges.list()
        assert [*b24.calls.df["method"]] == ["crm.activity.badge.list"]
        assert b24.calls.df["at"].dtype == b24.calls.df["operating_reset_at"].dtype


def test_a_call_shows_what_it_was_and_how_long_it_took() -> None:
    with connect() as b24:
        with pytest.raises(errors.NotFound):
            b24.badges.get("nobody")
        call = b24.calls.last
    assert call
    assert re.fullmatch(
        r"<Call crm\.activity\.badge\.get: [\d-]+ [\d:]+ UTC, error NOT_FOUND, HTTP 400, [\d.]+ ms(, .*)?>", repr(call)
    )
    assert "NOT_FOUND" in call._repr_html_()
    assert "nobody" in call._repr_html_()


def test_values_name_the_package_that_they_are_imported_from() -> None:
    with connect() as b24:
        badges = b24.badges.list()
        assert [type(one).__module__ for one in (b24, badges, badges[0])] == ["b24nb"] * 3
    assert connect.__module__ == SandboxPortal.__module__ == "b24nb"
    assert pickle.loads(pickle.dumps(badges[0])) == badges[0]


def test_completion_tells_the_function_from_the_log() -> None:
    shell = InteractiveShell()
    with connect() as shell.user_ns["b24"], provisionalcompleter():
        offered = {one.text: one for one in shell.Completer.completions("b24.call", 8)}
    assert offered["call"].type == "function"
    assert offered["call"].signature.startswith("(method: ")
    assert offered["calls"].type != "function"
