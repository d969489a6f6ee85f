"""A real JupyterLab in a real chromium: start both, open a notebook, run it, read what it says.

Nothing here waits for a fixed time. The application itself is asked whether a kernel is idle: the word
in the toolbar says so before a kernel is attached, and running cells then opens a dialog.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from b24nb.credential_checks import is_loopback

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
START_SECONDS = 120
STOP_SECONDS = 10
#: For one step of a page; a busy machine is not a broken form.
PATIENCE_MS = int(os.environ.get("BROWSER_PATIENCE_MS", "20000"))
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
SETTINGS: dict[str, dict[str, Any]] = {
    "notification": {"checkForUpdates": False, "doNotDisturbMode": True, "fetchNews": "false"},
    "themes": {"theme": THEMES["light"]},
}
#: Not async: a promise would count as true at once.
IDLE = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext;
  const kernel = session?.isReady && session.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""
#: A user expression: the cell counter does not move and nothing is printed.
EVALUATE = """async (expression) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const answer = await kernel.requestExecute(
    { code: "", store_history: false, user_expressions: { it: expression } }).done;
  const it = answer.content.user_expressions.it;
  return it.status === "ok" ? it.data["text/plain"] : `${it.ename}: ${it.evalue}`;
}"""
ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets
  .flatMap((cell) => cell.model.type === "code" ? cell.model.sharedModel.getOutputs() : [])
  .filter((output) => output.output_type === "error")
  .map((output) => `${output.ename}: ${output.evalue}`)"""
#: Only one notebook is open in a page.
OPEN = """async (path) => {
  const app = window.jupyterapp;
  const opened = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
  for (const widget of [...app.shell.widgets("main")]) if (widget !== opened) widget.dispose();
  app.shell.activateById(opened.id);
}"""
LEAVE = """async () => {
  const app = window.jupyterapp;
  await app.shell.currentWidget.sessionContext.shutdown();
  app.shell.currentWidget.dispose();
  app.shell.expandLeft();
}"""
SHOW_THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
VIEWPORT: Any = {"width": 1280, "height": 900}
RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"


class Lab:
    """A running JupyterLab; see :func:`jupyterlab`."""

    #: The kernel ``python3`` of a server is the Python that runs the server.
    python = sys.executable
    module = "jupyterlab"
    application = "LabApp"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / ".lab"
        #: Kernels listen on sockets in it, whose paths may have at most 107 characters.
        self.runtime = Path(tempfile.mkdtemp(prefix="lab-"))
        self.log = self.state / "lab.log"
        self.url = self.token = ""

    def environment(self) -> dict[str, str]:
        """That of this process, without settings of the developer that would reach lab or kernels."""
        ours = re.compile("B24_|JUPYTER|IPYTHON|.*_proxy$", re.IGNORECASE)
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
        folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        state = {name: str(self.state / folder) for name, folder in folders.items()}
        return kept | state | {"JUPYTER_RUNTIME_DIR": str(self.runtime), "XDG_DATA_HOME": str(self.state / "user-data")}

    def command(self) -> list[str]:
        """What starts the server."""
        return [
            self.python,
            *("-m", self.module, "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={self.directory}"),
            *("--ServerApp.terminals_enabled=False", "--LabApp.extension_manager=readonly"),
            f"--{self.application}.expose_app_in_browser=True",
            "--KernelManager.transport=ipc",  # a port that was free may be taken when the kernel wants it
        ]

    def address(self, name: str) -> str:
        """Where a notebook of the directory is opened."""
        return f"{self.url}/lab/tree/{name}?reset&token={self.token}"

    def find(self, pid: int) -> bool:
        """Take down where the server listens, once it does: it writes port and token to its runtime directory."""
        with suppress(OSError, ValueError):
            found = json.loads((self.runtime / f"jpserver-{pid}.json").read_text(encoding="utf-8"))
            self.url, self.token = found["url"].rstrip("/"), found["token"]
        return bool(self.url)


class Notebook7(Lab):
    """The same server with the application that shows one notebook at a time."""

    module = "notebook"
    application = "JupyterNotebookApp"

    def address(self, name: str) -> str:
        return f"{self.url}/notebooks/{name}?token={self.token}"


class Voila(Lab):
    """Notebooks as pages: no code, no cells, no menus."""

    module = "voila"

    def command(self) -> list[str]:
        with socket.create_server(("127.0.0.1", 0)) as free:  # it would not say which port it took by itself
            port = free.getsockname()[1]
        return [self.python, "-m", "voila", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", "."]

    def address(self, name: str) -> str:
        return f"{self.url}/voila/render/{name}"

    def find(self, pid: int) -> bool:
        if found := re.search(r"http://127\.0\.0\.1:\d+", self.log.read_text()):
            self.url = found[0]
        return bool(self.url)


@contextmanager
def jupyterlab(directory: Path, kind: type[Lab] = Lab) -> Iterator[Lab]:
    """A JupyterLab with this root directory, on a free port, with settings and state of its own."""
    lab = kind(directory)
    chosen = lab.state / "settings" / "@jupyterlab" / "apputils-extension"
    chosen.mkdir(parents=True)
    for plugin, settings in SETTINGS.items():
        (chosen / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings), encoding="utf-8")
    with lab.log.open("wb") as log:
        # In a session of its own, lab and kernels end together, and nothing else does.
        where: dict[str, Any] = {"cwd": directory, "env": lab.environment(), "start_new_session": True}
        server = subprocess.Popen(lab.command(), stdout=log, stderr=subprocess.STDOUT, **where)
        try:
            _wait_until_it_answers(lab, server)
            yield lab
        finally:
            _stop(server)
            shutil.rmtree(lab.runtime, ignore_errors=True)


def _wait_until_it_answers(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not lab.find(server.pid):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{lab.module} did not start:\n{lab.log.read_text()[-3000:]}")
        time.sleep(0.05)


def _stop(server: subprocess.Popen[bytes]) -> None:
    for end in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, end)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
            return


@contextmanager
def chromium(program: str) -> Iterator[Browser]:
    """The installed chromium, without a window."""
    expect.set_options(timeout=PATIENCE_MS)
    flags = ["--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # chromium refuses to start as root otherwise
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


class NotebookPage:
    """A notebook, open in a browser of its own with nothing remembered from others.

    Parameters
    ----------
    browser, lab
        Where to open it.
    **context
        As for ``Browser.new_context``.

    Attributes
    ----------
    page : Page
        For ``get_by_role`` and ``get_by_label``.
    messages : list of str
        Everything that the browser's console got, and errors that nobody caught.
    path : Path
        The notebook that is open.
    outside : list of str
        Addresses beyond this machine that the page asked for.
    """

    def __init__(self, browser: Browser, lab: Lab, **context: Any) -> None:
        self.lab = lab
        self.messages: list[str] = []
        self.outside: list[str] = []
        context = {"viewport": VIEWPORT} | context
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        self.messages.append(f"{message.type}: {message.text}")

    def _asked(self, url: str) -> None:
        host = urlsplit(url).hostname  # None for data: and blob:
        if host and not is_loopback(host):
            self.outside.append(url)

    def open(self, path: Path, *, kernel: bool = True) -> None:
        """Open a notebook of the lab's directory and wait until its kernel is idle, or choose none."""
        self.path = path
        name = path.relative_to(self.lab.directory).as_posix()
        if kernel and self.page.evaluate("() => Boolean(window.jupyterapp)"):
            self.page.evaluate(OPEN, name)
        else:
            self.page.goto(self.lab.address(name))
        if kernel:
            self.page.wait_for_function(IDLE)
        else:  # JupyterLab asks, where it has no kernel of the notebook's language
            self.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()

    def run_all(self) -> None:
        """Run all cells and return when they have run; an error in one of them is raised."""
        self.page.evaluate(RUN)
        if errors := self.page.evaluate(ERRORS):
            raise AssertionError(f"a cell failed: {errors}")

    def evaluate(self, expression: str) -> str:
        """The ``repr`` of a Python expression in the kernel, or its error."""
        return str(self.page.evaluate(EVALUATE, expression))

    def output(self, place: int) -> Locator:
        """The last thing that a cell shows below its code, the first cell being 0, the last -1."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".jp-OutputArea-output").last

    @property
    def shown(self) -> Locator:
        """What the last cell shows. JupyterLab around it has labels and buttons, too."""
        return self.output(-1)

    def keep(self, name: str) -> None:
        """Keep a picture, the console and the lab's log of a test that failed."""
        directory = ARTIFACTS / name
        directory.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=directory / "page.png")
        (directory / "console.txt").write_text("\n".join(self.messages), encoding="utf-8")
        (directory / "lab.log").write_bytes(self.lab.log.read_bytes())

    def use_theme(self, theme: str) -> None:
        """Show what is open in this theme, ``light`` or ``dark``."""
        self.page.evaluate(SHOW_THEME, THEMES[theme])
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=THEMES[theme])

    def leave(self) -> bool:
        """End the kernel and leave the page to another notebook, if it can be used again."""
        if isinstance(self.lab, Notebook7):  # it opens another notebook in a page of its own
            return False
        with suppress(Exception):  # it went elsewhere
            self.page.evaluate(LEAVE)
            self.page.set_viewport_size(VIEWPORT)
            self.messages.clear()
            self.outside.clear()
            return True
        return False

    def close(self) -> None:
        """End the kernel and close the page."""
        with suppress(Exception):  # a page that never got as far as a kernel
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.context.close()


def tab_to(page: Page, target: Locator, *, at_most: int = 60) -> None:
    """Press Tab until ``target`` has the focus, as somebody without a mouse does."""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{at_most} times Tab did not reach {target}")


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook with these code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
