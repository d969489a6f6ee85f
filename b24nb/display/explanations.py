"""Explanations of errors: the meaning, the cause, what to do, and whether the call may be repeated."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from b24nb import errors, spec
from b24nb.display import html
from b24nb.errors import ApiError, B24Error, Interrupted, InvalidInput, TransportError
from b24nb.secret import mask_address

if TYPE_CHECKING:
    import pandas as pd

#: The texts for the sources of a fact.
_SOURCES = {"docs": "the documentation", "server": "the vendor's server code", "observed": "observed on portals"}

_CHANGE_FIRST = ["BadgeChanged", "ClientClosed", "InvalidInput", "JournalError", "ReadOnly", "VaultError"]
_OURS = B24Error | Interrupted | UserWarning
#: Whether to repeat after an error of this package: "look first", but for these. The vendor's are in the catalogue.
_REPEAT = dict.fromkeys(_CHANGE_FIRST, "after a change") | {"NotApplied": "yes", "TooLate": "yes"}


def catalogue() -> pd.DataFrame:
    """Every documented and observed error of the badge methods and of related methods.

    Returns
    -------
    DataFrame
        A row per error and meaning. Columns: ``code, kind`` (the class that is raised), ``message``
        (literal; ``{name}`` is a placeholder), ``http_documented, http_observed`` (Int64, NA: not stated), ``meaning``,
        ``cause``, ``remedy``, ``repeat`` (``after waiting``, ``after a change``, ``look first`` or ``no``),
        ``before_effect``, ``methods`` (empty: any), ``section``, ``source``, ``system_page`` (whether the vendor has it
        among the 15 system errors).

    Notes
    -----
    Vendor pages: the system errors under each method, for example
    https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/crm-activity-badge-delete.html

    Examples
    --------
    >>> rows = catalogue()
    >>> rows[rows["code"] == "ENTITY_WITH_BADGE_EXISTS"]["kind"].item()
    'BadgeInUse'
    """
    import pandas as pd

    rows = [fact._asdict() | {"methods": ", ".join(fact.methods)} for fact in spec.error_facts()]
    return pd.DataFrame(rows).astype({"http_documented": "Int64", "http_observed": "Int64"})


@dataclass(frozen=True)
class Explanation:
    """The explanation of an error, with a text and an HTML display.

    Attributes
    ----------
    title : str
        The code or class, with the portal's text.
    facts : tuple of spec.ErrorFact
        What is known; several if a code has several meanings and nothing distinguishes them.
    lines : tuple of (str, str)
        Labels and texts; empty if there are several meanings.
    """

    title: str
    facts: tuple[spec.ErrorFact, ...]
    lines: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        blocks = [self.lines] if self.lines else [_block(fact) for fact in self.facts]
        return f"{self.title}\n" + "\n\n".join(map(_aligned, blocks))

    def _repr_html_(self) -> str:
        title = Markup("<strong>{}</strong>").format(self.title)
        if self.lines:
            return html.page(html.card(title, self.lines))
        meanings = (html.card(fact.message or "(empty)", _block(fact)) for fact in self.facts)
        return html.page(title, *meanings)


def explain(error: B24Error | str | int) -> Explanation:
    """What an error means and what to do next.

    Parameters
    ----------
    error : B24Error, str, int or class
        An exception or class of this package, or its name in a log or report: a vendor's code, or that of a class.

    Returns
    -------
    Explanation
        It contains no secret.

    Raises
    ------
    InvalidInput
        For a code that nobody has described yet.

    Examples
    --------
    >>> explain("QUERY_LIMIT_EXCEEDED").facts[0].repeat
    'after waiting'
    """
    # The vendor's pages print some codes as numbers, and a table makes numbers of them.
    error = getattr(error, "__name__", error)
    if isinstance(error, BaseException) and not isinstance(error, _OURS):
        raise InvalidInput(f"No error {type(error).__name__!r} is known.", hint="It is none of b24nb.")
    error = mask_address(error) if isinstance(error, str | _OURS) else str(error).removesuffix(".0")
    if isinstance(error, ApiError):
        fact = error.fact
        said = f": {error.description}" if error.description else ""
        title = f"{type(error).__name__} - {error.code or '(empty code)'}{said}"
        status = f"HTTP {error.http_status}" if error.http_status else "inside a batch"
        lines = [("answered", ", ".join(filter(None, (error.method, status))))]
        lines += _lines(fact) if fact else [("what to do", error.hint)]
        return Explanation(title, (fact,) if fact else (), tuple(lines))
    cls = getattr(errors, error, None) if isinstance(error, str) else type(error)
    if isinstance(cls, type) and issubclass(cls, _OURS) and not issubclass(cls, ApiError):
        return _explain_own(cls, error)
    facts = tuple(fact for fact in spec.error_facts() if error in (fact.code, fact.kind))
    facts = facts or tuple(fact for fact in spec.error_facts() if error.strip().lower() == fact.code.lower())
    if not facts:
        raise InvalidInput(f"No error {error!r} is known.", hint="b24nb.catalogue() lists those that are.")
    if len(facts) > 1:
        return Explanation(f"{str(error).strip() or '(empty code)'} has {len(facts)} meanings", facts, ())
    said = f": {facts[0].message}" if facts[0].message else ""
    return Explanation(f"{facts[0].kind} - {facts[0].code}{said}", facts, tuple(_lines(facts[0])))


def _explain_own(cls: type, error: object) -> Explanation:
    """The explanation of a class of this package that is no :class:`ApiError`; ``error``: one of it, or its name."""
    repeat = next((_REPEAT[base.__name__] for base in cls.__mro__ if base.__name__ in _REPEAT), "look first")
    # Under `python -OO` no class has a text of its own; `inspect.getdoc` would take that of a base class of Python.
    lines = [("meaning", inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0])]
    lines.append(("field", getattr(error, "field", "")))
    if isinstance(error, TransportError):
        harmless = not error.sent or getattr(error.call, "outcome", "") == "failed"  # of a write it would be "lost"
        repeat = "yes" if harmless and repeat == "look first" else repeat
        perhaps = "perhaps: the portal may have carried it out" if repeat == "look first" else "perhaps"
        lines.append(("was it sent", perhaps if error.sent else "no"))
    title = cls.__name__
    if isinstance(error, B24Error):
        title += f" - {error.message}"
        lines.append(("what to do", error.hint))
    lines.append(("safe to repeat", "" if issubclass(cls, UserWarning) else repeat))
    return Explanation(title, (), tuple(line for line in lines if line[1]))


def _lines(fact: spec.ErrorFact) -> list[tuple[str, str]]:
    observed = "200, inside the answer of the batch" if fact.section == "batch" else fact.http_observed
    return [
        ("meaning", fact.meaning),
        ("cause", fact.cause),
        ("what to do", fact.remedy),
        ("safe to repeat", fact.repeat),
        ("answered by", ", ".join(fact.methods) or "any method"),
        ("HTTP status", f"documentation: {fact.http_documented or 'not stated'}; portal: {observed or 'not known'}"),
        ("known from", ", ".join(_SOURCES[source] for source in fact.source.split(", "))),
        ("in the docs", page_of(fact.code)),
    ]


def page_of(code: str) -> str:
    """The page of the site (``make docs``) that explains a code; the same for codes that differ only in case."""
    return "errors.html#error-" + (re.sub(r"[^a-z0-9]+", "-", code.lower()) or "empty")


def _block(fact: spec.ErrorFact) -> list[tuple[str, str]]:
    said = [(name, text or "(empty)") for name, text in (("code", fact.code), ("message", fact.message))]
    return [*said, ("raised as", fact.kind), *_lines(fact)]


def _aligned(lines: Sequence[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in lines)
    return "\n".join(f"  {label:<{width}}  {text}" for label, text in lines)
