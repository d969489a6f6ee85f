"""The vendor's Python SDK against the sandbox, over TLS: a judge that nobody here wrote.

It is used as its documentation shows: tokens, a client, requests that are sent when their ``result`` is
read. Two things have no setting of their own: it trusts what :mod:`requests` trusts
(``REQUESTS_CA_BUNDLE``), and the address of the authorization server is a constant.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from b24nb import SandboxPortal
from tests.fakes import FakeClock, rows
from tests.layers import require_package

require_package("b24pysdk")
require_package("trustme")

from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, errors  # noqa: E402
from b24pysdk.api.requesters import BitrixOAuthRequester  # noqa: E402

NEW = {"code": "vip", "title": {"en": "Client", "de": "Kunde"}, "value": "VIP", "type": "primary"}


@pytest.fixture
def portal(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxPortal]:
    with SandboxPortal(tls=True, clock=clock) as portal:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(portal.ca_file))
        monkeypatch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{portal.url}/oauth/token/")
        yield portal


def by_webhook(portal: SandboxPortal, name: str = "admin") -> BitrixWebhook:
    parts = urlsplit(portal.webhooks[name])
    return BitrixWebhook(domain=parts.netloc, webhook_token=parts.path.removeprefix("/rest/"))


def by_application(portal: SandboxPortal) -> BitrixToken:
    tokens = portal.oauth
    given = {"auth_token": tokens["access_token"], "refresh_token": tokens["refresh_token"]}
    app = BitrixApp(client_id=tokens["client_id"], client_secret=tokens["client_secret"])
    return BitrixToken(domain=urlsplit(portal.url).netloc, bitrix_app=app, **given)


def badges(token: Any, **options: Any) -> Any:
    return token.get_client(**options).crm.activity.badge


@pytest.mark.parametrize("by", [by_webhook, by_application])
def test_the_four_methods(portal: SandboxPortal, by: Any) -> None:
    badge = badges(by(portal))
    before = badge.list().response
    assert before.result["badges"] == portal.badges
    assert before.total == len(portal.badges)
    assert before.next is None
    assert badge.add(**NEW).result == {"badge": NEW}
    assert badge.get("vip").result == {"badge": NEW}
    assert badge.list().response.total == before.total + 1
    assert badge.delete("vip").result is True
    assert badge.list().response.result == before.result


def test_a_batch_of_200_deletes(portal: SandboxPortal) -> None:
    token = by_webhook(portal)
    codes = [row["code"] for row in rows(200)]
    badge = badges(token)
    adding = token.get_client().call_batches([badge.add(code, "t", "v", "success") for code in codes]).result
    assert list(adding.result_error) == []
    deleting = token.get_client().call_batches([badge.delete(code) for code in [*codes[:199], "none"]]).result
    assert [*deleting.result.values()] == [True] * 199
    refused = {"error": "NOT_FOUND", "error_description": "Badge not found for code `none`"}
    assert list(deleting.result_error.values()) == [refused]
    assert [badge["code"] for badge in portal.badges if badge["code"] in codes] == codes[199:]


def test_it_refreshes_an_expired_token_by_itself(portal: SandboxPortal, clock: FakeClock) -> None:
    token = by_application(portal)
    old = token.oauth_token
    clock.advance(3601)
    assert badges(token).get("missedCall").result["badge"]["code"] == "missedCall"
    assert token.auth_token != old.access_token
    assert token.refresh_token != old.refresh_token
    assert isinstance(token.expires, datetime)
    clock.advance(3601)
    assert badges(token).get("missedCall").result["badge"]["code"] == "missedCall"


def test_a_code_becomes_a_token(portal: SandboxPortal) -> None:
    token = by_application(portal)
    token.oauth_token = token.get_oauth_token(portal.authorize()["code"]).oauth_token
    assert token.oauth_token.expires_in == 3600
    assert badges(token).get("missedCall").result["badge"]["code"] == "missedCall"


#: What a badge method refuses. The SDK sorts by code; codes and statuses are rows of the wire.
REFUSALS = [
    ("admin", lambda badge: badge.get("none"), errors.BitrixAPINotFound),
    ("employee", lambda badge: badge.add(**NEW), errors.BitrixAPIAccessDenied),
    ("noscope", lambda badge: badge.list(), errors.BitrixAPIInsufficientScope),
    ("extranet", lambda badge: badge.list(), errors.BitrixAPIAllowedOnlyIntranetUser),
    ("disabled", lambda badge: badge.list(), errors.BitrixAPIInvalidCredentials),
    ("dismissed", lambda badge: badge.list(), errors.BitrixAPIAuthorizationError),
    ("admin", lambda badge: badge.add(**NEW | {"type": "x"}), errors.BitrixAPIBadRequest),
    ("admin", lambda badge: badge.delete("waitingPayment"), errors.BitrixAPIBadRequest),
]


@pytest.mark.parametrize(("who", "ask", "kind"), REFUSALS)
def test_refusals(portal: SandboxPortal, who: str, ask: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        ask(badges(by_webhook(portal, who))).result  # noqa: B018
    assert type(caught.value) is kind


def test_a_full_bucket(portal: SandboxPortal) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2)
    with pytest.raises(errors.BitrixAPIQueryLimitExceeded) as caught:
        badges(by_webhook(portal), max_retries=1).list().result  # noqa: B018
    assert caught.value.response.status_code == 503
    patient = badges(by_webhook(portal), max_retries=2, initial_retry_delay=0.001)
    assert patient.list().result["badges"] == portal.badges


def test_a_renamed_portal(portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    token = by_webhook(portal)
    monkeypatch.setattr(BitrixWebhook, "_AUTO_CHANGED_DOMAIN", False)
    portal.faults.next("html", status=302)
    with pytest.raises(errors.BitrixResponse302JSONDecodeError) as caught:
        badges(token).list().result  # noqa: B018
    assert caught.value.new_domain
