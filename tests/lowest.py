"""The lowest versions that ``pyproject.toml`` declares, as constraints: ``>=1.2`` becomes ``==1.2``."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def declared() -> list[str]:
    """Every requirement of the package and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(name for extra in extras for name in extra)]


def lowest(requirement: str) -> str | None:
    """``requests>=2.32,<3`` as ``requests==2.32``; None for the package's own extras."""
    if requirement.startswith("b24nb["):
        return None
    found = re.match(r"([\w.-]+)(?:\[[^]]*\])? *>= *([\w.]+)", requirement)
    if not found:
        raise ValueError(f"{requirement}: say from which version on it is known to work, with >=")
    return f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print("\n".join(sorted({line for name in declared() if (line := lowest(name))})))
