"""Requests that nobody would write: a grammar of paths, verbs, encodings, nesting, sizes and garbage.

Everything comes from one :class:`random.Random`, so a seed and a number are enough to see a request again.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

#: What is asked for most often is what matters most.
METHODS = (
    *("crm.activity.badge.add",) * 6,
    *("crm.activity.badge.get",) * 3,
    *("crm.activity.badge.delete",) * 3,
    *("crm.activity.badge.list",) * 2,
    *("batch",) * 5,
    *(f"crm.activity.configurable.{name}" for name in ("add", "update", "get") * 2),
    *(f"crm.activity.{name}" for name in ("list", "get", "add", "update", "delete")),
    *(f"crm.deal.{name}" for name in ("list", "get", "add", "update", "delete")),
    *("crm.enum.ownertype", "profile", "user.current", "app.info", "scope", "methods", "method.get"),
    *("server.time", "feature.get", "no.such.method", "crm.activity.badge.update", "crm.activity.badge"),
)
ODD_METHODS = ("", "%00", "..", "token/", "index.php", "%", "%zz", "%FF%FE", "a" * 3000)
TAILS = ("/", ".json", ".xml", ".xml", ".JSON", ".html", ".json/", "//", "/x", "%2F")
OTHER_PREFIXES = ("/rest", "/rest", "/rest/1/wrong", "/rest/api", "/rest/x", "", "/oauth")
NAMES = (
    *("code", "title", "value", "type", "settings", "cmd", "halt", "start", "filter", "select", "order"),
    *("id", "ID", "fields", "layout", "ownerTypeId", "ownerId", "name", "full", "scope", "CODE", "method"),
)
#: These end a call early, so they are rare.
RARE_NAMES = (
    *("auth", "access_token", "aplogin", "ap", "state", "sessid", "token", "auth_connector"),
    *("a.b", "a b", ""),
)
KEYS = (
    *("", "0", "1", "-1", "en", "de", "xx", "a", "ID", "COMPLETED", "PROVIDER_ID"),
    *("!=ID", ">ID", "@ID", "%TITLE"),
)
LANGUAGES = ("en", "de", "ru", "fr", "xx", "EN")
FIELDS = ("badgeCode", "completed", "deadline", "typeId", "responsibleId", "pingOffsets", "STAGE_ID", "TITLE")
TEXTS = (
    *("", "0", "1", "-1", "50", "missedCall", "waitingPayment", "MISSEDCALL", "new", "primary", "Y", "N"),
    *("$result[a][badge][code]", "$result[", "$result[a]", "$total[l] x", "$error[a][error]", "$next[l]"),
    *("null", "true", "[]", "{}", '"', "'", "\\", "`", "</script>", "a\0b", "\x01", "\r\n"),
    *("Договор", "日本語", "🎉" * 3, "e\u0301", "\u202e", "\ufeff", "\u2028", "ю" * 5000),
    *("1.5", "1e400", "9" * 25, "-9223372036854775809", "NaN"),
    *("2030-01-02T10:00:00+03:00", "2030-99-99", "0000-00-00", "CONFIGURABLE_REST_APP", "WON"),
    *("'; DROP TABLE badge; --", "%", "_", "%25", "Array", "../../etc/passwd", "x" * 300),
)
TYPES = (
    *("application/json", "application/json; charset=utf-8", "application/json; charset=nosuch"),
    *("application/x-www-form-urlencoded", "application/vnd.api+json", "multipart/form-data"),
    *("multipart/form-data; boundary=b", "multipart/form-data; boundary=", "", "json", "text/plain"),
    *("*/*", "\xff/\xfe"),
)


@dataclass(frozen=True)
class Generated:
    """One request as it goes over the socket; ``sound`` if its framing is HTTP, whatever it holds."""

    raw: bytes
    verb: str
    sound: bool

    @property
    def deserves_an_answer(self) -> bool:
        """Web servers hang up on a head of more than 64 KB."""
        return self.sound and self.raw.index(b"\r\n\r\n") <= 65_000


class Grammar:
    """Makes requests.

    Parameters
    ----------
    seed : int
        The same seed makes the same requests.
    prefixes : list of str
        Paths of webhooks that exist, the administrator's first.
    token : str
        An access token that is valid.
    """

    def __init__(self, seed: int, prefixes: list[str], token: str) -> None:
        self.pick = random.Random(seed)
        self.webhook, self.others = prefixes[0], [*prefixes[1:], *OTHER_PREFIXES]
        self.token = token

    def request(self) -> Generated:
        return self.garbage() if self.maybe(0.08) else self.sound()

    def maybe(self, chance: float) -> bool:
        return self.pick.random() < chance

    # -- values -----------------------------------------------------------------------------------

    def text(self) -> str:
        if self.maybe(0.15):
            return "".join(self.pick.choices("AéЖ\U0001f600\0", k=self.size()))
        return self.token if self.maybe(0.05) else self.pick.choice(TEXTS)

    def size(self) -> int:
        return self.pick.choice((0, 1, 2, 3, 5, 30, 31, 255, 256, 1000, 4001))

    def value(self, depth: int = 0) -> Any:
        """Any JSON value."""
        kinds: list[Callable[[], Any]] = [
            self.text,
            self.text,
            lambda: self.pick.choice((0, 1, -1, 50, 2**31, 2**63, 2**64, -(2**70), 10**30)),
            lambda: self.pick.choice((0.5, -0.0, 1e300, 1.5e-9)),
            lambda: self.pick.choice((True, False, None)),
            lambda: [self.value(depth + 1) for _ in range(self.pick.randrange(4))],
            lambda: {self.key(): self.value(depth + 1) for _ in range(self.pick.randrange(4))},
        ]
        return self.pick.choice(kinds[:5] if depth > 4 else kinds)()

    def key(self) -> str:
        return self.pick.choice((*KEYS, *FIELDS, self.text()))

    def parameters(self) -> dict[str, Any]:
        given: dict[str, Any] = {"code": self.text(), "title": self.words(), "value": self.words()}
        given |= {"type": "primary", "id": self.pick.randrange(9), "cmd": self.commands()}
        given |= {"ownerTypeId": 2, "ownerId": self.pick.randrange(9), "fields": self.fields()}
        given["layout"] = {"icon": {"code": "info"}, "header": {"title": self.text()}, "body": {"blocks": {}}}
        given["filter"] = {self.pick.choice(KEYS): self.value(), "COMPLETED": "N"}
        for name in self.pick.sample(list(given), self.pick.choice((0, 0, 1, 2, 9))):
            del given[name]
        for _ in range(self.pick.choice((0, 0, 1, 2))):
            given[self.name()] = self.value()
        return given

    def name(self) -> str:
        return self.pick.choice(RARE_NAMES if self.maybe(0.06) else NAMES)

    def words(self) -> Any:
        """A title or value: mostly such as are accepted."""
        if self.maybe(0.2):
            return self.value()
        return self.text() if self.maybe(0.5) else dict.fromkeys(self.pick.sample(LANGUAGES, 2), self.text())

    def fields(self) -> dict[str, Any]:
        given = {"badgeCode": self.pick.choice(("missedCall", "", self.text()))}
        return given | {key: self.value() for key in self.pick.sample(FIELDS, self.pick.randrange(3))}

    def commands(self) -> Any:
        several = [self.command() for _ in range(self.pick.choice((0, 1, 2, 3, 51)))]
        if self.maybe(0.1):
            return self.value()
        return several if self.maybe(0.5) else {self.key(): one for one in several}

    def command(self) -> Any:
        return self.value() if self.maybe(0.1) else f"{self.pick.choice(METHODS)}?{self.form()}"

    # -- encodings --------------------------------------------------------------------------------

    def escape(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        return quote_from_bytes(raw, safe="$[]" if self.maybe(0.3) else "")

    def form(self) -> str:
        """Pairs with brackets, as PHP reads them; sometimes nested too deep or cut in the middle."""
        pairs = []
        for _ in range(self.pick.choice((0, 1, 2, 3, 4, 12))):
            depth = self.pick.choice((0, 0, 0, 1, 1, 2, 3, 40)) if self.maybe(0.97) else 400
            brackets = "".join(f"[{self.escape(self.pick.choice(KEYS))}]" for _ in range(depth))
            pairs.append(f"{self.escape(self.name())}{brackets}={self.escape(self.text())}")
        if self.maybe(0.65):
            code, value = self.escape(self.text()), self.escape(self.text())
            pairs.append(f"code={code}&title[en]=t&value={value}&type=primary")
        text = "&".join(pairs)
        if self.maybe(0.1):
            end = self.pick.choice(("%", "%f", "%zz", "[", "]]", "=&&;"))
            text = text[: self.pick.randrange(len(text) + 1)] + end
        return text

    def json(self) -> bytes:
        content = self.parameters() if self.maybe(0.9) else self.value()
        text = json.dumps(content, ensure_ascii=self.maybe(0.5))
        raw = text.encode("utf-8", "surrogatepass")
        broken: list[Callable[[], bytes]] = [
            lambda: raw[: len(raw) // 2],
            lambda: b"\xef\xbb\xbf" + raw,
            lambda: raw.replace(b'"', b"'"),
            lambda: b'{"code":' + b"[" * 3000 + b"]" * 3000 + b"}",
            lambda: b'{"a":' * 1500 + b"1" + b"}" * 1500,
            lambda: b'{"code":' + b"9" * 6000 + b"}",
            lambda: b'{"code":1e999,"title":NaN,"value":-Infinity}',
            lambda: b'{"code":"\\ud800","title":"\\udfff\\ud800","value":"v","type":"primary"}',
            lambda: b'{"code":"a","code":{"b":1},"":""}',
            lambda: text.encode("utf-16"),
            lambda: raw + b"\0",
        ]
        return self.pick.choice(broken)() if self.maybe(0.15) else raw

    def multipart(self) -> bytes:
        parts = []
        for _ in range(self.pick.randrange(4)):
            name = self.pick.choice((*NAMES, "cmd[a]", "title[en]", 'a"b', ""))
            file = '; filename="x.bin"' if self.maybe(0.2) else ""
            head = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
            parts.append(head.encode() + self.text().encode("utf-8", "surrogatepass") + b"\r\n")
        end = self.pick.choice((b"--b--\r\n", b"--b--", b"", b"--b"))
        return b"".join(parts) + end

    def body(self) -> tuple[str, bytes]:
        """A type and a body, which need not fit each other."""
        kind = self.pick.choice(
            (
                lambda: ("application/json", self.json()),
                lambda: ("application/json", self.json()),
                lambda: ("application/x-www-form-urlencoded", self.form().encode("utf-8", "surrogatepass")),
                lambda: ("multipart/form-data; boundary=b", self.multipart()),
                lambda: ("text/plain", self.pick.randbytes(self.pick.randrange(200))),
                lambda: ("application/json", b""),
            )
        )
        fitting, content = kind()
        return (self.pick.choice(TYPES) if self.maybe(0.15) else fitting), content

    # -- requests ---------------------------------------------------------------------------------

    def path(self) -> str:
        method = self.pick.choice(METHODS)
        if self.maybe(0.1):
            method = "".join(char.upper() if self.maybe(0.5) else char for char in method)
        tail = self.pick.choice(TAILS) if self.maybe(0.25) else ""
        if self.maybe(0.05):
            method = self.pick.choice(ODD_METHODS)
        path = f"{self.webhook if self.maybe(0.7) else self.pick.choice(self.others)}/{method}{tail}"
        return path + (f"?{self.form()}" if self.maybe(0.5) else "")

    def sound(self) -> Generated:
        verb = self.pick.choice(("GET", "POST", "POST", "POST"))
        if self.maybe(0.1):
            verb = self.pick.choice(("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "X" * 40))
        lines = [f"{verb} {self.path()} HTTP/1.1".encode(), b"Host: 127.0.0.1"]
        if self.maybe(0.1):
            credential = self.pick.choice(("Bearer " + self.token, "Bearer", "Basic x", ""))
            lines.append(f"Authorization: {credential}".encode())
        if self.maybe(0.1):
            name = "".join(self.pick.choices(string.ascii_letters, k=5)).encode()
            lines.append(name + b": " + self.pick.choice((b"", b"\xff", b"x" * 500, b"gzip", "ж".encode())))
        content = b""
        if verb not in ("GET", "HEAD", "OPTIONS") or self.maybe(0.1):
            kind, content = self.body()
            if kind:
                lines.append(b"Content-Type: " + kind.encode("latin-1"))
            if self.maybe(0.03):
                lines.append(b"Content-Encoding: " + self.pick.choice((b"gzip", b"deflate", b"nosuch")))
        if content and self.maybe(0.05):
            lines.append(b"Transfer-Encoding: chunked")
            content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        elif content or verb == "POST":
            lines.append(b"Content-Length: %d" % len(content))
        return Generated(b"\r\n".join(lines) + b"\r\n\r\n" + content, verb, sound=True)

    def garbage(self) -> Generated:
        """Bytes that are no HTTP, or HTTP that breaks off or lies about itself."""
        good = self.sound()
        kinds: list[Callable[[], bytes]] = [
            lambda: self.pick.randbytes(self.pick.randrange(1, 400)),
            lambda: good.raw[: self.pick.randrange(len(good.raw))],
            lambda: good.raw.replace(b"\r\n", b"\n"),
            lambda: good.raw.replace(b"HTTP/1.1", self.pick.choice((b"HTTP/9.9", b"HTTP", b"", b"HTTP/1.0"))),
            lambda: good.raw.replace(b"Content-Length: ", b"Content-Length: 9"),
            lambda: good.raw.replace(b"Content-Length: ", b"Content-Length: -"),
            lambda: good.raw.replace(b"Host: 127.0.0.1", b"Host: evil.example"),
            lambda: good.raw.replace(b"Host: 127.0.0.1", b"Transfer-Encoding: chunked\r\nHost: x"),
            lambda: good.raw.replace(b"Host: 127.0.0.1", b"X: " + b"x" * 70_000),
            lambda: b"POST /rest/profile HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            lambda: b"GET " + self.text().encode("utf-8", "surrogatepass") + b" HTTP/1.1\r\n\r\n",
            lambda: b"\r\n\r\n" + good.raw,
        ]
        return Generated(self.pick.choice(kinds)(), good.verb, sound=False)
