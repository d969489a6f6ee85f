"""What keeps a sandbox portal harmless, who may reach it and what it shows; and trouble on demand."""

from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import requests

from b24nb import connect, errors
from b24nb.sandbox import SandboxPortal
from tests.contract.rest import by_hand, code_of, refresh, rest
from tests.fakes import FakeClock, eventually

BODY_LIMIT = 8 * 1024 * 1024


@pytest.mark.parametrize("path", ["/", "/rest/profile", "/oauth/token/", "/nothing"])
def test_only_names_of_this_machine_are_answered_against_rebinding(portal: SandboxPortal, path: str) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8080"):
        answer = by_hand(portal, f"GET {path} HTTP/1.1\nHost: {host}\nConnection: close")
        assert b"localhost only" not in answer
    for host in ("portal.example", "127.0.0.1.portal.example", "localhost.", "127.0.0.2", "evil@localhost", ""):
        answer = by_hand(portal, f"GET {path} HTTP/1.1\nHost: {host}\nConnection: close")
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"localhost only" in answer
    assert by_hand(portal, f"GET {path} HTTP/1.0").startswith(b"HTTP/1.1 403")


def test_a_body_over_the_limit_is_refused_in_clear_words(portal: SandboxPortal) -> None:
    assert rest(portal.webhook, "profile", data=b"x" * BODY_LIMIT).ok
    over = requests.post(portal.webhook + "profile", data=b"x" * (BODY_LIMIT + 1), timeout=20)
    assert (over.status_code, over.text) == (413, "The body is larger than 8388608 bytes.")
    chunks = (b"x" * 1_000_000 for _ in range(110))
    assert requests.post(portal.webhook + "profile", data=chunks, timeout=20).status_code == 413
    assert rest(portal.webhook, "profile").ok


@pytest.mark.parametrize("where", ["query", "form", "multipart", "token"])
def test_too_many_parameters_are_refused_in_clear_words(portal: SandboxPortal, where: str) -> None:
    def send(count: int) -> requests.Response:
        many = [(f"p{number}", "") for number in range(count)]
        if where == "query":  # as many as fit into a request line
            return requests.get(portal.webhook + "profile?" + "a&" * count, timeout=20)
        if where == "multipart":
            parts = {name: (None, value) for name, value in many}
            return requests.post(portal.webhook + "profile", files=parts, timeout=20)
        url = portal.webhook + "profile" if where == "form" else portal.url + "/oauth/token/"
        return requests.post(url, data=urlencode(many), headers={"Content-Type": "x/y"}, timeout=20)

    assert "More than" not in send(10_000).text
    refused = send(10_001)
    assert (refused.status_code, refused.text) == (400, "More than 10000 parameters.")


def test_every_answer_says_that_it_is_a_sandbox(portal: SandboxPortal) -> None:
    paths = ["/", "/nothing", "/rest/profile", "/rest/api/profile", "/oauth/token/", "/rest/scope?x=" + "a" * 200_000]
    answers = [requests.get(portal.url + path, timeout=20) for path in paths]
    portal.faults.next("html")
    answers.append(rest(portal.webhook, "profile"))
    assert all(answer.headers["X-Sandbox"].startswith("b24nb/") for answer in answers)


def test_raw_utf8_in_a_path_is_read_as_utf8(portal: SandboxPortal) -> None:
    path = urlsplit(portal.webhook).path + "crm.activity.badge.get?code=Ж"
    answer = by_hand(portal, f"GET {path} HTTP/1.1\nHost: localhost\nConnection: close")
    assert "code `Ж`".encode() in answer


# -- the page -------------------------------------------------------------------------------------

NASTY = '"><script>alert(1)</script>{{ 701*703 }}'


def test_the_page_shows_the_kanban_the_badges_and_the_last_requests(portal: SandboxPortal) -> None:
    rest(portal.webhooks["employee"], "crm.activity.badge.delete", {"code": "missedCall"})
    rest(portal.webhook, "batch", {"cmd": ["profile", "profile"]})
    page = requests.get(portal.url, timeout=20)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    text = page.text
    assert "Deal 1<" in text.partition("Office chairs for Nordwind")[2][:80]
    assert '<span class="pill primary">Requested</span>' in text
    assert "<code>missedCall</code>" in text
    assert "ACCESS_DENIED" in text
    assert "(2 × profile)" in text
    assert text.index("(2 × profile)") < text.index("ACCESS_DENIED")  # the newest first
    assert 'http-equiv="refresh"' in text
    assert len(portal.requests) == 2, "an open page is not among them"


def test_the_newest_badge_of_a_deal_is_on_its_card_until_it_ages_out(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal:

        def pills() -> list[str]:
            cards = requests.get(portal.url, timeout=20).text.partition("<h2>Badges")[0]
            return [part.partition("<")[0] for part in cards.split('class="pill ')[1:]]

        before = pills()
        portal.attach("birthday", deal=np.int64(4))  # a number out of a frame
        after = pills()
        assert len(after) == len(before)
        assert 'warning">This week' in after
        assert 'failure">Late' in before
        assert 'failure">Late' not in after
        clock.advance(31 * 24 * 3600)
        assert pills() == []


def test_the_page_stays_readable_with_thousands_of_badges_and_shows_texts_as_a_portal_does() -> None:
    """Of texts without the viewer's language the documentation says "the first"; a portal shows how many there are."""
    texts = {"fr": "Un", "it": "Uno"}
    row = {"title": texts, "value": {"en": "One"} | texts, "type": "success"}
    with SandboxPortal(badges=[{"code": f"c{number}", **row} for number in range(3000)]) as portal:
        text = requests.get(portal.url, timeout=20).text
    assert text.count("<code>") == 200
    assert "And 2800 more." in text
    assert "<td>2</td>" in text
    assert '<span class="pill success">One</span>' in text


def test_everything_on_the_page_is_escaped_and_no_script_may_run() -> None:
    badges = [{"code": NASTY, "title": {"en": NASTY}, "value": NASTY, "type": "primary"}]
    with SandboxPortal(badges=badges) as portal:
        rest(portal.webhook, "crm.deal.update", {"id": 1, "fields": {"TITLE": NASTY, "CURRENCY_ID": NASTY}})
        portal.attach(NASTY)
        requests.get(f"{portal.url}/rest/{NASTY}", timeout=20)
        portal.faults.next("reset")
        with pytest.raises(requests.ConnectionError):
            rest(portal.webhook, "<i>")
        page = requests.get(portal.url, timeout=20)
    assert "<script" not in page.text
    assert "<i>" not in page.text
    assert "492803" not in page.text
    assert page.text.count("&lt;script&gt;") >= 5
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


DELETE = "crm.activity.badge.delete"
MISSED_CALL = {"code": "missedCall"}


def codes(portal: SandboxPortal) -> list[str]:
    return [badge["code"] for badge in portal.badges]


def test_a_missing_scope_is_answered_as_the_webhook_without_it_is(portal: SandboxPortal) -> None:
    portal.faults.next("insufficient_scope")
    provoked, real = (rest(hook, DELETE, MISSED_CALL) for hook in (portal.webhook, portal.webhooks["noscope"]))
    assert (provoked.status_code, provoked.json()) == (real.status_code, real.json())


def test_times_and_method_choose_the_calls(portal: SandboxPortal) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2, method="Profile")
    assert len(portal.faults) == 2
    assert rest(portal.webhook, "server.time").ok
    assert [rest(portal.webhook, "profile").status_code for _ in range(3)] == [503, 503, 200]
    portal.faults.next("reset")
    portal.faults.clear()
    assert rest(portal.webhook, "profile").ok


def raw(portal: SandboxPortal, method: str) -> bytes:
    """All that comes back on the socket for a GET about a missed call."""
    return by_hand(portal, f"GET {urlsplit(portal.webhook).path}{method}?code=missedCall HTTP/1.1\nHost: localhost")


def test_an_oversized_answer_and_a_hanging_one_end_as_was_asked_for(portal: SandboxPortal) -> None:
    portal.faults.next("oversized", size=3_000_000)
    assert len(rest(portal.webhook, DELETE, MISSED_CALL).content) == 3_000_000
    portal.faults.next("hang", seconds=0.1)
    assert raw(portal, "profile") == b""


@pytest.mark.parametrize("kind", ["empty", "list", "charset", "html", "cut"])
def test_a_broken_answer_has_the_status_that_was_asked_for(portal: SandboxPortal, kind: str) -> None:
    portal.faults.next(kind, status=504)
    assert raw(portal, "profile").startswith(b"HTTP/1.1 504 ")
    assert portal.requests[-1].http_status == 504


def test_stopping_does_not_wait_for_what_hangs() -> None:
    with SandboxPortal() as portal:
        portal.faults.next("hang")
        with pytest.raises(requests.ReadTimeout):
            rest(portal.webhook, DELETE, MISSED_CALL, timeout=0.3)
        portal.faults.next("drip")
        answer = rest(portal.webhook, "profile", stream=True)
    with suppress(requests.exceptions.ChunkedEncodingError):  # older urllib3 takes what came for all of it
        assert len(answer.content) < int(answer.headers["Content-Length"])


def test_an_answer_that_drips_never_becomes_a_whole_one(portal: SandboxPortal) -> None:
    portal.faults.next("drip", method="crm.deal.add", seconds=0.001)
    with connect(portal) as b24, pytest.raises(errors.TransportError):
        b24.call("crm.deal.add", {"fields": {"TITLE": "x"}})


@pytest.mark.parametrize(("latency_ms", "timeout"), [(0, 0.5), (400, 0.1)])
def test_a_late_effect_waits_until_the_client_gave_up(latency_ms: int, timeout: float, portal: SandboxPortal) -> None:
    portal.switches.latency_ms = latency_ms
    portal.faults.next("hang", effect_after=0.3)
    with pytest.raises(requests.ReadTimeout):
        rest(portal.webhook, DELETE, MISSED_CALL, timeout=timeout)
    assert "missedCall" in codes(portal)
    eventually(lambda: "missedCall" not in codes(portal))


def test_the_token_endpoint_can_fail_after_it_has_renewed(portal: SandboxPortal) -> None:
    token = portal.oauth["refresh_token"]
    portal.faults.next("INTERNAL_SERVER_ERROR", method="oauth/token", after_effect=True)
    assert code_of(refresh(portal, token)) == (500, "INTERNAL_SERVER_ERROR")
    assert code_of(refresh(portal, token)) == (400, "invalid_grant")
