"""The embedded portal: a stand-in for Bitrix24 that answers over real HTTP on this machine.

store < methods < API < messages < server; it shares the vendor's facts (:mod:`b24nb.spec`) with the
client, and no code.
"""

from __future__ import annotations

from b24nb.sandbox.faults import Faults
from b24nb.sandbox.portal import SandboxPortal, serve
from b24nb.sandbox.sandbox_fleet import SandboxFleet

__all__ = ["Faults", "SandboxFleet", "SandboxPortal", "serve"]
