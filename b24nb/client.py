"""The client of one portal: badge methods, call log and journal over one connection."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from b24nb.display.visible import visible
from b24nb.errors import ApiError, OperatingTimeExceeded
from b24nb.rest.connection import Connection, Hook, nothing
from b24nb.rest.response import Response
from b24nb.secret import mask_address

if TYPE_CHECKING:
    from b24nb.badges.methods import BadgeMethods
    from b24nb.rest.batch import BatchResponse


WHO_AM_I: Mapping[str, tuple[str, None]] = {"profile": ("profile", None), "scope": ("scope", None)}


@dataclass(frozen=True, kw_only=True)
class Portal:
    """Facts about the portal, the user and the user's rights, read once when connecting.

    Attributes
    ----------
    kind : {"SANDBOX", "LIVE"}
        LIVE unless the answers came from this machine and had the header of a sandbox.
    host : str
        Host of the portal.
    user : str or None
        Name of the user who makes the calls; ``None`` if the portal did not say.
    user_id : str or None
        Id of that user; if the portal did not say, what the webhook's address has; ``None`` if it has none.
    admin : bool or None
        Whether the user is an administrator; only administrators can add and delete badges. On a cloud portal
        this is the right to the application settings, which is nearly but not exactly the same.
    scopes : tuple of str or None
        The scopes of the webhook or token; the badge methods need ``crm``.
    asked_at : datetime
        When this was read, UTC.
    read_only : bool
        Whether this client refuses all changes.
    own_sandbox : bool
        Whether it is a sandbox that runs in this process.
    credentials_from, read_only_from : str
        Where the credentials and the read-only setting come from: ``argument``, or a setting and its place, for
        example ``B24_WEBHOOK in .env``; ``B24_WEBHOOK is not set``. ``""``: not known, or not read-only.
    """

    kind: Literal["SANDBOX", "LIVE"]
    host: str
    user: str | None
    user_id: str | None
    admin: bool | None
    scopes: tuple[str, ...] | None
    asked_at: datetime
    read_only: bool
    own_sandbox: bool = False
    credentials_from: str = ""
    read_only_from: str = ""

    @classmethod
    def ask(
        cls, connection: Connection, *, answers: Mapping[str, Response | ApiError] | None = None, **known: Any
    ) -> Portal:
        """Ask a portal for the user and the scopes, by one batch of two commands.

        Parameters
        ----------
        connection : Connection
            An open connection.
        answers : mapping, optional
            The answers to :data:`WHO_AM_I`, if they were sent in another batch already.
        **known
            Attributes that the portal does not know.

        Returns
        -------
        Portal

        Raises
        ------
        TransportError, ApiError
            If the portal can't be reached or does not accept the credentials.
        """
        try:
            answers = connection.batch(WHO_AM_I) if answers is None else answers
        except OperatingTimeExceeded:  # the portal counts a batch as a method of its own, and has blocked only that
            answers = {key: _ask_alone(connection, method) for key, (method, _) in WHO_AM_I.items()}
        credentials = connection.credentials
        profile = _result(answers["profile"], dict) or {}
        scopes = _result(answers["scope"], list)
        name = " ".join(str(profile[key]) for key in ("NAME", "LAST_NAME") if profile.get(key))
        return cls(
            kind="SANDBOX" if connection.is_sandbox else "LIVE",
            host=credentials.host,
            user=visible(name) or None,
            user_id=str(profile["ID"]) if profile.get("ID") else getattr(credentials, "user", None),
            admin=admin if isinstance(admin := profile.get("ADMIN"), bool) else None,
            scopes=None if scopes is None else tuple(map(visible, scopes)),
            asked_at=datetime.fromtimestamp(connection.clock.time(), UTC),
            read_only=connection.read_only,
            **known,
        )

    @property
    def where(self) -> str:
        """Kind and host: ``LIVE example.bitrix24.com``. The address of an own sandbox means nothing to a reader."""
        return f"{self.kind} {'(this notebook)' if self.own_sandbox else self.host}"

    @property
    def who(self) -> str:
        """The user, whether they are an administrator, and the scopes."""
        rights = {True: "administrator", False: "not an administrator", None: "rights unknown"}[self.admin]
        scopes = "unknown" if self.scopes is None else ", ".join(self.scopes) or "none"
        return f"{self.user or 'user unknown'} ({rights}), scopes: {scopes}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Texts that say where the settings come from; those given as arguments are not named."""
        found = [] if self.credentials_from in ("", "argument") else [self.credentials_from]
        if self.read_only:
            by = "" if self.read_only_from in ("", "argument") else f" by {self.read_only_from}"
            found.append(f"read-only{by}")
        return tuple(found)

    def __str__(self) -> str:
        return ", ".join((self.where, self.who, *self.sources))

    def __repr__(self) -> str:
        return f"<Portal {self}>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.portal_banner(self))


class Client:
    """One portal, one user: the badge methods, the call log and the journal.

    :func:`b24nb.connect` returns one; the arguments of the class itself are internal. A context manager;
    :meth:`close` also stops a sandbox that was started for it, and so does its garbage collection.

    Attributes
    ----------
    portal : Portal
        Facts about the portal, the user and the user's rights.
    badges : BadgeMethods
        ``list``, ``get``, ``add``, ``delete``, ``holders``, ``release``, ``delete_many``, ``plan``, ``backup``.
    calls : CallLog
        Every call made, with its timings.
    journal : Journal
        What was changed on this portal by this user, and how to undo it.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     b24.badges.get("missedCall").type
    'failure'
    """

    def __init__(
        self, connection: Connection, *, portal: Portal, badges: BadgeMethods, release: Hook, on_close: Hook = nothing
    ) -> None:
        self._connection = connection
        self.portal = portal
        self.badges = badges
        self.journal = badges.journal
        self.calls = connection.calls
        self._on_close = on_close
        # Release the resources when the applier is garbage-collected. Client, badges, journal and plans all refer to
        # the applier; `release` itself must not refer to it, or it would never be collected.
        badges._applier.keeps_alive = on_close
        self._release = weakref.finalize(badges._applier, unless_forked, os.getpid(), release)

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Response:
        """Call any REST method.

        Changes made this way are not in the journal, so they can't be undone. A write whose answer
        is lost raises a :class:`~b24nb.errors.TransportError` with ``sent`` set; only the badge
        methods look at the portal to find out whether a change was made.

        Parameters
        ----------
        method : str
            For example ``"crm.activity.list"``.
        params : mapping, optional
            Sent as JSON.

        Returns
        -------
        Response
            ``result``, ``total``, ``next``, ``time`` and ``call`` (its row in the log).

        Raises
        ------
        ApiError
            The portal answered with an error.
        TransportError
            There is no usable answer.
        ReadOnly
            The client is read-only and the method is not known to change nothing.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.call("crm.activity.badge.get", {"code": "missedCall"}).result["badge"]["type"]
        'failure'
        """
        method = mask_address(method)  # this frame can be in a traceback, too
        return self._connection.call(method, params)

    def batch(
        self, commands: Mapping[str, tuple[str, Mapping[str, Any] | None]], *, halt: bool = False
    ) -> BatchResponse:
        """Send any number of commands, 50 to a request.

        Parameters
        ----------
        commands : mapping
            ``key -> (method, params)``. A text like ``$result[key][badge][code]`` is replaced by the result of an
            earlier command of the same 50. A value that a query string can't carry, such as an empty list, is refused.
        halt : bool
            Stop at the first error; later commands are not sent.

        Returns
        -------
        BatchResponse
            ``key -> Response or ApiError``, in the order of ``commands``; errors are not raised.

        Raises
        ------
        ApiError, TransportError
            As :meth:`call`, if a whole request fails.
        InvalidInput, ReadOnly
            One of the commands is refused; none was sent.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     answers = b24.batch({"one": ("server.time", None), "two": ("no.such.method", None)})
        ...     [type(answer).__name__ for answer in answers.values()]
        ['Response', 'ApiError']
        """
        return self._connection.batch(commands, halt=halt)

    def close(self) -> None:
        """Close the connections, and stop the sandbox if it was started for this client.

        Later calls raise :class:`~b24nb.errors.ClientClosed`; ``calls`` and ``journal`` can still be read, but the
        journal of a sandbox is deleted with the sandbox, or if that runs in another process, with this client.
        """
        self._connection.close()  # in a forked process, too, where nothing else is released
        self._release()
        self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        notice = self.journal.notice
        return f"<Client {self.portal}>" + (f"\n{notice}" if notice else "")

    def _repr_html_(self) -> str:
        from b24nb.display import html

        notice = self.journal.notice
        return html.page(html.portal_banner(self.portal), notice and html.Message("check", notice))


def unless_forked(owner: int, work: Hook) -> None:
    """Call ``work``, but not in a forked child, since its parent still uses the same files."""
    if os.getpid() == owner:
        work()


def _ask_alone(connection: Connection, method: str) -> Response | ApiError:
    """What a batch of this call would hold."""
    try:
        return connection.call(method)
    except OperatingTimeExceeded:
        raise
    except ApiError as error:
        return error


def _result(answer: Response | ApiError, kind: type) -> Any:
    """The result of a command; ``None`` if it was refused or has another type.

    PHP writes an empty map as a list, so a profile of ``[]`` (inactive user) is ``None``, too.
    """
    return answer.result if isinstance(answer, Response) and isinstance(answer.result, kind) else None
