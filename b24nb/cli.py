"""The command ``b24nb``: open the walkthroughs, run a sandbox portal, check a connection."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from b24nb import lab
from b24nb._version import __version__
from b24nb.errors import B24Error, InvalidInput
from b24nb.secret import mask_address, redact


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        0, or 1 after an error, which was written to standard error in one line.

    Raises
    ------
    SystemExit
        2 for wrong arguments, also with one line on standard error; 0 after ``--help``.
    """
    if isinstance(sys.stdout, TextIOWrapper):  # a character that the console can't show must not raise an error
        sys.stdout.reconfigure(errors="backslashreplace")  # as on standard error by Python itself
    argv = sys.argv[1:] if argv is None else argv
    try:
        if any(mask_address(one) != one for one in argv):
            raise InvalidInput("An argument holds a secret.", hint="Put it into B24_WEBHOOK, or into a file .env.")
        if argv[:1] == ["lab"] and not {"-h", "--help"} & {*argv}:
            return lab.run(argv[1:])  # not parsed here, since the options are JupyterLab's
        args = _parser().parse_args(argv)
        code = int(args.run(args))
        print(end="", flush=True)
        return code
    except BrokenPipeError:  # the reader has ended, as `| head -1` does; Python would say so when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (B24Error, ImportError, OSError, RuntimeError, ValueError) as error:
        gone = str(error) == "[Errno 2] No such file or directory"  # only os.getcwd() names no file
        print("b24nb:", *("The working directory was deleted." if gone else str(error)).split(), file=sys.stderr)
    except KeyboardInterrupt:
        print("b24nb: interrupted", file=sys.stderr)
    return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print one line that names ``--help``; argparse itself would also print the whole usage."""
        self.exit(2, f"{self.prog}: {redact(message)} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="b24nb", description="Explore the badges of a Bitrix24 portal.")
    parser.add_argument("--version", action="version", version=f"b24nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    usage = "b24nb lab [-h] [DIRECTORY] [OPTION OF JUPYTERLAB ...]"
    command = commands.add_parser("lab", help="open the walkthroughs in JupyterLab", usage=usage)
    where = f"where your copies live (default: {lab.DIRECTORY}); before all options, which go to JupyterLab"
    command.add_argument("directory", nargs="?", metavar="DIRECTORY", help=where)

    command = commands.add_parser("sandbox", help="run a sandbox portal until Ctrl-C")
    command.add_argument("--db", metavar="FILE", help="keep its data in FILE (default: gone when it stops)")
    command.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    command.add_argument("--tls", action="store_true", help="https, with a certificate made at start")
    command.set_defaults(run=sandbox)

    command = commands.add_parser("doctor", help="is the portal reachable, who am I, how fast is it")
    command.set_defaults(run=doctor)
    return parser


def sandbox(args: argparse.Namespace) -> int:
    """Run a sandbox portal in the foreground."""
    from b24nb.sandbox import SandboxPortal, serve

    def announce(portal: SandboxPortal) -> None:
        print(f"SANDBOX portal on {portal.url} - Ctrl-C stops it. Its secrets are valid for this sandbox only.")
        others = [f"# {name}: {webhook}" for name, webhook in portal.webhooks.items()]
        others += [f"# certificate authority: {portal.ca_file}"] if portal.ca_file else []
        print(f"B24_WEBHOOK={portal.webhook}", *others, sep="\n", flush=True)

    serve(db=args.db, port=args.port, tls=args.tls, on_ready=announce)
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Connect as a notebook would, and print facts about the portal. Changes nothing."""
    from pathlib import Path

    from b24nb._connect import connect
    from b24nb._settings import WEBHOOK, read_settings
    from b24nb.badges.journal_store import default_journal_path
    from b24nb.credentials import Webhook

    with suppress(InvalidInput):  # connecting says what is wrong
        if setting := read_settings().get(WEBHOOK):  # printed first, since connecting may fail because of it
            source = setting.source.replace(".env", str(Path(".env").resolve()))
            print(f"settings {source}: {Webhook.parse(setting.value).masked}", flush=True)
    with connect() as b24:
        portal = b24.portal
        if portal.own_sandbox:
            print(f"settings {portal.credentials_from}, also not in {Path('.env').resolve()}: a sandbox portal")
        print(f"portal   {portal}")
        print(f"badges   {len(b24.badges.list())}")
        b24.calls.clear()
        for _ in range(5):
            b24.call("server.time")
        times = b24.calls.df.query("outcome == 'ok'")["client_ms"]
        print(f"speed    {times.median():.1f} ms per call (median of {len(times)}: server.time)")
        if b24.journal.notice:
            print(f"journal  {b24.journal.notice}")
        elif portal.kind == "LIVE":
            path = default_journal_path(portal.host)
            there = next(one for one in (path, *path.parents) if one.exists())
            if not os.access(there, os.W_OK):
                print(f"journal  {path} can't be written, so no change will be sent: connect(journal=…) sets another")
    return 0
