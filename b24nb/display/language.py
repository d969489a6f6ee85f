"""The language in which a viewer sees a text, and the names of languages."""

from __future__ import annotations

from collections.abc import Mapping

from b24nb import spec
from b24nb.display.visible import visible


def language_name(code: str) -> str:
    """``German (de)``; for an unknown code, the code itself."""
    known = spec.LANGUAGES.get(code)
    return f"{known.name} ({code})" if known else visible(code)


def languages_of(*texts: str | Mapping[str, str]) -> list[str]:
    """The languages of some texts, in their order; a text for all languages has none."""
    return list(dict.fromkeys(str(code) for text in texts if isinstance(text, Mapping) for code in text))


def pick(text: str | Mapping[str, str], language: str | None = None) -> tuple[str, str | None]:
    """The text that a portal shows to a viewer, by the documented rule.

    The rule: the viewer's language, else English, else the first one. (In place of the first one, portals have
    shown the *number* of languages, which is an error of theirs.)

    Parameters
    ----------
    text : str or mapping of str to str
        One text, or a map language -> text.
    language : str, optional
        The viewer's language, as the portal writes it; English by default.

    Returns
    -------
    (str, str or None)
        The text and its language; ``None`` if the text is not by language. For an empty map the text is ``""``.

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
        return str(text), None  # a badge of another program can hold a number, also in a map
    for choice in (language, language and language.lower(), spec.FALLBACK_LANGUAGE, *text):
        if choice is not None and text.get(choice):
            return str(text[choice]), choice
    return "", None
