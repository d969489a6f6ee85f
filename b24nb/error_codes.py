"""What is known about an error code of the vendor: the facts of ``error_codes.toml``."""

from __future__ import annotations

import re

from b24nb import spec


def _facts_of(code: str) -> list[spec.ErrorFact]:
    return [fact for fact in spec.error_facts() if fact.code == code]


def _says(fact: spec.ErrorFact, description: str) -> bool:
    """Whether the description is the fact's literal message, in which ``{name}`` stands for anything."""
    literal = re.split(r"\{\w+\}", fact.message)
    return bool(re.fullmatch(".*".join(map(re.escape, literal)), description, re.DOTALL))


def find_fact(code: str, description: str = "", method: str = "") -> spec.ErrorFact | None:
    """What is known about an error of a method; if a code has several meanings, the best match.

    Parameters
    ----------
    code : str
        The vendor's code.
    description, method : str
        Of the answer, to distinguish several meanings of one code; ``""``: not known.

    Returns
    -------
    spec.ErrorFact or None
        ``None`` for an unknown code, or one that is known only of other methods.

    Examples
    --------
    >>> find_fact("NOT_FOUND", method="crm.activity.badge.get").kind
    'NotFound'
    >>> find_fact("SOMETHING_NEW") is None
    True
    """

    def score(fact: spec.ErrorFact) -> int:
        return 2 * _says(fact, description) + (method.lower() in fact.methods)

    fact = max(_facts_of(code), key=score, default=None)
    return None if fact and method and fact.methods and method.lower() not in fact.methods else fact


def raised_before_effect(code: str, description: str) -> bool:
    """Whether the portal is known to raise this error before it changes anything.

    A code without letters (``""``, ``"0"``, ``"100"``) counts only together with its text.

    Parameters
    ----------
    code, description : str
        The portal's code and text.

    Returns
    -------
    bool
        ``False`` also if it is not known: then look at the portal before you repeat a write.

    Examples
    --------
    >>> raised_before_effect("NOT_FOUND", "Badge not found for code `vip`")
    True
    >>> raised_before_effect("INTERNAL_SERVER_ERROR", "Internal server error")
    False
    """
    named = bool(code) and not code.isdigit()
    return any(fact.before_effect and (named or _says(fact, description)) for fact in _facts_of(code))
