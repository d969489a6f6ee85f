"""Secrets: a type that never shows its text, a function that masks secrets, and errors without traceback frames.

Every text that may quote a webhook or a token is passed through :func:`redact`. Code that needs a secret as text runs
inside :func:`without_frames`, since displays of tracebacks can show the variables of each frame.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, ParamSpec, TypeVar
from weakref import WeakValueDictionary

MASK = "***"

#: A shorter secret is masked only in addresses, headers and fields: in any text it would match ordinary words.
_SHORTEST = 8
#: What the portal makes has so many letters and digits, or more.
_LONG = 16
#: Like ``://``, these show that a text holds an address, of which any part at the place of a secret is masked.
_ADDRESS = re.compile(r"[?&]\w+=|(?<![\w/])/rest/", re.IGNORECASE)

P = ParamSpec("P")
T = TypeVar("T")


class NotPicklable:
    """A class whose objects can't be pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled, so that no secret can end up in a file.")


class Secret(NotPicklable):
    """A text that is always shown as ``***``; :meth:`reveal` returns the text itself.

    It can't be pickled or written as JSON, and a deep copy is the same object.
    """

    __slots__ = ("__weakref__", "_text")

    def __init__(self, text: Any) -> None:
        self._text: str = text._text if isinstance(text, Secret) else text
        _ALIVE[id(self)] = self

    def reveal(self) -> str:
        """The text itself, for code that sends or stores it.

        Returns
        -------
        str
        """
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __deepcopy__(self, memo: object) -> Secret:
        return self


_ALIVE: WeakValueDictionary[int, Secret] = WeakValueDictionary()


def known_secrets() -> list[Secret]:
    """Every secret of this process that still exists and is long enough to be recognised in a text."""
    alive = [one for reference in _ALIVE.valuerefs() if (one := reference())]  # a copy: other threads may add some
    return [one for one in alive if isinstance(one._text, str) and len(one._text) >= _SHORTEST]


def without_frames(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work``; an exception (also KeyboardInterrupt) is raised without its frames, which may hold a secret."""
    try:
        return work(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - raised again below
        failure = error
    del work, args, kwargs
    failure.__traceback__ = failure.__context__ = failure.__cause__ = None
    raise failure


#: A slash: plain, or escaped (also several times) for JSON, addresses, HTML or JavaScript.
_SLASH = r"(?:/++|\\{1,4}(?:/|u002f|x2f)|%(?:25)*2f|&#0*47;|&#x0*2f;|&sol;)"
_PART = r"(?:[^\s/?#'\"<>\\%&]++|%(?!(?:25)*2f)|&(?!#0*47;|#x0*2f;|sol;|quot;|lt;|gt;))"
_NAMES = "auth|access_token|refresh_token|client_secret|application_token|sessid|ap|auth_id|refresh_id"
_QUOTE = r"(?:\\?['\"]|&quot;)?+"
#: Places of secrets: words, one of which the text must contain, and a pattern that ends with the secret, its only group
#: that matches. They take linear time. Each pattern is compiled when it is first needed, since that takes long.
_PLACES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("rest",),
        rf"rest{_SLASH}++(?:api{_SLASH}++)?+(?!\*)(?:"
        # First case: the user segment is missing, so the code is at its place, and the method at that of the code.
        rf"([\w-]{{16,100}}+(?![\w.@-])(?:{_SLASH}++{_PART}++)?+)|{_PART}++{_SLASH}++(?!\{{)({_PART}++))",
    ),
    (("bearer",), r"bearer(?:\s|%20|\+){1,9}+([^\s'\",]++)"),
    (
        ("token", "auth", "secret", "sessid", "h_id", "ap=", "ap%3d", 'ap"'),
        rf"\b(?:{_NAMES}){_QUOTE}\s?+(?:=|:|%3d)\s?+{_QUOTE}([^&\s'\",;}}]++)",
    ),
)
#: An escaped letter or digit, which ordinary texts don't contain.
_HEX, _DECIMAL = r"(?:3\d|[46][1-9a-f]|[57][\da])", r"(?:4[89]|5[0-7]|6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2])"
_ESCAPED = rf"%(?:25)*{_HEX}|&#(?:0*{_DECIMAL}(?!\d)|x0*{_HEX}(?!\w))|\\(?:u00|x){_HEX}"


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """A text without webhook codes, tokens or the given secrets, in time linear in its length.

    Parameters
    ----------
    text : str
        Anything that may quote an address, a header or a body.
    secrets : iterable of Secret
        These are masked everywhere: in any letter case, percent-encoded, as HTML references or as ``\\u``
        escapes.

    Returns
    -------
    str

    Examples
    --------
    >>> redact("POST /rest/1/abcdef0123456789/crm.activity.badge.get")
    'POST /rest/1/***/crm.activity.badge.get'
    """
    return without_frames(_redact, text, tuple(secrets), _PLACES)


def redact_known(text: str, secrets: Iterable[Secret]) -> str:
    """As :func:`redact`, but masks only the given secrets: for data, which may contain addresses of others."""
    return without_frames(_redact, text, tuple(secrets), ())


def _redact(text: str, secrets: tuple[Secret, ...], places: tuple[tuple[tuple[str, ...], str], ...]) -> str:
    secrets = tuple(secret for secret in secrets if _SHORTEST <= len(secret.reveal()) <= len(text))
    lowered = text.lower()
    for secret in secrets:
        if secret.reveal().lower() in lowered:
            text = re.sub(re.escape(secret.reveal()), MASK, text, flags=re.IGNORECASE)
    if secrets and any(sign in text for sign in "%&\\"):  # it may hold an escaped character
        # A secret of letters and digits is only escaped where one of these is: to compile its pattern takes long.
        odd = any(not secret.reveal().isalnum() for secret in secrets)
        if odd or re.search(_ESCAPED, text, re.ASCII | re.IGNORECASE):
            text = _in_any_spelling(secrets).sub(MASK, text)
    patterns = [pattern for words, pattern in places if any(word in lowered for word in words)]
    without = _without_secret if patterns and ("://" in text or _ADDRESS.search(text)) else _without_likely
    for pattern in patterns:
        text = re.sub(pattern, without, text, flags=re.ASCII | re.IGNORECASE)
    return text


def _without_secret(found: re.Match[str]) -> str:
    """What a pattern of ``_PLACES`` has found, its end masked."""
    return found[0].removesuffix(found[found.lastindex or 0]) + MASK


def _without_likely(found: re.Match[str]) -> str:
    """The same in a text without an address, where ordinary words stay: ``2FA auth: pending``, ``Rest/Pause/Ende``."""
    end = found[found.lastindex or 0]
    likely = len(end) >= _LONG or (len(end) >= _SHORTEST and any(map(str.isdigit, end)))
    return _without_secret(found) if likely else found[0]


@lru_cache(maxsize=64)
def _in_any_spelling(secrets: tuple[Secret, ...]) -> re.Pattern[str]:
    """A pattern for the secrets, with each character plain or escaped."""
    return re.compile("|".join("".join(map(_spelled, secret.reveal())) for secret in secrets), re.IGNORECASE)


def _spelled(sign: str) -> str:
    codes = [ord(case) for case in (sign.lower(), sign.upper())]
    hexadecimal, decimal = "|".join(f"{code:x}" for code in codes), "|".join(map(str, codes))
    plain = r"\\{0,4}/" if sign == "/" else re.escape(sign)  # PHP and JSON escape a slash
    return (
        rf"(?>%(?:25)*(?:{hexadecimal})|\\{{1,4}}(?:u00|x)(?:{hexadecimal})"  # atomic: else a near miss takes minutes
        rf"|&\#(?:0*(?:{decimal})(?!\d);?|x0*(?:{hexadecimal})(?![\da-f]);?)|{plain})"
    )


def is_address(value: object) -> bool:
    """Whether somebody gave an address, which may hold a secret, where a path is meant; a ``Path`` drops a slash."""
    return re.match(r"\s*https?:/", str(value), re.IGNORECASE) is not None


def mask_address(value: Any) -> Any:
    """An argument that should not be an address; masked if it is one, since tracebacks can show arguments."""
    return redact(value) if isinstance(value, str) and "://" in value else value


def masked(value: Any, secrets: Iterable[Secret] = ()) -> Any:
    """Parameters with secrets masked at any depth; scalars of numpy and pandas become Python numbers.

    Examples
    --------
    >>> masked({"code": "vip", "auth": "secret"})
    {'code': 'vip', 'auth': '***'}
    """
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        shown = {}
        for name, item in value.items():
            key = redact(name, secrets) if isinstance(name, str) else name
            shown[key] = MASK if str(name).lower() in _SECRET_NAMES else masked(item, secrets)
        return shown
    if isinstance(value, list | tuple):
        return [masked(item, secrets) for item in value]
    return value.item() if getattr(value, "ndim", None) == 0 else value


def short(value: Any) -> str:
    """A short repr of a value; of a shortened secret the rest would not be recognized as one."""
    whole = repr(value)
    return reprlib.repr(value) if redact(whole) == whole else MASK


_SECRET_NAMES = frozenset({*_NAMES.split("|"), "authorization"})
#: Those that are hardly the name of anything else.
TOKEN_NAMES = _SECRET_NAMES - {"auth", "ap", "authorization"}
