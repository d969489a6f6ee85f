"""The base class of all forms: places for message, result and timings, and callbacks that never raise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from IPython import get_ipython

from b24nb.badges.badge import FIELDS, Badges
from b24nb.display import html
from b24nb.errors import B24Error, InvalidInput, JournalNotWritten
from b24nb.forms import parts
from b24nb.forms.messages import message_for, standing_notices, unexpected
from b24nb.forms.state import Change, FormState, SharedState
from b24nb.forms.table import KeyGuard
from b24nb.rest.calls import Call, calls_frame, event_list

#: A second click within so many seconds after the same change was sent is part of a double click, and is ignored.
DOUBLE_CLICK_SECONDS = 1.0
#: Seconds to wait at a click: the kernel may handle it before a text that was sent earlier, on another thread.
CLICK_DELAY_SECONDS = 0.1
#: Seconds since the last letter: a field that is checked while one types may send its last letters after the click.
TYPING_PAUSE_SECONDS = 0.5
#: Work that takes more seconds than this shows a progress bar and a Cancel button.
BUSY_AFTER_SECONDS = 0.3
ROWS = 10
BUSY = parts.fragment(html.Message("note", "The last click is still being processed."))
CANCELLED = html.Message("note", "Cancelled between two steps. What was done before is shown.")
SAVED = html.Message("note", "This is what the form showed when it was displayed. Run the cell to use it.")

#: A bound method that may send requests and returns a new state.
FormStep = Any


def sends_changes(step: Any) -> Any:
    """Mark a step that changes something: an identical second click within a second is ignored."""
    step.changes = True
    return step


class Form(parts.Panel):
    """A form: each click makes a new state, and :meth:`render` shows it.

    A click does one or more steps: methods that may send requests and return a new state. Only :meth:`render` changes
    what is shown. Steps run in a thread of their own, so that the kernel can handle other messages meanwhile.

    Parameters
    ----------
    shared : SharedState
        The portal, and what the forms of one explorer share.
    *start
        The start values of its fields.
    alone : bool
        Whether to show the portal and the title of the form; the explorer shows them itself.

    Attributes
    ----------
    result : object
        The last result; ``None`` before there is one.
    df : pandas.DataFrame
        The same as a DataFrame.
    timings : pandas.DataFrame
        The calls of this form, a row each, the columns of ``b24.calls.df``.
    last_error : Exception or None
        An unexpected exception in a callback, such as a bug of this package; not an error of the portal.
    state : FormState
        What it shows.
    target : object
        What the next change is made to, if that can differ between two clicks within a second; else ``None``.
    """

    title = ""
    writes = False
    state: Any = FormState()
    target: Any = None
    #: The steps of the main button.
    steps: Sequence[FormStep] = ()

    result = property(lambda self: self.state.result, doc="The last result; ``None`` before there is one.")
    df = property(lambda self: self.state.table.df, doc="The last result as a DataFrame.")
    timings = property(lambda self: calls_frame(self.calls), doc="The calls of this form, as ``b24.calls.df``.")
    #: An unexpected exception: a bug.
    last_error: Exception | None = None
    #: ``LIVE`` where changes are real, or ``SANDBOX``; both words for many portals.
    kind = property(lambda self: self.b24.portal.kind)
    where = property(lambda self: self.b24.portal.where)
    #: Whether the portal is a sandbox that stops with this notebook.
    stops_here = property(lambda self: self.b24.portal.own_sandbox)

    def __init__(self, shared: SharedState, *start: Any, alone: bool = True) -> None:
        self.shared, self.b24 = shared, shared.b24
        self.cancel = threading.Event()
        self.calls: list[Call] = []
        self._last_change: dict[Any, float] = {}  # and when it ended
        self.field_rows: dict[str, parts.FieldRow] = {}
        self._drawing = threading.RLock()
        self._in_drawing = self._working = False
        self._typed_at = float("-inf")
        self._worker: threading.Thread | None = None
        self._alone = alone
        self._head, self._message, self._frames, self._bar = (widgets.HTML() for _ in range(4))
        self.result_view, self.side_view = widgets.HTML(), widgets.HTML()
        self.cancel_button = self.button("Cancel", "stop", self._cancel)
        self._busy = widgets.HBox([self._bar, self.cancel_button])
        self.messages = widgets.VBox([self._busy, self._message])
        super().__init__([*([KeyGuard()] if alone else []), self._head, *self.make_widgets(*start), self._frames])
        self.add_class("b24nb-form")
        shared.observe(lambda change: self._guarded(partial(self.shared_changed, change.name)))
        parts.show(self._busy, False)
        self.render(self.state)

    # -- overridden by each form ----------------------------------------------------------------------

    def make_widgets(self, *start: Any) -> Sequence[Any]:
        """Make the widgets and return them from top to bottom; ``messages, result_view, side_view`` exist already."""
        return ()

    def head(self) -> Iterable[Any]:
        """The portal, the title, and notices about changes that the portal or the client will refuse."""
        if self._alone:
            yield from (html.portal_banner(self.b24.portal), html.heading(self.title))
        yield from standing_notices(self.b24.portal, changes=self.writes)

    def result_html(self, state: Any) -> Iterable[Any]:
        """The result as HTML."""
        return ()

    def saved_html(self, state: Any) -> Iterable[Any]:
        """The result as HTML for a saved notebook without a kernel, which shows no widgets."""
        return [*self.result_html(state), *self.side_html(state, live=False)]

    def side_html(self, state: Any, *, live: bool = True) -> Iterable[Any]:
        """HTML for ``side_view``, apart from the result; ``live``: whether a kernel runs."""
        return ()

    def draw(self, state: Any) -> None:
        """Set the form's own widgets."""

    def shared_changed(self, change: Change) -> None:
        """Called when the shared badges, selection or language have changed."""
        if change == "language":
            self.redraw()

    # -- clicks ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do what the main button does, and return when it is done."""
        if self._begin():
            self._do(self.steps)

    def work(self, steps: Sequence[FormStep]) -> None:
        """Do some steps in a thread of their own.

        Parameters
        ----------
        steps : sequence of callable
            Each returns a state, which is shown before the next one begins. Cancel stops between two of them.
        """
        if not self._begin():
            return
        self._worker = threading.Thread(target=copy_context().run, args=(self._do, steps), daemon=True)
        self._worker.start()
        bar = threading.Timer(BUSY_AFTER_SECONDS, self._show_busy)
        bar.daemon = True
        bar.start()
        if get_ipython() is None:  # a kernel must not wait here: it may still receive the end of a text
            self._worker.join(BUSY_AFTER_SECONDS)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the work of the last click.

        Parameters
        ----------
        timeout : float, optional
            Seconds; ``None``: as long as it takes.

        Returns
        -------
        bool
            Whether it is done.
        """
        if self._worker:
            self._worker.join(timeout)
        return not self._working

    def main_button(self, verb: str, icon: str, *steps: FormStep) -> Any:
        """The button whose steps :meth:`run` does, too."""
        self.steps = steps
        return self.step_button(verb, icon, *steps, style="primary")

    def step_button(self, verb: str, icon: str, *steps: FormStep, style: str = "") -> Any:
        """A button that does these steps."""
        return self.button(verb, icon, partial(self.work, steps), style=style)

    def button(self, verb: str, icon: str, handler: Callable[[], object], *, style: str = "") -> Any:
        """A button with a verb as its label; an exception of its handler is kept in ``last_error``."""
        button = widgets.Button(description=verb, icon=icon, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: self._guarded(handler))
        return button

    def field_row(self, name: str, field: Any) -> parts.FieldRow:
        """A field with room for the problem that ``state.field_errors`` has under this name."""
        parts.hide_secrets(field)
        self.field_rows[name] = parts.FieldRow(field)
        return self.field_rows[name]

    def on_change(self, field: Any, handler: Callable[[], object], name: Any = "value") -> None:
        """Call ``handler`` when the user changes the field, not when :meth:`render` does."""
        field.observe(lambda _: self._guarded(handler, by_user=True), name)

    def _begin(self) -> bool:
        """Whether work may begin; not while other work is running."""
        # To disable the button would not stop a double click: both clicks are in the queue before the first
        # one is handled, and they may be handled on different threads.
        with self._drawing:
            if self._working:
                self._message.value = BUSY
                return False
            self._working = True
            self.cancel.clear()
            self.show_progress("Working", 0, 0)
            return True

    def _show_busy(self) -> None:
        """Show the progress bar; the message is about the time before the click, so it is not shown meanwhile."""
        with self._drawing:
            if self._working:
                parts.show(self._busy, True)
                self._message.value = ""

    def close(self) -> None:
        """Stop its work, as Cancel does, and close its widgets."""
        self.cancel.set()
        super().close()

    def _cancel(self) -> None:
        self.cancel.set()
        self.show_progress("Will stop before the next step, if there is one", 0, 0)

    def _do(self, steps: Sequence[FormStep]) -> None:
        try:
            self._guarded(partial(self._do_each, steps))
        finally:  # also after Ctrl-C
            with self._drawing:
                self._working = False
                parts.show(self._busy, False)
                if self._message.value in (BUSY, ""):  # a click during the work, or a bar that was shown late
                    self._message.value = parts.fragment(self.state.message)

    def _do_each(self, steps: Sequence[FormStep]) -> None:
        if get_ipython() is not None and threading.current_thread() is self._worker:  # wait for what was typed before
            time.sleep(CLICK_DELAY_SECONDS)
            while time.monotonic() - self._typed_at < TYPING_PAUSE_SECONDS:
                time.sleep(CLICK_DELAY_SECONDS)
        for place, step in enumerate(steps):
            if place and self.cancel.is_set():
                self.render(replace(self.state, message=CANCELLED))
                return
            before = self._last_change
            self.render(self._state_after(step))
            if self._last_change is not before:  # counted from the end, since a second click waits until then
                self._last_change = dict.fromkeys(self._last_change, time.monotonic())

    def _guarded(self, handler: Callable[[], object], *, by_user: bool = False) -> None:
        """Call a handler and show an exception as a message, since ipywidgets would hide it."""
        with self._drawing:  # wait until another thread has finished drawing
            if by_user and self._in_drawing:
                return
        try:
            handler()
        except Exception as error:  # noqa: BLE001
            self.last_error = error
            self._message.value = parts.fragment(unexpected(error))

    # -- sending --------------------------------------------------------------------------------------

    def _state_after(self, step: FormStep) -> Any:
        """Do a step; an error of the portal or of this package becomes a state, too."""
        change = (step.__name__, self.target) if hasattr(step, "changes") else None
        if time.monotonic() - self._last_change.get(change, float("-inf")) < DOUBLE_CLICK_SECONDS:
            return self.state
        events: list[Call | Warning] = []
        before = event_list.set(events)
        try:
            state = step()
        except B24Error as error:
            state = self.failed(error)
        finally:
            event_list.reset(before)
            self.calls += [one for one in events if isinstance(one, Call)]
        if change:
            self._last_change = {} if state.phase == "invalid" else {change: time.monotonic()}
        if not_written := [str(one) for one in events if isinstance(one, JournalNotWritten)]:
            hint = " ".join(filter(None, [state.message.hint, *not_written]))
            state = replace(state, message=state.message._replace(hint=hint))
        return state

    def failed(self, error: B24Error) -> Any:
        """The state after an error; the result stays."""
        wrong = {error.field: error.message} if isinstance(error, InvalidInput) and error.field else {}
        message = message_for(error, sandbox=self.stops_here)
        return replace(self.state, phase="failed", message=message, field_errors=wrong)

    def run_options(self, text: str = "Working") -> dict[str, Any]:
        """Options of a run that updates the progress bar, and that Cancel ends."""

        def tell(done: int, total: int) -> None:
            if not self.cancel.is_set():  # else the bar says that it will stop
                self.show_progress(text, done, total)

        return {"progress": tell, "cancel": self.cancel}

    def show_progress(self, text: str, done: int, total: int) -> None:
        """Show what is being done, how many steps are done, and of how many (0: not known)."""
        self._bar.value = parts.fragment(html.progress(text, done, total))

    # -- drawing --------------------------------------------------------------------------------------

    def render(self, state: Any) -> None:
        """Make this the form's state and show it. Nothing else changes what is shown, so equal states look equal."""
        with self.drawing():
            self.state = state
            top = [*self.head()]
            self._head.value = parts.fragment(parts.style(), *top)
            parts.show(self._head, top)  # the style sheet in a hidden head still applies
            (self.add_class if "LIVE" in self.kind else self.remove_class)("b24nb-live-form")
            self._message.value = parts.fragment(state.message)
            self.result_view.value = parts.fragment(*self.result_html(state))
            self.side_view.value = parts.fragment(*self.side_html(state))
            self._frames.value = parts.fragment(*self.frames_html(state))
            self.draw(state)
            for name, field_row in self.field_rows.items():
                field_row.say(state.field_errors.get(name, ""))

    def redraw(self) -> None:
        """Show the state once more; not while work is running, which ends with showing its state."""
        if not self._working:
            self.render(self.state)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """In this context, changes of fields are not counted as made by the user."""
        with self._drawing:
            outer, self._in_drawing = self._in_drawing, True
            try:
                yield
            finally:
                self._in_drawing = outer

    def frames_html(self, state: Any) -> Iterable[Any]:
        """Result and timings as tables of the DataFrames ``form.df`` and ``form.timings``."""
        if isinstance(state.table, Badges):  # without pandas, which is slow to import
            head, rows = [*FIELDS], [[*one.to_wire().values()] for one in state.table[:ROWS]]
        else:
            head, rows = html.values_of(state.table.df.head(ROWS))
        if rows:
            yield html.collapsed("As a DataFrame: form.df", html.table(head, rows, "First rows"))
        if self.calls:
            yield html.collapsed("What it cost: form.timings", html.calls_table(self.calls, "Last calls", ROWS))

    def saved_page(self) -> Iterable[Any]:
        """What the form shows, without fields and buttons."""
        state = self.state
        return [*self.head(), state.message, *self.saved_html(state), *self.frames_html(state), SAVED]

    def __repr__(self) -> str:
        said = f": {self.state.message.text}" if self.state.message else ""
        return f"<{type(self).__name__} on {self.where}, {self.state.phase}{said}>"
