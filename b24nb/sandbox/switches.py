"""The settings of a sandbox portal; the docstring of ``SandboxPortal`` explains each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from b24nb import spec

#: The words of a switch; ``language`` is that of the texts of errors.
_WORDS = {"tariff": [*spec.TARIFFS], "language": ["en", "ru"]}


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Switches:
    """The settings of one portal. They may be changed while it runs."""

    code_limit: int = spec.CODE_LIMIT
    latency_ms: float = 0
    cost: Mapping[str, float] = field(default_factory=dict)
    limits: bool = False
    tariff: str = "standard"
    operating: bool | float = True
    https_required: bool = False
    rest_available: bool = True
    cloud_headers: bool = True
    integer_time: bool = True
    case_sensitive: bool = False
    strict_sql: bool = False
    language: str = "en"
    languages: tuple[str, ...] = tuple(spec.LANGUAGES)
    attachment_days: int = spec.ATTACHMENT_DAYS
    clock: Callable[[], float] = time.time

    def __setattr__(self, name: str, value: Any) -> None:
        words = _WORDS.get(name)
        if words and value not in words:
            raise ValueError(f"{name} is one of {', '.join(words)}, not {value!r}")
        if not words and (value is None or isinstance(value, str)):
            raise ValueError(f"{name} can't be {'a text: ' if value else ''}{value!r}")
        object.__setattr__(self, name, value)

    def __post_init__(self) -> None:
        if self.tariff == "self-hosted":  # by default these portals have neither
            self.cloud_headers = False
            self.operating = False if self.operating is True else self.operating

    @property
    def operating_limit(self) -> float:
        """Seconds of work before a method is blocked."""
        return spec.OPERATING_LIMIT_SECONDS if isinstance(self.operating, bool) else self.operating
