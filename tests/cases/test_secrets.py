"""One sentinel secret goes through everything that can be shown, and is found nowhere."""

import http.client
import json
import logging
import os
import random
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

import b24nb
from b24nb import errors, forms
from b24nb.rest.connection import Connection
from b24nb.rest.transport import Transport
from b24nb.secret import Secret, masked, redact
from tests.cases.test_credentials import MISTAKES
from tests.cases.test_credentials import SECRET as OTHER_SECRET
from tests.fakes import FakeClock, secrets_of
from tests.servers import Reply, answering, hang, reset, serving
from tests.servers import http as answer_of

SECRET = "abcdef0123456789"
NEW = "n3wT0kenOfTheAnswer"
HOOK = f"https://example.bitrix24.com/rest/1/{SECRET}/"
DOWN = f"http://127.0.0.1:9/rest/1/{SECRET}/"

BADGE = ("secretTest", {"en": "Title", "de": "Titel"}, "Value", "primary")


def shown(value: object) -> str:
    """A value as a terminal, a notebook, a log and a debugger would show it."""
    parts = [repr(value), str(value), str(getattr(value, "__notes__", ""))]
    for name in ("_repr_html_", "_repr_markdown_", "_repr_mimebundle_", "_render_traceback_"):
        render = getattr(value, name, None)
        if render is not None:
            parts.append(str(render()))
    if hasattr(value, "get_state"):
        parts.append(str([widget.get_state() for widget in walk(value)]))
    return "\n".join(parts)


def walk(widget: object) -> Iterator[object]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def provoke(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> Iterator[Callable[[], object]]:
    """Every kind of trouble that a client meets."""
    for fault in ("reset", "html", "cut", "QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT", "INVALID_CREDENTIALS"):
        portal.faults.next(fault, times=20)
        yield lambda: b24.call("crm.activity.badge.get", {"code": "missedCall", "auth": "x"})
        yield lambda: b24.call("crm.activity.badge.delete", {"code": "nobody"})
        portal.faults.clear()
    yield lambda: b24.badges.get("nobody")
    yield lambda: b24.badges.add("x", "", "v", "primary")
    yield lambda: b24.call("no.such.method")


@pytest.mark.parametrize("kind", ["webhook", "token"])
def test_no_secret_is_shown_anywhere(
    portal: b24nb.SandboxPortal,
    kind: str,
    clock: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)  # the usual recipe to debug HTTP: urllib3 logs, and its connections print
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    seen: list[str] = []
    credentials = b24nb.Webhook.parse(portal.webhook) if kind == "webhook" else b24nb.OAuthToken(**portal.oauth)
    journal = tmp_path / "journal.db"
    with b24nb.connect(credentials, clock=clock, journal=journal) as b24:
        b24.badges.add(*BADGE)
        deleted = b24.badges.delete("secretTest")
        plan = b24.badges.plan([deleted])
        report = plan.apply(progress=False)
        answer = b24.call("profile")
        batch = b24.batch({"a": ("profile", None), "b": ("nonsense", None)})
        b24.badges.backup(tmp_path / "backup.json")
        values = [credentials, b24, b24.portal, deleted, b24.badges, b24.badges.list()]
        values += [plan, report, answer, answer.call, batch, b24.calls, b24.calls.limits, b24.journal]
        values += [b24.journal.plan_undo(), b24.badges.holders("waitingPayment")]

        caught = [error for _, error in failures(provoke(b24, portal))]
        assert len({type(error) for error in caught}) >= 6
        seen += ["".join(traceback.format_exception(error)) for error in caught]
        values += caught + [b24nb.explain(error) for error in caught]

        for make in (forms.list_form, forms.inspect_form, forms.add_form, forms.delete_form, forms.calls_form):
            values.append(make(b24, run=True))
        values.append(forms.explorer(b24, run=True))
        values += [b24.calls.df.to_csv(), b24.calls.summary().to_html(), b24.journal.df.to_csv()]
        values += [call.as_code(flavour) for call in [b24.calls.last] for flavour in ("curl", "curl-oauth", "python")]
    seen += [shown(value) for value in values]
    seen += [json.dumps([shown(request) for request in portal.requests])]
    seen += [(tmp_path / "backup.json").read_text(), caplog.text, *capsys.readouterr()]
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("journal.db*")]
    assert "HTTP/1.1" in caplog.text, "the log did not listen"
    everything = "\n".join(seen)
    for secret in secrets_of(portal):
        assert secret not in everything, f"…{everything[everything.index(secret) - 200 :][:300]}"


# -- frames -------------------------------------------------------------------------------------------


class Alarm(Exception):
    """What a signal's handler raises in the middle of something."""


def alarm(*_: object) -> None:
    raise Alarm


def ring(call: Callable[[], object], seconds: float) -> None:
    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def leaks(error: BaseException, secrets: tuple[str, ...]) -> list[str]:
    """Where an error, or any frame but those of this file, shows a secret."""
    found, todo, seen = [], [error], set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        todo += [one.__cause__, one.__context__]
        texts = {"error": shown(one)}
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename != __file__:
                texts |= {f"{frame.f_code.co_name}.{name}": repr(it) for name, it in frame.f_locals.items()}
        found += [place for place, text in texts.items() if any(secret in text for secret in secrets)]
    return found


def refused_addresses() -> Iterator[Callable[[], object]]:
    for wrong in (address.replace(OTHER_SECRET, SECRET) for address, _ in MISTAKES):
        yield lambda wrong=wrong: b24nb.Webhook.parse(wrong)
    for wrong in (f"{HOOK}profile", HOOK.replace("https", "http")):
        yield lambda wrong=wrong: b24nb.connect(wrong)
    for tokens in (
        {"portal": "https://example.bitrix24.com/crm/", "access_token": SECRET},
        {"portal": HOOK, "access_token": "x"},
        {"portal": "https://example.bitrix24.com", "access_token": f"{SECRET} x"},
        {"portal": "https://example.bitrix24.com", "access_token": SECRET, "client_secret": "***"},
        {"portal": "https://example.bitrix24.com", "access_token": "x", "auth_server": HOOK + "?"},
        {"portal": "https://example.bitrix24.com", "access_token": "", "refresh_token": SECRET},
    ):
        yield lambda tokens=tokens: b24nb.OAuthToken(**tokens)
    yield lambda: b24nb.OAuthToken.from_auth({"access_token": SECRET})
    yield lambda: b24nb.OAuthToken.from_auth({"domain": "x.example/crm/", "access_token": SECRET})


def refused_settings() -> Iterator[Callable[[], object]]:
    def connect(variable: str = "", file: str | bytes = "", **options: object) -> None:
        os.environ["B24_WEBHOOK"] = variable
        Path(".env").write_bytes(file if isinstance(file, bytes) else file.encode())
        try:
            b24nb.connect(clock=FakeClock(), **options)
        finally:
            Path(".env").unlink()
            del os.environ["B24_WEBHOOK"]

    yield lambda: connect(DOWN)
    yield lambda: connect(HOOK + "profile")
    for setting in ("verify", "tariff", "timeout", "read_only"):
        yield partial(connect, HOOK, **{setting: HOOK})
    for vault, portals in (({"acme": HOOK}, ["acme"]), (HOOK, ["acme"]), (str, HOOK), (str, [HOOK])):
        yield partial(b24nb.Fleet, portals, vault)
    for setting in ("journal", "timeout", "verify", "tariff", "settle_after"):
        yield partial(b24nb.Fleet, ["acme"], str, **{setting: HOOK})
    for line in (f"WEBHOOK={DOWN}", f"WEBHOOK={HOOK}profile", f'WEBHOOK="{HOOK}', f"READ_ONLY={HOOK}"):
        yield partial(connect, file=f"B24_{line}\n")
    yield partial(connect, file=f"B24_WEBHOOK={HOOK}\n".encode("utf-16-le"))
    token = b24nb.OAuthToken(portal="http://127.0.0.1:9", access_token=SECRET)
    for down in (DOWN, b24nb.Webhook.parse(DOWN), token):
        yield lambda down=down: b24nb.connect(down, clock=FakeClock())
    yield lambda: b24nb.as_code(HOOK + "profile")
    yield lambda: b24nb.as_code("profile", flavour=HOOK)
    yield lambda: b24nb.explain(HOOK)


def broken_answers() -> Iterator[Callable[[], object]]:
    echo = f"http://127.0.0.1/rest/1/{SECRET}/profile"
    for reply in (
        reset,
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        answer_of(f"<html>{echo}</html>".encode(), "502 Bad Gateway"),
        answer_of(f'{{"result": "{echo}'.encode()),
        answer_of(json.dumps({"error": echo, "error_description": SECRET.upper()}).encode(), "400 Bad Request"),
        answer_of(json.dumps({"error": {"code": SECRET}}).encode(), "400 Bad Request"),
        answer_of(json.dumps({"result": SECRET}).encode()),
        answer_of(b"", "302 Found", f"Location: https://{SECRET}.example/x"),
        answer_of(b"", "200 OK", f"Content-Encoding: {SECRET}", length=50),
    ):

        def call(reply: Reply = reply) -> None:
            with serving(reply) as server:
                b24nb.connect(server.webhook, clock=FakeClock())

        yield call

    def interrupted() -> None:
        with serving(hang) as server:
            ring(lambda: b24nb.connect(server.webhook), 0.3)

    yield interrupted


def broken_renewals() -> Iterator[Callable[[], object]]:
    expired = answer_of(b'{"error": "expired_token", "error_description": ""}', "401 Unauthorized")
    pair = {"access_token": NEW, "refresh_token": NEW + "r"}

    def told(token: b24nb.OAuthToken) -> None:
        raise RuntimeError("the disk is full")

    def renew(reply: Reply, seconds: float = 0) -> None:
        with serving(expired, reply) as server:
            portal = server.webhook.split("/rest/")[0]
            secrets = {"access_token": SECRET, "refresh_token": SECRET + "r", "client_secret": SECRET + "c"}
            token = b24nb.OAuthToken(portal=portal, auth_server=portal, client_id="app", on_refresh=told, **secrets)
            ring(lambda: b24nb.connect(token, clock=FakeClock()), seconds)

    for reply in (
        answer_of(json.dumps(pair).encode()),
        answer_of(json.dumps(pair | {"refresh_token": 7}).encode()),
        answer_of(json.dumps(pair).encode(), "500 Internal Server Error"),
        answer_of(json.dumps(pair).encode()[:-4]),
        answer_of(json.dumps({"error": "invalid_grant", "error_description": SECRET + "c"}).encode()),
        reset,
    ):
        yield lambda reply=reply: renew(reply)
    yield lambda: renew(hang, 0.3)


def failures(calls: Iterator[Callable[[], object]]) -> Iterator[tuple[int, BaseException]]:
    for number, call in enumerate(calls):
        try:
            call()
        except Exception as error:
            yield number, error


def test_no_frame_of_sixty_failing_calls_holds_the_secret(portal: b24nb.SandboxPortal, clock: object) -> None:
    code = portal.webhook.rstrip("/").rsplit("/", 1)[1]
    kinds = [refused_addresses(), refused_settings(), broken_answers(), broken_renewals()]
    found = {}
    with b24nb.connect(portal, clock=clock) as b24:
        kinds.append(provoke(b24, portal))
        kinds.append(iter([lambda: b24.call(portal.webhook + "profile")]))
        for number, error in failures(call for calls in kinds for call in calls):
            found[f"{number} {type(error).__name__}"] = leaks(error, (SECRET, SECRET.upper(), NEW, code))
    assert len(found) >= 60
    assert {call: places for call, places in found.items() if places} == {}


def test_an_address_in_the_wrong_place_is_not_repeated(portal: b24nb.SandboxPortal) -> None:
    own, code = portal.webhook, portal.webhook.split("/")[-2]
    with b24nb.connect(portal) as b24:
        misplaced = [
            *(partial(take, own) for take in (b24.badges.get, b24.badges.delete, b24.badges.plan, b24.badges.backup)),
            lambda: b24.call("crm.activity.badge.get", own),
            lambda: b24.call("no.such.method", {"handler": own}),
            lambda: b24.batch({"a": (own, None)}),
            lambda: b24.badges.add("x", "t", "v", own),
            lambda: b24.badges.add("x", own, "v", "primary"),
            lambda: b24.badges.plan([b24nb.Badge("x", "t", {"en": own}, "primary")]),
            *(partial(b24.badges.delete_many, codes, progress=False) for codes in ([own], [[own]])),
        ]
        found = [shown(error) for _, error in failures(iter(misplaced))]
        b24.batch({"a": ("no.such.method", {own: 1})})
        assert code not in str(b24.calls.df.to_dict())
    assert len(found) == len(misplaced)
    assert not [text for text in found if code[-8:] in text], "nor the end of it"


# What goes off inside the garbage collector or a finalizer is dropped by Python, and told as a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_out_of_nowhere_brings_no_frame_with_the_secret() -> None:
    """A timer that goes off anywhere in the middle of reading an address."""
    address, chance = Secret(HOOK), random.Random(7)
    hits: list[list[str]] = []

    def read() -> None:
        for _ in range(5_000):  # an exception inside the garbage collector is dropped by Python
            b24nb.Webhook.parse(address)
            redact(f"nothing {len(HOOK)}", (address,))

    for _ in range(200):
        try:
            ring(read, chance.uniform(1e-4, 2e-3))
        except Alarm as error:
            hits.append(leaks(error, (SECRET,)))
    assert len(hits) > 100
    assert not any(hits)


def test_a_notebook_with_verbose_tracebacks_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B24_WEBHOOK", DOWN)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    failing = (
        "b24nb.connect()",
        "b24nb.connect(os.environ['B24_WEBHOOK'])",
        "b24nb.connect(os.environ['B24_WEBHOOK'].encode())",
        "b24nb.Webhook.parse(os.environ['B24_WEBHOOK'] + 'profile')",
        "b24nb.OAuthToken(portal=os.environ['B24_WEBHOOK'], access_token=os.environ['B24_WEBHOOK'])",
        "b24nb.connect(verify=os.environ['B24_WEBHOOK'])",
        "b24nb.as_code(os.environ['B24_WEBHOOK'])",
        "b24nb.Webhook.ask()",
    )
    others = ("hook = b24nb.Webhook.parse(os.environ['B24_WEBHOOK']); hook", "%whos", "vars()")
    sources = ("%xmode Verbose\nimport b24nb, os", *failing, *others)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    outputs = [str(cell.outputs) for cell in notebook.cells]
    assert all("Traceback" in output for output in outputs[1 : len(failing) + 1])
    assert "Hidden input is not possible" in outputs[len(failing)]
    assert "hook" in outputs[-2]
    shown = "\n".join(outputs).replace(f"'B24_WEBHOOK': '{DOWN}'", "")
    assert SECRET not in shown, shown[shown.index(SECRET) - 500 :][:700]


# -- displays and logs --------------------------------------------------------------------------------


def test_our_own_address_as_a_parameter_is_masked_in_log_and_code(portal: b24nb.SandboxPortal) -> None:
    code = portal.webhook.rstrip("/").rsplit("/", 1)[1]
    with b24nb.connect(portal) as b24:
        b24.call("server.time", {"handler": portal.webhook, "x": [{"bare": f"it is {code}"}]})
        tokens = {"auth": "s3cret", "x": [{"access_token": "s3cret"}]}
        commands = {"a": ("server.time", {"handler": portal.webhook, **tokens}), portal.webhook: ("server.time", None)}
        b24.batch({code: ("server.time", None)})
        texts = [b24.batch(commands)._repr_html_()]
        texts += [b24.calls.df.to_csv(), b24.calls._repr_html_(), repr([*b24.calls])]
        texts += [str(call.as_code(flavour)) for call in b24.calls for flavour in ("curl", "php", "python")]
        handlers = (portal.webhook, f"https://my.app/hook?key={code}")
        texts += [b24nb.as_code("event.bind", {"handler": handler}) for handler in handlers]
    assert not [text for text in texts if code in text or "s3cret" in text]


# -- the scrubber ---------------------------------------------------------------------------------------

SPELLINGS: dict[str, Callable[[str], str]] = {
    "bare": str,
    "upper": str.upper,
    "percent": lambda text: "".join(f"%{ord(sign):02x}" for sign in text),
    "PERCENT": lambda text: "".join(f"%{ord(sign):02X}" for sign in text),
    "percent twice": lambda text: "".join(f"%25{ord(sign):02X}" for sign in text),
    "html": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML": lambda text: "".join(f"&#X{ord(sign):04X};" for sign in text),
    "js": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "js in json": lambda text: "".join(f"\\\\u{ord(sign):04X}" for sign in text),
    "js x": lambda text: "".join(f"\\x{ord(sign):02x}" for sign in text),
    "quoted": lambda text: quote(text, safe=""),
    "escaped": escape,
    "slashes": lambda text: text.replace("/", "\\/"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", ["s3cr3tc0deabcdef", "Tok+en/with=signs-_~."])
def test_a_known_secret_is_masked_in_every_spelling(spelling: Callable[[str], str], secret: str) -> None:
    assert redact(f"İ a {spelling(secret)} z", (Secret(secret),)) == "İ a *** z"


@given(st.text(max_size=30), st.lists(st.sampled_from(list(SPELLINGS.values())[:10]), min_size=16, max_size=16))
def test_a_mix_of_spellings_is_masked_too(around: str, mix: list[Callable[[str], str]]) -> None:
    spelled = "".join(spell(sign) for spell, sign in zip(mix, SECRET, strict=True))
    assert spelled not in redact(f"{around} {spelled} {around}", (Secret(SECRET),))


@pytest.mark.parametrize(
    "text",
    [
        f"HTTPSConnectionPool(host='example.bitrix24.com', port=443): url: /rest/1/{SECRET}/profile (Caused",
        *(HOOK, HOOK.upper()),
        f'POST /rest/1/{SECRET}/crm.activity.badge.get HTTP/1.1" 200 None',
        f"//rest//1//{SECRET}//profile",
        *(f"/rest/{user}{SECRET}/profile" for user in ("", "api/1/", "anna.smith@example.com/")),
        *(f"/rest/{SECRET}", quote(HOOK, safe=""), quote(quote(HOOK, safe=""), safe="")),
        *(HOOK.replace("/", slash) for slash in ("\\/", "\\u002f", "&#x2F;")),
        *(f"Authorization: Bearer {SECRET}", f"{{'Authorization': 'Bearer {SECRET}'}}"),
        f"https://example.bitrix24.com/rest/profile?auth={SECRET}",
        f"GET /oauth/token/?grant_type=refresh_token&client_secret={SECRET}&refresh_token={SECRET}",
        f'{{"access_token": "{SECRET}", "refresh_token":"{SECRET}"}}',
        f"{{'client_secret': '{SECRET}'}}",
        f"AUTH_ID={SECRET}&REFRESH_ID={SECRET}",
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "kqxwmztabrdvhnlp"], ids=["any", "letters alone"])
def test_the_places_where_secrets_travel_are_known(text: str, secret: str) -> None:
    text = text.replace(SECRET, secret).replace(SECRET.upper(), secret.upper())
    for shown in (redact(text), str(masked(text))):
        assert secret.upper() not in shown.upper()


@given(st.text())
def test_other_text_is_left_alone(text: str) -> None:
    if not any(word in text.lower() for word in ("rest", "bearer", "=", ":")):
        assert redact(text, (Secret(SECRET),)) == text


@pytest.mark.parametrize(
    "text",
    [
        "/rest/crm.activity.badge.get",
        "/rest/documentgenerator.document.list",
        "https://{portal}/rest/{user}/{code}/{method}",
        "the rest is silence / of the bearers",
        "author: nobody; apple=1; code=vip",
        "2FA auth: completed",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert redact(text, (Secret(SECRET),)) == text


def test_a_short_secret_is_masked_in_its_place_and_does_not_eat_the_text() -> None:
    assert redact("https://x.example/rest/1/short/profile") == "https://x.example/rest/1/***/profile"
    assert redact("a banana", (Secret("a"),)) == "a banana"
    assert redact("?auth=a&x=1", (Secret("a"),)) == "?auth=***&x=1"


def test_parameters_are_masked_however_deep() -> None:
    params = {"AUTH": "s", "list": [{"refresh_token": "s"}, (SECRET,)], "n": 5, "url": HOOK}
    shown = {"AUTH": "***", "list": [{"refresh_token": "***"}, ["***"]], "n": 5}
    assert masked(params, (Secret(SECRET),)) == shown | {"url": "https://example.bitrix24.com/rest/1/***/"}


@pytest.mark.parametrize("name", ["bare", "upper", "percent", "html", "js"])
def test_an_answer_that_echoes_the_secret_shows_it_nowhere(name: str) -> None:
    echo = SPELLINGS[name](SECRET)
    batch = {"result": {"k0": {"NAME": echo}, "k1": [echo]}, "result_error": [], "result_time": []}
    replies = [
        answer_of(json.dumps({"result": batch}).encode()),
        answer_of(json.dumps({"error": f"X {echo}", "error_description": f"at {echo}"}).encode(), "400 Bad Request"),
        answer_of(json.dumps({"result": {echo: [echo]}}).encode()),
    ]
    with serving(*replies) as server, b24nb.connect(server.webhook) as b24:
        values: list[object] = [b24, b24.portal]
        with pytest.raises(errors.ApiError) as caught:
            b24.call("server.time")
        values += [caught.value, b24nb.explain(caught.value), vars(caught.value)]
        answer = b24.call("server.time")
        values += [answer, answer.result, answer.raw, b24.calls, b24.calls.df.to_csv()]
        text = "\n".join(map(shown, values))
    assert SECRET not in text
    assert SECRET.upper() not in text
    assert echo not in text


def test_an_answer_to_a_call_with_a_token_that_another_thread_renews_meanwhile_does_not_show_it() -> None:
    def reply(sock: socket.socket) -> None:
        connection.credentials = replace(connection.credentials, access_token=NEW)
        sock.sendall(answer_of(json.dumps({"result": f"you sent {SECRET}"}).encode()))

    with serving(reply) as server:
        origin = server.webhook.partition("/rest/")[0]
        with closing(Connection(b24nb.OAuthToken(portal=origin, access_token=SECRET), Transport())) as connection:
            assert connection.call("profile").result == "you sent ***"


def test_a_broken_header_does_not_log_the_address_in_a_frame(caplog: pytest.LogCaptureFixture) -> None:
    quoted = b"X-Code: " + SECRET.encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nWarning in x.php\r\n" + quoted + b'\r\n\r\n{"result": 1}'
    with answering(answer) as (connection, _):
        assert connection.call("server.time").result == 1
    assert "headers" in caplog.text
    assert SECRET not in caplog.text
    errors_of = [one.exc_info for one in caplog.records if one.exc_info]
    frames = [traceback.TracebackException(*error, capture_locals=True) for error in errors_of]
    assert not any(SECRET in line for frame in frames for line in frame.format())
