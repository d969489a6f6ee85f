"""The sandbox portal: a replacement for Bitrix24 that answers over real HTTP on this machine.

Layers, each of which uses those before it: store, methods, API, messages, server. It shares the vendor's facts
(:mod:`b24nb.spec`) with the client, but no code.
"""

from __future__ import annotations

from b24nb.sandbox.faults import Faults
from b24nb.sandbox.portal import SandboxPortal, serve
from b24nb.sandbox.sandbox_fleet import SandboxFleet

__all__ = ["Faults", "SandboxFleet", "SandboxPortal", "serve"]
