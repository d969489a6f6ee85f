"""What every form has: places for message, result and numbers, and callbacks that never raise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from IPython import get_ipython
from markupsafe import Markup

from b24nb.display import html
from b24nb.forms.presenters.base import BUSY
from b24nb.forms.presenters.state import ROWS, FormState, Message, unexpected
from b24nb.forms.views import parts

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.forms.presenters.base import Presenter
    from b24nb.forms.presenters.desk import Change

#: A kernel may run what a click does before it takes in a text that was sent first: on two threads.
SETTLE = 0.1
#: A click waits this long for its work; then the work goes on by itself, with a bar and a Cancel button.
PATIENCE = 0.3
CANCELLED = Message("note", "Cancelled between two steps. What was done before is shown.")
SAVED = Message("note", "This is what the form showed when it was displayed. Run the cell to use it.")

Step = Callable[[], FormState]


class Form(widgets.VBox):  # type: ignore[misc]
    """A form over a presenter: its widgets say what was clicked, and draw the state that comes back.

    What is clicked ends up in :meth:`work`, what is shown in :meth:`render`. Work runs in a thread of its
    own, so that the kernel answers meanwhile.

    Parameters
    ----------
    presenter : Presenter
        What happens.
    alone : bool
        Whether to say which portal and form this is; in the explorer that is said already.

    Attributes
    ----------
    result : object
        The last result; ``None`` before there is one.
    df : pandas.DataFrame
        The same as a DataFrame.
    timings : pandas.DataFrame
        The calls of this form, a row each, times in milliseconds.
    last_error : Exception or None
        A fault of this package that a callback met. What a portal answers is no fault.
    """

    title = ""

    def __init__(self, presenter: Presenter[Any], *, alone: bool = True) -> None:
        self.presenter = presenter
        self.last_error: Exception | None = None
        self._drawing = threading.RLock()
        self._in_drawing = False
        self._cost: tuple[int, Markup] = (0, Markup())
        self._worker: threading.Thread | None = None
        self._working = False
        self._top = self._head(alone=alone)
        self._message, self.shown, self.beside, self._numbers, self._bar = (widgets.HTML() for _ in range(5))
        self.cancel_button = parts.button("Cancel", icon="stop")
        self._busy = widgets.HBox([self._bar, self.cancel_button])
        self.told = widgets.VBox([self._busy, self._message])
        head = widgets.HTML(html.page(parts.style(), *self._top))
        head.layout.display = None if self._top else "none"  # its style counts all the same
        super().__init__([head, *self.arranged(), self._numbers])
        self.add_class("b24nb-form")
        if presenter.b24.portal.kind != "SANDBOX":
            self.add_class("b24nb-live-form")
        self.on_click(self.cancel_button, presenter.cancel.set)
        presenter.progress = self._show_progress
        presenter.desk.watch(lambda change: self._guarded(partial(self.follow, change)))
        self._show_busy(False)
        self.render(presenter.state)

    @property
    def result(self) -> Any:
        return self.presenter.state.result

    @property
    def df(self) -> pd.DataFrame:
        frame: pd.DataFrame = self.presenter.state.df
        return frame

    @property
    def timings(self) -> pd.DataFrame:
        return self.presenter.timings

    # -- what each form brings ------------------------------------------------------------------------

    def arranged(self) -> Sequence[Any]:
        """Its widgets from top to bottom; among them ``told``, ``shown`` and, if it has one, ``beside``."""
        raise NotImplementedError

    def steps(self) -> Sequence[Step]:
        """What the main button does with the fields as they are."""
        raise NotImplementedError

    def picture(self, state: Any) -> Iterable[Markup]:
        """The result as HTML."""
        raise NotImplementedError

    def aside(self, state: Any) -> Iterable[Markup]:
        """What is shown in a place of its own, ``beside``, and not with the result."""
        return ()

    def draw(self, state: Any) -> None:
        """Set the form's own widgets."""

    def follow(self, change: Change) -> None:
        """The badges, or the selection, on the desk have changed."""

    # -- clicks ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do what the main button does, and return when it is done."""
        self._do(self.steps())

    def work(self, steps: Sequence[Step]) -> None:
        """Do some steps in a thread; return when they are done, or after a moment.

        Parameters
        ----------
        steps : sequence of callable
            Each makes a state, which is shown before the next one begins. Cancel ends between two.
        """
        with self._drawing:
            if self._working:
                self._message.value = parts.fragment(parts.told(BUSY))
                return
            self._working = True
        self._worker = threading.Thread(target=copy_context().run, args=(self._do, steps), daemon=True)
        self._worker.start()
        self._worker.join(PATIENCE)
        with self._drawing:
            self._show_busy(self._working)

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

    def on_click(self, button: Any, handler: Callable[[], object]) -> None:
        """Call ``handler`` when the button is clicked; nothing that it raises is lost."""

        def clicked(_: object) -> None:
            if get_ipython() is not None:
                time.sleep(SETTLE)
            self._guarded(handler)

        button.on_click(clicked)

    def on_change(self, field: Any, handler: Callable[[], object]) -> None:
        """Call ``handler`` when the user changes the field, not when :meth:`render` does."""
        field.observe(lambda _: self._guarded(handler, by_user=True), "value")

    def _do(self, steps: Sequence[Step]) -> None:
        for left, step in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
            if not self._guarded(partial(self._take, step)):
                break
            if left and self.presenter.cancel.is_set():
                self.render(replace(self.presenter.state, message=CANCELLED))
                break
        with self._drawing:
            self._working = False
            self._show_busy(False)

    def _take(self, step: Step) -> None:
        self.render(step())

    def _guarded(self, handler: Callable[[], object], *, by_user: bool = False) -> bool:
        """Nothing raises into the void: widgets would swallow it, and the reader would see nothing."""
        with self._drawing:  # a drawing on another thread ends first
            if by_user and self._in_drawing:
                return True
        try:
            handler()
        except Exception as error:  # noqa: BLE001
            self.last_error = error
            self._message.value = parts.fragment(parts.told(unexpected(error)))
            return False
        return True

    # -- drawing --------------------------------------------------------------------------------------

    def render(self, state: FormState) -> None:
        """Show a state: the only way to change what the form shows.

        Parameters
        ----------
        state : FormState
            Equal states look equal, whatever was shown before.
        """
        with self.drawing():
            self._message.value = parts.fragment(*self._told(state))
            self.shown.value = parts.fragment(*self.picture(state))
            self.beside.value = parts.fragment(*self.aside(state))
            self._numbers.value = parts.fragment(*self.numbers(state))
            self.draw(state)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Changes of fields in here are not the user's."""
        with self._drawing:
            outer, self._in_drawing = self._in_drawing, True
            try:
                yield
            finally:
                self._in_drawing = outer

    def numbers(self, state: FormState) -> Iterable[Markup]:
        """Result and timings as the DataFrames that they are in code."""
        if len(first := state.first_rows):
            yield html.folded("As a DataFrame: form.df", html.frame(first, caption="First rows"))
        if calls := self.presenter.count:
            if self._cost[0] != calls:  # typing in a filter makes no calls
                table = html.frame(self.timings.tail(ROWS), caption="Last calls")
                self._cost = calls, html.folded("What it cost: form.timings", table)
            yield self._cost[1]

    def _head(self, *, alone: bool) -> list[Markup]:
        portal = self.presenter.b24.portal
        title = [html.portal_banner(portal), Markup("<h3>{}</h3>").format(self.title)] if alone else []
        return [*title, *map(parts.told, self.presenter.notices)]

    @staticmethod
    def _told(state: FormState) -> list[Markup]:
        return [parts.told(state.message)] if state.message else []

    def _show_progress(self, text: str, done: int, total: int) -> None:
        self._bar.value = parts.fragment(parts.progress(text, done, total))

    def _show_busy(self, busy: bool) -> None:
        self._busy.layout.display = None if busy else "none"
        if not busy:
            self._show_progress("Waiting for the portal", 0, 0)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The live widget, and for a saved notebook without a kernel what it shows right now."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return {**bundle, "text/plain": repr(self), "text/html": html.page(*self.static())}

    def static(self) -> Iterable[Markup]:
        """What the form shows, without fields and buttons."""
        state = self.presenter.state
        result = [*self.picture(state), *self.aside(state), *self.numbers(state)]
        return [*self._top, *self._told(state), *result, parts.told(SAVED)]

    def __repr__(self) -> str:
        state = self.presenter.state
        said = f": {state.message.text}" if state.message else ""
        return f"<{type(self).__name__} on {self.presenter.b24.portal.where}, {state.phase}{said}>"
