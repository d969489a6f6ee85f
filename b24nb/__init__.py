"""b24nb: explore the badges of a Bitrix24 portal from a notebook.

Start with ``b24 = b24nb.connect()`` and ``b24.badges.list()``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from b24nb._version import __version__ as __version__

if TYPE_CHECKING:  # `as` marks them as exported
    from b24nb import errors as errors
    from b24nb import forms as forms
    from b24nb._connect import connect as connect
    from b24nb.badges.badge import Badge as Badge
    from b24nb.badges.badge import Badges as Badges
    from b24nb.client import Client as Client
    from b24nb.credentials import OAuthToken as OAuthToken
    from b24nb.credentials import Webhook as Webhook
    from b24nb.display.explanations import catalogue as catalogue
    from b24nb.display.explanations import explain as explain
    from b24nb.display.snippets import as_code as as_code
    from b24nb.fleet import Fleet as Fleet
    from b24nb.sandbox import SandboxPortal as SandboxPortal
    from b24nb.spec import BadgeType as BadgeType

# Names are imported when first used: `import b24nb` costs little more than an empty module.
_HOMES = {
    "Badge": "b24nb.badges.badge",
    "BadgeType": "b24nb.spec",
    "Badges": "b24nb.badges.badge",
    "Client": "b24nb.client",
    "Fleet": "b24nb.fleet",
    "OAuthToken": "b24nb.credentials",
    "SandboxPortal": "b24nb.sandbox",
    "Webhook": "b24nb.credentials",
    "as_code": "b24nb.display.snippets",
    "catalogue": "b24nb.display.explanations",
    "connect": "b24nb._connect",
    "errors": "b24nb.errors",
    "explain": "b24nb.display.explanations",
    "forms": "b24nb.forms",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'b24nb' has no attribute {name!r}")
    module = import_module(home)
    value = module if home == f"b24nb.{name}" else getattr(module, name)
    globals()[name] = value
    # Help, pickles and displays show this as the module of public names, also of those that were not looked up here.
    for public, place in _HOMES.items():
        if named := getattr(sys.modules.get(place), public, None):  # the module may be only partly imported
            named.__module__ = __name__
    return value


def __dir__() -> list[str]:
    return __all__
