"""The life of a sandbox portal: started, stopped, kept in a file, one beside others, and over https."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from b24nb import OAuthToken, connect, errors
from b24nb.sandbox import SandboxFleet, SandboxPortal
from tests.contract.rest import by_hand, code_of, refresh, rest
from tests.fakes import FakeClock, secrets_of
from tests.layers import require_package
from tests.programs import python

BADGE = {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"}


def test_a_portal_is_a_plain_object_and_a_context_manager_and_fresh_at_each_start() -> None:
    portal = SandboxPortal()
    with pytest.raises(RuntimeError, match="start"):
        _ = portal.webhook
    assert portal.start() is portal
    with pytest.raises(RuntimeError, match="running already"):
        portal.start()
    assert rest(portal.webhook, "crm.activity.badge.add", BADGE).ok
    portal.stop()
    portal.stop()
    with portal:
        assert BADGE not in portal.badges
    assert not portal.running


def test_a_process_without_a_file_to_open_is_not_flooded_by_its_portal_which_answers_again_later() -> None:
    program = """
import logging, os, resource, b24nb
logged = []
logging.getLogger("asyncio").addFilter(logged.append)
portal = b24nb.SandboxPortal().start()
b24 = b24nb.connect(portal, timeout=(5, 1))
b24.close()
left = os.dup(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (left + 1, 4096))
os.close(left)
try:
    b24nb.connect(portal.webhook, timeout=(5, 1))
except b24nb.errors.TransportError as error:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    print(len(logged), len(b24nb.connect(portal.webhook).badges.list()))
"""
    assert python(program) == "0 12"


def test_secrets_are_random_unless_seeded(tmp_path: Path) -> None:
    def started(seed: int | None) -> set[str]:
        with SandboxPortal(seed=seed) as portal:
            return secrets_of(portal)

    def kept() -> str:
        with SandboxPortal(db=tmp_path / "portal.db", seed=1) as portal:
            return portal.oauth["access_token"]

    assert started(1) == started(1)
    assert not started(None) & started(None)
    assert not started(1) & started(2)
    assert len(started(None)) == 9
    assert len({kept() for _ in range(3)}) == 3, "a seed and a file go together"


def test_it_listens_on_this_machine_only(portal: SandboxPortal) -> None:
    port = urlsplit(portal.url).port
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in (*others, "127.0.0.2"):
        if address != "127.0.0.1":
            with socket.socket() as probe:
                assert probe.connect_ex((address, port)) != 0


def test_a_file_keeps_badges_and_secrets_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("portal.db").absolute()
    portal = SandboxPortal(db="portal.db")
    with portal:
        rest(portal.webhook, "crm.activity.badge.add", BADGE)
        refresh_token = portal.oauth["refresh_token"]
        webhook = urlsplit(portal.webhook).path
        assert portal.journal_path == f"{path}.client-journal.db"
    monkeypatch.chdir(tmp_path)
    with portal:
        assert BADGE in portal.badges
    assert not list(tmp_path.glob("portal.db*"))
    with SandboxPortal(db=path, badges=[]) as portal:  # the badges of a fresh one; this one has some
        assert BADGE in portal.badges
        assert urlsplit(portal.webhook).path == webhook
        assert refresh(portal, refresh_token).ok


def test_a_file_belongs_to_one_portal_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "portal.db"
    with SandboxPortal(db=path) as portal, pytest.raises(RuntimeError, match=r"portal\.db: another sandbox uses it"):
        SandboxPortal(db=path).start()
    assert not portal.running
    SandboxPortal(db=path).start().stop()


Refused = list[tuple[Callable[[SandboxPortal], object], str]]
#: Names that the portal does not know, switches, badges, fleets and faults that can't be.
NAMES: Refused = [
    (lambda portal: portal.issue_token(user="Anna"), "no user 'Anna'; the logins are anna, ben, carla, dmitri"),
    (lambda portal: portal.add_webhook("admin"), "a webhook 'admin' already"),
    (lambda portal: portal.attach("missedcall"), "no badge 'missedcall'"),
    (lambda portal: portal.attach("missedCall", deal=99), "no deal 99"),
]
TEXTS = ("limits", "rest_available", "code_limit", "operating", "latency_ms", "languages")  # "no" would be a yes
SWITCHES: Refused = [
    (lambda _: SandboxPortal(tariff="free"), "tariff is one of .*, self-hosted"),
    (lambda _: SandboxPortal(language="de"), "language is one of en, ru"),
    (lambda portal: setattr(portal.switches, "tariff", "free"), "tariff is one of .*, self-hosted"),
    (lambda portal: setattr(portal.switches, "limits", "no"), "limits can't be a text: 'no'"),
    *((lambda _, name=name: SandboxPortal(**{name: "no"}), f"{name} can't be a text: 'no'") for name in TEXTS),
    *((lambda _, name=name: SandboxPortal(**{name: None}), f"{name} can't be None") for name in (*TEXTS, "cost")),
]
NO_BADGES = (["vip"], [{"code": "vip"}], "b.csv", [{**BADGE, "code": 7}])
DATA: Refused = [
    *((lambda _, wrong=wrong: SandboxPortal(badges=wrong).start(), "can't be one of badges=: ") for wrong in NO_BADGES),
    (lambda _: SandboxFleet(10, dead=0.6, revoked=0.6), "0 to 1"),
]
FAULTS: Refused = [
    (lambda portal: portal.faults.next("NEW_ERROR"), r"'NEW_ERROR' is neither a code .* reset"),
    (lambda portal: portal.faults.next("reset", times=0), "1 or more"),
    (lambda portal: portal.faults.next("reset", effect_after=1, after_effect=True), "without after_effect"),
    (lambda portal: portal.faults.next("INTERNAL_SERVER_ERROR", effect_after=1), "with one of reset"),
]


@pytest.mark.parametrize(("ask", "words"), [*NAMES, *SWITCHES, *DATA, *FAULTS])
def test_what_can_not_be_is_refused(portal: SandboxPortal, ask: Callable[[SandboxPortal], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ask(portal)
    assert rest(portal.webhook, "profile").ok


def test_scopes_may_be_one_text(portal: SandboxPortal) -> None:
    assert rest(portal.add_webhook("one", scopes="crm"), "scope").json()["result"] == ["crm"]
    token = portal.issue_token(scopes="crm,user")["access_token"]
    assert rest(f"{portal.url}/rest/", "scope", {"auth": token}).json()["result"] == ["crm", "user"]


def test_work_and_latency_take_the_portals_time(clock: FakeClock) -> None:
    costs = {"crm.activity.badge.list": 0.5}
    with SandboxPortal(latency_ms=200, cost=costs, clock=clock) as portal:
        start = clock()
        time = rest(portal.webhook, "crm.activity.badge.list").json()["time"]
        assert clock() - start == pytest.approx(0.7)
        assert time["duration"] == pytest.approx(0.6)  # from the whole second to the end of the work
        assert time["operating"] == pytest.approx(0.5)


def test_requests_are_remembered_and_shown_without_secrets(portal: SandboxPortal) -> None:
    rest(portal.webhook, "crm.activity.badge.get", {"code": "missedCall"})
    rest(portal.webhooks["employee"], "crm.activity.badge.delete", {"code": "missedCall"})
    rest(portal.webhook, "batch", {"cmd": ["profile", "crm.activity.badge.list", "profile?a=1"]})
    requests.get(f"{portal.url}/rest/profile", {"auth": portal.oauth["access_token"]}, timeout=20)
    get, delete, batch, profile = portal.requests
    assert (get.verb, get.method, get.http_status, get.error) == ("POST", "crm.activity.badge.get", 200, None)
    assert get.path == "/rest/1/***/crm.activity.badge.get"
    assert get.bytes > 100
    assert get.ms > 0
    assert delete.error == "ACCESS_DENIED"
    assert batch.commands == {"profile": 2, "crm.activity.badge.list": 1}
    assert profile.path == "/rest/profile"
    shown = [repr(portal.requests), repr(portal), repr(portal.switches), requests.get(portal.url, timeout=20).text]
    assert not any(secret in text for secret in secrets_of(portal) for text in shown)


def test_a_call_that_the_rate_limit_refused_is_remembered_by_its_method() -> None:
    with SandboxPortal(limits=True, clock=FakeClock()) as portal:
        refused = [rest(portal.webhook, "profile").status_code for _ in range(52)].count(503)
        assert [record.method for record in portal.requests if record.http_status == 503] == ["profile"] * refused
        assert refused


def test_only_the_last_thousand_requests_are_remembered(portal: SandboxPortal) -> None:
    heads = [f"GET /rest/number.{number} HTTP/1.1\nHost: localhost" for number in range(1005)]
    by_hand(portal, "\n\n".join(heads) + "\nConnection: close")
    assert [record.method for record in portal.requests] == [f"number.{n}" for n in range(5, 1005)]


def test_the_authorization_server_knows_whose_token_it_is(portal: SandboxPortal) -> None:
    pair = refresh(portal, portal.oauth["refresh_token"]).json()
    answer = requests.get(pair["server_endpoint"] + "app.info", {"auth": pair["access_token"]}, timeout=20)
    result = answer.json()["result"]
    assert (result["client_id"], result["user_id"]) == (portal.oauth["client_id"], 1)
    assert result["install"]["client_endpoint"] == portal.url + "/rest/"
    unknown = requests.get(pair["server_endpoint"] + "app.info", {"auth": "x"}, timeout=20)
    assert code_of(unknown) == (401, "invalid_token")


def test_tls_with_a_certificate_made_on_the_spot() -> None:
    require_package("trustme")
    with SandboxPortal(tls=True, https_required=True) as portal:
        ca_file = Path(str(portal.ca_file))
        for webhook in (portal.webhook, portal.webhook.replace("127.0.0.1", "localhost")):
            assert rest(webhook, "profile", verify=ca_file).ok
        portal.faults.next("reset")
        with pytest.raises(requests.ConnectionError):
            rest(portal.webhook, "profile", verify=ca_file)
    assert not ca_file.exists()


def test_trustme_is_imported_only_for_tls() -> None:
    code = "import sys, b24nb.sandbox as s; s.SandboxPortal().start().stop(); print('trustme' in sys.modules)"
    assert python(code) == "False"


def test_a_seed_chooses_the_same_portals_again() -> None:
    chosen = [SandboxFleet(100, dead=0.05, seed=seed).trouble for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_a_fleet_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with SandboxFleet(3) as fleet:
        directory = Path(next(iter(fleet.portals.values())).journal_path).parent
        assert threading.active_count() == before + 1
    fleet.stop()
    assert threading.active_count() == before
    assert not directory.exists()


def test_one_portal_of_a_fleet_stops_alone_and_starts_again() -> None:
    with SandboxFleet(2) as fleet:
        one, other = fleet.webhooks.values()
        portal = fleet.portals["portal-0001"]
        portal.stop()
        with pytest.raises(requests.ConnectionError):
            rest(one, "profile")
        assert rest(other, "profile").ok
        with portal:
            assert rest(portal.webhook, "profile").ok
        with pytest.raises(RuntimeError, match="running already"):
            fleet.start()
    assert not portal.running
    with pytest.raises(RuntimeError, match="not running"):
        _ = portal.badges


def test_each_portal_of_a_fleet_can_be_verified_and_gets_the_badges_of_an_iterator() -> None:
    badges = iter([{"code": "paid", "title": "P", "value": "P", "type": "success"}])
    with SandboxFleet(2, badges=badges, tls=True) as fleet:
        for portal in fleet.portals.values():
            assert rest(portal.webhook, "profile", verify=portal.ca_file).ok
            assert len(portal.badges) == 1


def test_a_sandbox_started_for_a_client_that_could_not_be_made_is_stopped() -> None:
    portal = SandboxPortal()
    with pytest.raises(errors.InvalidInput):
        connect(portal, tariff="gold")
    assert not portal.running


def test_a_refused_update_changes_nothing_and_what_comes_after_it_is_kept(tmp_path: Path) -> None:
    with SandboxPortal(db=tmp_path / "portal.db") as portal, connect(OAuthToken(**portal.oauth)) as b24:
        held = portal.attach("documentSigned", deal=2)
        change = {"id": held, "fields": {"badgeCode": "DOCUMENTSIGNED", "originId": "new"}}
        with pytest.raises(errors.ApiError, match="Unknown badge value"):
            b24.call("crm.activity.configurable.update", change)
        now = b24.call("crm.activity.configurable.get", {"id": held}).result["activity"]["fields"]
        assert (now["badgeCode"], now["originId"]) == ("documentSigned", None)
        b24.badges.delete("missedCall")
    with SandboxPortal(db=tmp_path / "portal.db") as portal:
        assert "missedCall" not in {badge["code"] for badge in portal.badges}


def test_the_link_to_a_deal_leads_to_its_card(portal: SandboxPortal) -> None:
    answer = requests.get(f"{portal.url}/crm/deal/details/1/", allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/#deal-1")


@pytest.mark.parametrize(("soft", "after"), [(300, 1003), (2000, 2000)])
def test_a_fleet_raises_the_limit_of_open_files_and_never_lowers_it(soft: int, after: int) -> None:
    code = f"from resource import *; setrlimit(RLIMIT_NOFILE, ({soft}, getrlimit(RLIMIT_NOFILE)[1]))\n"
    code += "from b24nb.sandbox import SandboxFleet\nwith SandboxFleet(1): print(getrlimit(RLIMIT_NOFILE)[0])"
    assert int(python(code)) == after
