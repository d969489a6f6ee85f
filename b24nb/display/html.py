"""HTML for everything that a reader sees; the one place where it is written.

Escaping goes by type, as markupsafe does it: a ``str`` is text and is escaped, a :class:`Markup` is HTML
and was made here. Each output carries its own style, so that it looks right wherever it is shown;
nothing has an id, a script or an address of another site, and the same value gives the same HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

from markupsafe import Markup

from b24nb import spec
from b24nb.display.colour import readable
from b24nb.display.language import pick
from b24nb.display.visible import visible
from b24nb.errors import ApiError, B24Error

if TYPE_CHECKING:
    import pandas as pd

_EMPTY = Markup("")


class BadgeLike(Protocol):
    """What of a badge is shown."""

    @property
    def code(self) -> str: ...
    @property
    def title(self) -> str | Mapping[str, str]: ...
    @property
    def value(self) -> str | Mapping[str, str]: ...
    @property
    def type(self) -> str: ...


@lru_cache(maxsize=1)
def css() -> Markup:
    """The style of all displays, for light and dark themes."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    for type_, colour in spec.BADGE_COLOURS.items():
        text = readable(colour.text, colour.background)
        style += f".b24nb-pill-{type_}{{background:{colour.background};color:{text}}}"
    return Markup("<style>{}</style>").format(Markup(style.replace("\n", "")))  # noqa: S704 - our own file


def page(*parts: Markup) -> str:
    """One output: the style and the parts."""
    return str(Markup('{}<div class="b24nb">{}</div>').format(css(), _EMPTY.join(parts)))


def pill(text: str | Mapping[str, str], type: str, language: str | None = None) -> Markup:
    """A value as the kanban shows it. Upper case is the style's; the text stays as it is.

    Parameters
    ----------
    text : str or mapping
        One text, or a map language -> text.
    type : str
        Of the badge; an unknown one is painted as a portal does, in grey.
    language : str, optional
        The viewer's.
    """
    colour = type if type in tuple(spec.BadgeType) else spec.BadgeType.SECONDARY.value
    return Markup('<span class="b24nb-pill b24nb-pill-{}"{}>{}</span>').format(
        str(colour), _lang(text, language), visible(pick(text, language)[0])
    )


def badge_card(badge: BadgeLike, language: str | None = None) -> Markup:
    """A badge as it meets a user: title and pill, with its fields and every language below."""
    rows = [
        ("code", Markup("<code>{}</code>").format(visible(badge.code, code=True))),
        ("type", visible(badge.type)),
    ]
    for name, text in (("title", badge.title), ("value", badge.value)):
        if not isinstance(text, Mapping):
            rows.append((name, visible(text)))
            continue
        rows += [
            (f"{name}, {visible(code)}", Markup("<span{}>{}</span>").format(_tag(code), visible(words)))
            for code, words in text.items()
        ]
    fields = _EMPTY.join(Markup("<dt>{}</dt><dd>{}</dd>").format(name, shown) for name, shown in rows)
    return Markup('<div class="b24nb-card"><div{}>{}</div>{}<dl>{}</dl></div>').format(
        _lang(badge.title, language),
        visible(pick(badge.title, language)[0]),
        pill(badge.value, badge.type, language),
        fields,
    )


def badges_table(
    badges: Sequence[BadgeLike],
    language: str | None = None,
    limit: int = 200,
    caption: str | None = None,
) -> Markup:
    """Badges as a table; a text in several languages says how many more there are."""
    rows = [
        (
            pill(badge.value, badge.type, language),
            Markup("<code>{}</code>").format(visible(badge.code, code=True)),
            _localised(badge.title, language),
            visible(badge.type),
            visible(_languages(badge)),
        )
        for badge in badges[:limit]
    ]
    head = ("badge", "code", "title", "type", "languages")
    return _table(head, rows, caption or f"Badges: {len(badges)}", len(badges) - len(rows))


def changes_table(
    changes: Sequence[tuple[str, str, BadgeLike | None, BadgeLike | None, str]],
    caption: str,
    limit: int = 200,
) -> Markup:
    """What is to be changed: a sign, the code, the badge before and after, and what to know about it."""

    def shown(badge: BadgeLike | None) -> Markup:
        if badge is None:
            return _EMPTY
        return Markup("{} {}").format(pill(badge.value, badge.type), _localised(badge.title, None))

    rows = [
        (sign, Markup("<code>{}</code>").format(visible(code, code=True)), shown(before), shown(after), note)
        for sign, code, before, after, note in changes[:limit]
    ]
    return _table(("", "code", "before", "after", "note"), rows, caption, len(changes) - len(rows))


def frame(df: pd.DataFrame, caption: str | None = None, limit: int = 50) -> Markup:
    """Any DataFrame, escaped, with numbers to the right."""
    import pandas as pd

    shown = df.head(limit)
    named = not isinstance(df.index, pd.RangeIndex)
    numeric = [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) for dtype in df.dtypes
    ]
    head = [*df.index.names, *df.columns] if named else list(df.columns)
    rows = []
    for label, values in zip(shown.index, shown.itertuples(index=False, name=None), strict=True):
        labels = (label if isinstance(label, tuple) else (label,)) if named else ()
        rows.append([*map(_cell, labels), *map(_cell, values)])
    right = [*([False] * (df.index.nlevels if named else 0)), *numeric]
    names = ["" if name is None else str(name) for name in head]
    return _table(names, rows, caption, len(df) - len(shown), right)


def message(
    kind: str,
    text: str,
    code: str | None = None,
    hint: str | None = None,
    details: Markup | None = None,
) -> Markup:
    """A sentence with what to do next.

    Parameters
    ----------
    kind : {"done", "error", "check", "note"}
        How it begins; the coloured line beside it only repeats that.
    text : str
        What happened.
    code : str, optional
        The vendor's code, verbatim.
    hint : str, optional
        The next step.
    details : Markup, optional
        Below, folded.
    """
    word = {"done": "Done.", "error": "Error:", "check": "Check:", "note": ""}[kind]
    lines = [
        Markup("<p><strong>{}</strong> {}</p>").format(word, text)
        if word
        else Markup("<p>{}</p>").format(text)
    ]
    if code is not None:
        lines.append(Markup("<p>The portal's code: <code>{}</code></p>").format(code or "(empty)"))
    if hint:
        lines.append(Markup("<p>{}</p>").format(hint))
    if details:
        lines.append(folded("Details", details))
    return Markup('<div class="b24nb-message b24nb-{}" role="status">{}</div>').format(
        kind, _EMPTY.join(lines)
    )


def error_box(error: B24Error) -> Markup:
    """An error as a sentence, with the vendor's code and the next step."""
    text = (error.description or error.message) if isinstance(error, ApiError) else error.message
    return message("error", text, getattr(error, "code", None), error.hint)


def folded(title: str, content: Markup) -> Markup:
    """Something to open with a click or a key."""
    return Markup("<details><summary>{}</summary>{}</details>").format(title, content)


def code(text: str, label: str = "") -> Markup:
    """Code or data to read and copy; half a character, which no browser takes, becomes JSON's escape."""
    text = text.encode(errors="backslashreplace").decode()
    aria = Markup(' aria-label="{}"').format(label) if label else _EMPTY
    return Markup('<pre class="b24nb-code" tabindex="0"{}>{}</pre>').format(aria, text)


def answer(method: str, envelope: Mapping[str, Any]) -> Markup:
    """The answer of a portal as it came."""
    text = json.dumps(envelope, indent=2, ensure_ascii=False)
    return Markup("<div><code>{}</code> answered</div>{}").format(method, code(text, f"answer of {method}"))


def gauge(label: str, value: float, limit: float, unit: str) -> Markup:
    """How near a limit is, as a bar and in words."""
    share = min(1.0, max(0.0, value / limit if limit else 0.0))
    words = f"{label}: {value:.0f} of {limit:.0f} {unit}"
    return Markup('<div class="b24nb-gauge">{}<div><span style="width:{}%"></span></div></div>').format(
        words, f"{100 * share:.0f}"
    )


class PortalLike(Protocol):
    """What of a portal is shown."""

    @property
    def kind(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def user(self) -> str | None: ...
    @property
    def admin(self) -> bool | None: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    @property
    def read_only(self) -> bool: ...


def portal_banner(portal: PortalLike) -> Markup:
    """Where calls go and as whom. LIVE can't be taken for SANDBOX: another word, frame and filling."""
    live = portal.kind != "SANDBOX"
    rights = {True: "administrator", False: "not an administrator", None: "rights unknown"}[portal.admin]
    scopes = "unknown" if portal.scopes is None else ", ".join(portal.scopes) or "none"
    parts = [
        Markup('<span class="b24nb-tag">{}</span>').format(portal.kind),
        Markup("<strong>{}</strong>").format(portal.place),
        Markup("<span>{} ({})</span>").format(portal.user or "user unknown", rights),
        Markup("<span>scopes: {}</span>").format(scopes),
    ]
    tags = [Markup('<span class="b24nb-tag">{}</span>'), Markup("<span>{}</span>")]
    parts += [tags[not source.startswith("read-only")].format(source) for source in portal.sources]
    if live and not portal.read_only:
        parts.append(Markup("<span>changes here are real</span>"))
    return Markup('<div class="b24nb-banner{}">{}</div>').format(
        " b24nb-live" if live else "", _EMPTY.join(parts)
    )


def _table(
    head: Iterable[str],
    rows: Sequence[Sequence[Any]],
    caption: str | None,
    hidden: int = 0,
    right: Sequence[bool] | None = None,
) -> Markup:
    head = list(head)
    number = Markup(' class="b24nb-number"')
    marks = [number if numeric else _EMPTY for numeric in right or [False] * len(head)]
    titles = _EMPTY.join(
        Markup('<th scope="col"{}>{}</th>').format(mark, name) for mark, name in zip(marks, head, strict=True)
    )
    body = _EMPTY.join(
        Markup("<tr>{}</tr>").format(
            _EMPTY.join(
                Markup("<td{}>{}</td>").format(mark, cell) for mark, cell in zip(marks, row, strict=True)
            )
        )
        for row in rows
    )
    more = (
        Markup("<p>{} more rows not shown; .df has all.</p>").format(f"{hidden:,}") if hidden > 0 else _EMPTY
    )
    top = Markup("<caption>{}</caption>").format(caption) if caption else _EMPTY
    return Markup(
        '<div class="b24nb-scroll"><table class="b24nb-table">{}<thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table>{}</div>"
    ).format(top, titles, body, more)


def _cell(value: Any) -> str:
    """A value as a reader wants it: missing is said, floats are short, times have no fraction."""
    import pandas as pd

    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "NA"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        return visible(json.dumps(dict(value), ensure_ascii=False))
    return visible(value)


def _localised(text: str | Mapping[str, str], language: str | None) -> Markup:
    shown = visible(pick(text, language)[0])
    if not isinstance(text, Mapping):
        return Markup("<span>{}</span>").format(shown)
    every = visible("; ".join(f"{code}: {words}" for code, words in text.items()))
    more = f" (+{len(text) - 1})" if len(text) > 1 else ""
    return Markup('<span title="{}"><span{}>{}</span>{}</span>').format(
        every, _lang(text, language), shown, more
    )


def _languages(badge: BadgeLike) -> str:
    maps = [text for text in (badge.title, badge.value) if isinstance(text, Mapping)]
    return ", ".join(dict.fromkeys(code for text in maps for code in text))


def _lang(text: str | Mapping[str, str], language: str | None) -> Markup:
    return _tag(pick(text, language)[1])


def _tag(code: str | None) -> Markup:
    """The ``lang`` attribute, for screen readers and hyphenation, where the language is known."""
    known = spec.LANGUAGES.get(code) if code else None
    return Markup(' lang="{}"').format(known.tag) if known else _EMPTY
