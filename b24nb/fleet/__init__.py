"""Many portals as one: one frame, one plan, one report.

One portal is one task. It runs in a thread, or in a process on any machine, gets no secret, and looks its
credentials up in a vault. What is about to be changed is written to the journals here before a task leaves,
and what became of it when the task is back.
"""

from __future__ import annotations

from b24nb.fleet.fleet import Fleet

__all__ = ["Fleet"]
