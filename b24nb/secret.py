"""Secrets: a type that never shows its text, a function that masks secrets, and errors without traceback frames.

Every text that may quote a webhook or a token is passed through :func:`redact`. Code that needs a secret as text runs
inside :func:`without_frames`, since displays of tracebacks can show the variables of each frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, NoReturn, ParamSpec, TypeVar
from weakref import WeakValueDictionary

MASK = "***"

#: A shorter secret is masked only in addresses, headers and fields: in any text it would match ordinary words.
_SHORTEST = 8

P = ParamSpec("P")
T = TypeVar("T")


class Unpickled:
    """A class whose objects can't be pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled, so that no secret can end up in a file.")


class Secret(Unpickled):
    """A text that is always shown as ``***``; :meth:`reveal` returns the text itself.

    It can't be pickled or written as JSON, and a copy is the same object.
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

    def __format__(self, form: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


_ALIVE: WeakValueDictionary[int, Secret] = WeakValueDictionary()


def known_secrets() -> list[Secret]:
    """Every secret of this process that still exists and is long enough to be recognised in a text."""
    alive = [one for reference in _ALIVE.valuerefs() if (one := reference())]  # a copy: other threads may add some
    return [one for one in alive if isinstance(one._text, str) and len(one._text) >= _SHORTEST]


class HiddenBytes(bytes):
    """Bytes that hold a secret: the body of a request for new tokens."""

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


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
#: Places of secrets: words, one of which the text must contain, and a pattern, whose last group is masked. They are for
#: lower-case text and take linear time. Each pattern is compiled when it is first needed, since that takes long.
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
_ESCAPED = re.compile(rf"%(?:25)*{_HEX}|&#(?:0*{_DECIMAL}(?!\d)|x0*{_HEX}(?!\w))|\\(?:u00|x){_HEX}", re.ASCII)
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


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
    return without_frames(_redact, text, tuple(secrets))


def _redact(text: str, secrets: tuple[Secret, ...]) -> str:
    text = _without_known(text, secrets)
    lowered = _lower(text)
    for words, pattern in _PLACES:
        if any(word in lowered for word in words):
            text = _cut(text, (found.span(found.lastindex or 0) for found in re.finditer(pattern, lowered, re.ASCII)))
            lowered = _lower(text)
    return text


def redact_known(text: str, secrets: Iterable[Secret]) -> str:
    """As :func:`redact`, but masks only the given secrets: for data, which may contain addresses of others."""
    return without_frames(_without_known, text, tuple(secrets))


def _without_known(text: str, secrets: tuple[Secret, ...]) -> str:
    secrets = tuple(secret for secret in secrets if len(secret.reveal()) >= _SHORTEST)
    for secret in secrets:
        pieces = _lower(text).split(secret.reveal().lower())
        if len(pieces) > 1:
            ends = list(accumulate(len(piece) + len(secret.reveal()) for piece in pieces[:-1]))
            text = _cut(text, ((end - len(secret.reveal()), end) for end in ends))
    # Without an escaped letter or digit, only a secret with other characters can be escaped in the text.
    odd = any(not secret.reveal().isalnum() for secret in secrets)
    if secrets and any(sign in text for sign in "%&\\") and (odd or _ESCAPED.search(_lower(text))):
        text = _in_any_spelling(secrets).sub(MASK, text)
    return text


def _lower(text: str) -> str:
    """The text in lower case, with every character at the same index."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_ASCII_LOWER)


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with each span replaced by the mask."""
    kept, at = [], 0
    for start, end in spans:
        kept.append(text[at:start])
        at = end
    return MASK.join([*kept, text[at:]])


@lru_cache(maxsize=64)
def _in_any_spelling(secrets: tuple[Secret, ...]) -> re.Pattern[str]:
    """A pattern for the secrets, with each character in either case, plain or escaped."""
    texts = [secret.reveal() for secret in secrets]
    spelled = {one: _spelled({one.lower(), one.upper()}) for one in set("".join(texts))}
    return re.compile("|".join("".join(spelled[one] for one in text) for text in texts))


def _spelled(cases: set[str]) -> str:
    plain = "|".join(sorted(map(re.escape, cases)))
    codes = "|".join(sorted({form(f"{ord(case):x}") for case in cases for form in (str.lower, str.upper)}))
    decimal = "|".join(sorted(f"{ord(case)}" for case in cases))
    return (
        rf"(?:{plain}|%(?:25)*(?:{codes})|\\{{1,4}}(?:u00|x)(?:{codes})"
        rf"|&\#(?:0*(?:{decimal})(?!\d);?|[xX]0*(?:{codes})(?![0-9a-fA-F]);?))"
    )


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
        return {
            name: MASK if str(name).lower() in _SECRET_NAMES else masked(item, secrets) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(item, secrets) for item in value]
    return value.item() if getattr(value, "ndim", None) == 0 else value


_SECRET_NAMES = frozenset({*_NAMES.split("|"), "authorization"})
