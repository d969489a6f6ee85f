"""Is what a page shows readable, and does it make sense to somebody who can't see it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Locator

from tests.layers import require

if TYPE_CHECKING:
    from tests.browser.lab import NotebookPage

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
#: For text of normal size, WCAG 2.1 level AA.
READABLE = 4.5
RUN_AXE = """async (root, contrast) => {
  const rules = { "color-contrast": { enabled: contrast } };
  const answer = await axe.run(root, { resultTypes: ["violations"], rules });
  return answer.violations.flatMap((rule) => rule.nodes.map((node) =>
    ({ rule: rule.id, impact: node.impact, help: rule.help, html: node.html.slice(0, 300) })));
}"""


def unfold(root: Locator) -> None:
    """Open what is folded, so that it is looked at as well."""
    root.evaluate("root => root.querySelectorAll('details').forEach((folded) => { folded.open = true; })")


def sights(root: Locator) -> list[dict[str, Any]]:
    """Every visible text below an element: text, tag, inactive, colours, and its contrast to what is behind it."""
    return root.evaluate((HERE / "contrast.js").read_text(encoding="utf-8"))


def hard_to_read(root: Locator) -> list[str]:
    """Texts below an element that are too faint, in words; there has to be some text at all."""
    found = sights(root)
    assert found, "there is no text"
    return [
        f"{sight['contrast']:.2f}: {sight['text']!r} ({sight['colours']})"
        for sight in found
        if sight["contrast"] < READABLE and not sight["inactive"]
    ]


def faint(opened: NotebookPage, root: Locator) -> list[str]:
    """The same in the dark and in the light theme of JupyterLab; the light one stays."""
    found = []
    for theme in ("dark", "light"):
        opened.use_theme(theme)
        found += hard_to_read(root)
    return found


def barriers(root: Locator, *, contrast: bool = True) -> list[dict[str, Any]]:
    """What axe finds serious or critical below an element: rule, impact, help, html.

    ``contrast``: whether it measures that, too; :func:`hard_to_read` is quicker.
    """
    require(AXE.exists(), "axe-core (npm ci --prefix tests/browser)")
    page = root.page
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=AXE)
    return [barrier for barrier in root.evaluate(RUN_AXE, contrast) if barrier["impact"] in ("serious", "critical")]
