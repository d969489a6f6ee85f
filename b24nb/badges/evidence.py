"""What became of a change, by evidence: the one answer that means success, else a look at the portal.

A connection can break after the portal has begun to work, and a portal may work on a request for a minute.
So a change whose answer was lost is looked for at once, then ever less often, until the last moment at
which its effect can appear. It is never sent again blindly.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from b24nb.badges.badge import Badge
from b24nb.badges.changes import DONE, Action, Outcome, Step, Verdict, gone
from b24nb.badges.wire import GET, badge_of, get_badge, list_badges
from b24nb.errors import (
    ApiError,
    B24Error,
    BadgeInUse,
    BadResponse,
    NotApplied,
    NotFound,
    OutcomeUnknown,
    TransportError,
    raised_before_effect,
)
from b24nb.rest.connection import Connection, Response

Answer = Response | ApiError
_FIRST_PAUSE = 0.25


def judge_answers(step: Step, deleted: Answer | None, added: Answer | None) -> Outcome | None:
    """What the answers to the commands of a step prove; ``None``: nothing, so look."""
    if any(isinstance(answer, ApiError) and not raised_before_effect(answer) for answer in (deleted, added)):
        return None
    refusal = deleted if isinstance(deleted, NotFound) else None
    if step.before and not refusal:
        if deleted is None:
            return Outcome(step, Verdict.NOT_SENT)
        if isinstance(deleted, ApiError):
            verdict = Verdict.REFUSED if isinstance(deleted, BadgeInUse) else Verdict.FAILED
            return Outcome(step, verdict, error=deleted)
        if deleted.result is not True:
            return None
        if step.after is None:
            return Outcome(step, Verdict.DELETED, changed=True)
    if step.after is None:
        if step.before and step.before.code != step.code:
            detail = f"this portal tells letter case apart, and has {step.before.code!r}"
            return Outcome(step, Verdict.GONE, error=refusal, detail=detail)
        return gone(step)
    if isinstance(added, ApiError):
        return Outcome(step, Verdict.FAILED, changed=bool(step.before) and not refusal, error=added)
    if added is None:
        return Outcome(step, Verdict.FAILED if refusal else Verdict.NOT_SENT, error=refusal)
    verdict = Verdict.ADDED if refusal else DONE[step.action]
    return _judge_added(step, added, verdict, "somebody else had deleted it" if refusal else "")


def judge_failure(step: Step, error: ApiError | TransportError) -> Outcome | None:
    """What the failure of a whole request proves; ``None``: nothing, so look."""
    if isinstance(error, TransportError) and not error.sent:
        return Outcome(step, Verdict.NOT_SENT, error=error)
    if isinstance(error, ApiError) and raised_before_effect(error):
        return Outcome(step, Verdict.FAILED, error=error)
    return None


def _judge_added(step: Step, added: Response, verdict: Verdict, detail: str) -> Outcome | None:
    try:
        badge = badge_of(added)
    except BadResponse:
        return None
    if step.after is None or badge.code != step.after.code:
        return None
    if badge != step.after:
        detail = f"stored differently: {badge!r}"
    return Outcome(step, verdict, changed=True, badge=badge, detail=detail)


class Doubt(NamedTuple):
    """A step that was or may have been sent, what a look before showed instead, why answers don't tell."""

    step: Step
    found: Badge | None = None
    because: B24Error | None = None


def reconcile(connection: Connection, doubts: Sequence[Doubt], deadline: float) -> list[Outcome]:
    """Look at the portal until it shows what became of each step; the outcomes are in their order.

    ``deadline``: of the clock that only goes forward; after it an effect will not come any more. Where
    looking failed an outcome is ``open``.
    """
    known: dict[int, Outcome] = {}
    pause = _FIRST_PAUSE
    while True:
        last_look = connection.clock.monotonic() >= deadline
        missing = {place: doubt for place, doubt in enumerate(doubts) if place not in known}
        try:
            here = _look(connection, [doubt.step for doubt in missing.values()], thorough=last_look)
        except B24Error as error:
            known |= {place: _blind(doubt, error) for place, doubt in missing.items()}
        else:
            judged = {place: _judge(doubt, here, last_look=last_look) for place, doubt in missing.items()}
            known |= {place: outcome for place, outcome in judged.items() if outcome}
        if len(known) == len(doubts):
            return [replace(known[place], found=doubt.found) for place, doubt in enumerate(doubts)]
        connection.clock.sleep(max(0.0, min(pause, deadline - connection.clock.monotonic())))
        pause *= 2


def contradicted(connection: Connection, badges: Iterable[Badge]) -> set[str]:
    """The codes of those badges, out of a list, that ``get`` does not find: the list lags behind."""
    if not (listed := [*badges]):
        return set()
    gets = connection.batch({badge.code: (GET, {"code": badge.code}) for badge in listed})
    return {code for code, answer in gets.items() if isinstance(answer, NotFound)}


def _look(connection: Connection, steps: Sequence[Step], *, thorough: bool) -> dict[str, Badge]:
    """The badges that matter, by the portal's spelling: one by ``get``, several by ``list``."""
    codes = {badge.code for step in steps for badge in (step.before, step.after) if badge}
    if len(codes) == 1:
        try:
            badge = get_badge(connection, *codes)
        except NotFound:
            # A code that the portal keeps in another spelling shows in the whole list only.
            if not thorough or steps[0].after is None:
                return {}
        else:
            return {badge.code: badge}
    return {badge.code: badge for badge in list_badges(connection)}


def _judge(doubt: Doubt, here: dict[str, Badge], *, last_look: bool) -> Outcome | None:
    """What a look tells; ``None``: the effect is not visible yet, and may still come."""
    step = doubt.step
    old = here.get(step.before.code) if step.before else None
    new = here.get(step.after.code) if step.after else None
    if new == step.after and (new or not old):
        if step.before is None and doubt.found:
            return _unknown(doubt, "was there before, so nobody can tell whether this call added it")
        return Outcome(step, DONE[step.action], changed=True, seen=True, detail="seen by looking")
    present = old or new
    if present and present not in (step.before, doubt.found):
        return _unknown(doubt, "now has other texts than were sent")
    if not last_look:
        return None
    if respelt := _respelt(step.after, here):
        return _unknown(doubt, f"is not there, but its texts are, under {respelt!r}")
    half = step.action is Action.REPLACE and not present
    effect = "was deleted and not added again" if half else "shows no effect"
    text = f"{_cause(doubt)}: {step.code!r} {effect}."
    told = doubt.because if isinstance(doubt.because, ApiError) else None
    error = told or NotApplied(text, hint="It is safe to repeat.", sent=True)
    return Outcome(step, Verdict.FAILED, changed=half, error=error, seen=True)


def _respelt(wanted: Badge | None, here: dict[str, Badge]) -> str:
    """The code under which a portal that changes codes may keep this badge; ``""`` if there is none."""
    key = _letters(wanted.code) if wanted else ""
    for code, badge in here.items():
        start = _letters(code)
        if key and wanted and start and key.startswith(start) and badge == replace(wanted, code=code):
            return code
    return ""


def _letters(code: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", code).casefold()))


def _cause(doubt: Doubt) -> str:
    return (
        f"The answer does not tell ({doubt.because.message.rstrip('.')})"
        if doubt.because
        else "The answer was lost"
    )


def _unknown(doubt: Doubt, what: str) -> Outcome:
    text = f"{_cause(doubt)}, and {doubt.step.code!r} {what}."
    error = OutcomeUnknown(text, hint="Look at it before you go on.", sent=True)
    return Outcome(doubt.step, Verdict.UNKNOWN, changed=None, error=error, seen=True)


def _blind(doubt: Doubt, error: B24Error) -> Outcome:
    text = f"{_cause(doubt)}, and looking for {doubt.step.code!r} failed: {error.message}"
    unknown = OutcomeUnknown(text, hint="b24.journal.settle() looks again.", sent=True)
    return Outcome(doubt.step, Verdict.UNKNOWN, changed=None, error=unknown, open=True)
