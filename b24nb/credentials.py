"""Webhooks and OAuth tokens: parsed once, masked everywhere.

A credential is data: it knows where to send a call and with which secret, and shows neither by
accident. The secret comes out of :meth:`Webhook.reveal` and :meth:`OAuthToken.reveal` only, which
the transport calls and nothing else does.
"""

from __future__ import annotations

import getpass
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from b24nb import spec
from b24nb.errors import InvalidInput

MASK = "***"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one call goes: the only value that holds a secret in clear. Never displayed."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)


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


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """An incoming webhook of a portal.

    Make one with :meth:`parse` or :meth:`ask`. Its text, repr, HTML and pickled form are masked.

    Attributes
    ----------
    scheme, host : str
        ``https`` (``http`` for this machine only) and the host with its port, if any.
    user : str
        The user segment: an id, or a login.

    See Also
    --------
    OAuthToken : the credentials of an application.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/local-integrations/local-webhooks.html

    Examples
    --------
    >>> Webhook.parse("https://example.bitrix24.com/rest/1/abcdef0123456789/")
    Webhook(https://example.bitrix24.com/rest/1/***/)
    """

    scheme: str
    host: str
    user: str
    _secret: str

    @classmethod
    def parse(cls, url: str) -> Webhook:
        """Read a webhook from the address that the portal shows.

        Parameters
        ----------
        url : str
            ``https://{portal}/rest/{user}/{code}/``, with or without the last slash.

        Returns
        -------
        Webhook

        Raises
        ------
        InvalidInput
            Says which part is wrong and what to do; never repeats the secret.
        """
        parts = _split(url, what="webhook")
        segments = [segment for segment in parts.path.split("/") if segment]
        if not segments or segments[0] != "rest":
            _refuse("The path of a webhook starts with /rest/.")
        if segments[1:2] == ["api"]:
            _refuse("This is a REST 3.0 address (/rest/api/), which has no badge methods.", "Drop /api.")
        if len(segments) == 2:
            _refuse(
                "The user segment or the code is missing: a webhook has two parts after /rest/.",
                "Copy the whole address from the portal: https://{portal}/rest/{user}/{code}/.",
            )
        if len(segments) > 3:
            _refuse(
                "There is something behind the code, probably a method name pasted along.",
                "End the address after the code: https://{portal}/rest/{user}/{code}/.",
            )
        if len(segments) < 3:
            _refuse("User and code are missing after /rest/.")
        user, secret = segments[1:]
        if re.search(r"\.(json|xml)$|^crm\.|^profile$", secret):
            _refuse("There is a method name where the code should be: the user segment is missing.")
        if parts.query or parts.fragment:
            _refuse("A webhook has no ? or # part.", "Pass parameters to the call, not in the address.")
        return cls(parts.scheme, parts.netloc, user, secret)

    @classmethod
    def ask(cls) -> Webhook:
        """Ask for a webhook at the keyboard without showing it, so that no cell and no output holds it.

        Returns
        -------
        Webhook

        Raises
        ------
        InvalidInput
            As :meth:`parse`.
        """
        return cls.parse(getpass.getpass("Webhook address (not shown): "))

    @property
    def origin(self) -> str:
        """Scheme and host: ``https://example.bitrix24.com``."""
        return f"{self.scheme}://{self.host}"

    @property
    def masked(self) -> str:
        """The address with the code hidden."""
        return f"{self.origin}/rest/{self.user}/{MASK}/"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown; for redaction."""
        return (self._secret,)

    def reveal(self, method: str) -> Endpoint:
        """Where a call goes, in clear. For the transport only."""
        return Endpoint(f"{self.origin}/rest/{self.user}/{self._secret}/{method}")

    def __repr__(self) -> str:
        return f"Webhook({self.masked})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A webhook is not pickled, so that its code can't end up in a file.")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class OAuthToken:
    """The tokens of an application.

    With a refresh token and the application's ``client_id`` and ``client_secret`` the client renews
    an expired access token once per call and hands the new pair to ``on_refresh``: the refresh token
    rotates, so a program that wants to live longer than this process has to store it.

    Parameters
    ----------
    portal : str
        ``https://example.bitrix24.com``; a ``client_endpoint`` (``…/rest/``) is accepted.
    access_token, refresh_token : str
        As the authorization server issued them.
    client_id, client_secret : str, optional
        Of the application; needed to refresh.
    auth_server : str, optional
        ``https://oauth.bitrix.info`` by default; some regions use another.
    on_refresh : callable, optional
        Called with the new :class:`OAuthToken` after each refresh.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/settings/oauth/index.html

    Examples
    --------
    >>> OAuthToken(portal="https://example.bitrix24.com", access_token="secret")
    OAuthToken(https://example.bitrix24.com/rest/, access_token=***)
    """

    portal: str
    access_token: str
    refresh_token: str = ""
    client_id: str = ""
    client_secret: str = ""
    auth_server: str = spec.OAUTH_SERVER
    on_refresh: Callable[[OAuthToken], None] | None = None

    def __post_init__(self) -> None:
        parts = _split(self.portal, what="portal")
        if parts.path.strip("/") not in ("", "rest"):
            _refuse("Give the portal's address without a path, for example https://example.bitrix24.com.")
        object.__setattr__(self, "portal", f"{parts.scheme}://{parts.netloc}")
        server = _split(self.auth_server, what="authorization server")
        object.__setattr__(self, "auth_server", f"{server.scheme}://{server.netloc}")
        for name in ("access_token", "refresh_token", "client_id", "client_secret"):
            value = getattr(self, name)
            if not isinstance(value, str) or not re.fullmatch(r"[!-~]*", value):
                _refuse(f"{name} is a text of plain letters, digits and signs, without spaces.")
        if not self.access_token:
            _refuse("access_token is empty.")

    @property
    def origin(self) -> str:
        """Scheme and host: ``https://example.bitrix24.com``."""
        return self.portal

    @property
    def host(self) -> str:
        """The portal's host, with its port if any."""
        return urlsplit(self.portal).netloc

    @property
    def scheme(self) -> str:
        """``https``, or ``http`` for this machine."""
        return urlsplit(self.portal).scheme

    @property
    def masked(self) -> str:
        """Where calls go; an application's address holds no secret."""
        return f"{self.portal}/rest/"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown; for redaction."""
        return tuple(filter(None, (self.access_token, self.refresh_token, self.client_secret)))

    @property
    def can_refresh(self) -> bool:
        """Whether all that a refresh needs is there."""
        return bool(self.refresh_token and self.client_id and self.client_secret)

    @property
    def renewal(self) -> dict[str, str]:
        """The fields of a request for a new pair, in clear. For the transport only."""
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }

    def reveal(self, method: str) -> Endpoint:
        """Where a call goes and with which token, in clear. For the transport only."""
        return Endpoint(
            f"{self.portal}/rest/{method}",
            MappingProxyType({"Authorization": f"Bearer {self.access_token}"}),
        )

    def renewed(self, access_token: str, refresh_token: str) -> OAuthToken:
        """The same application with a new pair."""
        return replace(self, access_token=access_token, refresh_token=refresh_token)

    def __repr__(self) -> str:
        return f"OAuthToken({self.masked}, access_token={MASK})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token is not pickled, so that it can't end up in a file.")


Credentials = Webhook | OAuthToken


def redact(text: str, credentials: Credentials | None = None) -> str:
    """A text without webhook codes, tokens or the given credentials' secrets.

    Parameters
    ----------
    text : str
        Anything that may quote an address or a header.
    credentials : Webhook or OAuthToken, optional
        Whose secrets are replaced wherever they stand, also outside an address.

    Returns
    -------
    str

    Examples
    --------
    >>> redact("POST /rest/1/abcdef0123456789/crm.activity.badge.get")
    'POST /rest/1/***/crm.activity.badge.get'
    """
    for secret in credentials.secrets if credentials else ():
        text = text.replace(secret, MASK)
    text = re.sub(r"(/rest/(?!api/)[^/\s?#]+/)[^/\s?#'\"<>]+(?=[/'\"\s?#<>]|$)", rf"\1{MASK}", text)
    text = re.sub(r"(?i)(\bbearer\s+)[^\s'\",]+", rf"\1{MASK}", text)
    named = "auth|access_token|refresh_token|client_secret|ap|code(?=[^&]*grant)"
    return re.sub(rf"(?i)([?&](?:{named})=)[^&\s'\"]+", rf"\1{MASK}", text)


def _refuse(message: str, hint: str = "") -> NoReturn:
    raise InvalidInput(message, field="credentials", hint=hint)


def _split(url: str, *, what: str) -> SplitResult:
    """Check what webhook, portal and authorization server have in common."""
    if not isinstance(url, str) or not url.strip():
        _refuse(f"The address of the {what} is empty.")
    url = url.strip().strip("\"'")
    if re.search(r"\s", url):
        _refuse(f"There is a space or line break inside the address of the {what}.", "Copy it again.")
    if "://" not in url:
        _refuse(f"The address of the {what} starts with https://.")
    try:
        parts = urlsplit(url)
        hostname, _ = parts.hostname or "", parts.port
    except ValueError:
        _refuse(f"The address of the {what} can't be read.", "Copy it again from the portal.")
    if not hostname or parts.username or parts.password:
        _refuse(f"The address of the {what} needs a host and no user name before it.")
    if parts.scheme not in ("https", "http"):
        _refuse(f"The address of the {what} starts with https://.")
    if parts.scheme == "http" and not is_loopback(hostname):
        _refuse(
            "http:// would send the secret in clear over the network.",
            "Use https://; plain http is accepted for this machine only.",
        )
    return parts
