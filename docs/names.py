"""The public names of the package: what ``__all__`` exports, and the classes that come back from it."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from types import ModuleType
from typing import Any

from numpydoc.docscrape import ClassDoc, FunctionDoc

import b24nb


def reference() -> tuple[dict[str, Any], dict[str, Any]]:
    """What a reader can import from the package, and the classes that come back from its use, by name."""
    exported = {f"b24nb.{name}": getattr(b24nb, name) for name in b24nb.__all__ if name != "__version__"}
    by_name = {thing.__name__: thing for thing in exported.values() if inspect.isclass(thing)}
    for module in pkgutil.walk_packages(b24nb.__path__, "b24nb."):
        if not module.name.endswith("__main__"):
            for name, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
                if cls.__module__ == module.name and not ("sandbox" in module.name and name in by_name):
                    by_name[name] = cls
    met: dict[str, Any] = {}
    waiting = list(exported.values())
    while waiting:
        for word in _types_named_by(waiting.pop()) & by_name.keys():
            cls = by_name[word]
            if in_forms(cls):  # of a form, readers use what is described of all forms
                described = (base for base in cls.__mro__ if "Attributes\n" in (base.__doc__ or ""))
                cls = next(described, cls)
            name = f"{cls.__module__}.{cls.__name__}"
            shown = cls in exported.values() or name in met or cls.__module__ == b24nb.errors.__name__
            if not shown and not cls.__name__.startswith("_"):
                met[name] = cls
                if not cls.__module__.startswith(("b24nb.forms.", "b24nb.sandbox.")):
                    waiting.append(cls)
    return exported, dict(sorted(met.items(), key=lambda item: item[0].rpartition(".")[2]))


def in_forms(cls: Any) -> bool:
    """Whether this is a widget of ours: only the attributes that code reads are documented."""
    return str(getattr(cls, "__module__", "")).startswith("b24nb.forms.")


def _types_named_by(thing: Any) -> set[str]:
    """Names of the types that a function gives back, or that the attributes and methods of a class do."""
    if isinstance(thing, ModuleType):
        return set().union(*(_types_named_by(getattr(thing, name)) for name in getattr(thing, "__all__", ())))
    if not inspect.isclass(thing):
        warned = [warning.type for warning in FunctionDoc(thing)["Warns"]] if inspect.isfunction(thing) else []
        return set(re.findall(r"\w+", " ".join([*warned, str(inspect.get_annotations(thing).get("return", ""))])))
    texts = [parameter.type for parameter in ClassDoc(thing)["Attributes"]]
    for name in dir(thing):
        member = inspect.getattr_static(thing, name)
        member = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(member) and (not name.startswith("_") or name in ("__getitem__", "__iter__")):
            texts.append(str(inspect.get_annotations(member).get("return", "")))
            texts += [warning.type for warning in FunctionDoc(member)["Warns"]]
    texts += [str(text) for name, text in inspect.get_annotations(thing).items() if not name.startswith("_")]
    return {word for text in texts for word in re.findall(r"\w+", text)}


def foreign_base(thing: Any) -> str:
    """Where a class inherits from another of ours: the first base that is not, described elsewhere."""
    bases = inspect.getmro(thing)[1:] if inspect.isclass(thing) else ()
    foreign = [base.__name__ for base in bases if not base.__module__.startswith("b24nb")]
    return foreign[0] if len(foreign) < len(bases) else ""
