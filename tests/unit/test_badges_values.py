"""Badge and Badges as values: lossless, immutable, and shown honestly."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24nb.badges.badge import Badge, Badges
from b24nb.spec import BadgeType

VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
MISSED = Badge("missedCall", "Missed call", {"de": "Verpasst"}, "failure")

texts = st.text() | st.dictionaries(st.text(), st.text())
badges = st.builds(Badge, st.text(), texts, texts, st.sampled_from([*BadgeType]) | st.text())


@given(badges)
def test_a_badge_can_be_sent_copied_pickled_hashed_and_read_from_its_repr(badge: Badge) -> None:
    assert Badge.from_wire(badge.to_wire()) == badge
    assert copy.deepcopy(badge) == badge == pickle.loads(pickle.dumps(badge))
    assert eval(repr(badge), {"Badge": Badge}) == badge
    assert badge in {badge}
    assert badge.type.__class__ is str


def test_neither_a_badge_nor_badges_change() -> None:
    source = {"en": "Client"}
    badge = Badge("vip", source, "VIP", "primary")
    source["en"] = "changed"
    assert badge.title == {"en": "Client"}
    with pytest.raises(AttributeError):
        badge.code = "changed"
    both = Badges([VIP, MISSED])
    assert both[-1:] == Badges([MISSED])
    assert both == Badges([VIP, MISSED]) != [VIP, MISSED]
    assert hash(both) == hash(Badges([VIP, MISSED]))
    with pytest.raises(TypeError):
        both[0] = MISSED
    df = both.df
    df.loc[0, "code"] = "changed"
    assert both[0] == VIP


def test_in_language_shows_what_a_viewer_sees() -> None:
    assert [badge.title for badge in Badges([VIP, MISSED]).in_language("de")] == ["Kunde", "Missed call"]
    assert [badge.value for badge in Badges([VIP, MISSED]).in_language("fr")] == ["VIP", "Verpasst"]


def test_text_and_html_show_the_same_badges() -> None:
    many = Badges(Badge(f"code{n}", "<b>&", "'\"", "primary") for n in range(150))
    text, html = repr(many), many._repr_html_()
    for n in range(150):
        assert (f"code{n} " in text) == (f"code{n}<" in html), n
    assert "50 more" in text
    assert "50 more" in html
    assert repr(Badges()) == "Badges: 0"
