"""A call as code: for the shell, and for each of the vendor's libraries.

Parameters become literals of the language; host and secrets are placeholders that the reader replaces, so that a
snippet can be shown, copied and committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from b24nb import spec
from b24nb.display import html
from b24nb.display.literals import SYNTAXES, as_json, bash, command, in_query, powershell
from b24nb.errors import InvalidInput
from b24nb.secret import known_secrets, mask_address, masked

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: The values that the reader has to replace.
PLACEHOLDERS = {
    "host": "your-portal.bitrix24.com",
    "webhook": "1/your_webhook_code",
    "access_token": "your_access_token",
    "refresh_token": "your_refresh_token",
    "client_id": "your_client_id",
    "client_secret": "your_client_secret",
}

#: Flavour -> title and template.
TEMPLATES = {
    "curl": ("cURL (webhook)", "curl.sh"),
    "curl-oauth": ("cURL (OAuth)", "curl.sh"),
    "js": ("JS (b24jssdk)", "b24jssdk.mjs"),
    "js-umd": ("JS in the browser (b24jssdk)", "b24jssdk.html"),
    "php": ("PHP (b24phpsdk)", "b24phpsdk.php"),
    "bx24js": ("BX24.js", "bx24.js"),
    "crest": ("PHP (CRest)", "crest.php"),
    "python": ("Python (requests)", "requests.py"),
    "b24pysdk": ("Python (b24pysdk)", "b24pysdk.py"),
    "go": ("Go (b24gosdk)", "b24gosdk.go"),
}
#: The flavours of :func:`as_code`, with their titles.
FLAVOURS = {name: title for name, (title, _) in TEMPLATES.items()}

#: A part of another command's result in a command, plain or percent-encoded.
_REFERENCE = re.compile(r"(\$|%24)(result|error|total|next|time)(\[|%5B)")
#: Such a part of a command with a blank in its key: to the portal, the reference ends there.
_TO_BLANK = re.compile(_REFERENCE.pattern + r"[^\]%]*(\s|%20|\+)")
#: Parameters that carry credentials, and ``method``, which selects the method: never part of a snippet.
_RESERVED = {"auth", "access_token", "auth_connector", "ap", "aplogin", "sessid", "method"}


class Code(str):
    """Code to read and copy: a text with an HTML display.

    Attributes
    ----------
    flavour : str
        See :data:`FLAVOURS`.
    """

    flavour: str

    def _repr_html_(self) -> str:
        return html.page(html.code(self, FLAVOURS[self.flavour]))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


#: ``oauth.token`` is a call of another server.
_METHOD = re.compile(r"(?!oauth\.token$)[A-Za-z][\w.]*")


def as_code(
    method: str,
    params: Mapping[str, Any] | None = None,
    flavour: str = "curl",
    *,
    oauth: bool = False,
    shell: str = "bash",
) -> Code:
    """A call in another language, ready to run once the placeholders are filled in.

    Nothing is sent. Credentials among the parameters are left out: each flavour has its own place for them.

    Parameters
    ----------
    method : str
        Any REST method. For ``batch``, the commands in ``params["cmd"]`` are pairs of method and
        parameters, or texts as they are sent (``"crm.activity.badge.get?code=vip"``), which are not changed.
    params : mapping, optional
        Values that JSON can hold.
    flavour : str
        ``curl``, ``curl-oauth``, ``js`` (b24jssdk 2, in Node), ``js-umd`` (b24jssdk 2, in an application's
        page), ``php`` (b24phpsdk), ``bx24js``, ``crest``, ``python`` (requests), ``b24pysdk`` or ``go``
        (b24gosdk).
        CRest and BX24.js can't send an empty list or map: it is left out. Go sends the keys of a map in alphabetical
        order, so several fields of ``order`` sort a list in that order.
    oauth : bool
        With an application's tokens instead of a webhook. It makes no difference for ``js-umd``, ``bx24js`` and
        ``crest``, which get their credentials from the page or from a file of settings.
    shell : {"bash", "powershell"}
        For ``curl`` and ``curl-oauth``; ``powershell`` is for the ``curl.exe`` of Windows.

    Returns
    -------
    Code
        A text.

    Raises
    ------
    InvalidInput
        For an unknown flavour or shell, parameters that JSON can't carry, a page (``start``) for ``bx24js``, and
        commands that refer to others for a language that would run them in another order.

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
    for field, value, known in (("flavour", flavour, FLAVOURS), ("shell", shell, ("bash", "powershell"))):
        if value not in known:
            hint = f"One of: {', '.join(known)}."
            raise InvalidInput(f"There is no {field} {value!r}.", field=field, hint=hint)
    if not (isinstance(method, str) and _METHOD.fullmatch(method)):
        raise InvalidInput(f"{method!r} is no method of a portal.", field="method")
    values = json.loads(as_json(params or {}, errors="surrogatepass"))
    if not isinstance(values, dict):
        raise InvalidInput("Parameters must be a mapping from name to value.", field="params")
    given = masked({name: value for name, value in values.items() if name not in _RESERVED}, known_secrets())
    given, calls = _batch(given, flavour) if method == "batch" else (given, {})
    if flavour == "bx24js" and given.get("start"):
        hint = "In BX24.js, result.next() reads the next page."
        raise InvalidInput("BX24.js does not send `start`.", field="params", hint=hint)
    name = TEMPLATES[flavour][1]
    if name == "curl.sh" and shell == "powershell":
        name = "curl.ps1"
    template = _environment().get_template(f"{name}.j2")
    documented = spec.METHODS.get(method)
    text = template.render(
        method=method,
        params=given,
        calls=calls,
        halt=bool(given.get("halt")),
        oauth=oauth or flavour == "curl-oauth",
        reads=documented is not None and method.endswith((".get", ".list")),
        as_documented=documented is not None and _as_documented(documented, given),
    )
    code = Code(text.strip())
    code.flavour = flavour
    return code


def call_as_code(method: str, params: Mapping[str, Any], part: str = "") -> Markup:
    """A call in each language, collapsed. ``part`` is added to the title, if the call is a part of several."""
    codes = ((title, html.code(as_code(method, params, name), title)) for name, title in FLAVOURS.items())
    return html.collapsed(f"The call as code{part}", html.join(html.collapsed(title, code) for title, code in codes))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - code, not HTML; the display escapes it
        loader=PackageLoader(__package__), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(PLACEHOLDERS, oauth_server=spec.OAUTH_SERVER)
    environment.filters.update({name: syntax.write for name, syntax in SYNTAXES.items()})
    environment.filters.update(bash=bash, powershell=powershell)
    return environment


def _as_documented(known: Mapping[str, tuple[type, ...]], given: Mapping[str, Any]) -> bool:
    """Whether a badge method is called as documented, so that b24pysdk's function for it takes the call."""
    return known.keys() == given.keys() and all(isinstance(given[name], types) for name, types in known.items())


def _batch(given: Mapping[str, Any], flavour: str) -> tuple[dict[str, Any], Any]:
    """The parameters of a batch as they are sent; and its commands, if all of them are pairs."""
    given = {name.lower(): value for name, value in given.items()}  # the portal ignores their letter case
    cmd = given.get("cmd") or {}
    texts, calls = {}, {}
    for key, one in cmd.items() if isinstance(cmd, dict) else enumerate(cmd if isinstance(cmd, list) else [[cmd]]):
        if isinstance(one, str):
            texts[str(key)] = one
        elif isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1] or {}, dict):
            calls[str(key)] = {"method": one[0], "params": in_query(one[1] or {})}
            texts[str(key)] = command(*one)
        else:
            hint = 'A command is a pair like ("crm.activity.badge.get", {"code": "vip"}).'
            raise InvalidInput(f"A {type(one).__name__} is no command of a batch.", field="params", hint=hint)
    # As in PHP: the text "0" is false, "false" is true.
    halt = int(given.get("halt") not in (None, 0, "", "0"))
    calls = calls if len(calls) == len(texts) else {}
    if any(map(_TO_BLANK.search, texts.values())):
        hint = "Rename it."
        raise InvalidInput("A reference can't name a command with a blank in its key.", field="params", hint=hint)
    if _sent_order([*texts], flavour) == [*texts]:
        return {"halt": halt, "cmd": texts}, calls
    if any(map(_REFERENCE.search, texts.values())):
        title, hint = FLAVOURS[flavour], "Name them so that their names are in alphabetical order."
        raise InvalidInput(f"{title} would run these commands in another order.", field="params", hint=hint)
    return {"halt": halt, "cmd": [*texts.values()]}, [*calls.values()]  # a list keeps the order


def _sent_order(keys: list[str], flavour: str) -> list[str]:
    """The keys of a map in the order in which the language sends them: JavaScript begins with whole numbers."""
    if flavour == "go":
        return sorted(keys)
    numbers = [key for key in keys if re.fullmatch(r"0|[1-9]\d{0,9}", key)] if "js" in flavour else []
    return sorted(numbers, key=int) + [key for key in keys if key not in numbers]
