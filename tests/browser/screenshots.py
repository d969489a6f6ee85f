"""``make screenshots``: pictures of the forms in both themes, and of the sandbox portal's kanban.

They are made from a notebook that runs in a real JupyterLab, against a sandbox portal with its seed data.
"""

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image  # comes with matplotlib
from playwright.sync_api import Browser, FloatRect, expect

import b24nb
from tests.browser.lab import THEMES, Lab, NotebookPage, chromium, jupyterlab, write_notebook
from tests.layers import require_program

IMAGES = Path(__file__).parents[2] / "notebooks" / "images"
#: High enough for any form, so that nothing has to be scrolled; sharp on a screen with small pixels.
WINDOW = {"viewport": {"width": 1020, "height": 3000}, "device_scale_factor": 1.5}
MARGIN = 5
#: Few enough for a small file, enough for text with smooth edges.
COLOURS = 96
START = """
import dataclasses
import b24nb
from b24nb import errors, forms

b24 = b24nb.connect()
live = b24nb.connect()
live.portal = dataclasses.replace(live.portal, kind="LIVE", host="example.bitrix24.com")
for code in ("missedCall", "consent", "documentSigned", "missedCall"):
    b24.badges.get(code)
try:
    b24.badges.get("missedcal")
except errors.NotFound:
    b24.badges.list()
"""
FORMS = {
    "list": "forms.list_form(b24, run=True)",
    "inspect": "forms.inspect_form(b24, 'documentSigned', run=True)",
    "add": "forms.add_form(b24, 'vip', {'en': 'Client', 'de': 'Kunde'}, {'en': 'VIP', 'de': 'Wichtig'})",
    "delete": "forms.delete_form(b24, 'waitingPayment', run=True)",
    "delete-live": "forms.delete_form(live, 'newsletter', run=True)",
    "calls": "forms.calls_form(b24, run=True)",
    "explorer": "forms.explorer(b24, run=True)",
}


def main(directory: Path) -> None:
    """Make all pictures in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as work,
        b24nb.SandboxPortal() as portal,
        chromium(require_program("chromium", "chromium-browser", "google-chrome")) as browser,
        jupyterlab(Path(work) / "lab") as lab,
    ):
        (lab.directory / ".env").write_text(f"B24_WEBHOOK={portal.webhook}\n", encoding="utf-8")
        write_notebook(lab.directory / "forms.ipynb", [START, *FORMS.values()])
        for theme in THEMES:
            picture_forms(browser, lab, theme, directory)
            picture_kanban(browser, portal.url, theme, directory)
    for path in sorted(directory.glob("*.png")):
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


def picture_forms(browser: Browser, lab: Lab, theme: str, directory: Path) -> None:
    """A picture of each form."""
    opened = NotebookPage(browser, lab, **WINDOW)
    opened.open(lab.directory / "forms.ipynb")
    opened.use_theme(theme)
    opened.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    opened.run_all()
    for place, name in enumerate(FORMS, start=1):
        form = opened.output(place)
        if name == "calls":
            form.get_by_role("button", name="Draw chart").click()
            expect(form.get_by_role("img")).to_be_visible()
        keep(form.screenshot(), directory / f"{name}-{theme}.png")
    opened.close()


def picture_kanban(browser: Browser, url: str, theme: str, directory: Path) -> None:
    """A picture of the kanban on the portal's own page."""
    page = browser.new_page(viewport={"width": 1020, "height": 900}, device_scale_factor=1.5, color_scheme=theme)
    page.goto(url)
    below = page.get_by_role("heading", name="Badges").bounding_box()
    assert below, "the table of badges has gone"
    kanban: FloatRect = {"x": 0, "y": 0, "width": 1020, "height": below["y"] - MARGIN}
    keep(page.screenshot(clip=kanban), directory / f"sandbox-kanban-{theme}.png")
    page.close()


def keep(picture: bytes, path: Path) -> None:
    """Write a picture with few colours."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(COLOURS, kmeans=2).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
