"""Many portals as one: one DataFrame, one plan, one report.

One portal is one task. A task runs in a thread, or in a process on any machine. It is given no secret, but asks a
vault for the credentials. The coordinator (the process that holds the fleet) writes changes to the journals before
it submits a task, and their verdicts when the task has returned.
"""

from __future__ import annotations

from b24nb.fleet.fleet import Fleet

__all__ = ["Fleet"]
