"""Which language of a text a viewer sees, and what languages are called."""

from __future__ import annotations

from collections.abc import Mapping

from b24nb import spec
from b24nb.display.visible import visible


def language_name(code: str) -> str:
    """``German (de)``; a code that is not known stands for itself."""
    known = spec.LANGUAGES.get(code)
    return f"{known.name} ({code})" if known else visible(code)


def languages_of(*texts: str | Mapping[str, str]) -> list[str]:
    """The languages of some texts, in their order; a text for all languages has none."""
    return list(dict.fromkeys(str(code) for text in texts if isinstance(text, Mapping) for code in text))


def pick(text: str | Mapping[str, str], language: str | None = None) -> tuple[str, str | None]:
    """The text that a portal shows to a viewer, by the documented rule.

    The viewer's language, then English, then the first one. (Servers have been seen to show the *number*
    of languages where the first should come; the documented rule is what is meant.)

    Parameters
    ----------
    text : str or mapping of str to str
        One text, or a map language -> text.
    language : str, optional
        The viewer's language, as the portal writes it; English by default.

    Returns
    -------
    (str, str or None)
        The text, and the language it is in; ``None`` where the text has none. An empty map is ``""``.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/index.html

    Examples
    --------
    >>> pick({"en": "Client", "de": "Kunde"}, "de")
    ('Kunde', 'de')
    >>> pick({"ru": "Клиент"}, "de")
    ('Клиент', 'ru')
    >>> pick("VIP", "de")
    ('VIP', None)
    """
    if not isinstance(text, Mapping):
        return str(text), None  # a badge that was made by other means can hold a number, in a map too
    for choice in (language, spec.FALLBACK_LANGUAGE, *text):
        if choice is not None and text.get(choice):
            return str(text[choice]), choice
    return "", None
