"""Forms: list, inspect, add and delete badges with the mouse, the keyboard, and no fear.

Each function makes a widget; show it as the last line of a cell. Nothing is sent before a button is
clicked, or ``run=True`` asks for a result at once. Beside the widget, each form is an object for code:
``.result``, ``.df`` (the last result as a DataFrame), ``.timings`` (what its calls cost, as a DataFrame),
``.last_error`` and ``.presenter``. In a saved notebook without a kernel, what it showed is still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from b24nb.badges.badge import Badge
from b24nb.badges.checks import problems
from b24nb.errors import InvalidInput
from b24nb.forms.presenters.adding import AddBadge, AddFields, Texts
from b24nb.forms.presenters.calls import WatchCalls
from b24nb.forms.presenters.deleting import DeleteBadges
from b24nb.forms.presenters.desk import Desk
from b24nb.forms.presenters.inspecting import InspectBadge
from b24nb.forms.presenters.listing import ORDERS, ListBadges, ListFields
from b24nb.forms.views.adding import AddForm
from b24nb.forms.views.calls import CallsForm
from b24nb.forms.views.deleting import DeleteForm
from b24nb.forms.views.explorer import Explorer
from b24nb.forms.views.form import Form
from b24nb.forms.views.inspecting import InspectForm
from b24nb.forms.views.listing import ListForm

if TYPE_CHECKING:
    from b24nb.badges.badge import Text
    from b24nb.client import Client

__all__ = ["add_form", "calls_form", "delete_form", "explorer", "inspect_form", "list_form"]


def list_form(
    b24: Client,
    *,
    filter: str = "",
    language: str = "en",
    sort: str = "as registered",
    run: bool = False,
) -> ListForm:
    """A form that lists the badges: filter, sort, turn pages, select.

    Parameters
    ----------
    b24 : Client
        The portal.
    filter : str
        Words that a badge must hold, in its code, texts or type.
    language : str
        In which texts are shown, by the portal's rule: this one, then ``en``, then the first.
    sort : str
        ``as registered``, ``code``, ``title``, ``value`` or ``type``.
    run : bool
        List at once.

    Returns
    -------
    ListForm
        ``.result`` is the :class:`~b24nb.Badges` that match, on all pages; ``.df`` the same as a DataFrame.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.list_form(b24, filter="call", sort="code", run=True)
    >>> list(form.df["code"])
    ['callAnswered', 'missedCall']
    >>> form
    <ListForm on SANDBOX (this notebook), done: 12 badges by one request.>
    """
    if sort not in ORDERS:
        raise InvalidInput(f"Can't sort by {sort!r}.", field="sort", hint=f"One of: {', '.join(ORDERS)}.")
    form = ListForm(ListBadges(Desk(b24)), ListFields(words=filter, language=language, order=sort))
    return _started(form, run)


def inspect_form(b24: Client, code: str | None = None, *, run: bool = False) -> InspectForm:
    """A form that shows one badge from all sides: texts, raw answer, holders, the call as code.

    Parameters
    ----------
    b24 : Client
        The portal.
    code : str, optional
        Of the badge; most portals ignore letter case.
    run : bool
        Inspect it at once.

    Returns
    -------
    InspectForm
        ``.result`` is the :class:`~b24nb.Badge`, ``.df`` the same as one row.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.inspect_form(b24, "missedCall", run=True)
    >>> form.result.type
    'failure'
    >>> list(form.timings["method"])
    ['crm.activity.badge.get', 'crm.activity.list']
    """
    return _started(InspectForm(InspectBadge(Desk(b24)), code or ""), run)


def add_form(
    b24: Client,
    code: str = "",
    title: Text = "",
    value: Text = "",
    type: str = "primary",
    *,
    run: bool = False,
) -> AddForm:
    """A form that adds a badge, and shows from field to field how it will look.

    Parameters
    ----------
    b24 : Client
        The portal; its user has to be an administrator.
    code, type : str
        To start with.
    title, value : str or mapping of str to str
        To start with: one text, or a map language -> text.
    run : bool
        Add it at once.

    Returns
    -------
    AddForm
        ``.result`` is the :class:`~b24nb.Badge` that was added.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.add_form(b24, "vip", {"en": "Client", "de": "Kunde"}, "VIP", run=True)
    >>> form.result.title["de"]
    'Kunde'
    """
    for problem in problems(Badge(code, title, value, type)):
        if problem.field == "type":  # there is no button for it
            raise problem
    fields = AddFields(code=code, type=type, texts=Texts.rows(title, value))
    return _started(AddForm(AddBadge(Desk(b24)), fields), run)


def delete_form(b24: Client, codes: str | Iterable[str] = (), *, run: bool = False) -> DeleteForm:
    """A form that deletes badges after a look at what will go, and brings them back.

    Parameters
    ----------
    b24 : Client
        The portal; its user has to be an administrator.
    codes : str or iterable of str
        To start with, one or several.
    run : bool
        Show the preview at once. Nothing is deleted before the code is typed and the button clicked.

    Returns
    -------
    DeleteForm
        ``.result`` is the :class:`~b24nb.Badge` that was deleted, or the report for several.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.delete_form(b24, "newsletter", run=True)
    >>> form
    <DeleteForm on SANDBOX (this notebook), confirm: 1 badge would be deleted. Nothing has been deleted yet.>
    """
    return _started(DeleteForm(DeleteBadges(Desk(b24)), _listed(codes)), run)


def calls_form(b24: Client, *, run: bool = False) -> CallsForm:
    """A form that shows the call log of the client as it grows, with statistics, a chart and the limits.

    Parameters
    ----------
    b24 : Client
        The portal.
    run : bool
        Show the log as it is now at once; on a screen the form follows it anyway.

    Returns
    -------
    CallsForm
        ``.df`` is the log.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     badges = b24.badges.list()
    ...     form = forms.calls_form(b24, run=True)
    >>> form.df["method"].iloc[-1]
    'crm.activity.badge.list'
    """
    return _started(CallsForm(WatchCalls(Desk(b24))), run)


def explorer(b24: Client, *, run: bool = False) -> Explorer:
    """All forms in one widget with tabs: a badge selected in the list is the one the others speak about.

    Parameters
    ----------
    b24 : Client
        The portal.
    run : bool
        List the badges at once.

    Returns
    -------
    Explorer
        Answers for the form of the open tab; ``.forms`` has each by the title of its tab.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     explorer = forms.explorer(b24, run=True)
    >>> list(explorer.forms)
    ['List', 'Inspect', 'Add', 'Delete', 'Calls']
    >>> len(explorer.df)
    12
    """
    desk = Desk(b24)
    tabs: dict[str, Form] = {
        "List": ListForm(ListBadges(desk), ListFields(), alone=False),
        "Inspect": InspectForm(InspectBadge(desk), alone=False),
        "Add": AddForm(AddBadge(desk), AddFields(), alone=False),
        "Delete": DeleteForm(DeleteBadges(desk), alone=False),
        "Calls": CallsForm(WatchCalls(desk), alone=False),
    }
    return _started(Explorer(b24, tabs), run)


F = TypeVar("F", bound=Form | Explorer)


def _started(form: F, run: bool) -> F:
    if run:
        form.run()
    return form


def _listed(codes: str | Iterable[str]) -> tuple[str, ...]:
    return (codes,) if isinstance(codes, str) else tuple(codes)
