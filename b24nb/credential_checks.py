"""Checks of the addresses and tokens that users enter; hosts are normalised to one spelling."""

from __future__ import annotations

import ipaddress
import re
import sys
import unicodedata
import warnings
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from b24nb import spec
from b24nb.errors import InvalidInput, SecretInCell
from b24nb.secret import Secret, without_frames

#: Names of the fields in an application's page -> their names in events and token answers.
_AUTH_NAMES = {"auth_id": "access_token", "refresh_id": "refresh_token"}
#: Placeholders of documentation for a code or token, a user, and a host. Real users may have the id 1111, and real
#: portals a name like your-it.
TOKEN_PLACEHOLDER, USER_PLACEHOLDER = r"^your[-_]|^(.)\1{3,}$", r"^your[-_]|^(\D)\1{3,}$"
_HOST = r"^your_|^your-(account|bitrix24|company|domain|name|portal|site)\b"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("example.bitrix24.com")
    (True, True, False)
    """
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse(message: str, hint: str = "") -> NoReturn:
    """Raise the error for wrong credentials."""
    raise InvalidInput(message, field="credentials", hint=hint)


def refuse_placeholders(what: str, text: str, pattern: str = TOKEN_PLACEHOLDER) -> None:
    """Refuse a text that this package has masked, and placeholders of documentation."""
    if "*" in text or "…" in text or "..." in text:
        refuse(f"The {what} is masked.", "Copy it from the portal, not from an output.")
    if re.search(rf"[{{}}<>\[\]]|^put_|{pattern}", text, re.IGNORECASE):
        refuse(f"The {what} is a placeholder of the documentation.", "Put your own in its place.")


def parse_address(secret: Secret, *, what: str) -> tuple[SplitResult, str]:
    """Parse and check the address of a webhook, a portal or an OAuth server; returns its parts and normalised host."""
    url = secret.reveal()
    if not isinstance(url, str) or not url.strip():
        refuse(f"The address of the {what} is {'empty' if isinstance(url, str) else 'not a text'}.")
    url = _trimmed(url)
    if re.search(r"\s", url):
        refuse(f"There is a space or line break inside the address of the {what}.", "Copy it again.")
    if any(unicodedata.category(char)[0] in "CZ" for char in url):
        refuse(f"There is an invisible character inside the address of the {what}.", "Copy it again.")
    if not re.match("https?://", url, re.IGNORECASE):
        refuse(f"The address of the {what} must start with https://.")
    try:
        parts = urlsplit(url)
        hostname, port = parts.hostname or "", parts.port
    except ValueError:
        refuse(f"The address of the {what} can't be read.", "Copy it again from the portal.")
    if not hostname or parts.username or parts.password:
        refuse(f"The address of the {what} must have a host, and no user name before the host.")
    if parts.scheme == "http" and not is_loopback(hostname):
        hint = "Use https://; plain http is accepted for this machine only."
        refuse("http:// would send the secret in clear over the network.", hint)
    host = _one_spelling(hostname, what)
    return parts, host if port in (None, {"https": 443, "http": 80}[parts.scheme]) else f"{host}:{port}"


def host_of(address: Secret) -> str:
    """The one spelling of a portal's host, which may be given with all that stands before and after it."""
    url = Secret(f"https://{str(address.reveal()).strip().rpartition('://')[2]}")
    return without_frames(parse_address, url, what="portal")[1]


def _trimmed(url: str) -> str:
    """The address without what is pasted around it: blanks, quotes, brackets, ``NAME=``, the end of a sentence."""
    around = "\"'`<>),;" + "." * (".." not in url)  # a code that ends in ... is a masked one
    around += "".join(char for char in {*url} if re.match("C|Z|P[ifs]", unicodedata.category(char)))
    return re.sub(r"^[^/=]+=", "", url).strip(around)


def _one_spelling(hostname: str, what: str) -> str:
    """The normalised host: lower case, ASCII, without a last dot."""
    refuse_placeholders(f"host of the {what}", hostname, _HOST)
    if ":" in hostname:
        return f"[{hostname}]"
    for label in hostname.split("."):
        scripts = {unicodedata.name(char, "?").split()[0] for char in label if char.isalpha()}
        if len(scripts) > 1:
            text = f"A name in the host of the {what} mixes alphabets: one letter looks like another."
            refuse(text, "Type the address instead of copying it.")
    name = hostname.lower().rstrip(".")
    try:
        host = name.encode("idna").decode()
        if not name.isascii() and host.encode().decode("idna") != name:
            host = ""  # Python's older IDNA rules change a letter, so browsers would use another host
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        refuse(f"The host of the {what} can't be read.", "Copy the address again from the portal.")
    return host


def ask_hidden() -> Secret:
    """Read the address from the keyboard without showing it."""
    import getpass  # takes a while, and few need it

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # after this warning, getpass would show what is typed
        try:
            return Secret(getpass.getpass("Webhook address (not shown): "))
        except (EOFError, OSError, NotImplementedError, getpass.GetPassWarning):
            pass
    text = "Hidden input is not possible here, since there is no terminal."
    hint = "Set B24_WEBHOOK in the environment or in a file .env, and call connect() without an address."
    raise InvalidInput(text, field="credentials", hint=hint)


def warn_of_cells(secret: Secret) -> None:
    """In a notebook, warn if one of its cells contains the secret as text."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel") and without_frames(_is_in_a_cell, secret, shell):
        text = "This webhook is written into a cell, and is saved with the notebook. Put it into a file .env "
        text += "beside the notebook (B24_WEBHOOK=…) and call connect(), or use connect(Webhook.ask())."
        # Not `warn`, which would show the line of code, and so the secret.
        warnings.warn_explicit(text, SecretInCell, "b24nb", 1)


def _is_in_a_cell(secret: Secret, shell: Any) -> bool:
    return any(secret.reveal() in str(cell) for cell in shell.user_ns.get("In", ()))


def check_tokens(**tokens: Secret) -> None:
    """Refuse values that can't be the tokens, id and secret of an application."""
    for name, token in tokens.items():
        text = token.reveal()
        if not isinstance(text, str):
            refuse(f"{name} must be a text.")
        refuse_placeholders(name, text)
        if not re.fullmatch(r"[!-~]*", text):
            refuse(f"{name} must be plain letters, digits and punctuation, without spaces.")
    if not tokens["access_token"]:
        refuse("access_token is empty.")


def origin_of(address: Secret, what: str) -> str:
    """Scheme and host of a portal, also of its ``client_endpoint``, or of the authorization server."""
    parts, host = parse_address(address, what=what)
    if what == "portal" and parts.path.strip("/") not in ("", "rest"):
        refuse("Give the portal's address without a path, for example https://example.bitrix24.com.")
    return f"{parts.scheme}://{host}"


def fields_of(auth: Secret) -> dict[str, Secret]:
    """The arguments of an :class:`OAuthToken`, from the vendor's mapping."""
    found: Any = auth.reveal()
    if not isinstance(found, Mapping):
        refuse("from_auth takes the mapping that the portal gives an application.")
    lowered = {str(name).lower(): value for name, value in found.items()}
    given = {_AUTH_NAMES.get(name, name): value for name, value in lowered.items()}
    server = given.pop("server_endpoint", "") or ""
    domain, endpoint = given.pop("domain", ""), given.pop("client_endpoint", "")
    scheme = "http" if str(given.get("protocol", 1)) == "0" else "https"
    if not given.get("portal"):
        # In answers of the OAuth server, `domain` is its own host and not that of the portal.
        if not endpoint and (not domain or domain in (urlsplit(server).netloc, *spec.OAUTH_HOSTS)):
            refuse("The portal is missing: client_endpoint, or domain.")
        given["portal"] = endpoint or (domain if "://" in domain else f"{scheme}://{domain}")
    if "auth_server" not in given and urlsplit(server).hostname in spec.OAUTH_HOSTS:
        given["auth_server"] = server
    taken = ("portal", "access_token", "refresh_token", "client_id", "client_secret", "auth_server")
    return {"access_token": Secret("")} | {name: Secret(given[name]) for name in taken if given.get(name)}
