"""The command ``b24nb``: open the walkthroughs, run a sandbox portal, check a connection."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from b24nb._version import __version__
from b24nb.errors import B24Error

LAB_DIRECTORY = "b24nb-walkthroughs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 where all went well.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        0, or 1 after an error, which was written to standard error.
    """
    args, rest = _parser().parse_known_args(argv)
    if rest and args.run is not lab:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    try:
        return int(args.run(args))
    except B24Error as error:
        print(f"b24nb: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="b24nb", description="Explore the badges of a Bitrix24 portal.")
    parser.add_argument("--version", action="version", version=f"b24nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("lab", help="open the walkthroughs in JupyterLab")
    command.add_argument(
        "directory",
        nargs="?",
        default=LAB_DIRECTORY,
        help=f"where your copies live (default: {LAB_DIRECTORY}); other arguments go to JupyterLab",
    )
    command.set_defaults(run=lab)

    command = commands.add_parser("sandbox", help="run a sandbox portal until Ctrl-C")
    command.add_argument("--db", metavar="FILE", help="keep its data in FILE (default: gone when it stops)")
    command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    command.add_argument("--tls", action="store_true", help="https, with a certificate made on the spot")
    command.set_defaults(run=sandbox)

    command = commands.add_parser("doctor", help="is the portal reachable, who am I, how fast is it")
    command.set_defaults(run=doctor)
    return parser


def lab(args: argparse.Namespace) -> int:
    """Copy the walkthroughs that are missing to a directory and open them there."""
    directory = Path(args.directory)
    copied = copy_walkthroughs(directory)
    print(f"Walkthroughs in {directory}/ ({copied} new). They are your copies: edit them as you like.")
    command = [sys.executable, "-m", "jupyterlab", str(directory), *args.rest]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Containers run as root, where JupyterLab wants to be told; it listens on this machine only.
        command.append("--allow-root")
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - JupyterLab takes over, signals included


def copy_walkthroughs(directory: Path) -> int:
    """Copy the walkthroughs that are missing, so that the shipped ones are never edited.

    Parameters
    ----------
    directory : Path
        Made if need be. A file that is there is left alone.

    Returns
    -------
    int
        How many notebooks were copied.
    """
    directory.mkdir(parents=True, exist_ok=True)
    copied = 0
    for source in sorted(_walkthroughs().rglob("*")):
        target = directory / source.relative_to(_walkthroughs())
        if source.is_dir() or target.exists() or ".ipynb_checkpoints" in source.parts:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        copied += source.suffix == ".ipynb"
    return copied


def _walkthroughs() -> Path:
    """In the wheel they lie inside the package, in a checkout beside it."""
    package = Path(str(resources.files("b24nb")))
    inside = package / "walkthroughs"
    return inside if inside.is_dir() else package.parent / "notebooks"


def sandbox(args: argparse.Namespace) -> int:
    """Run a sandbox portal in the foreground."""
    from b24nb.sandbox import SandboxPortal, serve

    def announce(portal: SandboxPortal) -> None:
        print(f"SANDBOX portal on {portal.url} - Ctrl-C stops it. Its secrets open nothing else.")
        print(f"B24_WEBHOOK={portal.webhook}")
        for name, webhook in portal.webhooks.items():
            print(f"# {name}: {webhook}")
        if portal.ca_file:
            print(f"# certificate authority: {portal.ca_file}")
        sys.stdout.flush()

    serve(db=args.db, port=args.port, tls=args.tls, on_ready=announce)
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Connect as a notebook would, and say what was found. Changes nothing."""
    from statistics import median

    from b24nb._connect import connect

    with connect(read_only=True) as b24:
        portal = b24.portal
        print(f"portal   {portal.where}")
        source = portal.credentials_from.replace(".env", str(Path(".env").resolve()))
        print(f"settings {source}{': this is an embedded sandbox portal' if portal.own_sandbox else ''}")
        if portal.read_only_from != "argument":
            print(f"         {portal.read_only_from}: read-only")
        print(f"user     {portal.user or 'unknown'}")
        rights = {True: "administrator: may add and delete badges", None: "unknown"}
        print(f"rights   {rights.get(portal.admin, 'not an administrator: may list and inspect badges')}")
        print(f"scopes   {'unknown' if portal.scopes is None else ', '.join(portal.scopes) or 'none'}")
        print(f"badges   {len(b24.badges.list())}")
        b24.calls.clear()
        for _ in range(5):
            b24.call("server.time")
        times = b24.calls.df["client_ms"]
        print(f"speed    {median(times):.1f} ms per call (median of {len(times)}: server.time)")
        if b24.journal.notice:
            print(f"journal  {b24.journal.notice}")
    return 0
