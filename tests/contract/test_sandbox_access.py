"""OAuth 2.0 and https on the portal's side, with nothing of the client.

Vendor page: https://apidocs.bitrix24.com/settings/oauth/index.html
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from b24nb.credentials import OAuthToken
from b24nb.sandbox import SandboxPortal
from tests.contract.rest import code_of, rest
from tests.fakes import FakeClock
from tests.layers import require_package

DAY = 24 * 3600


def ask_token(portal: SandboxPortal, verb: str = "GET", **params: str) -> requests.Response:
    application = {name: portal.oauth[name] for name in ("client_id", "client_secret")}
    where = {"params" if verb == "GET" else "data": {**application, **params}}
    return requests.request(verb, portal.oauth["auth_server"] + "/oauth/token/", timeout=20, **where)


def refresh(portal: SandboxPortal, token: str, **params: str) -> requests.Response:
    return ask_token(portal, **{"grant_type": "refresh_token", "refresh_token": token, **params})


def as_application(portal: SandboxPortal, token: str, method: str, **params: Any) -> requests.Response:
    return rest(portal.url + "/rest/", method, params, headers={"Authorization": f"Bearer {token}"})


def test_a_code_becomes_tokens_once_and_within_30_seconds(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal:
        back = portal.authorize(state="s1", user="ben")
        assert back["state"] == "s1"
        assert back["domain"] == urlsplit(portal.url).netloc
        answer = ask_token(portal, grant_type="authorization_code", code=back["code"])
        assert answer.status_code == 200
        pair = answer.json()
        assert pair["member_id"] == back["member_id"]
        assert (pair["expires_in"], pair["expires"]) == (3600, clock() + 3600)
        assert (pair["client_endpoint"], pair["user_id"]) == (portal.url + "/rest/", 7)
        assert as_application(portal, pair["access_token"], "profile").json()["result"]["NAME"] == "Ben"
        again = ask_token(portal, grant_type="authorization_code", code=back["code"])
        assert code_of(again) == (400, "invalid_grant")
        late = portal.authorize()["code"]
        clock.advance(30)
        answer = ask_token(portal, grant_type="authorization_code", code=late)
        assert code_of(answer) == (400, "invalid_grant")


def test_refreshing_rotates_and_ends_after_180_days(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal:
        first = portal.oauth
        clock.advance(3600)
        expired = as_application(portal, first["access_token"], "profile")
        assert code_of(expired) == (401, "expired_token")
        second = refresh(portal, first["refresh_token"]).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert as_application(portal, second["access_token"], "profile").ok
        assert code_of(refresh(portal, first["refresh_token"])) == (400, "invalid_grant")
        clock.advance(180 * DAY - 1)
        third = refresh(portal, second["refresh_token"]).json()
        clock.advance(180 * DAY)
        assert code_of(refresh(portal, third["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"client_id": "local.0.0"}, 200, "wrong_client"),
        ({"client_secret": "wrong"}, 400, "invalid_client"),
        ({"refresh_token": "wrong"}, 400, "invalid_grant"),
        ({"refresh_token": ""}, 400, "invalid_request"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "invalid_request"),
    ],
)
def test_errors_of_the_authorization_server_with_their_odd_statuses(
    portal: SandboxPortal, params: dict[str, str], status: int, code: str
) -> None:
    assert code_of(refresh(portal, portal.oauth["refresh_token"], **params)) == (status, code)
    assert refresh(portal, portal.oauth["refresh_token"]).ok


def test_the_token_endpoint_takes_forms_too(portal: SandboxPortal) -> None:
    token = portal.oauth["refresh_token"]
    answer = ask_token(portal, "POST", grant_type="refresh_token", refresh_token=token)
    assert answer.json()["status"] == "L"


def test_the_authorization_server_knows_whose_token_it_is(portal: SandboxPortal) -> None:
    pair = refresh(portal, portal.oauth["refresh_token"]).json()
    answer = requests.get(pair["server_endpoint"] + "app.info", {"auth": pair["access_token"]}, timeout=20)
    result = answer.json()["result"]
    assert (result["client_id"], result["user_id"]) == (portal.oauth["client_id"], 1)
    assert result["install"]["client_endpoint"] == portal.url + "/rest/"
    unknown = requests.get(pair["server_endpoint"] + "app.info", {"auth": "x"}, timeout=20)
    assert code_of(unknown) == (401, "invalid_token")


def test_tokens_and_webhooks_of_ones_own(portal: SandboxPortal) -> None:
    narrow = portal.issue_token(user="ben", scopes=["user_brief"])["access_token"]
    assert code_of(as_application(portal, narrow, "crm.activity.badge.list")) == (401, "insufficient_scope")
    brief = as_application(portal, narrow, "user.current").json()["result"]
    assert "EMAIL" not in brief
    webhook = portal.add_webhook("reports", user="ben", scopes=["crm", "user"])
    assert portal.webhooks["reports"] == webhook
    assert rest(webhook, "user.current").json()["result"]["EMAIL"].startswith("ben@")


def test_the_clients_token_takes_what_the_portal_gives(portal: SandboxPortal) -> None:
    token = OAuthToken(**portal.oauth)
    assert token.can_refresh
    assert token.auth_server == token.portal == portal.url


def test_the_request_limit_counts_by_source_address(clock: FakeClock) -> None:
    def send(address: str) -> int:
        with requests.Session() as session:
            adapter = requests.adapters.HTTPAdapter()
            adapter.init_poolmanager(1, 1, source_address=(address, 0))
            session.mount("http://", adapter)
            return session.get(portal.webhook + "profile", timeout=20).status_code

    with SandboxPortal(limits=True, clock=clock) as portal:
        assert [send("127.0.0.1") for _ in range(52)] == [200] * 50 + [503] * 2
        assert send("127.0.0.2") == 200
        clock.advance(1)
        assert [send("127.0.0.1") for _ in range(3)] == [200, 200, 503]
        assert requests.get(portal.url, timeout=20).ok  # the page is not the REST API


def test_a_method_over_its_time_is_blocked_for_this_credential_until_the_basket_empties(clock: FakeClock) -> None:
    method = "crm.activity.badge.list"
    with SandboxPortal(clock=clock, cost={method: 100.0}) as portal:
        times = [rest(portal.webhook, method).json()["time"] for _ in range(5)]
        assert [time["operating"] for time in times] == [100, 200, 300, 400, 500]
        refused = rest(portal.webhook, method)
        assert code_of(refused) == (429, "OPERATION_TIME_LIMIT")
        assert rest(portal.webhook, "crm.activity.badge.get", {"code": "paid"}).ok
        assert rest(portal.webhooks["employee"], method).ok
        clock.advance(times[-1]["operating_reset_at"] - clock())
        assert rest(portal.webhook, method).ok


def test_tls_with_a_certificate_made_on_the_spot() -> None:
    require_package("trustme")
    with SandboxPortal(tls=True, https_required=True) as portal:
        assert portal.url.startswith("https://127.0.0.1:")
        assert rest(portal.webhook, "profile", verify=portal.ca_file).ok
        by_name = portal.webhook.replace("127.0.0.1", "localhost")
        assert rest(by_name, "profile", verify=portal.ca_file).ok
        with pytest.raises(requests.exceptions.SSLError):
            rest(portal.webhook, "profile")
        portal.faults.next("reset")
        with pytest.raises(requests.ConnectionError):
            rest(portal.webhook, "profile", verify=portal.ca_file)
        ca_file = Path(str(portal.ca_file))
        assert ssl.create_default_context(cafile=ca_file).cert_store_stats()["x509_ca"] == 1
    assert not ca_file.exists()


def test_trustme_is_imported_only_for_tls() -> None:
    code = "import sys, b24nb.sandbox as s; s.SandboxPortal().start().stop(); print('trustme' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
