"""A call as code: in the shell, and for each of the vendor's libraries.

Parameters become literals of the language, whatever they hold; host and secrets are placeholders that
the reader fills in, so that a snippet can be shown, copied and committed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from b24nb import spec
from b24nb.display import html
from b24nb.display.literals import JS, JSON, PHP, PYTHON, bash
from b24nb.errors import InvalidInput
from b24nb.secret import mask_address, masked

if TYPE_CHECKING:
    from jinja2 import Environment

#: What the reader replaces, by what it is.
PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "host": "your-portal.bitrix24.com",
        "webhook": "1/your_webhook_code",
        "access_token": "your_access_token",
        "refresh_token": "your_refresh_token",
        "client_id": "your_client_id",
        "client_secret": "your_client_secret",
    }
)

#: The flavours of :func:`as_code`, with their titles.
FLAVOURS: Mapping[str, str] = MappingProxyType(
    {
        "curl": "cURL (webhook)",
        "curl-oauth": "cURL (OAuth)",
        "js": "JS (b24jssdk)",
        "js-umd": "JS in the browser (b24jssdk)",
        "php": "PHP (b24phpsdk)",
        "bx24js": "BX24.js",
        "crest": "PHP (CRest)",
        "python": "Python (requests)",
        "b24pysdk": "Python (b24pysdk)",
    }
)

_TEMPLATES = {
    "curl": "curl.sh",
    "curl-oauth": "curl.sh",
    "js": "b24jssdk.mjs",
    "js-umd": "b24jssdk.html",
    "php": "b24phpsdk.php",
    "bx24js": "bx24.js",
    "crest": "crest.php",
    "python": "requests.py",
    "b24pysdk": "b24pysdk.py",
}

#: Parameters that carry credentials, and the one that routing takes: never part of a snippet.
_RESERVED = {"auth", "access_token", "auth_connector", "ap", "aplogin", "sessid", "method"}


class Code(str):
    """Code to read and copy; a text, with a display of its own.

    Attributes
    ----------
    flavour : str
        See :data:`FLAVOURS`.
    """

    flavour: str

    def __new__(cls, text: str, flavour: str) -> Code:
        code = super().__new__(cls, text)
        code.flavour = flavour
        return code

    def _repr_html_(self) -> str:
        return html.page(html.code(self, FLAVOURS[self.flavour]))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def as_code(
    method: str, params: Mapping[str, Any] | None = None, flavour: str = "curl", *, oauth: bool = False
) -> Code:
    """A call in another language, ready to run once the placeholders are filled in.

    Nothing is sent. Credentials among the parameters are left out: each flavour has its own place for them.

    Parameters
    ----------
    method : str
        Any REST method. For ``batch``, the commands in ``params["cmd"]`` are texts as on the wire
        (``"crm.activity.badge.get?code=vip"``) or pairs of method and parameters.
    params : mapping, optional
        What JSON can carry.
    flavour : str
        ``curl``, ``curl-oauth``, ``js`` (b24jssdk 2, in Node), ``js-umd`` (b24jssdk 2, in an application's
        page), ``php`` (b24phpsdk), ``bx24js``, ``crest``, ``python`` (requests) or ``b24pysdk``.
    oauth : bool
        With an application's tokens instead of a webhook. ``js-umd``, ``bx24js`` and ``crest`` get their
        credentials from the page or from a file of settings, and look the same.

    Returns
    -------
    Code
        A text.

    Raises
    ------
    InvalidInput
        For an unknown flavour, or parameters that JSON can't carry.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/first-steps/how-to-use-examples.html

    Examples
    --------
    >>> print(as_code("crm.activity.badge.get", {"code": "vip"}, "bx24js"))
    BX24.init(() => {
      BX24.callMethod('crm.activity.badge.get', { code: 'vip' }, (result) => {
        if (result.error()) {
          console.error(String(result.error()))
        } else {
          console.dir(result.data(), { depth: null })
        }
      })
    })
    """
    method, flavour = mask_address(method), mask_address(flavour)
    if flavour not in FLAVOURS:
        raise InvalidInput(
            f"There is no flavour {flavour!r}.", field="flavour", hint=f"One of: {', '.join(FLAVOURS)}."
        )
    if not re.fullmatch(r"[A-Za-z][\w.]*", method):
        raise InvalidInput(f"{method!r} is no name of a method.", field="method")
    given = {name: masked(value) for name, value in (params or {}).items() if name not in _RESERVED}
    calls = _calls(given.get("cmd")) if method == "batch" else {}
    if calls:
        texts = {key: _command(**call) for key, call in calls.items()}
        given = {"halt": int(_true(given.get("halt"))), "cmd": texts}
    text = (
        _environment()
        .get_template(f"{_TEMPLATES[flavour]}.j2")
        .render(
            PLACEHOLDERS,
            method=method,
            params=given,
            calls=calls,
            halt=bool(given.get("halt")),
            oauth=oauth or flavour == "curl-oauth",
            wrapped=_is_plain(method, given),
            oauth_server=spec.OAUTH_SERVER,
        )
    )
    return Code(text.strip(), flavour)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - code, not HTML; the display escapes it
        loader=PackageLoader(__package__), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(json=JSON.write, js=JS.write, php=PHP.write, python=PYTHON.write, bash=bash)
    return environment


def _is_plain(method: str, given: Mapping[str, Any]) -> bool:
    """Whether a badge method is called as documented, so that b24pysdk's function for it takes the call."""
    known = spec.METHODS[method].parameters if method in spec.METHODS else None
    return (
        known is not None
        and {one.name for one in known} == set(given)
        and all(
            isinstance(given[one.name], str) or ("map" in one.type and isinstance(given[one.name], Mapping))
            for one in known
        )
    )


def _calls(cmd: Any) -> dict[str, dict[str, Any]]:
    """The commands of a batch, read back from the notation of the wire where they are texts."""
    pairs = cmd.items() if isinstance(cmd, Mapping) else enumerate(cmd or ())
    read = ((str(key), _read(text) if isinstance(text, str) else text) for key, text in pairs)
    return {key: {"method": method, "params": params or {}} for key, (method, params) in read}


def _read(command: str) -> tuple[str, dict[str, Any]]:
    import qs_codec

    method, _, query = command.partition("?")
    options = qs_codec.DecodeOptions(duplicates=qs_codec.Duplicates.LAST, list_limit=1000)
    return method, qs_codec.decode(query, options)


def _command(method: str, params: Mapping[str, Any]) -> str:
    """A command as the wire has it, in PHP's notation: ``a[b]=c``, ``a[0]=c``."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in _flat(params))
    return f"{method}?{query}" if query else method


def _flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        names = ((quote(str(key), safe=""), item) for key, item in pairs)
        return [pair for name, item in names for pair in _flat(item, f"{prefix}[{name}]" if prefix else name)]
    if isinstance(value, bool):
        return [(prefix, str(int(value)))]
    return [(prefix, "" if value is None else str(value))]


def _true(value: Any) -> bool:
    """As PHP sees it: the text ``"0"`` is false, ``"false"`` is true."""
    return bool(value) and value != "0"
