"""The wheel carries the walkthroughs, so that `b24nb lab` works after a plain `pip install`."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.programs import run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_lab_opens_what_came_with_the_wheel(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = wheels.glob("b24nb-*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    directory = tmp_path / "mine"
    answer = run("lab", str(directory), "--version", PYTHONPATH=str(installed))
    assert answer.returncode == 0, answer.stderr
    shipped = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in directory.glob("*.ipynb")} == shipped
    assert f"{len(shipped)} new copies" in answer.stdout
    assert (installed / "b24nb" / "walkthroughs").is_dir()
