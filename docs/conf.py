"""Settings of the site. ``pages.py`` writes the pages that follow from the code."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from numpydoc.docscrape import ClassDoc
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import pages  # noqa: E402

import b24nb  # noqa: E402

project = "b24nb"
author = "the b24nb authors"
project_copyright = "the b24nb authors, MIT licence"
version = release = b24nb.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
templates_path: list[str] = []
exclude_patterns = ["_build", "templates", "walkthroughs/.ipynb_checkpoints"]
smartquotes = False

nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # the default asks other hosts
myst_heading_anchors = 3
myst_links_external_new_tab = False

add_module_names = False
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "b24nb: Bitrix24 badges in Python"
html_baseurl = os.environ.get("DOCS_URL", "http://127.0.0.1:8000/").rstrip("/") + "/"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_domain_indices = False
# Else the first page that somebody opens logs an error about the theme in the browser.
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "b24nb"},
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "search_bar_text": "Search",
}
html_sidebars = {"index": [], "errors": [], "sandbox": [], "changelog": [], "contributing": []}


def pictures_of_both_themes(app: Sphinx, doctree: nodes.document) -> None:
    """Show the picture of the reader's theme where ``name-light.png`` has a sister ``name-dark.png``."""
    for image in list(doctree.findall(nodes.image)):
        sister = image["uri"].replace("-light.png", "-dark.png")
        if sister != image["uri"] and (Path(doctree["source"]).parent / sister).exists():
            dark = image.deepcopy()
            dark["uri"] = sister
            image["classes"].append("only-light")
            dark["classes"].append("only-dark")
            image.parent.insert(image.parent.index(image) + 1, dark)


def scrollable_by_keyboard(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let Tab reach the outputs that scroll sideways in a narrow column."""
    for raw in doctree.findall(nodes.raw):
        html = raw.astext().replace('<div class="b24nb-scroll">', '<div class="b24nb-scroll" tabindex="0">')
        raw.children = [nodes.Text(html)]


def described(
    app: Sphinx, page: str, template: str, context: dict[str, object], doctree: nodes.document | None
) -> None:
    """Give a page its first paragraph as the description that search engines show."""
    if doctree is None:
        return
    first = next((node.astext() for node in doctree.findall(nodes.paragraph)), html_title)
    context["metatags"] = f"{context.get('metatags', '')}{pages.description(first)}"


def made_by_readers(
    app: Sphinx, what: str, name: str, cls: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Leave out how a class is made where its docstring does not say: the package makes it."""
    if what not in ("class", "exception") or signature is None:
        return None
    doc = ClassDoc(cls)
    described = {parameter.name for part in ("Parameters", "Attributes") for parameter in doc[part]}
    return None if described and described.issuperset(inspect.signature(cls).parameters) else ("", None)


def finished(app: Sphinx, error: Exception | None) -> None:
    """Write the files for machines: a sitemap, and all pages as text."""
    if error is None and app.builder.name == "html":
        pages.write_sitemap(app, html_baseurl)
    if error is None and app.builder.name == "text":
        pages.write_llms(app, html_baseurl)


def setup(app: Sphinx) -> None:
    pages.write(HERE)
    app.connect("doctree-read", pictures_of_both_themes, priority=100)
    app.connect("doctree-resolved", scrollable_by_keyboard)
    app.connect("html-page-context", described)
    app.connect("autodoc-process-signature", made_by_readers, priority=100)
    app.connect("build-finished", finished)
