"""HTML for everything that a reader sees; the one place where it is written.

Escaping goes by type, as markupsafe does it: a ``str`` is text and is escaped, a :class:`Markup` is HTML
and was made here. Each output carries the style rules that it uses, so that it looks right wherever it is
shown; where they are stripped its words still stand apart. Nothing has an id, a script or an address of
another site, and the same value gives the same HTML.

Jinja writes code, not these: loading it would take a tenth of the time until the first table is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from b24nb import spec
from b24nb.display.language import language_name, languages_of, pick
from b24nb.display.visible import visible

if TYPE_CHECKING:
    import pandas as pd

_HEAD_CELL = Markup('<th scope="col"{}>{}</th>')
_CELL = Markup("<td{}>{}</td>")
_NUMBER = Markup(' class="b24nb-number"')
_WORDS = {"done": "Done.", "error": "Error:", "check": "Check:"}


def join(pieces: Iterable[Any], between: str = "") -> Markup:
    """Pieces of HTML one after the other, those that there are; a ``str`` among them is text."""
    return Markup(between).join(filter(None, pieces))  # noqa: S704 - what stands between is ours


def css(content: str | None = None) -> Markup:
    """The style rules that some HTML uses, for light and dark themes.

    Parameters
    ----------
    content : str, optional
        Without it, all rules: for a page whose parts come later.
    """
    used = {"b24nb", *re.findall(r"b24nb-[\w-]+", content or "")}
    rules = (rule for rule, classes in style_rules() if content is None or classes <= used)
    return Markup("<style>{}</style>").format(join(rules))


@lru_cache(maxsize=1)
def style_rules() -> tuple[tuple[Markup, set[str]], ...]:
    """Each rule of the style with the classes that it needs."""
    lines = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8").splitlines()
    lines += (
        f".b24nb-pill-{type_}{{background:{colour.background};color:{colour.readable}}}"
        for type_, colour in spec.BADGE_COLOURS.items()
    )
    selectors = (line.partition("{")[0] for line in lines)
    return tuple(
        (Markup(line), set(re.findall(r"b24nb[\w-]*", selector)))  # noqa: S704 - our own file
        for line, selector in zip(lines, selectors, strict=True)
    )


def page(*parts: Any) -> str:
    """One output: the parts, and the style that they use."""
    content = join(parts, " ")
    return str(Markup('{}<div class="b24nb">{}</div>').format(css(content), content))


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
    colour = type if type in spec.BADGE_COLOURS else spec.BadgeType.SECONDARY
    # The brackets are seen where the style is not: there they tell a pill from a plain text.
    return Markup('<span class="b24nb-pill b24nb-pill-{}"{}><span>[</span>{}<span>]</span></span>').format(
        str(colour), *_spoken(text, language)
    )


def card(head: Any, rows: Iterable[tuple[str, Any]], *, wide: bool = False) -> Markup:
    """A frame with a head and labelled values."""
    fields = join((Markup("<dt>{}</dt> <dd>{}</dd>").format(label, _cell(value)) for label, value in rows), " ")
    return Markup('<div class="b24nb-card{}"><div>{}</div> <dl>{}</dl></div>').format(
        " b24nb-wide" if wide else "", head, fields
    )


def badge_card(badge: Any, language: str | None = None) -> Markup:
    """A badge as it meets a user: title and pill, with its fields and every language below."""
    rows: list[tuple[str, Any]] = [("code", _code(badge.code)), ("type", badge.type)]
    for name, text in (("title", badge.title), ("value", badge.value)):
        if isinstance(text, Mapping):
            spoken = Markup("<span{}>{}</span>").format
            rows += [(f"{name}, {visible(code)}", spoken(_tag(code), visible(words))) for code, words in text.items()]
        else:
            rows.append((name, text))
    head = Markup("<div{}>{}</div> {}").format(*_spoken(badge.title, language), pill(badge.value, badge.type, language))
    return card(head, rows)


def badges_table(
    badges: Sequence[Any], language: str | None = None, limit: int = 200, caption: str | None = None
) -> Markup:
    """Badges as a table; a text in several languages says how many more there are."""
    rows = [
        (*badge_cells(badge, language), badge.type, ", ".join(languages_of(badge.title, badge.value)))
        for badge in badges[:limit]
    ]
    head = ("badge", "code", "title", "type", "languages")
    return table(head, rows, caption or f"Badges: {len(badges)}", hidden=len(badges) - len(rows))


def badge_cells(badge: Any, language: str | None = None) -> tuple[Markup, Markup, Markup]:
    """A badge in a row of a table: pill, code and title."""
    return pill(badge.value, badge.type, language), _code(badge.code), _localised(badge.title, language)


def viewers_table(badge: Any) -> Markup:
    """What the portal shows to viewers of each language that a badge has, and to all others."""
    codes = languages_of(badge.title, badge.value)
    viewers = [*((language_name(code), code) for code in codes), ("any other" if codes else "any", "")]
    rows = ((name, pick(badge.title, code)[0], pill(badge.value, badge.type, code)) for name, code in viewers)
    return table(("viewer's language", "title", "pill"), rows, "What the portal shows")


def holders_table(plan: Any, rows: Sequence[Mapping[str, str]], *, links: bool = False) -> Markup:
    """Activities that name a badge: some rows of the ``holders`` of a plan, and what it would do to each."""
    several = len({row["code"] for row in plan.holders}) > 1

    def cells(row: Mapping[str, str]) -> Iterable[str]:
        place = visible(f"{row['owner_type']} {row['owner_id']}")
        yield from [_code(row["code"])] if several else []
        yield row["activity_id"]
        # Opens beside the notebook. The address is never what a portal sent.
        opener = Markup('<a class="b24nb-link" href="{}" target="_blank" rel="noopener">{}</a>')
        yield join([opener.format(row["link"], place) if links and row["link"] else place, visible(row["title"])], " ")
        yield row["subject"]
        yield row["certainty"] if row["certainty"] == "likely" else f"{row['certainty']}: {row['reason']}"
        yield plan.actions.get(row["activity_id"], "do nothing")

    head = (*(["code"] if several else []), "activity", "belongs to", "subject", "holds it?", "release would")
    return table(head, ([*cells(row)] for row in rows), "Open activities that name it")


def changes_table(changes: Sequence[tuple[str, str, Any, Any, str]], caption: str, hidden: int = 0) -> Markup:
    """What is to be changed: a sign, the code, the badge before and after, and what to know about it."""

    def shown(badge: Any) -> str:
        if not hasattr(badge, "type"):  # none, or an activity
            return ""
        return join((pill(badge.value, badge.type), _localised(badge.title, None)), " ")

    rows = [(sign, _code(code), shown(before), shown(after), note) for sign, code, before, after, note in changes]
    return table(("", "code", "before", "after", "note"), rows, caption, hidden=hidden)


def frame(df: pd.DataFrame, caption: str | None = None, limit: int = 50) -> Markup:
    """The first rows of any DataFrame."""
    return table(*values_of(df.head(limit)), caption, hidden=len(df) - limit)


def values_of(df: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    """Names and rows of a DataFrame as plain values, ``None`` for what is missing; with its index, if that tells."""
    from pandas import RangeIndex

    told = df if isinstance(df.index, RangeIndex) else df.reset_index(allow_duplicates=True)
    return [str(name) for name in told], told.astype(object).where(told.notna(), None).to_numpy().tolist()


def figures(head: Sequence[str], rows: Sequence[Sequence[Any]], caption: str, hidden: int = 0) -> Markup:
    """A table whose decimals are aligned, without the columns that say nothing in any of its rows."""
    nothing = {name: {None, "", 1 if name == "attempt" else 0} for name in head}
    told = [place for place, name in enumerate(head) if not {row[place] for row in rows} <= nothing[name]]
    shown = ([row[place] for place in told] for row in rows)
    return table([head[place] for place in told], shown, caption, hidden=hidden, aligned=True)


def calls_table(calls: Sequence[Any], caption: str, limit: int) -> Markup:
    """Calls, newest first."""
    rows = []
    for call in calls[-limit:][::-1]:
        at, client, server = datetime.fromtimestamp(call.at, UTC), call.client_ms, call.server_ms
        network = None if client is None or server is None else client - server
        rows.append((f"{at:%H:%M:%S}", call.method, call.attempt, call.error or "", client, server, network))
    head = ("at", "method", "attempt", "error", "client_ms", "server_ms", "network_ms")
    return figures(head, rows, f"{caption}, times in ms", len(calls) - limit)


def table(
    head: Sequence[Any],
    rows: Iterable[Iterable[Any]],
    caption: str | None = None,
    *,
    hidden: int = 0,
    aligned: bool = False,
) -> Markup:
    """A table of values, numbers to the right, with ``aligned`` decimals; ``hidden`` rows are left out."""
    lines = [[*row] for row in rows]
    columns = [*zip(*lines, strict=True)] or [()] * len(head)
    marks = [_NUMBER if any(map(_is_number, column)) else "" for column in columns]

    def line(cell: Markup, values: Iterable[str]) -> Markup:
        return Markup("<tr>{}</tr> ").format(join(map(cell.format, marks, values), " "))

    more = f"{hidden:,} more rows not shown; .df has all." if hidden > 0 else ""
    return Markup(
        '<div class="b24nb-scroll"><table class="b24nb-table">{}<thead>{}</thead><tbody>{}</tbody></table>{}</div>'
    ).format(
        Markup("<caption>{}</caption> ").format(caption) if caption else "",
        line(_HEAD_CELL, head),
        join(line(_CELL, [_cell(value, aligned=aligned) for value in values]) for values in lines),
        Markup("<p>{}</p>").format(more) if more else "",
    )


def message(
    kind: str, text: str, code: str | None = None, hint: str | None = None, details: Markup | None = None
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
    lines: list[Any] = [Markup("<strong>{}</strong> {}").format(_WORDS[kind], text) if kind in _WORDS else text]
    if code is not None:
        lines.append(Markup("The portal's code: <code>{}</code>").format(code or "(empty)"))
    if hint:
        lines.append(hint)
    content = [Markup("<p>{}</p>").format(line) for line in lines]
    if details:
        content.append(folded("Details", details))
    return Markup('<div class="b24nb-message b24nb-{}" role="status">{}</div>').format(kind, join(content, " "))


def folded_after(rows: Any, make: Callable[[Any], Markup], count: int = 10) -> Iterable[Markup]:
    """A table of the first rows, made by ``make``, and one of the others to open."""
    yield make(rows[:count])
    if len(rows) > count:
        yield folded(f"{len(rows) - count} more", make(rows[count:]))


def folded(title: str, content: Markup) -> Markup:
    """Something to open with a click or a key."""
    return Markup("<details><summary>{}</summary> {}</details>").format(title, content)


def code(text: str, label: str = "") -> Markup:
    """Code or data to read and copy; half a character, which no browser takes, becomes JSON's escape."""
    text = text.encode(errors="backslashreplace").decode()
    aria = Markup(' aria-label="{}"').format(label) if label else ""
    return Markup('<pre class="b24nb-code" tabindex="0"{}>{}</pre>').format(aria, text)


def answer(method: str, envelope: Mapping[str, Any]) -> Markup:
    """The answer of a portal as it came."""
    text = json.dumps(envelope, indent=2, ensure_ascii=False)
    return Markup("<div><code>{}</code> answered</div> {}").format(method, code(text, f"answer of {method}"))


def gauge(label: str, value: float, limit: float, unit: str) -> Markup:
    """How near a limit is, as a bar and in words."""
    words = f"{label}: {value:.0f} of {limit:.0f} {unit}"
    bar = Markup('<progress max="{}" value="{}"></progress>').format(limit or 1, min(max(value, 0), limit))
    return Markup('<div class="b24nb-gauge"><label>{} {}</label></div>').format(words, bar)


def progress(text: str, done: int, total: int) -> Markup:
    """A bar; without a known total it only shows that work goes on."""
    known = Markup(' value="{}" max="{}"').format(done, total) if total else Markup("")
    count = f" {done} of {total}" if total else ""
    return Markup("<label>{}{} <progress{}></progress></label>").format(text, count, known)


REAL = "changes here are real"


def portal_banner(portal: Any) -> Markup:
    """Where calls go and as whom. LIVE can't be taken for SANDBOX: another word, frame and filling."""
    live = portal.kind != "SANDBOX"
    where = "({})" if portal.where.endswith(")") else "{}"
    rights = {True: "administrator", False: "not an administrator", None: "rights unknown"}[portal.admin]
    scopes = "unknown" if portal.scopes is None else ", ".join(portal.scopes) or "none"
    said = f"{portal.user or 'user unknown'} ({rights}), scopes: {scopes}"
    mark = Markup('<span class="b24nb-tag">{}</span>').format
    more = [mark(source) if source.startswith("read-only") else source for source in portal.sources]
    more += [REAL] if live and not portal.read_only else []
    return banner(portal.kind, where.format(portal.place), join((said, *more), "; "), live=live)


def banner(kind: str, where: str, said: str, *, live: bool) -> Markup:
    """A line above all that concerns some portal."""
    return Markup(
        '<div class="b24nb-banner{}"><span class="b24nb-tag">{}</span> <strong>{}</strong>: {}.</div>'
    ).format(" b24nb-live" if live else "", kind, where, said)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, *, aligned: bool = False) -> str:
    """A value as a reader wants it: missing is said, floats are short, times have no fraction."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return "NA"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.1f}" if aligned or abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        value = json.dumps(dict(value), ensure_ascii=False, default=str)
    return visible(value)


def _code(code: str) -> Markup:
    """The code of a badge."""
    return Markup("<code>{}</code>").format(visible(code, code=True))


def _localised(text: str | Mapping[str, str], language: str | None) -> Markup:
    if not isinstance(text, Mapping):
        return escape(visible(text))
    every = visible("; ".join(f"{code}: {words}" for code, words in text.items()))
    more = f" (+{len(text) - 1})" if len(text) > 1 else ""
    return Markup('<span title="{}"><span{}>{}</span>{}</span>').format(every, *_spoken(text, language), more)


def _spoken(text: str | Mapping[str, str], language: str | None) -> tuple[str, str]:
    """The text that a viewer sees, after the attribute with its language."""
    shown, code = pick(text, language)
    return _tag(code), visible(shown)


def _tag(code: str | None) -> str:
    """The ``lang`` attribute, for screen readers and hyphenation, where the language is known."""
    known = spec.LANGUAGES.get(code) if code else None
    return Markup(' lang="{}"').format(known.tag) if known else ""
