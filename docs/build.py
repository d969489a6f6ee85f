"""Build the site: pages for a browser, and each as plain text beside it; in one process, which starts slowly."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.cmd.build import main

HERE = Path(__file__).parent

if __name__ == "__main__":
    for builder in ("html", "text"):
        options = ["--fail-on-warning", "--keep-going", "--quiet", "-b", builder]
        if status := main([*options, str(HERE), str(HERE / "_build" / "html")]):
            sys.exit(status)
