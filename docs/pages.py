"""The pages that follow from the code: the walkthroughs, the methods, the errors, the reference."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from method_descriptions import METHODS
from names import foreign_base, in_forms, reference
from pygments.lexers import get_lexer_for_filename
from sphinx.application import Sphinx

import b24nb
from b24nb import cli, spec
from b24nb.display.explanations import page_of
from b24nb.display.snippets import TEMPLATES

BLANK = "\n\n"
ROOT = Path(__file__).parents[1]
#: What the samples of the method pages send.
SAMPLES = {"code": "vip", "title": {"en": "Client", "de": "Kunde"}, "value": "VIP", "type": "primary"}


def write(docs: Path) -> None:
    """Write every generated page below ``docs``; a page that is as it was keeps its date."""
    wanted = dict(_walkthroughs()) | dict(_pages(docs / "templates"))
    for name, content in wanted.items():
        path = docs / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    for folder in {name.split("/")[0] for name in wanted if "/" in name}:
        for path in (docs / folder).rglob("*.*"):
            if path.is_file() and path.relative_to(docs).as_posix() not in wanted:
                path.unlink()


def _walkthroughs() -> Iterator[tuple[str, bytes]]:
    """The notebooks as committed, and their pictures."""
    source = ROOT / "notebooks"
    for path in sorted([*source.glob("*.ipynb"), *source.glob("images/*.png")]):
        yield f"walkthroughs/{path.relative_to(source).as_posix()}", path.read_bytes()


def _pages(templates: Path) -> Iterator[tuple[str, bytes]]:
    environment = Environment(  # noqa: S701 - Markdown and reStructuredText, no HTML
        loader=FileSystemLoader(templates), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        anchor=anchor,
        foreign_base=foreign_base,
        in_forms=in_forms,
        is_enumeration=lambda cls: issubclass(cls, Enum),
        literal=lambda text: f"`` {text} ``" if text else "(empty)",
    )

    def page(path: str, template: str, **values: Any) -> tuple[str, bytes]:
        return path, environment.get_template(template).render(values).encode()

    facts: dict[str, list[spec.ErrorFact]] = {}
    for fact in spec.error_facts():
        facts.setdefault(anchor(fact.code), []).append(fact)
    yield page("errors.md", "errors.md.j2", facts=facts)
    exported, met = reference()
    owner = next(name for name in met if name.endswith(".BadgeMethods"))
    for method in METHODS.values():
        params = {parameter.name: SAMPLES[parameter.name] for parameter in method.parameters}
        codes = [
            (title, get_lexer_for_filename(template).aliases[0], b24nb.as_code(method.name, params, flavour))
            for flavour, (title, template) in TEMPLATES.items()
        ]
        yield page(f"methods/{method.name}.md", "method.md.j2", owner=owner, method=method, facts=facts, codes=codes)
    for name, thing in (exported | met).items():
        kind = "module" if inspect.ismodule(thing) else "class" if inspect.isclass(thing) else "function"
        yield page(f"reference/{name}.rst", "reference.rst.j2", name=name, kind=kind, cls=thing)
    yield page("reference/command.rst", "command.rst.j2", helps=dict(_helps()))
    yield page("reference.md", "reference.md.j2", exported=list(exported), met=list(met))


def anchor(code: str) -> str:
    """The anchor of a code on the errors page, as `explain()` and the forms name it."""
    return page_of(code).partition("#")[2]


def _helps() -> Iterator[tuple[str, str]]:
    """What the command says about itself and each of its commands."""
    os.environ["COLUMNS"] = "90"
    commands = re.findall(r"^    (\w+) ", _help(), re.MULTILINE)
    for arguments in ([], *([command] for command in commands)):
        yield " ".join(["b24nb", *arguments]), _help(*arguments)


def _help(*arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        cli.main([*arguments, "--help"])
    return said.getvalue()


def in_order(app: Sphinx) -> list[str]:
    """The pages as the table of contents has them."""
    order, waiting = [], [app.config.root_doc]
    while waiting:
        page = waiting.pop(0)
        order.append(page)
        waiting = [*app.env.toctree_includes.get(page, ()), *waiting]
    return order


def write_sitemap(app: Sphinx, base: str) -> None:
    """Every page, for search engines."""
    urls = "".join(
        f"<url><loc>{escape(base + app.builder.get_target_uri(page))}</loc></url>\n" for page in in_order(app)
    )
    (app.outdir / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )


def write_llms(app: Sphinx, base: str) -> None:
    """``llms.txt``, the list of the pages, and ``llms-full.txt``, all of them; both as plain text."""
    pages = {page: (app.outdir / f"{page}.txt").read_text(encoding="utf-8") for page in in_order(app)}
    lines = [
        f"- [{app.env.titles[page].astext()}]({base}{page}.txt): {_line(text.split(BLANK)[1])}"
        for page, text in pages.items()
    ]
    head = f"# b24nb\n\n> {b24nb.__doc__.splitlines()[0]}\n\n"
    (app.outdir / "llms.txt").write_text(head + "## Pages\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (app.outdir / "llms-full.txt").write_text(head + BLANK.join(pages.values()), encoding="utf-8")


def description(first: str) -> Markup:
    """The first paragraph of a page, for search engines."""
    return Markup('<meta name="description" content="{}">').format(_line(first))


def _line(paragraph: str) -> str:
    return textwrap.shorten(paragraph, 250, placeholder="…")
