"""What ``import b24nb`` costs beside ``import requests``: 21 interleaved fresh interpreters each."""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 21
CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def once(module: str) -> float:
    answer = subprocess.run([sys.executable, "-c", CODE.format(module)], capture_output=True, check=True)
    return float(answer.stdout) * 1000


def main() -> None:
    times: dict[str, list[float]] = {"requests": [], "b24nb": []}
    for _ in range(ROUNDS):
        for module, measured in times.items():
            measured.append(once(module))
    requests_ms, b24nb_ms = (statistics.median(measured) for measured in times.values())
    print(f"import requests {requests_ms:7.1f} ms")
    print(f"import b24nb    {b24nb_ms:7.1f} ms   ratio {b24nb_ms / requests_ms:.2f} (target: at most 1.60)")


if __name__ == "__main__":
    main()
