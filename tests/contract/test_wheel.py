"""The wheel carries the walkthroughs, so that `b24nb lab` works after a plain `pip install`."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.programs import run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_lab_opens_what_came_with_the_wheel_and_no_webhook_travels_with_it(tmp_path: Path) -> None:
    checkout, wheels = tmp_path / "checkout", tmp_path / "wheels"
    for part in ("b24nb", "notebooks"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, checkout)
    for secret in (".env", "badges-before.json"):
        (checkout / "notebooks" / secret).write_text("B24_WEBHOOK=…")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(checkout)]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = wheels.glob("b24nb-*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    walkthroughs = installed / "b24nb" / "walkthroughs"
    shipped = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in walkthroughs.iterdir()} == {*shipped, "images"}
    (walkthroughs / ".env").touch()
    directory = tmp_path / "mine"
    answer = run("lab", str(directory), "--version", PYTHONPATH=str(installed))
    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in directory.iterdir()} == {*shipped, "images"}
    assert f"(new copies: {len(shipped)};" in answer.stdout
