"""``make notebooks``: run the walkthroughs (all, or those named) and keep their outputs."""

import sys

from tests.notebooks.runner import WALKTHROUGHS, run, save, tidy


def main(names: list[str]) -> None:
    for path in WALKTHROUGHS:
        if names and not any(path.name.startswith(name) for name in names):
            continue
        save(tidy(run(path)), path)
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
