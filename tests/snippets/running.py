"""Each flavour by the program that it is written for, against a sandbox portal over TLS."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import b24nb
from b24nb.display.snippets import PLACEHOLDERS, Code
from tests.layers import require, require_program

HERE = Path(__file__).parent
STANDINS = HERE / "standins"


def run(code: Code, portal: b24nb.SandboxPortal, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a snippet as a reader would, with the placeholders filled in."""
    text = filled(code, portal)
    program = {
        "curl": _bash,
        "curl-oauth": _bash,
        "js": _node,
        "js-umd": _page,
        "bx24js": _application,
        "php": _php,
        "crest": _php,
        "python": _python,
        "b24pysdk": _python,
    }[code.flavour](text, directory)
    certificates = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
    environment = os.environ | dict.fromkeys(certificates, str(portal.ca_file)) | {"WEBHOOK": portal.webhook}
    return subprocess.run(
        program, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def filled(code: str, portal: b24nb.SandboxPortal) -> str:
    """A snippet with this portal's address and secrets; each placeholder stands where it should."""
    webhook = urlsplit(portal.webhook)
    values = dict(portal.oauth) | {"host": webhook.netloc, "webhook": webhook.path.removeprefix("/rest/").rstrip("/")}
    for name, placeholder in PLACEHOLDERS.items():
        code = code.replace(placeholder, str(values[name]))
    return str(code)


def _bash(text: str, directory: Path) -> list[str]:
    require_program("curl")
    if "curl.exe" in text:  # bash has the same texts in quotes, but for the quote itself
        text = f"printf %s {text}".replace("`\n", "\\\n").replace("curl.exe", "curl").replace("''", "'\\''")
    return [require_program("bash"), "-euc", text]


def _python(text: str, directory: Path) -> list[str]:
    return [sys.executable, "-c", text]


def require_packages() -> None:
    """The packages of the lock file."""
    require((HERE / "node_modules").is_dir(), "tests/snippets/node_modules (npm ci --prefix tests/snippets)")


def _node(text: str, directory: Path) -> list[str]:
    require_packages()
    (directory / "node_modules").symlink_to(HERE / "node_modules")
    return _module(text, directory)


def _module(text: str, directory: Path) -> list[str]:
    program = require_program("node")
    script = directory / "snippet.mjs"
    script.write_text(text, encoding="utf-8")
    return [program, str(script)]


def _page(text: str, directory: Path) -> list[str]:
    """The module of a page that has loaded the library before it."""
    require_packages()
    library, script = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    assert library[0].endswith('/umd/index.min.js"')
    return _module(f"import {str(STANDINS / 'umd.mjs')!r}\n{script[1]}", directory)


def _application(text: str, directory: Path) -> list[str]:
    return _module(f"import {str(STANDINS / 'bx24.mjs')!r}\n{text}", directory)


def _php(text: str, directory: Path) -> list[str]:
    program = require_program("php")
    for name in ("vendor", "crest.php"):
        (directory / name).symlink_to(STANDINS / name)
    script = directory / "snippet.php"
    script.write_text(text, encoding="utf-8")
    subprocess.run([program, "-l", str(script)], capture_output=True, check=True, timeout=60)
    return [program, str(script)]
