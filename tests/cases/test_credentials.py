"""Credentials are parsed once, refuse what people get wrong, and show no secret."""

import copy
import io
import json
import pickle
from dataclasses import asdict, replace

import pytest

from b24nb import SandboxPortal, connect
from b24nb.credentials import OAuthToken, Webhook
from b24nb.errors import InvalidInput, SecretInCell
from b24nb.secret import Secret

SECRET = "s3cr3tCode012345"
ADDRESS = f"https://example.bitrix24.com/rest/1/{SECRET}/"


@pytest.mark.parametrize(
    "address",
    [
        *(ADDRESS, ADDRESS.rstrip("/"), f"  {ADDRESS}\n", f'"{ADDRESS}"', f"\ufeff{ADDRESS}\u200b"),
        *(ADDRESS.replace("/rest/1/", "/rest//1/"), ADDRESS.replace("https", "HTTPS")),
        *(f"{pair[0]}{ADDRESS}{pair[1:]}" for pair in ("<>", "``", "“”", "«»", "„“", "()", "'',", " ;", " .", "<>.")),
        *(f"{name}{ADDRESS}" for name in ("B24_WEBHOOK=", "export B24_WEBHOOK = '", 'url="')),
    ],
)
def test_a_webhook_is_read_in_the_forms_people_paste(address: str) -> None:
    webhook = Webhook.parse(address)
    assert (webhook.origin, webhook.user) == ("https://example.bitrix24.com", "1")
    assert webhook.endpoint("crm.activity.badge.get").url.reveal() == f"{ADDRESS}crm.activity.badge.get"


@pytest.mark.parametrize("user", ["anna", "1111", "22222", "input_bot"])
@pytest.mark.parametrize("host", ["crm.example.org:8443", "your-it.bitrix24.de"])
def test_the_user_segment_may_be_a_login_and_the_host_may_have_a_port(host: str, user: str) -> None:
    webhook = Webhook.parse(f"https://{host}/rest/{user}/{SECRET}/")
    assert (webhook.host, webhook.user) == (host, user)


#: What stands for something in the examples of others.
NO_CODES = ["{code}", "put_your_webhook_here", "your_webhook_code", "your-webhook-code", "x" * 16, "0" * 16]
NO_USERS = ["put_your_user_id_here", "your-user-id"]
NO_HOSTS = ["{portal}", *(f"your{rest}.bitrix24.com" for rest in ("-portal", "-domain", "_account"))]
#: What follows a code to which no user was given.
METHODS = ("crm.deal.list", "user.current/", "profile.json", "profile", "batch", "scope/", "methods", "1/")
#: Addresses as people paste them wrong, and what the error says of each.
MISTAKES = [
    ("", "empty"),
    (f"{ADDRESS}crm.activity.badge.list", "the name of a method"),
    (f"https://example.bitrix24.com/rest/{SECRET}/", "user segment"),
    *((f"https://example.bitrix24.com/rest/{SECRET}/{last}", "where the user should be") for last in METHODS),
    (f"https://example.bitrix24.com/rest/1/{SECRET[:4]} {SECRET[4:]}/", "space"),
    *((f"http://{host}/rest/1/{SECRET}/", "in clear") for host in ("10.0.0.1", "localhost.example.com")),
    (f"example.bitrix24.com/rest/1/{SECRET}/", "must start with https://"),
    (f"ftp://example.bitrix24.com/rest/1/{SECRET}/", "must start with https://"),
    (f"https://example.bitrix24.com/crm/1/{SECRET}/", "must start with /rest/"),
    *((f"https://{who}@example.bitrix24.com/rest/1/{SECRET}/", "no user name before") for who in ("anna", ":pw")),
    (f'b24nb.connect("{ADDRESS}")', "must start with https://"),
    ("https://example.bitrix24.com/rest/1/abcdef01...", "masked"),
    ("https://example.bitrix24.com/rest/1/<code>", "placeholder"),
    (f"https://example.bitrix24.com/rest/api/1/{SECRET}/", "REST 3.0"),
    ("https://example.bitrix24.com/rest/", "missing"),
    ("https://example.bitrix24.com/", "/rest/"),
    (f"{ADDRESS}?code=missedCall", r"\?"),
    (f"https:///rest/1/{SECRET}/", "must have a host"),
    (f"https://example.bitrix24.com:port/rest/1/{SECRET}/", "can't be read"),
    (f"https://example.bitrix24.com/rest/1/{SECRET}\u200b/", "invisible"),
    (f"https://example.bitrix24.com/rest/1/{SECRET[:5]}\u00ad{SECRET[5:]}/", "invisible"),
    (f"https://exa\u200bmple.bitrix24.com/rest/1/{SECRET}/", "invisible"),
    (f"https://example.bitrix24.com/rest/1/\u0430{SECRET}/", "plain letters"),
    (f"https://ex\u0430mple.bitrix24.com/rest/1/{SECRET}/", "mixes alphabets"),
    (f"https://example.bitrix24.com/rest/1/{SECRET[:4]}%20/", "plain letters"),
    (f"https://straße.example/rest/1/{SECRET}/", "can't be read"),
    (f"https://exa_mple..com/rest/1/{SECRET}/", "can't be read"),
    *((f"https://example.bitrix24.com/rest/1/{code}/", "masked") for code in ("***", "abc…")),
    ("https://example.bitrix24.com/rest/1/**put_your_webhook_here**/", "masked|placeholder"),
    *((f"https://example.bitrix24.com/rest/1/{code}/", "placeholder") for code in NO_CODES),
    *((f"https://example.bitrix24.com/rest/{user}/{SECRET}/", "placeholder") for user in NO_USERS),
    *((f"https://{host}/rest/1/{SECRET}/", "placeholder") for host in NO_HOSTS),
]


@pytest.mark.parametrize(("address", "says"), MISTAKES)
def test_a_mistake_is_named_without_repeating_the_secret(address: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        Webhook.parse(address)
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("spelling", "origin"),
    [
        ("https://Example.Bitrix24.COM", "https://example.bitrix24.com"),
        ("https://example.bitrix24.com.:443", "https://example.bitrix24.com"),
        *((f"https://{one}", "https://xn--80awhdgm.xn--p1ai") for one in ("ПОРТАЛ.рф", "XN--80AWHDGM.xn--p1ai:443")),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        *((f"https://{one}",) * 2 for one in ("example.bitrix24.com:8443", "xn--strae-oqa.de")),
        ("https://xn---7sbfkf5bif1g.bitrix24.ru",) * 2,  # more than the older rule can read
        # Plain http is for this machine only.
        *(("http://LOCALHOST.:80", "http://localhost"), ("http://[::1]:80", "http://[::1]")),
        *((f"http://{one}",) * 2 for one in ("localhost:443", "127.8.9.1:8080")),
    ],
)
def test_a_host_has_one_spelling(spelling: str, origin: str) -> None:
    assert Webhook.parse(f"{spelling}/rest/1/{SECRET}/").origin == origin
    assert OAuthToken(portal=f"{spelling}/rest/", access_token="a").portal == origin


def test_ask_reads_without_showing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: ADDRESS)
    assert Webhook.ask() == Webhook.parse(ADDRESS)
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")  # as in a notebook; this suite makes errors of warnings
def test_ask_where_nobody_can_type_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.open", lambda *_: (_ for _ in ()).throw(OSError("no terminal")))
    for typed in ("", f"{ADDRESS}\n"):  # the second would be echoed
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(InvalidInput, match=r"Hidden input is not possible.*B24_WEBHOOK.*\.env"):
            Webhook.ask()


class Shell:
    """What a kernel offers: the cells that were run."""

    kernel = object()

    def __init__(self, *cells: str) -> None:
        self.user_ns = {"In": ["", *cells]}


def test_a_webhook_written_into_a_cell_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = pytest.importorskip("IPython")
    monkeypatch.setattr(ipython, "get_ipython", lambda: Shell("1", f'b24 = b24nb.connect("{ADDRESS}")'))
    with pytest.warns(SecretInCell, match=r"\.env .*Webhook\.ask") as caught:
        Webhook.parse(ADDRESS)
    assert SECRET not in str(caught[0].message)
    monkeypatch.setattr(ipython, "get_ipython", lambda: Shell("b24nb.connect(os.environ['HOOK'])"))
    Webhook.parse(ADDRESS)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"portal": portal} for portal in ("http://example.bitrix24.com", ADDRESS)),
        *({"access_token": wrong} for wrong in ("", "a b", 5, "***", "put_access_token_here")),
        {"client_secret": "{client_secret}"},
        {"auth_server": "http://auth.example.com"},
    ],
)
def test_a_wrong_token_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        OAuthToken(**{"portal": "https://example.bitrix24.com", "access_token": "a", **wrong})


PAIR = {"access_token": SECRET, "refresh_token": f"{SECRET}r"}
SERVER, CLIENT = "https://oauth.bitrix24.tech/rest/", "https://example.bitrix24.com/rest/"
AUTH = PAIR | {"expires": "1764000000", "expires_in": 3600, "scope": "crm", "domain": "Example.bitrix24.com"}
AUTH |= {"server_endpoint": SERVER, "client_endpoint": CLIENT, "status": "L", "user_id": 1}
AUTH |= {"member_id": "f" * 32, "application_token": "a" * 32}
FRAME = {"DOMAIN": "example.bitrix24.com", "PROTOCOL": "1", "AUTH_ID": SECRET, "REFRESH_ID": f"{SECRET}r"}
ANSWER = AUTH | {"domain": "oauth.bitrix24.tech"}


EVIL = AUTH | {"server_endpoint": "https://evil.example/rest/"}
USUAL, STATED = "https://oauth.bitrix.info", "https://oauth.bitrix24.tech"


@pytest.mark.parametrize(
    ("auth", "server"),
    [(AUTH, STATED), (FRAME, USUAL), (ANSWER, STATED), (EVIL, USUAL)],
    ids=["event", "frame", "token answer", "an event that names a server for the client's secret"],
)
def test_a_token_is_made_from_what_the_portal_gives_an_application(auth: dict[str, object], server: str) -> None:
    token = OAuthToken.from_auth(auth, client_id="app.1", client_secret="client-secret", on_refresh=print)
    assert token.on_refresh is print
    assert (token.portal, token.auth_server) == ("https://example.bitrix24.com", server)
    assert (token.access_token, token.refresh_token) == (Secret(SECRET), Secret(f"{SECRET}r"))
    assert token.can_refresh


@pytest.mark.parametrize(
    "auth",
    [
        *({}, {"access_token": SECRET}, {"domain": "example.bitrix24.com"}, SECRET, None),
        {name: value for name, value in ANSWER.items() if name != "client_endpoint"},
        *({"domain": host, "access_token": SECRET} for host in ("oauth.bitrix24.tech", "oauth.bitrix.info")),
    ],
)
def test_an_authorization_without_portal_or_token_is_refused(auth: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        OAuthToken.from_auth(auth)
    assert SECRET not in str(caught.value)


def test_the_sandbox_gives_what_from_auth_takes(portal: SandboxPortal) -> None:
    token = OAuthToken.from_auth(portal.oauth)
    assert token.can_refresh, "the mapping names the client"
    with connect(token) as b24:
        assert b24.badges.get("missedCall")


TOKEN = OAuthToken(portal="https://example.bitrix24.com", **PAIR, client_id="app.1", client_secret=f"{SECRET}c")


@pytest.mark.parametrize("credential", [Webhook.parse(ADDRESS), TOKEN], ids=["webhook", "token"])
def test_no_display_shows_the_secret_and_no_file_gets_it(credential: Webhook | OAuthToken) -> None:
    shown = [repr(credential), str(credential), f"{credential}", credential.masked, repr([credential])]
    shown += [repr(credential.endpoint("profile")), str(credential.endpoint("profile")._asdict())]
    shown += [str(asdict(credential)), json.dumps(asdict(credential), default=str), repr(credential.secrets)]
    shown += [f"{secret} {secret!s} {secret!r}" for secret in credential.secrets]
    assert all(SECRET not in text for text in shown)
    for look in (vars, dict, list, lambda value: value.__dict__):
        with pytest.raises((TypeError, AttributeError)):
            json.dumps(credential, default=look)
    for value in (credential, *credential.secrets):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value)
        with pytest.raises(TypeError):
            json.dumps(value)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(credential)


def test_a_renewal_sends_all_that_it_needs_and_shows_nothing_of_it() -> None:
    sent = f"grant_type=refresh_token&client_id=app.1&client_secret={SECRET}c&refresh_token={SECRET}r"
    assert TOKEN.renewal().reveal() == sent
    assert SECRET not in f"{TOKEN.renewal()!r} {TOKEN.renewal()}"


def test_a_token_that_lacks_a_part_is_not_renewed_and_each_part_is_masked() -> None:
    for part in ("refresh_token", "client_id", "client_secret"):
        assert not replace(TOKEN, **{part: ""}).can_refresh
    assert TOKEN.secrets == (TOKEN.access_token, TOKEN.refresh_token, TOKEN.client_secret)
    assert TOKEN.access_token != TOKEN.access_token.reveal()
