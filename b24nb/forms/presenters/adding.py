"""Adding a badge: checks beside each field, a preview before it is sent, a clear answer for a duplicate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from b24nb import spec
from b24nb.badges.badge import Badge, Text
from b24nb.badges.checks import problems
from b24nb.errors import DuplicateCode
from b24nb.forms.presenters.base import Presenter
from b24nb.forms.presenters.state import NOTHING_SENT, FormState, Message, told


@dataclass(frozen=True, slots=True)
class Texts:
    """One row of the form: title and pill text in one language, ``""`` for one text in all."""

    language: str = ""
    title: str = ""
    value: str = ""

    @classmethod
    def rows(cls, title: Text, value: Text) -> tuple[Texts, ...]:
        """The rows that hold these texts; a text for all languages fills every row beside a map."""
        maps = [text for text in (title, value) if isinstance(text, Mapping)]
        languages = dict.fromkeys(code for text in maps for code in text) or [""]
        return tuple(cls(code, _in(title, code), _in(value, code)) for code in languages)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFields:
    """What the fields hold.

    Attributes
    ----------
    code, type : str
        As the user left them.
    texts : tuple of Texts
        One row without a language, or a row per language.
    """

    code: str = ""
    type: str = spec.BadgeType.PRIMARY
    texts: tuple[Texts, ...] = (Texts(),)

    @property
    def localised(self) -> bool:
        """Whether the rows are languages."""
        return any(row.language for row in self.texts)

    @property
    def badge(self) -> Badge:
        """The badge as the fields describe it, right or wrong."""
        if not self.localised:
            return Badge(self.code, self.texts[0].title, self.texts[0].value, self.type)
        return Badge(
            self.code,
            {row.language: row.title for row in self.texts},
            {row.language: row.value for row in self.texts},
            self.type,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddState(FormState):
    """``result`` is the badge that was added; ``existing`` the one that has the code already."""

    existing: Badge | None = None


def _in(text: Text, language: str) -> str:
    return text if isinstance(text, str) else text.get(language, "")


class AddBadge(Presenter[AddState]):
    """Adds a badge from what the fields hold."""

    changes = True
    blank = AddState()

    def check(self, fields: AddFields, *, complete: bool = True) -> dict[str, str]:
        """What is wrong, or odd, with each field.

        Parameters
        ----------
        fields : AddFields
            As typed.
        complete : bool
            ``False`` while somebody still types: an empty field is no mistake yet.

        Returns
        -------
        dict
            Field name to a sentence. Rows are ``title.0``, ``value.0``, ``language.1``, ...
        """
        found: dict[str, str] = {}
        for problem in problems(fields.badge):
            if problem.field == "code" and (complete or fields.code):
                found.setdefault("code", f"{problem.message} {problem.hint}".rstrip())
        if fields.code != fields.code.strip():
            found.setdefault("code", "The code begins or ends with a space.")
        met = set()
        for place, row in enumerate(fields.texts):
            if row.language in met:
                found[f"language.{place}"] = "This language has a row already."
            met.add(row.language)
            for problem in problems(Badge("code", row.title, row.value, spec.BadgeType.PRIMARY)):
                if complete or getattr(row, problem.field):
                    found[f"{problem.field}.{place}"] = problem.message
        return found or self._check_whole(fields)

    @staticmethod
    def _check_whole(fields: AddFields) -> dict[str, str]:
        """Texts that are right one by one can be too long together."""
        if not all(row.title and row.value for row in fields.texts):
            return {}
        wrong = (problem for problem in problems(fields.badge) if problem.field in ("title", "value"))
        return {f"{problem.field}.0": problem.message for problem in wrong}

    def advise(self, fields: AddFields) -> dict[str, str]:
        """What a field should not be though the portal takes it: too long a code, a code that is taken."""
        if twin := self.desk.find(fields.code):
            return {"code": f"The portal has a badge {twin.code!r}: add would be refused."}
        return {}

    def add(self, fields: AddFields) -> AddState:
        """Send the badge if its fields are right.

        Parameters
        ----------
        fields : AddFields
            As they are when the button is clicked.

        Returns
        -------
        AddState
        """
        return self.send(lambda: self._add(fields), change=("add", fields))

    def _add(self, fields: AddFields) -> AddState:
        if wrong := self.check(fields):
            return AddState(phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        badge = fields.badge
        try:
            added = self.b24.badges.add(badge.code, badge.title, badge.value, badge.type)
        except DuplicateCode as error:
            existing = self.b24.badges.get(badge.code)
            self.desk.see_added([existing])
            wrong = {"code": f"The portal has a badge {existing.code!r}, shown below."}
            return AddState(phase="failed", message=told(error), field_errors=wrong, existing=existing)
        self.desk.see_added([added])
        return AddState(
            phase="done",
            message=Message("done", f"The badge {added.code!r} was added."),
            result=added,
        )
