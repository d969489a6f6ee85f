"""fast_bitrix24, which sends everything in batches side by side, against the sandbox."""

import asyncio
from collections.abc import Iterator

import pytest

import b24nb
from tests.fakes import rows
from tests.layers import require_package

require_package("fast_bitrix24")

from fast_bitrix24 import Bitrix  # noqa: E402

BADGE = "crm.activity.badge"


@pytest.fixture
def bitrix(portal: b24nb.SandboxPortal) -> Iterator[Bitrix]:
    loop = asyncio.new_event_loop()  # it would make one, and leave it open
    asyncio.set_event_loop(loop)
    yield Bitrix(portal.webhook, verbose=False)
    asyncio.set_event_loop(None)
    loop.close()


def test_the_four_methods(portal: b24nb.SandboxPortal, bitrix: Bitrix) -> None:
    before = portal.badges
    new = {"code": "vip", "title": {"en": "Client", "de": "Kunde"}, "value": "VIP", "type": "primary"}
    assert bitrix.call(f"{BADGE}.list", raw=True)["result"] == {"badges": before}
    assert bitrix.call(f"{BADGE}.add", new) == new
    assert bitrix.call(f"{BADGE}.get", {"code": "vip"}) == new
    bitrix.call(f"{BADGE}.delete", {"code": "vip"})
    assert portal.badges == before


def test_a_batch_of_120_deletes(portal: b24nb.SandboxPortal, bitrix: Bitrix) -> None:
    before, new = portal.badges, rows(120)
    assert sorted(bitrix.call(f"{BADGE}.add", new), key=lambda row: row["code"]) == new
    assert len(portal.badges) == len(before) + 120
    bitrix.call(f"{BADGE}.delete", [{"code": row["code"]} for row in new])
    assert portal.badges == before


def test_all_pages_of_the_activities(portal: b24nb.SandboxPortal, bitrix: Bitrix) -> None:
    attached = {str(portal.attach("missedCall")) for _ in range(120)}
    open_ones = bitrix.get_all("crm.activity.list", {"filter": {"COMPLETED": "N"}})
    assert {one["COMPLETED"] for one in open_ones} == {"N"}
    ids = [one["ID"] for one in open_ones]
    assert len(ids) == len(set(ids))
    assert attached < set(ids)
