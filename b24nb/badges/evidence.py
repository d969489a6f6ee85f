"""What the portal's answers prove about a change; where they prove nothing, a look at the portal.

A *look* is a request that reads what the portal holds now. A connection can break after the portal has received a
change, and the portal may work on it for a minute. So after a lost answer the portal is looked at at once, then
at growing intervals, until the effect can no longer appear. The change itself is never sent again without a look.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from b24nb import errors
from b24nb.badges.activities import ActivityStep, look_at_activities
from b24nb.badges.badge import FIELDS, Badge, Badges, folded
from b24nb.badges.changes import DONE, GET, LIST, Action, Outcome, Step, Verdict, gone
from b24nb.error_codes import raised_before_effect
from b24nb.errors import ApiError, B24Error, BadResponse, NotFound
from b24nb.rest.batch import fits_query
from b24nb.rest.connection import Connection
from b24nb.rest.response import Response, whole_number

if TYPE_CHECKING:
    from b24nb.badges.journal_store import Entry, JournalStore

Answer = Response | ApiError
_AGAIN = "Somebody may be changing them; list again."


def list_badges(connection: Connection) -> Badges:
    """All badges of the portal, by one request: ``crm.activity.badge.list`` does not page."""
    return badges_of(connection.call(LIST))


def badges_of(response: Response) -> Badges:
    """The badges of an answer to ``list``; refused if one of them occurs twice."""
    badges = Badges(map(Badge.from_wire, whole_list(response.raw)))
    for code, count in Counter(badge.code for badge in badges).most_common(1):
        if count > 1:
            raise BadResponse(f"The portal sent the badge {code!r} {count} times.", method=LIST, hint=_AGAIN)
    return badges


def look_at(connection: Connection, steps: Sequence[Step]) -> list[Any]:
    """What the portal has now: all badges, unless there are steps of activities only; and these activities."""
    activities = [step for step in steps if isinstance(step, ActivityStep)]
    badges = [] if activities and len(activities) == len(steps) else list_badges(connection)
    return [*badges, *look_at_activities(connection, activities)]


def whole_list(envelope: Mapping[str, Any]) -> list[Any]:
    """The rows of an answer to ``list``; refused if the answer may hold only a part of them."""
    result, total = envelope.get("result"), envelope.get("total")
    rows = result.get("badges") if isinstance(result, Mapping) else None
    if not isinstance(rows, list):
        raise BadResponse("There is no list of badges under a key `badges`.", method=LIST)
    if total is not None and whole_number(total) != len(rows):
        text = f"The portal counts {str(total)[:20]} badges and sent {len(rows)}."
        raise BadResponse(text, method=LIST, hint=_AGAIN)
    if envelope.get("next"):
        raise BadResponse(f"The portal sent a page of {len(rows)} badges, not all of them.", method=LIST)
    return rows


def is_whole(badge: object) -> bool:
    """Whether the answer had all fields of a badge; without one of them no undo could restore it."""
    return not isinstance(badge, Badge) or None not in badge.to_wire().values()


def get_badge(connection: Connection, code: str) -> Badge:
    """One badge; the portal's spelling of the code may differ in letter case."""
    return badge_of(connection.call(GET, {"code": code}), code)


def badge_of(response: Response, code: str) -> Badge:
    """The badge of an answer to ``get`` or ``add``, which must be complete, and the one that was asked for."""
    row: Any = response.result.get("badge") if isinstance(response.result, Mapping) else None
    badge = Badge.from_wire(row)
    if missing := ", ".join(field for field in FIELDS if field not in row):
        raise BadResponse(f"The portal sent the badge {code!r} without its {missing}.")
    if folded(badge.code) != folded(code):
        hint = "If it takes the two codes for one, use its spelling."
        raise BadResponse(f"The portal was asked for the badge {code!a} and sent {badge.code!a}.", hint=hint)
    return badge


def judge_answers(step: Step, failure: B24Error | None, deleted: Answer | None, added: Answer | None) -> Outcome | None:
    """The outcome that the answers to a step's commands, or the failure of the request, prove; ``None`` if none."""
    if not all(_without_effect(one) for one in (failure, deleted, added) if isinstance(one, B24Error)):
        return None
    if failure and deleted is None:
        verdict = Verdict.FAILED if isinstance(failure, ApiError) else Verdict.NOT_SENT
        changed = isinstance(failure, errors.BadgeChanged)
        return Outcome(step, Verdict.CHANGED if changed else verdict, error=failure)
    if isinstance(step, ActivityStep):
        return step.judge(deleted)
    # An add that succeeded proves that no badge was in the way, also where the delete was refused for another reason.
    missing = isinstance(deleted, ApiError if isinstance(added, Response) else NotFound)
    if step.deletes and not (missing and step.after):
        if isinstance(deleted, ApiError):
            verdict = Verdict.REFUSED if isinstance(deleted, errors.BadgeInUse) else Verdict.FAILED
            return gone(step, deleted) if missing else Outcome(step, verdict, error=deleted)
        if deleted is None or deleted.result is not True:
            return None if deleted else Outcome(step, Verdict.NOT_SENT)
    if step.after is None:
        return Outcome(step, Verdict.DELETED, changed=True)
    if not isinstance(added, Response):
        refusal = added or failure or (deleted if isinstance(deleted, NotFound) else None)
        verdict = Verdict.FAILED if refusal or step.deletes else Verdict.NOT_SENT
        if isinstance(added, errors.DuplicateCode) and not step.deletes:  # its code is taken by now
            verdict = Verdict.CHANGED
        return Outcome(step, verdict, changed=step.deletes and not missing, error=refusal)
    with suppress(BadResponse):
        badge = badge_of(added, step.after.code)
        if badge.code == step.after.code:
            odd = f"stored differently: {badge!r}" if badge != step.after else ""
            verdict = Verdict.ADDED if missing else DONE[step.action]
            refused = deleted if isinstance(deleted, ApiError) and not isinstance(deleted, NotFound) else None
            why = f"the delete was refused: {refused.code}" if refused else why_missing(step)
            detail = odd or (why if missing else "")
            return Outcome(step, verdict, True, refused, detail, badge=badge)
    return None


def why_missing(step: Step) -> str:
    """Why the badge that a step replaces was not found."""
    if step.before and step.before.code != step.code:
        where = f"{step.before.code!r} was not found as {step.code!r}"
        return f"{where}: it is gone, or this portal tells the two codes apart"
    return "it was not there any more"


def _without_effect(error: B24Error) -> bool:
    if isinstance(error, ApiError):  # one of a renewed token, or of a look before the change, is no answer to it
        known = error.method == "oauth.token" or raised_before_effect(error.code, error.description)
        return known or not getattr(error, "sent", True)
    return not getattr(error, "sent", False)


def reconcile(
    connection: Connection, undecided: Sequence[Outcome], deadline: float, stopped: Callable[[], object] = bool
) -> list[Outcome]:
    """Look at the portal until it shows what became of each step; returns outcomes in the order of ``undecided``.

    Each has the verdict ``unknown``: ``error`` says why the answer proves nothing, ``found`` is
    what a look before the change showed. ``deadline``: time of the monotonic clock after which no effect can
    appear any more. If the look fails, or ``stopped()`` is true before an effect is seen, the outcome is ``open``.
    """
    known: dict[int, Outcome] = {}
    pause = 0.25
    while True:
        last_look = connection.clock.monotonic() >= deadline
        missing = {place: outcome for place, outcome in enumerate(undecided) if place not in known}
        try:
            here = _look(connection, [outcome.step for outcome in missing.values()], thorough=last_look)
        except B24Error as error:
            for place, outcome in missing.items():
                known[place] = _unknown(
                    outcome, f"looking for {outcome.step.code!r} failed: {error.message}", open=True
                )
        else:
            judged = {place: _judge(outcome, here, last_look=last_look) for place, outcome in missing.items()}
            known |= {place: outcome for place, outcome in judged.items() if outcome}
        if stopped():
            why = "the run was stopped before an effect was seen"
            known = {place: _unknown(one, why, open=True) for place, one in enumerate(undecided)} | known
        if len(known) == len(undecided):
            return [known[place] for place in range(len(undecided))]
        wake = min(connection.clock.monotonic() + pause, deadline)
        while not stopped() and (left := wake - connection.clock.monotonic()) > 0:
            connection.clock.sleep(min(left, 1.0))
        pause *= 2


def ask_for(connection: Connection, codes: Iterable[str]) -> Mapping[str, Answer]:
    """The answers of ``get``, by code: the list of badges may be out of date."""
    gets = {code: (GET, {"code": code}) for code in codes if fits_query({"code": code})}
    return connection.batch(gets) if gets else {}


def confirms(answer: Answer, code: str, here: Badges) -> bool:
    """Whether an answer to ``get`` says the same about a code as the list."""
    if isinstance(answer, ApiError):  # a portal that tells letter case apart finds only the exact code
        return isinstance(answer, NotFound) and code not in {badge.code for badge in here}
    with suppress(BadResponse):
        return badge_of(answer, code) == here.find(code)
    return False


def _look(connection: Connection, steps: Sequence[Step], *, thorough: bool) -> dict[str, Any]:
    """What the portal has for these steps, by its own spelling of the codes: one by ``get``, several by ``list``."""
    codes = {badge.code for step in steps for badge in (step.before, step.after) if badge}
    try:
        alone = len(codes) == 1 and type(steps[0]) is Step
        found = [get_badge(connection, *codes)] if alone else look_at(connection, steps)
    except NotFound:
        # If the portal stored the code in another spelling, only the whole list shows it.
        found = [*list_badges(connection)] if thorough and steps[0].after else []
    return {one.code: one for one in found}


def _judge(outcome: Outcome, here: Mapping[str, Any], *, last_look: bool) -> Outcome | None:
    """The outcome that a look shows; ``None``: the effect is not visible yet, but may still appear."""
    step = outcome.step
    old = here.get(step.before.code) if step.before else None
    new = here.get(step.after.code) if step.after else None
    if new == step.after and (new or not old):
        if step.before is None and outcome.found:
            return _unknown(outcome, f"{step.code!r} was there before, so nobody can tell whether this call added it")
        beside = old and new and old.code != new.code  # this portal tells letter case apart
        verdict = Verdict.ADDED if beside else DONE[step.action]
        return outcome._replace(verdict=verdict, changed=True, error=None, detail="seen on the portal", seen=True)
    present = old or new
    if present and present not in (step.before, outcome.found):
        return _unknown(outcome, f"{step.about or repr(step.code)} is now different from what was sent")
    if not last_look:
        return None
    if not old and isinstance(step.after, Badge) and (respelled := _respelled(step.after, here)):
        return _unknown(outcome, f"{step.code!r} is not there, but its texts are, under {respelled!r}")
    half = step.action is Action.REPLACE and not present
    text = f"{_cause(outcome)}: {step.code!r} {'was deleted and not added again' if half else 'shows no effect'}."
    refused = outcome.error if isinstance(outcome.error, ApiError) else None
    error = refused or errors.NotApplied(text, hint=f"It is safe to repeat.{_advice(outcome)}", sent=True)
    return outcome._replace(verdict=Verdict.FAILED, changed=half, error=error, seen=True)


def _respelled(wanted: Badge, here: Mapping[str, Any]) -> str:
    """The changed or shortened code under which the portal may have stored this badge; ``""`` if there is none."""
    same_texts = (code for code, badge in here.items() if badge == replace(wanted, code=code) and _letters(code))
    return next((code for code in same_texts if _letters(wanted.code).startswith(_letters(code))), "")


def _letters(code: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", code).casefold()))


def _cause(outcome: Outcome) -> str:
    why = outcome.error.message.rstrip(".") if outcome.error else ""
    return f"The answer does not show the outcome ({why})" if why else "The answer was lost or proves nothing"


def _advice(outcome: Outcome) -> str:
    """The end of a hint: what to do about an answer of something else than the portal, such as a firewall."""
    return f" {outcome.error.hint}".rstrip() if isinstance(outcome.error, BadResponse) else ""


def _unknown(outcome: Outcome, what: str, *, open: bool = False) -> Outcome:
    hint = "b24.journal.settle() looks again." if open else "Check the badge first."
    text = f"{_cause(outcome)}, and {what.rstrip('.')}."
    return outcome._replace(error=errors.OutcomeUnknown(text, hint=hint + _advice(outcome)), seen=not open, open=open)


def proved_by_next(store: JournalStore, entry: Entry) -> Outcome | None:
    """The outcome that the next change of the same badge proves, by what it found before; ``None`` if none."""
    later = None if entry.unread else store.next_of(entry, any_case=True)
    if later and not _same_badge(entry.step, later):
        later = store.next_of(entry, any_case=False)
    if later is None or later.unread:
        return None
    step, found = entry.step, later.found or later.step.before
    verdict, changed = Verdict.UNKNOWN, None
    if found == step.after and not (entry.found and step.before is None):
        verdict, changed = DONE[step.action], True
    elif not later.changed:  # proves nothing: the effect of this change may have come after that look
        return None
    elif found == step.before or (found and found == entry.found):
        verdict, changed = Verdict.FAILED, False
    elif not found:  # of a replace only the delete was made
        verdict, changed = Verdict.FAILED, True
    detail = "shown by the next change of this badge"
    return Outcome(step, verdict, changed, detail=detail, seen=True, found=entry.found)


def _same_badge(step: Step, later: Entry) -> bool:
    """Whether a later entry is of the step's badge also on a portal that tells letter case apart."""
    found, ours = later.found or later.step.before, step.after or step.before
    spellings = [step.code, getattr(ours, "code", "")]  # of the caller, in which the portal found it, and its own
    spellings += [step.before.code] if step.before and not found else []
    return later.step.code in spellings or bool(found and found.code in spellings)
