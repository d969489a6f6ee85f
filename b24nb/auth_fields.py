"""The fields of an application's tokens: what can't be right is refused, and the vendor's names are understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from b24nb import spec
from b24nb.address import refuse, refuse_placeholders, split
from b24nb.secret import Secret

#: Names that the vendor uses for the same thing: in events and token answers, and in the frame of a page.
_AUTH_NAMES = {"auth_id": "access_token", "refresh_id": "refresh_token"}


def check_tokens(*tokens: Secret) -> None:
    """Refuse what can't be the tokens, id and secret of an application."""
    names = ("access_token", "refresh_token", "client_id", "client_secret")
    for name, token in zip(names, tokens, strict=True):
        text = token.reveal()
        if not isinstance(text, str):
            refuse(f"{name} is a text.")
        refuse_placeholders(name, text)
        if not re.fullmatch(r"[!-~]*", text):
            refuse(f"{name} is a text of plain letters, digits and signs, without spaces.")
    if not tokens[0]:
        refuse("access_token is empty.")


def portal_of(address: Secret) -> str:
    """Scheme and host of a portal, also of its ``client_endpoint``."""
    parts, host = split(address, what="portal")
    if parts.path.strip("/") not in ("", "rest"):
        refuse("Give the portal's address without a path, for example https://example.bitrix24.com.")
    return f"{parts.scheme}://{host}"


def server_of(address: Secret) -> str:
    """Scheme and host of the authorization server."""
    parts, host = split(address, what="authorization server")
    return f"{parts.scheme}://{host}"


def fields_of(auth: Secret) -> dict[str, Secret]:
    """What an :class:`OAuthToken` takes, of the vendor's mapping."""
    found: Any = auth.reveal()
    if not isinstance(found, Mapping):
        refuse("from_auth takes the mapping that the portal gives an application.")
    given = {}
    for name, value in found.items():
        known = str(name).lower()
        given[_AUTH_NAMES.get(known, known)] = value
    server = given.pop("server_endpoint", "") or ""
    domain, endpoint = given.pop("domain", ""), given.pop("client_endpoint", "")
    scheme = "http" if str(given.get("protocol", 1)) == "0" else "https"
    if not given.get("portal"):
        # The authorization server calls itself `domain` in its own answers.
        if not endpoint and (not domain or domain == urlsplit(server).netloc):
            refuse("The portal is missing: client_endpoint, or domain.")
        given["portal"] = endpoint or (domain if "://" in domain else f"{scheme}://{domain}")
    if server and "auth_server" not in given and urlsplit(server).hostname in spec.OAUTH_HOSTS:
        given["auth_server"] = server
    taken = ("portal", "access_token", "refresh_token", "client_id", "client_secret", "auth_server")
    return {"access_token": Secret("")} | {name: Secret(given[name]) for name in taken if given.get(name)}
