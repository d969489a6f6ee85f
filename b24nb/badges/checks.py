"""What can be known about a badge before it is sent: the portal's own checks, made here, by field.

The vendor's pages list two errors of ``add``; its server code makes the checks below, in this order.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from b24nb import spec
from b24nb.badges.badge import Badge
from b24nb.errors import InvalidInput

_TEXTS = "Give a text, or a map language -> text."


class NotRestorable(UserWarning):
    """A badge about to be deleted that ``add`` would refuse: there is no way back."""


class StoredDifferently(UserWarning):
    """The portal took a badge and keeps other texts than were sent."""


def problems(badge: Badge, code_limit: int = spec.CODE_LIMIT) -> Iterator[InvalidInput]:
    """Why a portal would refuse to add a badge, whose fields may hold anything.

    Which languages a portal knows can't be asked, so an unknown one is left to the portal.
    ``code_limit``: older portals take longer codes, which matters where one is to be put back.

    Examples
    --------
    >>> [problem.field for problem in problems(Badge("vip", "", {"en": ""}, "pink"))]
    ['title', 'value', 'type']
    """
    for field in ("title", "value"):
        yield from _text_problems(field, getattr(badge, field))
    if badge.type not in list(spec.BadgeType):
        yield InvalidInput(
            f"The type {badge.type!r} does not exist.",
            field="type",
            hint=f"Choose one of {', '.join(spec.BadgeType)}.",
        )
    yield from code_problems(badge.code)
    if isinstance(badge.code, str) and len(badge.code) > code_limit:
        yield InvalidInput(
            f"The code has {len(badge.code)} characters; a portal takes at most {code_limit} in a new one.",
            field="code",
            hint="Choose a shorter code.",
        )


def code_problems(code: Any) -> Iterator[InvalidInput]:
    """Why a code can't name a badge at all."""
    if not isinstance(code, str):
        yield InvalidInput(
            f"The code {code!r} is not a text.", field="code", hint="Write it in quotes: codes are texts."
        )
    elif not code:
        yield InvalidInput("The code is empty.", field="code")
    elif not _is_unicode(code):
        yield InvalidInput("The code holds half a character, which can't be sent.", field="code")


def check_code(code: Any) -> None:
    """Raise :class:`InvalidInput` if this can't be the code of a badge."""
    for problem in code_problems(code):
        raise problem


def check(badge: Badge) -> None:
    """Raise :class:`InvalidInput` for the first problem."""
    for problem in problems(badge):
        raise problem


def not_restorable(badge: Badge | None) -> str:
    """Why ``add`` would refuse to bring this badge back, ``""`` if it would not."""
    for problem in problems(badge) if badge else ():
        return f"not restorable: {problem.message}"
    return ""


def warn_if_not_restorable(badges: Iterable[Badge]) -> None:
    """Warn before these are deleted, if there is no way back for one of them."""
    lost = [badge.code for badge in badges if not_restorable(badge)]
    if lost:
        names = ", ".join(map(repr, lost))
        text = f"add would refuse {names} as it stands, so it can't be restored by the journal."
        warnings.warn(text, NotRestorable, stacklevel=3)


def _text_problems(field: str, text: Any) -> Iterator[InvalidInput]:
    localised = isinstance(text, Mapping)
    for language, item in text.items() if localised else [("", text)]:
        where = f"The {field} in {language!r}" if localised else f"The {field}"
        if localised and (not isinstance(language, str) or not language):
            yield InvalidInput(f"The {field} has a language that is not a text.", field=field)
        elif not isinstance(item, str):
            yield InvalidInput(f"{where} is not a text.", field=field, hint=_TEXTS)
        elif not item:
            yield InvalidInput(f"{where} is empty.", field=field, hint=_TEXTS)
        elif not _is_unicode(language + item):
            yield InvalidInput(f"{where} holds half a character, which can't be sent.", field=field)
    # Stored as ASCII JSON with escaped slashes: what is not ASCII counts six times.
    plain = dict(text) if localised else text
    stored = len(json.dumps(plain, separators=(",", ":"), default=str, skipkeys=True).replace("/", "\\/"))
    if stored > spec.TEXT_WIDTH:
        message = (
            f"The {field} takes {stored} characters as the portal stores it; it keeps {spec.TEXT_WIDTH}."
        )
        yield InvalidInput(message, field=field, hint="Every letter that is not ASCII counts six times.")


def _is_unicode(text: str) -> bool:
    """Whether this is whole characters; JSON can hold lone halves of a pair, UTF-8 can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
