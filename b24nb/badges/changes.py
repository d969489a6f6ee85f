"""Steps and outcomes of changes, and the checks that a portal makes when a badge is added. Nothing is sent here.

The checks are those of the portal's server code, in its order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from b24nb import spec
from b24nb.badges.badge import FIELDS, Badge, Badges, bare
from b24nb.errors import B24Error, BadgeChanged, InvalidInput
from b24nb.rest.batch import fits_query
from b24nb.secret import MASK, known_secrets, mask_address, redact_known, short

ADD = "crm.activity.badge.add"
DELETE = "crm.activity.badge.delete"
GET = "crm.activity.badge.get"
LIST = "crm.activity.badge.list"
StepCommand = tuple[str, str, Mapping[str, Any]]
#: The text of a map, as str() or JSON writes it.
MAP_TEXT = re.compile(r"\s*\{\s*(['\"].*:.*)?\}\s*", re.DOTALL)
#: A lone surrogate (half of a character), which JSON can hold and UTF-8 can't.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TYPES = [*spec.BadgeType]
_ANY = "any"  # the language of a text that is not given by language
_ADDRESS = "is an address that holds a secret"
_NEW_CODE_HINT = "Add it under a new code, move the activities that name the old one, then delete the old one."


class Action(StrEnum):
    """What a step does to a badge. REST has no method to update one, so it is deleted and added again."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


class Way(StrEnum):
    """What a step does to an activity: release the badge that it holds, or let it hold the badge again."""

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
    RELEASED = "released"  #: the activity was deleted, or does not name the badge any more
    HELD = "held again"


#: The kind of change sets that undo earlier ones.
UNDO = "undo"
DONE: dict[StrEnum, Verdict] = {
    Action.ADD: Verdict.ADDED,
    Action.DELETE: Verdict.DELETED,
    Action.REPLACE: Verdict.REPLACED,
}
DONE |= {Way.DELETE: Verdict.RELEASED, Way.CLEAR: Verdict.RELEASED, Way.SET: Verdict.HELD}
_TROUBLE = {Verdict.CHANGED, Verdict.REFUSED, Verdict.FAILED, Verdict.NOT_SENT, Verdict.UNKNOWN}


class Step(NamedTuple):
    """One badge as the caller saw it (``before``) and as it shall be (``after``); ``None``: no badge.

    ``code`` is spelled as the caller did, and sent so: a portal that ignores letter case finds its own spelling,
    and one that does not must not find a badge that the caller did not name. ``missing_ok``: whether a delete
    is a success if there is no such badge.
    """

    code: str
    before: Badge | None
    after: Badge | None
    remark: str = ""
    missing_ok: bool = True

    @property
    def key(self) -> str:
        """The code by which its badge is looked up in what the portal holds."""
        return self.code

    @property
    def about(self) -> str:
        """The activity that it changes; ``""`` for a step of a badge."""
        return ""

    @property
    def action(self) -> Action:
        """What turns ``before`` into ``after``; a delete, too, if there is no badge before and none after."""
        if self.after is None:
            return Action.DELETE
        if self.before == self.after:
            return Action.KEEP
        return Action.REPLACE if self.before else Action.ADD

    @property
    def deletes(self) -> bool:
        """Whether a badge is deleted; true for a replace, too."""
        return self.before is not None and self.before != self.after

    @property
    def note(self) -> str:
        """What the user should know before this is sent; ``""`` if nothing."""
        notes = [self.remark]
        if self.before != self.after:
            notes += [badge.note for badge in (self.before, self.after) if badge]
        if self.before and self.after:
            others = [name for name in FIELDS if getattr(self.before, name) != getattr(self.after, name)]
            notes.append(f"new {', '.join(others)}" if others else "")
            if "code" in others:
                notes.append(f"the portal has it as {self.before.code!r}")
        return "; ".join(filter(None, dict.fromkeys(notes)))

    def left_alone(self, now: Any) -> Outcome:
        """The outcome if a look shows something else than the step was made for.

        Parameters
        ----------
        now : Badge or None
            What the look shows.

        Returns
        -------
        Outcome
            Its error holds both badges.
        """
        return Outcome(self, Verdict.CHANGED, error=BadgeChanged(self.code, self.before, now))

    def commands(self, prefix: str = "") -> list[StepCommand]:
        """The calls that make the change.

        Parameters
        ----------
        prefix : str
            The keys start with it.

        Returns
        -------
        list of (str, str, dict)
            Key, method and parameters: of a delete, an add, or both in this order; empty for a keep.
        """
        delete = (f"{prefix}-delete", DELETE, {"code": self.code}) if self.deletes else None
        add = (f"{prefix}-add", ADD, self.after.to_wire()) if self.after else None
        return [call for call in (delete, add) if call] if self.before != self.after else []

    @property
    def fits_batch(self) -> bool:
        """Whether a batch can carry its texts unchanged; if not, it needs single calls, or can't be sent at all."""
        return not _LONE_SURROGATE.search(self.code) and all(fits_query(params) for _, _, params in self.commands())


class Outcome(NamedTuple):
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
        Why the step was not made.
    detail : str
        An explanation.
    seen : bool
        Whether the answer proved nothing and a look at the portal showed the outcome.
    open : bool
        Whether no look has succeeded yet, so that the journal should look again later.
    badge : Badge or None
        After an ``add``: the badge as the portal stored it.
    found : Badge or None
        What the last look before the change showed, if that differs from ``step.before``.
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
        """Whether this is a failure that ends a run."""
        return self.verdict in _TROUBLE - {Verdict.CHANGED} and not self.left_out

    @property
    def left_out(self) -> bool:
        """Whether the portal did not run it because an earlier command failed."""
        return self.verdict is Verdict.NOT_SENT and self.error is None

    @property
    def half_done(self) -> bool:
        """Whether the old badge was deleted and the new one was not added."""
        return self.step.action is Action.REPLACE and self.verdict is Verdict.FAILED and bool(self.changed)

    @property
    def why(self) -> str:
        """The detail, else the text of the error; after the name of the activity, if the step has one."""
        why = self.detail or (str(self.error) if self.error else "")
        return ": ".join(filter(None, [self.step.about, why]))


def diff(current: Badges, wanted: Badges, removable: Collection[str] | None = ()) -> Iterator[Step]:
    """The steps, keeps included, that turn the ``current`` badges of a portal into the ``wanted`` ones.

    First the wanted badges in their order, then the deletes. A wanted code that the portal spells in another letter
    case replaces that badge. ``removable``: the codes that may be deleted if they are not wanted; ``None``: all.

    Examples
    --------
    >>> old, new = Badge("vip", "Client", "VIP", "primary"), Badge("vip", "Client", "VIP", "success")
    >>> [step.action.value for step in diff(Badges([old]), Badges([new]))]
    ['replace']
    """
    steps = [Step(badge.code, current.find(badge.code), badge) for badge in wanted]
    replaced = {step.before.code for step in steps if step.before}
    yield from steps
    for badge in current:
        if badge.code not in replaced and (removable is None or badge.code in removable):
            yield Step(badge.code, badge, None)


def plan_steps(current: Badges, wanted: Badges, *, prune: bool) -> Iterator[Step]:
    """The steps of a plan. A code with invisible characters from a paste gets the badge it means as ``before``."""
    for step in diff(current, wanted, removable=None if prune else ()):
        meant = None if step.before else current.find(bare(step.code))
        yield step._replace(before=meant) if meant and not wanted.find(meant.code) else step


def deletions(current: Badges, wanted: Iterable[str | Badge], *, missing_ok: bool) -> Iterator[Step]:
    """The steps that delete these, in their order; a badge is deleted only if the portal holds exactly this one."""
    for item in wanted:
        code, given = (item.code, item) if isinstance(item, Badge) else (item, None)
        there = current.find(code)
        meant = given or there or current.find(bare(code))  # a code that came with blanks from a paste names a badge
        yield Step(code, given or there, None, missing_ok=bool(given or there) or (missing_ok and not meant))


def to_restore(found: Any, before: Any) -> Any:
    """What the last look showed, if it differed; but what was planned for, if only that could be added again."""
    if isinstance(found, Badge) and isinstance(before, Badge) and found.note and not before.note:
        return before
    return found or before


def redo_remarks(kinds: Iterable[str]) -> list[str]:
    """A remark on a plan that undoes change sets of these kinds, if all of them are undos."""
    undos = [kind.startswith(UNDO) for kind in kinds]
    return ["The last changes were an undo or a restore: this undoes them."] if undos and all(undos) else []


def error_name(error: B24Error | None) -> str:
    """The vendor's code, unless that is empty; else the name of the error's class; ``""`` without an error."""
    return (getattr(error, "code", "") or type(error).__name__) if error else ""


def gone(step: Step, refusal: B24Error | None = None) -> Outcome:
    """The outcome of a delete whose badge was already deleted, or never existed."""
    if step.before and refusal and step.before.code != step.key:
        detail = f"this portal tells the two codes apart, and has {step.before.code!r}"
        return Outcome(step, Verdict.GONE, error=refusal, detail=detail)
    if step.before:
        refusal = None if step.missing_ok else refusal
        return Outcome(step, Verdict.GONE, error=refusal, detail="it is not there any more")
    error = InvalidInput(f"No badge has the code {step.code!r}.", hint="badges.list() shows all.")
    return Outcome(step, Verdict.GONE, error=None if step.missing_ok else error, detail="no badge has this code")


def problems(badge: Badge, code_limit: int = spec.CODE_LIMIT) -> Iterator[InvalidInput]:
    """Why a portal would refuse to add this badge; its fields may hold anything.

    No REST method lists a portal's languages, so only the portal can refuse an unknown one. ``code_limit``:
    older portals accept longer codes, which matters when such a badge is restored.

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


def step_problems(steps: Iterable[Step]) -> Iterator[InvalidInput]:
    """Why a portal would refuse the badges that these steps add; or what a table has changed in them, unnoticed."""
    for step in steps:
        if step.after is None or step.after == step.before:
            continue
        for problem in (*problems(step.after), *_garbled(step)):
            hint = _NEW_CODE_HINT if step.before and problem.field == "code" else problem.hint
            yield InvalidInput(f"{step.code!r}: {problem.message}", field=problem.field, hint=hint)


def _garbled(step: Step) -> Iterator[InvalidInput]:
    """Complaints about texts of maps where the portal has a map, and about blanks in a code."""
    if step.before and step.before.code.casefold() != step.code.casefold():
        text = f"The code differs from the portal's {step.before.code!r} only in what can't be seen, such as a blank."
        yield InvalidInput(text)
    for field in ("title", "value"):
        was, text = getattr(step.before, field, None), getattr(step.after, field)
        if isinstance(was, Mapping) and isinstance(text, str) and MAP_TEXT.fullmatch(text):
            yield InvalidInput(f"The {field} is a map written as text; give a map, as the portal has one.", field=field)


def check_code(code: Any) -> None:
    """Raise :class:`InvalidInput` if this can't name a badge at all."""
    if not isinstance(code, str):
        hint = "Write it in quotes: codes are texts."
        raise InvalidInput(f"The code {short(code)} {_wrong(code)}.", field="code", hint=hint)
    if wrong := _wrong(code) or (_ADDRESS if mask_address(code) != code or f"/{MASK}/" in code else ""):
        raise InvalidInput(f"The code {wrong}.", field="code")


def _text_problems(field: str, text: Any) -> Iterator[InvalidInput]:
    # A quick check that most texts pass: JSON stores an ASCII character in at most six, and adds two quotes.
    if isinstance(text, str) and text.isascii() and 0 < len(text) <= (spec.TEXT_WIDTH - 2) // 6 and "://" not in text:
        return
    texts = text if isinstance(text, Mapping) else {_ANY: text}
    wrong = [(language, what) for language, item in texts.items() if (what := _wrong(item, language))]
    for language, what in wrong:
        where = f" in {language!r}" if texts is text and isinstance(language, str) else ""
        yield InvalidInput(f"The {field}{where} {what}.", field=field, hint="Give a text, or a map language -> text.")
    # Stored as ASCII JSON with escaped slashes: a character that is not ASCII takes six.
    stored = 0 if wrong else len(json.dumps(text, separators=(",", ":")).replace("/", "\\/"))
    if stored > spec.TEXT_WIDTH:
        message = f"The {field} takes {stored} characters as the portal stores it; it keeps {spec.TEXT_WIDTH}."
        yield InvalidInput(message, field=field, hint="A letter that is not ASCII counts six times, an emoji twelve.")


def _wrong(text: Any, language: Any = _ANY) -> str:
    """What is wrong with a text, or with its language; ``""`` if nothing."""
    # A list has the languages 0, 1, ...; a query would change the others.
    if not (language and isinstance(language, str)) or language.isdecimal() or {*language} & {"]", "\0"}:
        return "has a language that is not a code like 'en'"
    if not isinstance(text, str):
        return "is not a text"
    if not text:
        return "is empty"
    secret = _ADDRESS if "://" in text and redact_known(text, known_secrets()) != text else ""
    return "holds half a character, which can't be sent" if _LONE_SURROGATE.search(language + text) else secret
