"""How long the site takes from a clean copy, and again after one page has changed; without a network.

Targets: 60 s and 15 s. Run it alone on the machine: ``python -m tests.benchmarks.bench_site``.
"""

import tempfile
from pathlib import Path

from tests.benchmarks.measuring import seconds
from tests.docs.conftest import build, copy_sources


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copy_sources(root)
        print(f"from a clean copy      {seconds(lambda: build(root).check_returncode()):5.1f} s (target: at most 60)")
        page = root / "notebooks" / "03-delete.ipynb"
        page.write_text(page.read_text(encoding="utf-8").replace("delete", "remove", 1), encoding="utf-8")
        print(f"after one changed page {seconds(lambda: build(root).check_returncode()):5.1f} s (target: at most 15)")


if __name__ == "__main__":
    main()
