"""The call log: what was called, what it cost, how near the limits are. Nothing here sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from b24nb.forms.presenters.base import Presenter
from b24nb.forms.presenters.desk import Desk
from b24nb.forms.presenters.state import FormState, Message

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsState(FormState):
    """``result`` is the client's call log as a DataFrame, as it was when the state was made."""

    summary: pd.DataFrame | None = None

    @property
    def df(self) -> pd.DataFrame:
        """The log as it was."""
        return FormState(result=None).df if self.result is None else self.result


class WatchCalls(Presenter[CallsState]):
    """Shows the log of the whole client, not only of one form."""

    blank = CallsState()

    def __init__(self, desk: Desk, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(desk, clock=clock)
        self.calls = self.b24.calls

    def look(self) -> CallsState:
        """Take the log as it is now; what was said last stays."""
        log = self.calls
        return self.settle(
            replace(self.state, phase="done", result=log.df, summary=log.summary(), call=log.last)
        )

    def clear(self) -> CallsState:
        """Forget the calls; the limits stay, since the portal does not forget either."""
        self.calls.clear()
        return self._say("The call log is empty. The limits stay: the portal counts on.")

    def export(self, name: str) -> CallsState:
        """Write the log as CSV. A file that is there is left alone.

        Parameters
        ----------
        name : str
            Of a new file, as seen from the notebook.
        """
        try:
            with Path(name).open("x", encoding="utf-8", newline="") as file:
                self.calls.df.to_csv(file, index=False)
        except FileExistsError:
            return self._not_written("This file is there already; choose another name.")
        except OSError as error:
            return self._not_written(f"This file can't be written: {error.strerror}.")
        return self._say(f"{len(self.calls)} calls were written to {name}.")

    def _say(self, done: str) -> CallsState:
        return self.settle(replace(self.look(), message=Message("done", done), field_errors={}))

    def _not_written(self, why: str) -> CallsState:
        message = Message("check", "Nothing has been written.")
        return self.settle(replace(self.state, phase="invalid", message=message, field_errors={"name": why}))
