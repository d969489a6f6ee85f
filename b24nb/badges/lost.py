"""Writes whose answer was lost: never repeated blindly, but looked for.

A connection can break after the portal has begun to work, and a portal may work on a request for a
minute. So: look at once, then ever less often, until the last moment at which the effect can appear.
"""

from __future__ import annotations

from collections.abc import Sequence

from b24nb.badges.badge import Badge
from b24nb.badges.changes import DONE, Action, Outcome, Step, Verdict
from b24nb.badges.wire import get_badge, list_badges
from b24nb.errors import B24Error, NotApplied, NotFound, OutcomeUnknown
from b24nb.rest.connection import Connection

_FIRST_PAUSE = 0.25


def settle(connection: Connection, steps: Sequence[Step], deadline: float) -> list[Outcome]:
    """Look at the portal until it shows what became of each step, which were or may have been sent.

    ``deadline`` is the time of day after which an effect will not come any more. The outcomes are in the
    order of ``steps``; where looking failed they are ``open``.
    """
    found: dict[int, Outcome] = {}
    pause = _FIRST_PAUSE
    while True:
        last_look = connection.clock.time() >= deadline
        missing = [place for place in range(len(steps)) if place not in found]
        try:
            here = _look(connection, [steps[place] for place in missing])
        except B24Error as error:
            return [found.get(place) or _blind(step, error) for place, step in enumerate(steps)]
        for place in missing:
            if outcome := _judge(steps[place], here, last_look=last_look):
                found[place] = outcome
        if len(found) == len(steps):
            return [found[place] for place in range(len(steps))]
        connection.clock.sleep(max(0.0, min(pause, deadline - connection.clock.time())))
        pause *= 2


def _look(connection: Connection, steps: Sequence[Step]) -> dict[str, Badge]:
    """The badges that matter, by the portal's spelling: one by ``get``, several by ``list``."""
    codes = {badge.code for step in steps for badge in (step.before, step.after) if badge}
    if len(codes) > 1:
        return {badge.code: badge for badge in list_badges(connection)}
    try:
        badge = get_badge(connection, codes.pop())
    except NotFound:
        return {}
    return {badge.code: badge}


def _judge(step: Step, here: dict[str, Badge], *, last_look: bool) -> Outcome | None:
    """What a look tells; ``None``: the effect is not visible yet, and may still come."""
    old = here.get(step.before.code) if step.before else None
    new = here.get(step.after.code) if step.after else None
    if new == step.after and (new or not old):
        return Outcome(step, DONE[step.action], changed=True, seen=True, detail="seen by looking")
    present = old or new
    if present and present != step.before:
        text = f"The answer was lost, and {step.code!r} now has other texts than were sent."
        hint = "Look at it; somebody else may have changed it."
        unknown = OutcomeUnknown(text, hint=hint, sent=True)
        return Outcome(step, Verdict.UNKNOWN, changed=None, error=unknown, seen=True)
    if not last_look:
        return None
    half = step.action is Action.REPLACE and not present
    effect = "was deleted and not added again" if half else "shows no effect"
    error = NotApplied(
        f"The answer was lost: {step.code!r} {effect}.", hint="It is safe to repeat.", sent=True
    )
    return Outcome(step, Verdict.FAILED, changed=half, error=error, seen=True)


def _blind(step: Step, error: B24Error) -> Outcome:
    text = f"The answer was lost, and looking for {step.code!r} failed: {error.message}"
    unknown = OutcomeUnknown(text, hint="b24.journal.settle() looks again.", sent=True)
    return Outcome(step, Verdict.UNKNOWN, changed=None, error=unknown, open=True)
