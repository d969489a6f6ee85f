"""Webhooks and OAuth tokens: parsed once, normalised once, masked everywhere.

Credentials hold the address and the secret of calls, and show them only masked. Addresses and tokens are converted to
a :class:`~b24nb.secret.Secret` in the first line of the function that gets them; only the transport reveals an
:class:`Endpoint`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode, urlsplit

from b24nb import spec
from b24nb.credential_checks import (
    USER_PLACEHOLDER,
    ask_hidden,
    check_tokens,
    fields_of,
    origin_of,
    parse_address,
    refuse,
    refuse_placeholders,
    warn_of_cells,
)
from b24nb.secret import MASK, NotPicklable, Secret, without_frames

_WHOLE = "The whole address of a webhook is https://{portal}/rest/{user}/{code}/, and ends there."


class Endpoint(NamedTuple):
    """The address and headers of one call; the transport reveals them when it sends."""

    origin: str
    url: Secret
    secrets: tuple[Secret, ...] = ()
    headers: Mapping[str, Secret] = {}


@dataclass(frozen=True, slots=True, repr=False)
class Webhook(NotPicklable):
    """An incoming webhook of a portal.

    Make one with :meth:`parse` or :meth:`ask`. Its text, repr and HTML are masked, and it refuses to be pickled.

    Attributes
    ----------
    origin, host : str
        ``https://example.bitrix24.com`` (``http`` for this machine only), and the host with its port, if any.
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

    origin: str
    host: str
    user: str
    _secret: Secret
    can_refresh: ClassVar[bool] = False

    @classmethod
    def parse(cls, url: str | Secret) -> Webhook:
        """Read a webhook from the address that the portal shows.

        Parameters
        ----------
        url : str
            ``https://{portal}/rest/{user}/{code}/``, with or without the last slash.

        Returns
        -------
        Webhook
            Its host is normalised: lower case, ``xn--`` if it is not ASCII, without a default port or a last dot.

        Raises
        ------
        InvalidInput
            Says which part is wrong and what to do; it never contains the secret.

        Warns
        -----
        SecretInCell
            If a cell of the notebook that runs this contains the address.

        Examples
        --------
        >>> import b24nb
        >>> webhook = b24nb.Webhook.parse("https://Example.bitrix24.com/rest/1/abcdef0123456789")
        >>> webhook, webhook.host
        (Webhook(https://example.bitrix24.com/rest/1/***/), 'example.bitrix24.com')
        """
        url = Secret(url)
        webhook = without_frames(cls._parsed, url)
        warn_of_cells(webhook._secret)
        return webhook

    @classmethod
    def _parsed(cls, url: Secret) -> Webhook:
        parts, host = parse_address(url, what="webhook")
        segments = [segment for segment in parts.path.split("/") if segment]
        if not segments or segments[0] != "rest":
            refuse("The path of a webhook must start with /rest/.")
        if segments[1:2] == ["api"]:
            refuse("This is a REST 3.0 address (/rest/api/), which has no badge methods.", "Drop /api.")
        if len(segments) < 3:
            refuse("The user segment or the code is missing: a webhook has two parts after /rest/.", _WHOLE)
        if len(segments) > 3:
            refuse("There is something after the code, probably the name of a method.", _WHOLE)
        user, secret = segments[1:]
        if parts.query or parts.fragment:
            refuse("A webhook has no ? or # part.", "Pass parameters to the call, not in the address.")
        refuse_placeholders("user segment of the webhook", user, USER_PLACEHOLDER)
        refuse_placeholders("code of the webhook", secret)
        if not re.fullmatch(r"[\w.@+-]+", user, re.ASCII) or not re.fullmatch(r"[\w.~-]+", secret, re.ASCII):
            refuse("User and code of a webhook are plain letters and digits.", "Copy the address again.")
        if "." in secret or len(secret) < 8:  # batch, scope: the segment before it would be shown, and is the code
            refuse("The code is missing, or it is where the user should be: the user may be missing.", _WHOLE)
        return cls(f"{parts.scheme}://{host}", host, user, Secret(secret))

    @classmethod
    def ask(cls) -> Webhook:
        """Ask for a webhook at the keyboard without showing it, so that no cell and no output holds it.

        Returns
        -------
        Webhook

        Raises
        ------
        InvalidInput
            As :meth:`parse`; also if there is no keyboard, or the input would be shown.

        Examples
        --------
        >>> import b24nb
        >>> b24 = b24nb.connect(b24nb.Webhook.ask())  # doctest: +SKIP
        """
        return cls.parse(without_frames(ask_hidden))

    @property
    def masked(self) -> str:
        """The address with the code masked."""
        return f"{self.origin}/rest/{self.user}/{MASK}/"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that must never be shown."""
        return (self._secret,)

    def endpoint(self, method: str) -> Endpoint:
        """The address of a call.

        Parameters
        ----------
        method : str
            A REST method, ``crm.activity.badge.get``.

        Returns
        -------
        Endpoint
            Its address is a secret, and is shown masked.
        """
        url = Secret(f"{self.origin}/rest/{self.user}/{self._secret.reveal()}/" + method)
        return Endpoint(self.origin, url, self.secrets)

    def __repr__(self) -> str:
        return f"Webhook({self.masked})"


@dataclass(frozen=True, slots=True, repr=False, init=False)
class OAuthToken(NotPicklable):
    """The tokens of an application.

    With a refresh token and the application's ``client_id`` and ``client_secret`` the client renews
    an expired access token once per call and passes the new pair to ``on_refresh``. The old refresh token is no
    longer valid then, so an application has to store the new one for its next start. If several processes share a
    token, the others get :class:`~b24nb.errors.BadCredentials` with the code ``invalid_grant``: read the stored pair
    and connect again, or use ``Fleet([name], vault)``, which does that.

    Parameters
    ----------
    portal : str
        ``https://example.bitrix24.com``; a ``client_endpoint`` (``…/rest/``) is accepted.
    access_token, refresh_token : str
        As the authorization server issued them. The attributes are masked: ``.reveal()`` returns the text, which
        is needed to store it.
    client_id, client_secret : str, optional
        Of the application; needed to renew the access token.
    auth_server : str, optional
        ``https://oauth.bitrix.info`` by default; some regions use another.
    on_refresh : callable, optional
        Called with the new :class:`OAuthToken` after each renewal; if it raises, again before each later call.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/settings/oauth/index.html

    Examples
    --------
    >>> OAuthToken(portal="https://example.bitrix24.com", access_token="secret")
    OAuthToken(https://example.bitrix24.com/rest/, access_token=***)
    """

    portal: str
    access_token: Secret
    refresh_token: Secret
    client_id: str
    client_secret: Secret
    auth_server: str
    on_refresh: Callable[[OAuthToken], None] | None

    def __init__(
        self,
        *,
        portal: str | Secret,
        access_token: str | Secret,
        refresh_token: str | Secret = "",
        client_id: str | Secret = "",
        client_secret: str | Secret = "",
        auth_server: str | Secret = spec.OAUTH_SERVER,
        on_refresh: Callable[[OAuthToken], None] | None = None,
    ) -> None:
        # All arguments become secrets at once, since a user may pass a secret as the wrong argument.
        access_token, refresh_token = Secret(access_token), Secret(refresh_token)
        client_id, client_secret = Secret(client_id), Secret(client_secret)
        portal, auth_server = Secret(portal), Secret(auth_server)
        if on_refresh is not None and (not callable(on_refresh) or iscoroutinefunction(on_refresh)):
            refuse("on_refresh is a function that has stored the token when it returns, not an asynchronous one.")
        object.__setattr__(self, "portal", "")  # so that repr works in a traceback if an argument is refused
        given = {"access_token": access_token, "refresh_token": refresh_token, "client_secret": client_secret}
        without_frames(check_tokens, **given, client_id=client_id)
        origins = {
            "portal": without_frames(origin_of, portal, "portal"),
            "auth_server": without_frames(origin_of, auth_server, "authorization server"),
        }
        for name, value in {**given, **origins, "client_id": client_id.reveal(), "on_refresh": on_refresh}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_auth(
        cls,
        auth: Mapping[str, Any],
        *,
        client_id: str | Secret = "",
        client_secret: str | Secret = "",
        on_refresh: Callable[[OAuthToken], None] | None = None,
    ) -> OAuthToken:
        """Make one of the mapping that a portal gives to an application.

        Parameters
        ----------
        auth : mapping
            ``auth`` of an event or an installation, the answer of the authorization server, or the fields of
            a page in a frame (``AUTH_ID``, ``REFRESH_ID``, ``DOMAIN``, …). The portal is taken from
            ``client_endpoint``, else from ``domain``; ``member_id`` and the like are not needed.
            ``portal``, ``client_id``, ``client_secret`` and ``auth_server`` are used, too, if they are there.
        client_id, client_secret, on_refresh
            As in the class. The secret is sent to ``server_endpoint`` only if that is a server of the vendor.

        Returns
        -------
        OAuthToken

        Raises
        ------
        InvalidInput
            The portal or the access token is missing or wrong.

        Examples
        --------
        >>> OAuthToken.from_auth({"domain": "example.bitrix24.com", "access_token": "secret"})
        OAuthToken(https://example.bitrix24.com/rest/, access_token=***)
        """
        sealed, client_secret = Secret(auth), Secret(client_secret)
        del auth
        fields = without_frames(fields_of, sealed)
        given = {"client_id": Secret(client_id), "client_secret": client_secret}
        return cls(**fields | {name: one for name, one in given.items() if one}, on_refresh=on_refresh)

    @property
    def origin(self) -> str:
        """Scheme and host: ``https://example.bitrix24.com``."""
        return self.portal

    @property
    def host(self) -> str:
        """The portal's host, with its port if any."""
        return urlsplit(self.portal).netloc

    @property
    def masked(self) -> str:
        """The address of calls; that of an application holds no secret."""
        return f"{self.portal}/rest/"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that must never be shown."""
        return tuple(filter(None, (self.access_token, self.refresh_token, self.client_secret)))

    @property
    def can_refresh(self) -> bool:
        """Whether it has everything that is needed to renew the access token."""
        return bool(self.refresh_token and self.client_id and self.client_secret)

    @property
    def token_endpoint(self) -> Endpoint:
        """The address that issues a new pair of tokens."""
        form = {"Content-Type": Secret("application/x-www-form-urlencoded")}
        url = Secret(f"{self.auth_server}/oauth/token/")
        return Endpoint(self.auth_server, url, self.secrets, form)

    def renewal(self) -> Secret:
        """The body of a request for a new pair.

        Returns
        -------
        Secret
            A form.
        """
        return without_frames(self._renewal)

    def _renewal(self) -> Secret:
        fields = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal(),
            "refresh_token": self.refresh_token.reveal(),
        }
        return Secret(urlencode(fields))

    def endpoint(self, method: str) -> Endpoint:
        """The address of a call, with the token in a header.

        Parameters
        ----------
        method : str
            A REST method, ``crm.activity.badge.get``.

        Returns
        -------
        Endpoint
            The token is shown masked.
        """
        bearer = Secret(f"Bearer {self.access_token.reveal()}")
        url = Secret(f"{self.portal}/rest/" + method)
        return Endpoint(self.portal, url, self.secrets, {"Authorization": bearer})

    def __repr__(self) -> str:
        return f"OAuthToken({self.masked}, access_token={MASK})"


Credentials = Webhook | OAuthToken
