"""HTML for all displays; charts and forms add only their own frames.

Escaping depends on the type, as in markupsafe: a ``str`` is text and is escaped, a :class:`Markup` is HTML that was
made here. Each output contains the style rules that it uses, so that it looks right in any place; if a host removes
them, the words are still separated. No output has an id, a script or an address of another site, and the same value
gives the same HTML.

These functions don't use Jinja, whose import would take a tenth of the time until the first table is displayed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from markupsafe import Markup

from b24nb import spec
from b24nb.display.language import language_name, languages_of, pick
from b24nb.display.visible import visible

if TYPE_CHECKING:
    import pandas as pd

#: Escapes a text between tags; also its line breaks, since Markdown takes the lines after the first one for its own.
_IN_CODE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;"})
#: How many rows are shown before those that are collapsed.
_SHOWN_FIRST = 10
#: How many characters of an answer are shown.
_LONGEST = 20_000
_OFTEN_EMPTY = ("error", "detail", "note")
_WORDS = {"done": "Done.", "error": "Error:", "check": "Note:"}


def join(pieces: Iterable[Any], between: str = "") -> Markup:
    """Join pieces of HTML; empty ones are left out, and a ``str`` is escaped."""
    return Markup(between).join(filter(None, pieces))  # noqa: S704 - callers in this package choose `between`


def css(content: str | None = None) -> Markup:
    """The style rules that some HTML uses, for light and dark themes.

    Parameters
    ----------
    content : str, optional
        The HTML. Without it: all rules, for a page whose parts are added later.
    """
    used = {"b24nb", *re.findall(r"b24nb-[\w-]+", content or "")}
    rules = _style_rules()
    if content is not None:
        rules = [rule for rule in rules if used.issuperset(re.findall(r"b24nb[\w-]*", rule.partition("{")[0]))]
    return Markup(f"<style>{''.join(rules)}</style>")  # noqa: S704 - our own file


@lru_cache(maxsize=1)
def _style_rules() -> list[str]:
    """The style sheet, a rule per line, and the colours of the pills."""
    sheet = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8").splitlines()
    pill = ".b24nb-pill-{}{{background:{};color:{}}}".format
    return sheet + [pill(type_, colour.background, colour.readable) for type_, colour in spec.BADGE_COLOURS.items()]


def page(*parts: Any) -> str:
    """One output: the parts, and the style rules that they use."""
    content = join(parts, " ")
    # Else JupyterLab would show a text such as "$5 to $10" as mathematics.
    mathematics = " mathjax_ignore tex2jax_ignore" if "$" in content or "\\" in content else ""
    return str(Markup('{}<div class="b24nb{}">{}</div>').format(css(content), mathematics, content))


def heading(text: str) -> Markup:
    """The title of a form."""
    return Markup("<h3>{}</h3>").format(text)


def paragraph(text: str) -> Markup:
    """A text in a line of its own."""
    return Markup("<p>{}</p>").format(text)


def pill(text: str | Mapping[str, str], type: str, language: str | None = None) -> Markup:
    """A value as the kanban shows it. The style sheet makes it upper case; the text itself is not changed.

    Parameters
    ----------
    text : str or mapping
        One text, or a map language -> text.
    type : str
        The type of the badge; an unknown one is grey, as on a portal.
    language : str, optional
        The language of the viewer.
    """
    colour = type if str(type) in spec.BADGE_COLOURS else spec.BadgeType.SECONDARY
    # The style sheet hides the brackets. Without it they distinguish a pill from a plain text.
    shown = Markup('<span class="b24nb-pill b24nb-pill-{}"{}><span>[</span>{}<span>]</span></span>')
    return shown.format(str(colour), *_picked(text, language))


def card(head: Any, rows: Iterable[tuple[str, Any]]) -> Markup:
    """A box with a heading and labelled values."""
    fields = join((Markup("<dt>{}</dt> <dd>{}</dd>").format(label, _cell(value)) for label, value in rows), " ")
    return Markup('<div class="b24nb-card"><div>{}</div> <dl>{}</dl></div>').format(head, fields)


def badge_card(badge: Any, language: str | None = None, note: str = "") -> Markup:
    """A badge as a portal shows it, title and pill, with its fields and all languages below."""
    rows: list[tuple[str, Any]] = [("code", _code(badge.code)), ("type", badge.type)]
    for name, text in (("title", badge.title), ("value", badge.value)):
        if isinstance(text, Mapping):
            spoken = Markup("<span{}>{}</span>").format
            rows += [(f"{name}, {visible(code)}", spoken(_tag(code), visible(words))) for code, words in text.items()]
        else:
            rows.append((name, text))
    rows += [("note", note)] if note else []
    head = Markup("<div{}>{}</div> {}").format(*_picked(badge.title, language), pill(badge.value, badge.type, language))
    return card(head, rows)


def badges_table(badges: Sequence[Any], language: str | None = None, limit: int = 200, caption: str = "") -> Markup:
    """Badges as a table; for a text in several languages it shows one, and how many more there are."""
    rows = [
        (*badge_cells(badge, language), badge.type, ", ".join(languages_of(badge.title, badge.value)))
        for badge in badges[:limit]
    ]
    head = ("badge", "code", "title", "type", "languages")
    return table(head, rows, caption or f"Badges: {len(badges)}", hidden=len(badges) - len(rows))


def badge_cells(badge: Any, language: str | None = None) -> tuple[Markup, Markup, Markup]:
    """A badge in a row of a table: pill, code, and title with the note."""
    title = join([_localised(badge.title, language), badge.note and f"({badge.note})"], " ")
    return pill(badge.value, badge.type, language), _code(badge.code), title


def viewers_table(badge: Any) -> Markup:
    """What the portal shows to viewers in each language of a badge, and to all other viewers."""
    codes = languages_of(badge.title, badge.value)
    viewers = [*((language_name(code), code) for code in codes), ("any other" if codes else "any", "")]
    rows = ((name, pick(badge.title, code)[0], pill(badge.value, badge.type, code)) for name, code in viewers)
    caption = "What the portal shows"
    last = spec.FALLBACK_LANGUAGE
    if any(isinstance(text, Mapping) and text and not text.get(last) for text in (badge.title, badge.value)):
        caption += f"; other viewers may see the number of languages, since a text lacks {language_name(last)}"
    return table(("viewer's language", "title", "pill"), rows, caption)


def holders_table(plan: Any, rows: Sequence[Mapping[str, str]], *, links: bool = False, hidden: int = 0) -> Markup:
    """Activities that name a badge: some rows of a plan's ``holders``, and what the plan would do to each."""
    first = 0 if len({row["code"] for row in plan.holders}) > 1 else 1  # the code, if there are several
    actions = plan.actions

    def cells(row: Mapping[str, str]) -> Sequence[str]:
        place = visible(f"{row['owner_type']} {row['owner_id']}")
        if links and row["link"]:
            # Opens in a new tab. The address was made in this package, not by a portal.
            opener = Markup('<a class="b24nb-link" href="{}" target="_blank" rel="noopener">{}</a>')
            place = opener.format(row["link"], place)
        certainty = row["certainty"] if row["certainty"] == "likely" else f"{row['certainty']}: {row['reason']}"
        does = actions.get(row["activity_id"], "do nothing")
        owner = join([place, visible(row["title"])], " ")
        return (_code(row["code"]), row["activity_id"], owner, row["subject"], certainty, does)[first:]

    head = ("code", "activity", "belongs to", "subject", "holds it?", "release would")[first:]
    return table(head, map(cells, rows), "Open activities that name it", hidden=hidden)


def changes_table(changes: Sequence[tuple[str, str, Any, Any, str]], caption: str, hidden: int = 0) -> Markup:
    """Changes as a table: a sign, the code, the badge before and after, and a note."""

    def shown(badge: Any) -> str:
        if not hasattr(badge, "type"):  # None, or an activity
            return ""
        return join((pill(badge.value, badge.type), _localised(badge.title, None)), " ")

    rows = [(sign, _code(code), shown(before), shown(after), note) for sign, code, before, after, note in changes]
    return table(("", "code", "before", "after", "note"), rows, caption, hidden=hidden)


def frame(df: pd.DataFrame, caption: str = "", limit: int = 50) -> Markup:
    """The first rows of any DataFrame, without columns for errors and notes that are empty."""
    head, rows = values_of(df.head(limit))
    nothing = [("",) if name in _OFTEN_EMPTY else () for name in head]
    return table(*_filled(head, rows, nothing), caption, hidden=len(df) - limit)


def values_of(df: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    """Names and rows of a DataFrame as plain values, ``None`` for NA; with its index, unless that only counts rows."""
    from pandas import RangeIndex

    full = df if isinstance(df.index, RangeIndex) else df.reset_index(allow_duplicates=True)
    return [str(name) for name in full], full.astype(object).where(full.notna(), None).to_numpy().tolist()


def figures(head: Sequence[str], rows: Sequence[Sequence[Any]], caption: str, hidden: int = 0) -> Markup:
    """A table with aligned decimals, without the columns that are empty or 0 in all rows."""
    nothing = [(None, "", 1 if name == "attempt" else 0) for name in head]
    return table(*_filled(head, rows, nothing), caption, hidden=hidden, aligned=True)


def _filled(head: Sequence[str], rows: Sequence[Sequence[Any]], nothing: Sequence[Any]) -> tuple[Any, Any]:
    """Names and rows without the columns that hold ``nothing``."""
    columns = [place for place, none in enumerate(nothing) if not (none and all(row[place] in none for row in rows))]
    return [head[place] for place in columns], [[row[place] for place in columns] for row in rows]


def clock_times(times: Sequence[datetime]) -> list[str]:
    """Times of day; with their dates if they are of several days."""
    form = "%H:%M:%S" if len({at.date() for at in times}) < 2 else "%Y-%m-%d %H:%M:%S"
    return [f"{at:{form}}" for at in times]


def calls_table(calls: Sequence[Any], caption: str, limit: int) -> Markup:
    """Calls, newest first."""
    shown = sorted(calls[-limit:], key=lambda call: call.at)[::-1]  # the log has them by the time of their end
    times = clock_times([datetime.fromtimestamp(call.at, UTC) for call in shown])
    rows = []
    for at, call in zip(times, shown, strict=True):
        client, server = call.client_ms, call.server_ms
        network = None if client is None or server is None else client - server
        error = "(empty code)" if call.error == "" else call.error or ""
        rows.append((at, call.method, call.attempt, error, client, server, network))
    head = ("at, UTC", "method", "attempt", "error", "client_ms", "server_ms", "network_ms")
    return figures(head, rows, f"{caption}, times in ms", len(calls) - limit)


def table(
    head: Sequence[Any], rows: Iterable[Iterable[Any]], caption: str = "", *, hidden: int = 0, aligned: bool = False
) -> Markup:
    """A table of values, with numbers to the right; ``aligned``: with one decimal each; ``hidden``: rows not shown.

    Without rows only the caption is shown.
    """
    if not (lines := [[*row] for row in rows]):
        return paragraph(caption) if caption else Markup()
    numeric = [any(map(_is_number, column)) for column in zip(*lines, strict=True)]
    marks = [Markup(' class="b24nb-number"') if yes else "" for yes in numeric]

    def line(cell: Markup, values: Iterable[str]) -> Markup:
        return Markup("<tr>{}</tr> ").format(join(map(cell.format, marks, values), " "))

    more = paragraph(f"{hidden:,} more rows not shown; the DataFrame has all.") if hidden > 0 else ""
    title = Markup("<caption>{}</caption> ").format(caption) if caption else ""
    names = line(Markup('<th scope="col"{}>{}</th>'), head)
    cell = Markup("<td{}>{}</td>")
    body = join(line(cell, [_cell(value, aligned=aligned) for value in values]) for values in lines)
    shown = Markup('<table class="b24nb-table">{}<thead>{}</thead><tbody>{}</tbody></table>').format(title, names, body)
    return Markup('<div class="b24nb-scroll">{}{}</div>').format(shown, more)


class Message(NamedTuple):
    """One sentence for the user, and what to do next. Displayed as HTML.

    Attributes
    ----------
    kind : {"done", "error", "check", "note"}
        Its first word; the colour of the line beside it means the same.
    text : str
        What happened.
    code : str, optional
        The vendor's code, verbatim.
    hint : str, optional
        What to do next.
    details : str, optional
        Shown below, collapsed.
    """

    kind: Literal["done", "error", "check", "note"]
    text: str
    code: str | None = None
    hint: str | None = None
    details: str | None = None

    def __html__(self) -> str:
        word = _WORDS.get(self.kind)
        said = Markup("<strong>{}</strong> {}").format(word, self.text) if word else self.text
        coded = self.code is not None and Markup("Error code: <code>{}</code>").format(self.code or "(empty)")
        content = [paragraph(line) for line in (said, coded, self.hint) if line]
        content += [collapsed("Details", paragraph(self.details))] if self.details else []
        shown = Markup('<div class="b24nb-message b24nb-{}" role="status">{}</div>')
        return shown.format(self.kind, join(content, " "))


def collapsed_after(rows: Any, make: Callable[[Any], Markup]) -> Iterable[Markup]:
    """A table of the first rows, made by ``make``, and a collapsed one of the others."""
    yield make(rows[:_SHOWN_FIRST])
    if len(rows) > _SHOWN_FIRST:
        yield collapsed(f"{len(rows) - _SHOWN_FIRST} more", make(rows[_SHOWN_FIRST:]))


def collapsed(title: str, content: Markup) -> Markup:
    """Collapsed content that a click or a key opens."""
    return Markup("<details><summary>{}</summary> {}</details>").format(title, content)


def code(text: str, label: str) -> Markup:
    """Code or data to read and copy; a lone surrogate, which no browser can receive, becomes its JSON escape."""
    body = Markup(text.encode(errors="backslashreplace").decode().translate(_IN_CODE))  # noqa: S704 - so it is escaped
    return Markup('<pre class="b24nb-code" tabindex="0" aria-label="{}">{}</pre>').format(label, body)


def answer(method: str, envelope: Mapping[str, Any]) -> Markup:
    """The answer of a portal as JSON."""
    text = json.dumps(envelope, indent=2, ensure_ascii=False)
    more = f"\n… {len(text) - _LONGEST:,} more characters; .raw has all" if len(text) > _LONGEST else ""
    shown = code(text[:_LONGEST] + more, f"answer of {method}")
    return Markup("<div><code>{}</code> answered</div> {}").format(method, shown)


def shortened(text: str) -> str:
    """The beginning of a text for a cell, since one value must not make an output too large for a notebook."""
    return text if len(text) <= 200 else f"{text[:200]}…"


def counted(number: int, noun: str) -> str:
    """``1 badge``, ``10,000 badges``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def gauge(label: str, value: float, limit: float, unit: str) -> Markup:
    """How near a limit is, as a bar and as text."""
    words = f"{label}: {f'{value:.1f}'.removesuffix('.0')} of {limit:.0f} {unit}"
    bar = Markup('<progress max="{}" value="{}"></progress>').format(limit or 1, min(max(value, 0), limit))
    return Markup('<div class="b24nb-gauge"><label>{} {}</label></div>').format(words, bar)


def progress(text: str, done: int, total: int) -> Markup:
    """A progress bar; without a known total it only shows that work is running."""
    known = Markup(' value="{}" max="{}"').format(done, total) if total else Markup("")
    count = f" {done} of {total}" if total else ""
    return Markup("<label>{}{} <progress{}></progress></label>").format(text, count, known)


def portal_banner(portal: Any) -> Markup:
    """Where calls go, and as which user. LIVE differs from SANDBOX by the word, the border and the background."""
    mark = Markup('<span class="b24nb-tag">{}</span>').format
    more = [mark(source) if source.startswith("read-only") else source for source in portal.sources]
    where = portal.where.removeprefix(f"{portal.kind} ")
    return banner(portal.kind, where, join((portal.who, *more), "; "), read_only=portal.read_only)


def banner(kind: str, where: str, said: str, *, read_only: bool) -> Markup:
    """The line at the top of a display that says which portals it is about; ``kind``: LIVE, SANDBOX or both."""
    live = "LIVE" in kind
    said += "; changes here are real" if live and not read_only else ""
    line = Markup('<div class="b24nb-banner{}"><span class="b24nb-tag">{}</span> <strong>{}</strong>: {}.</div>')
    return line.format(" b24nb-live" if live else "", kind, where, said)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, *, aligned: bool = False) -> str:
    """A value for a cell: ``None`` is NA, floats are rounded, times have no fraction."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return "NA"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S %Z}".rstrip()
    if isinstance(value, float):
        return f"{value:,.1f}" if aligned or abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        value = json.dumps(dict(value), ensure_ascii=False, default=str)
    return visible(value)


def _code(code: str) -> Markup:
    """The code of a badge."""
    return Markup("<code>{}</code>").format(visible(code, code=True))


def _localised(text: str | Mapping[str, str], language: str | None) -> str:
    if not isinstance(text, Mapping):
        return visible(text)
    every = visible("; ".join(f"{code}: {words}" for code, words in text.items()))
    more = f" (+{len(text) - 1})" if len(text) > 1 else ""
    return Markup('<span title="{}"><span{}>{}</span>{}</span>').format(every, *_picked(text, language), more)


def _picked(text: str | Mapping[str, str], language: str | None) -> tuple[str, str]:
    """The attribute ``lang`` and the text for a viewer of this language."""
    shown, code = pick(text, language)
    return _tag(code), visible(shown)


def _tag(code: str | None) -> str:
    """The ``lang`` attribute, for screen readers and hyphenation; empty if the language is not known."""
    known = spec.LANGUAGES.get(code or "")
    return Markup(' lang="{}"').format(known.tag) if known else ""
