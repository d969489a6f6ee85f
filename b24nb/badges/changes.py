"""What should happen to each badge, what a portal would refuse of it, and what did: nothing is sent here.

The vendor's pages list two errors of ``add``; its server code makes the checks below, in this order.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from reprlib import repr as short
from typing import Any, NamedTuple

from b24nb import spec
from b24nb.badges.badge import FIELDS, Badge, Badges
from b24nb.errors import ApiError, B24Error, BadgeChanged, InvalidInput
from b24nb.rest.batch import fits_query
from b24nb.rest.calls import heard

ADD = "crm.activity.badge.add"
DELETE = "crm.activity.badge.delete"
GET = "crm.activity.badge.get"
LIST = "crm.activity.badge.list"
Command = tuple[str, str, Mapping[str, Any]]
#: Half of a pair of surrogates, which JSON can hold and UTF-8 can't.
_HALF = re.compile("[\ud800-\udfff]")
_TYPES = [*spec.BadgeType]
#: Stands for the language of a text that is for all.
_ANY = "any"
_WAY_OUT = "Add it under a new code, move the activities that name the old one, then delete the old one."


class Action(StrEnum):
    """What a step does; there is no update method, so a changed badge is deleted and added."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


class Way(StrEnum):
    """What a step does to an activity that holds a badge, or is to hold it again."""

    DELETE = "delete activity"
    CLEAR = "clear badgeCode"
    SET = "set badgeCode"


class Verdict(StrEnum):
    """What became of a step."""

    ADDED = "added"
    DELETED = "deleted"
    REPLACED = "replaced"
    KEPT = "kept"
    CHANGED = "changed"  #: left alone: the portal holds something else than the step was made for
    REFUSED = "refused"  #: open activities hold the badge
    GONE = "already gone"
    FAILED = "failed"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"
    RELEASED = "released"  #: an activity: it is deleted, or names the badge no more
    HELD = "held again"


#: Kind of the change sets that go back.
UNDO = "undo"
DONE: dict[StrEnum, Verdict] = {
    Action.ADD: Verdict.ADDED,
    Action.DELETE: Verdict.DELETED,
    Action.REPLACE: Verdict.REPLACED,
}
DONE |= {Way.DELETE: Verdict.RELEASED, Way.CLEAR: Verdict.RELEASED, Way.SET: Verdict.HELD}
_TROUBLE = {Verdict.CHANGED, Verdict.REFUSED, Verdict.FAILED, Verdict.NOT_SENT, Verdict.UNKNOWN}


class Step(NamedTuple):
    """One badge as the caller saw it and as it shall be; ``None`` where there is none.

    ``code`` is the caller's spelling, and the one that is sent: a portal that ignores letter case may hold
    another, and one that does not must not find a badge that the caller did not name. ``missing_ok``: whether
    it is as wanted if there is no badge to delete.
    """

    code: str
    before: Badge | None
    after: Badge | None
    remark: str = ""
    missing_ok: bool = True

    @property
    def key(self) -> str:
        """What it is found by on the portal."""
        return self.code

    @property
    def about(self) -> str:
        """What beside the badge it is about."""
        return ""

    @property
    def action(self) -> Action:
        """What leads from before to after; to be without a badge that is not there is a delete."""
        if self.after is None:
            return Action.DELETE
        if self.before == self.after:
            return Action.KEEP
        return Action.REPLACE if self.before else Action.ADD

    @property
    def deletes(self) -> bool:
        """Whether a badge is deleted, also to be added again."""
        return self.before is not None and self.before != self.after

    @property
    def note(self) -> str:
        """What a reader should know before this is sent, ``""`` if there is nothing."""
        notes = [self.remark]
        if self.before != self.after:
            notes += [not_restorable(self.before), not_restorable(self.after)]
        if self.before and self.after:
            others = [name for name in FIELDS if getattr(self.before, name) != getattr(self.after, name)]
            notes.append(f"other {', '.join(others)}" if others else "")
            if "code" in others:
                notes.append(f"the portal has it as {self.before.code!r}")
        return "; ".join(filter(None, dict.fromkeys(notes)))

    def left_alone(self, now: Any) -> Outcome:
        """The outcome where a look showed something else than the step was made for.

        Parameters
        ----------
        now : Badge or None
            What it showed.

        Returns
        -------
        Outcome
            Its error has both.
        """
        return Outcome(self, Verdict.CHANGED, error=BadgeChanged(self.code, self.before, now))

    def commands(self, prefix: str = "") -> list[Command]:
        """The calls that make the change.

        Parameters
        ----------
        prefix : str
            Their keys start with it.

        Returns
        -------
        list of (str, str, dict)
            Key, method and parameters: a delete, an add, or both in this order; empty for a keep.
        """
        delete = (f"{prefix}-delete", DELETE, {"code": self.code}) if self.deletes else None
        add = (f"{prefix}-add", ADD, self.after.to_wire()) if self.after else None
        return [call for call in (delete, add) if call] if self.before != self.after else []

    @property
    def fits_batch(self) -> bool:
        """Whether its texts survive the query text of a batch; else it needs calls of its own, or can't be sent."""
        return not _HALF.search(self.code) and all(fits_query(params) for _, _, params in self.commands())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step, and how that is known.

    Attributes
    ----------
    step : Step
        What was to be done.
    verdict : Verdict
        What became of it.
    changed : bool or None
        Whether the portal was changed; ``None`` where that is not known.
    error : B24Error or None
        Why it is not as wanted.
    detail : str
        More, in words.
    seen : bool
        Whether the answer was lost, and the outcome seen by looking.
    open : bool
        Whether looking failed, so that the journal should look again later.
    badge : Badge or None
        After an ``add``: the badge as the portal has it.
    found : Badge or None
        What the last look before the change showed, where that is not ``step.before``.
    """

    step: Step
    verdict: Verdict
    changed: bool | None = False
    error: B24Error | None = None
    detail: str = ""
    seen: bool = False
    open: bool = False
    badge: Badge | None = None
    found: Badge | None = None

    @property
    def done(self) -> bool:
        """Whether the change was made."""
        return self.verdict is DONE.get(self.step.action)

    @property
    def ok(self) -> bool:
        """Whether the portal is now as wanted."""
        as_sent = self.badge is None or self.badge == self.step.after
        return self.verdict not in _TROUBLE and self.error is None and as_sent

    @property
    def failed(self) -> bool:
        """Whether a run should end here."""
        return self.verdict in _TROUBLE - {Verdict.CHANGED} and not self.left_out

    @property
    def left_out(self) -> bool:
        """Whether the portal did not run it because something before it failed."""
        return self.verdict is Verdict.NOT_SENT and self.error is None

    @property
    def half_done(self) -> bool:
        """Whether the old badge was deleted and the new one was not added."""
        return self.step.action is Action.REPLACE and self.verdict is Verdict.FAILED and bool(self.changed)

    @property
    def error_name(self) -> str:
        """The vendor's code, else the name of the error's class, else ``""``."""
        if self.error is None:
            return ""
        return self.error.code if isinstance(self.error, ApiError) else type(self.error).__name__

    @property
    def why(self) -> str:
        """The detail, else the error in words; which activity it is about."""
        why = self.detail or (str(self.error) if self.error else "")
        return ": ".join(filter(None, [self.step.about, why]))


def diff(current: Badges, wanted: Badges, removable: Collection[str] | None = ()) -> Iterator[Step]:
    """The steps, keeps included, that lead from what a portal has to what is wanted, in its order.

    A wanted code that the portal spells in another letter case replaces that badge. ``removable`` are the
    codes to delete where they are not wanted, ``None``: any.

    Examples
    --------
    >>> old, new = Badge("vip", "Client", "VIP", "primary"), Badge("vip", "Client", "VIP", "success")
    >>> [step.action.value for step in diff(Badges([old]), Badges([new]))]
    ['replace']
    """
    steps = [Step(badge.code, current.find(badge.code), badge) for badge in wanted]
    met = {step.before.code for step in steps if step.before}
    yield from steps
    for badge in current:
        if badge.code not in met and (removable is None or badge.code in removable):
            yield Step(badge.code, badge, None)


def deletions(current: Badges, wanted: Iterable[str | Badge], *, missing_ok: bool) -> Iterator[Step]:
    """The steps that delete these, in their order; a badge is deleted only as it was given."""
    for item in wanted:
        code, given = (item.code, item) if isinstance(item, Badge) else (item, None)
        there = current.find(code)
        yield Step(code, there and (given or there), None, missing_ok=missing_ok or given is not None)


def gone(step: Step, refusal: B24Error | None = None) -> Outcome:
    """The outcome of a delete for which there is no badge any more, or never was one."""
    if step.before and refusal and step.before.code != step.key:
        detail = f"this portal tells letter case apart, and has {step.before.code!r}"
        return Outcome(step, Verdict.GONE, error=refusal, detail=detail)
    if step.before:
        return Outcome(step, Verdict.GONE, detail="it is not there any more")
    error = InvalidInput(f"No badge has the code {step.code!r}.", hint="badges.list() shows all.")
    detail = "no badge has this code"
    return Outcome(step, Verdict.GONE, error=None if step.missing_ok else error, detail=detail)


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
    if badge.type not in _TYPES:
        hint = f"Choose one of {', '.join(spec.BadgeType)}."
        yield InvalidInput(f"The type {short(badge.type)} does not exist.", field="type", hint=hint)
    try:
        check_code(badge.code)
        if len(badge.code) > code_limit:
            text = f"The code has {len(badge.code)} characters; a portal takes at most {code_limit} in a new one."
            raise InvalidInput(text, field="code", hint="Choose a shorter code.")
    except InvalidInput as problem:
        yield problem


def complaints(steps: Iterable[Step]) -> Iterator[InvalidInput]:
    """Why a portal would refuse what these steps add."""
    for step in steps:
        for problem in problems(step.after) if step.after and step.after != step.before else ():
            way_out = f" {_WAY_OUT}" if step.before and problem.field == "code" else ""
            yield InvalidInput(f"{step.code!r}: {problem.message}{way_out}", field=problem.field)


def check_code(code: Any) -> None:
    """Raise :class:`InvalidInput` if this can't name a badge at all."""
    if wrong := _wrong(code):
        named, hint = ("", "") if isinstance(code, str) else (f" {short(code)}", "Write it in quotes: codes are texts.")
        raise InvalidInput(f"The code{named} {wrong}.", field="code", hint=hint)


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
        warn(NotRestorable(text), stacklevel=3)


def warn(warning: UserWarning, stacklevel: int) -> None:
    """As ``warnings.warn``; a form that has made the change hears it instead, and says it in its message."""
    if (listener := heard.get()) is None:
        warnings.warn(warning, stacklevel=stacklevel + 1)
    else:
        listener.append(warning)


def _text_problems(field: str, text: Any) -> Iterator[InvalidInput]:
    # Most texts, of which a plan may hold 100,000: a sign of ASCII is stored in six at most, and two quotes.
    if isinstance(text, str) and text.isascii() and 0 < len(text) <= (spec.TEXT_WIDTH - 2) // 6:
        return
    texts = text if isinstance(text, Mapping) else {_ANY: text}
    wrong = [(language, what) for language, item in texts.items() if (what := _wrong(item, language))]
    for language, what in wrong:
        where = f" in {language!r}" if texts is text and isinstance(language, str) else ""
        hint = "Give a text, or a map language -> text."
        yield InvalidInput(f"The {field}{where} {what}.", field=field, hint=hint)
    # Stored as ASCII JSON with escaped slashes: what is not ASCII counts six times.
    plain = dict(texts) if texts is text else text
    stored = 0 if wrong else len(json.dumps(plain, separators=(",", ":")).replace("/", "\\/"))
    if stored > spec.TEXT_WIDTH:
        message = f"The {field} takes {stored} characters as the portal stores it; it keeps {spec.TEXT_WIDTH}."
        yield InvalidInput(message, field=field, hint="Every letter that is not ASCII counts six times.")


def _wrong(text: Any, language: Any = _ANY) -> str:
    """What is wrong with a text, or with that of a language; ``""`` if it is right."""
    if not (language and isinstance(language, str)):
        return "has a language that is not a text"
    if not isinstance(text, str):
        return "is not a text"
    if not text:
        return "is empty"
    return "holds half a character, which can't be sent" if _HALF.search(language + text) else ""
