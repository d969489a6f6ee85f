"""Snippets are run: what they say is done on a portal, by the program that they are written for."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import b24nb
from b24nb.display.snippets import FLAVOURS, as_code
from tests.layers import require_package
from tests.snippets.running import run

require_package("trustme")

ADD, GET, LIST, DELETE = (f"crm.activity.badge.{name}" for name in ("add", "get", "list", "delete"))

#: What breaks snippets: each language's quotes, escapes, comments, variables, and the end of a script.
AWKWARD = 'it\'s "so" \\ \\n `id` $HOME ${x} $(id) {{ y }} %s <!-- </script> ?> */ # //\n\ttab 😀 Grüße'
BADGES = {
    "plain": {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"},
    "awkward": {"code": "it's \"a\" & 'b'+$c", "title": AWKWARD, "value": "'", "type": "failure"},
    "languages": {
        "code": "kunde",
        "title": {"en": "It's a client", "de": 'Ein "Kunde"', "ru": "Клиент\n№ 1", "ja": "顧客 😀"},
        "value": {"en": "VIP\\", "de": "$wichtig"},
        "type": "warning",
    },
}

#: There is no Go here to run its flavour with: test_display_snippets.py reads its literals instead.
RUN = [flavour for flavour in FLAVOURS if flavour != "go"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def module_portal() -> Iterator[b24nb.SandboxPortal]:
    with b24nb.SandboxPortal(tls=True) as portal:
        yield portal


@pytest.fixture
def call(module_portal: b24nb.SandboxPortal, tmp_path: Path) -> Iterator[Run]:
    """Make a snippet and run it; the portal's badges are as before in the end."""
    before = module_portal.badges

    def make_and_run(method: str, params: Any, flavour: str, **options: Any) -> subprocess.CompletedProcess[str]:
        directory = tmp_path / str(len(list(tmp_path.iterdir())))
        directory.mkdir()
        return run(as_code(method, params, flavour, **options), module_portal, directory)

    yield make_and_run
    assert module_portal.badges == before


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def failed(result: subprocess.CompletedProcess[str], flavour: str) -> str:
    """What a snippet says of a refusal, with an exit code where its program has one."""
    assert (result.returncode == 0) == (flavour in ("bx24js", "js-umd"))
    assert "Traceback" not in result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("flavour", RUN)
@pytest.mark.parametrize("badge", BADGES.values(), ids=BADGES)
def test_a_badge_comes_and_goes_as_the_call_says(
    call: Run, module_portal: b24nb.SandboxPortal, badge: dict[str, Any], flavour: str
) -> None:
    code = {"code": badge["code"]}
    done(call(ADD, badge, flavour))
    assert module_portal.badges[-1] == badge
    assert badge["type"] in done(call(GET, code, flavour))
    done(call(DELETE, code, flavour))
    assert badge not in module_portal.badges


@pytest.mark.parametrize("badge", BADGES.values(), ids=BADGES)
def test_curl_as_powershell_has_it_sends_the_same(
    call: Run, module_portal: b24nb.SandboxPortal, badge: dict[str, Any]
) -> None:
    done(call(ADD, badge, "curl", shell="powershell"))
    assert module_portal.badges[-1] == badge
    done(call(DELETE, {"code": badge["code"]}, "curl-oauth", shell="powershell"))
    assert badge not in module_portal.badges


@pytest.mark.parametrize("flavour", RUN)
def test_the_list_and_a_refusal(call: Run, flavour: str) -> None:
    assert "missedCall" in done(call(LIST, {}, flavour))
    assert "Badge not found for code" in failed(call(GET, {"code": "nobody's"}, flavour), flavour)


@pytest.mark.parametrize("flavour", ["curl", "js", "php", "python", "b24pysdk"])
def test_with_the_token_of_an_application(call: Run, module_portal: b24nb.SandboxPortal, flavour: str) -> None:
    assert "failure" in done(call(GET, {"code": "missedCall"}, flavour, oauth=True))
    assert module_portal.requests[-1].path in ("/rest/crm.activity.badge.get", "/rest/crm.activity.badge.get.json")


@pytest.mark.parametrize("flavour", RUN)
def test_a_batch(call: Run, module_portal: b24nb.SandboxPortal, flavour: str) -> None:
    badge = BADGES["languages"]
    commands = {"a": (ADD, badge), "b": (GET, {"code": "$result[a][badge][code]"})}
    commands |= {"c": (DELETE, {"code": "nobody's"}), "d": (DELETE, {"code": "kunde"})}
    told = call("batch", {"cmd": commands, "halt": 1}, flavour)
    said = told.stdout + told.stderr
    assert "nobody" in said  # the third command failed, and says so
    assert flavour == "php" or "warning" in said  # that library throws away the answers beside an error
    assert module_portal.badges[-1] == badge  # and halted before the fourth
    done(call("batch", {"cmd": [f"{DELETE}?code=kunde"], "halt": "0"}, flavour))  # as a text


@pytest.mark.parametrize("flavour", RUN)
def test_a_batch_runs_in_its_order_and_with_its_booleans(
    call: Run, module_portal: b24nb.SandboxPortal, flavour: str
) -> None:
    commands = {"12": (GET, {"code": "nobody's"}), "7": (DELETE, {"code": "missedCall"})}
    told = call("batch", {"cmd": commands, "halt": 1}, flavour)
    assert "nobody" in told.stdout + told.stderr
    assert "missedCall" in {badge["code"] for badge in module_portal.badges}, "JavaScript sorts such keys"
    with b24nb.connect(module_portal.webhook, verify=module_portal.ca_file or True) as b24:
        every, own = b24.call("scope", {"full": True}).result, b24.call("scope").result
    extra = max({*every} - {*own}, key=len)  # no part of another word
    for asked in (("batch", {"cmd": {"a": ("scope", {"full": False})}}), ("scope", {"full": False})):
        assert extra not in done(call(*asked, flavour)), "the word false is true in PHP"
