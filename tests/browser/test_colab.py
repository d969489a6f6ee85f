"""Installing the package where a notebook service has installed its own: nothing of theirs changes."""

import json
import subprocess

import pytest

from tests.browser.environments import ROOT, python_with

#: What Google Colab brings, as far as it concerns us.
COLAB = (
    *("ipywidgets==7.7.1", "notebook==6.5.7", "ipython==7.34.0", "ipykernel==6.17.1", "traitlets==5.7.1"),
    *("pandas==2.2.2", "requests==2.32.4", "tornado==6.5.1", "jinja2==3.1.6", "tqdm==4.67.1"),
    *("platformdirs==4.3.8", "python-dotenv==1.1.1", "typing_extensions==4.14.1", "hatchling>=1.26"),
)

#: Makes an environment: minutes.
pytestmark = pytest.mark.slow


def test_installing_changes_nothing_and_adds_at_most_four_packages() -> None:
    python = python_with("colab", *COLAB)
    install = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--no-build-isolation", "--report", "-", ROOT]
    report = json.loads(subprocess.run(install, capture_output=True, text=True, check=True).stdout)
    listing = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True).stdout
    present = {package["name"].lower() for package in json.loads(listing)}
    added = {package["metadata"]["name"].lower() for package in report["install"]}
    assert "b24nb" in added
    assert added & present == set()
    assert len(added) <= 4, added
