"""Programs that a test starts: an interpreter of its own, the command, a sandbox in another process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints that runs this code."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command `b24nb`, as a user types it."""
    command = [sys.executable, "-m", "b24nb", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | settings)


@contextmanager
def sandbox_process(*arguments: str) -> Iterator[str]:
    """The webhook of a ``b24nb sandbox`` that runs meanwhile."""
    command = [sys.executable, "-m", "b24nb", "sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            yield process.stdout.readline().strip().removeprefix("B24_WEBHOOK=")
        finally:
            process.terminate()
