"""Credentials are parsed once, refuse what people get wrong, and show no secret."""

from __future__ import annotations

import contextlib
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24nb.credentials import OAuthToken, Webhook, is_loopback, redact
from b24nb.errors import InvalidInput

SECRET = "s3cr3tCode012345"
ADDRESS = f"https://example.bitrix24.com/rest/1/{SECRET}/"


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS,
        ADDRESS.rstrip("/"),
        f"  {ADDRESS}\n",
        f'"{ADDRESS}"',
        ADDRESS.replace("/rest/1/", "/rest//1/"),
    ],
)
def test_a_webhook_is_read_in_the_forms_people_paste(address: str) -> None:
    webhook = Webhook.parse(address)
    assert (webhook.origin, webhook.user) == ("https://example.bitrix24.com", "1")
    assert webhook.reveal("crm.activity.badge.get").url == f"{ADDRESS}crm.activity.badge.get"


def test_the_user_segment_may_be_a_login_and_the_host_may_have_a_port() -> None:
    webhook = Webhook.parse(f"https://crm.example.org:8443/rest/anna/{SECRET}/")
    assert (webhook.host, webhook.user) == ("crm.example.org:8443", "anna")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "empty"),
        (f"{ADDRESS}crm.activity.badge.list", "method name pasted along"),
        (f"{ADDRESS}crm.activity.badge.list.json", "method name pasted along"),
        (f"https://example.bitrix24.com/rest/{SECRET}/", "user segment"),
        (f"https://example.bitrix24.com/rest/{SECRET}/crm.deal.list", "method name where the code should be"),
        (f"https://example.bitrix24.com/rest/1/{SECRET[:4]} {SECRET[4:]}/", "space"),
        (f"http://example.bitrix24.com/rest/1/{SECRET}/", "in clear"),
        (f"example.bitrix24.com/rest/1/{SECRET}/", "starts with https://"),
        (f"ftp://example.bitrix24.com/rest/1/{SECRET}/", "starts with https://"),
        (f"https://example.bitrix24.com/rest/api/1/{SECRET}/", "REST 3.0"),
        ("https://example.bitrix24.com/rest/", "missing"),
        ("https://example.bitrix24.com/", "/rest/"),
        (f"{ADDRESS}?code=missedCall", r"\?"),
        (f"https://anna:pw@example.bitrix24.com/rest/1/{SECRET}/", "host"),
        (f"https://example.bitrix24.com:port/rest/1/{SECRET}/", "can't be read"),
        (f"https:///rest/1/{SECRET}/", "host"),
    ],
)
def test_a_mistake_is_named_without_repeating_the_secret(address: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        Webhook.parse(address)
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8080", "[::1]:80"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    assert Webhook.parse(f"http://{host}/rest/1/{SECRET}/").scheme == "http"


def test_ask_reads_without_showing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: ADDRESS)
    assert Webhook.ask() == Webhook.parse(ADDRESS)
    assert capsys.readouterr() == ("", "")


def test_a_token_normalises_its_addresses() -> None:
    token = OAuthToken(portal="https://example.bitrix24.com/rest/", access_token="a")
    assert (token.origin, token.host, token.can_refresh) == (
        "https://example.bitrix24.com",
        "example.bitrix24.com",
        False,
    )
    endpoint = token.reveal("profile")
    assert endpoint.url == "https://example.bitrix24.com/rest/profile"
    assert endpoint.headers == {"Authorization": "Bearer a"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"portal": "http://example.bitrix24.com", "access_token": "a"},
        {"portal": ADDRESS, "access_token": "a"},
        {"portal": "https://example.bitrix24.com", "access_token": ""},
        {"portal": "https://example.bitrix24.com", "access_token": "a b"},
        {
            "portal": "https://example.bitrix24.com",
            "access_token": "a",
            "auth_server": "http://auth.example.com",
        },
    ],
)
def test_a_wrong_token_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        OAuthToken(**wrong)


TOKEN = OAuthToken(
    portal="https://example.bitrix24.com",
    access_token=SECRET,
    refresh_token=f"{SECRET}r",
    client_id="app.1",
    client_secret=f"{SECRET}c",
)


@pytest.mark.parametrize("credential", [Webhook.parse(ADDRESS), TOKEN], ids=["webhook", "token"])
def test_no_display_shows_the_secret_and_no_file_gets_it(credential: Webhook | OAuthToken) -> None:
    shown = [repr(credential), str(credential), f"{credential}", credential.masked, repr([credential])]
    shown.append(repr(credential.reveal("profile")))
    assert all(SECRET not in text for text in shown)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(credential)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(credential)
    assert all(SECRET not in redact(f"x {secret} y", credential) for secret in credential.secrets)


@pytest.mark.parametrize(
    "text",
    [
        f"HTTPSConnectionPool(host='example.bitrix24.com', port=443): url: /rest/1/{SECRET}/profile (Caused",
        f"{ADDRESS}",
        f'POST /rest/1/{SECRET}/crm.activity.badge.get HTTP/1.1" 200 None',
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"https://example.bitrix24.com/rest/profile?auth={SECRET}",
        f"GET /oauth/token/?grant_type=refresh_token&client_secret={SECRET}&refresh_token={SECRET}",
    ],
)
def test_redact_knows_the_places_where_secrets_travel(text: str) -> None:
    assert SECRET not in redact(text)


@given(st.text())
def test_redact_leaves_other_text_alone(text: str) -> None:
    if "/rest/" not in text and "earer" not in text.lower() and "=" not in text:
        assert redact(text) == text


@given(st.text(max_size=200))
def test_parse_never_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        Webhook.parse(text)


def test_loopback() -> None:
    assert [
        is_loopback(host) for host in ("LOCALHOST.", "::1", "127.8.9.1", "10.0.0.1", "localhost.example.com")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]
