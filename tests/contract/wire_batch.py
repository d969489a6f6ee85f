"""`batch`: its maps, its rules, and references from one command to another."""

from typing import Any
from urllib.parse import quote

from tests.contract.wire import *

BATCH = page("settings/how-to-call-rest-api/batch")
SDKS = "observed (answers recorded by the vendor's SDKs)"

NOW = "server.time"
GET_VIP = f"{GET}?code={VIP['code']}"
GET_NONE = f"{GET}?code=b24nb_test_none"
DATE = matching(r"\d{4}-.+")
VIP_FOUND = {"badge": VIP}
NOT_FOUND = error("NOT_FOUND", "Badge not found for code `b24nb_test_none`")
UNKNOWN = error("ERROR_METHOD_NOT_FOUND", "Method not found!")
NOT_ALLOWED = error("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
TOO_MANY = error("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
INTRANET = error("allowed_only_intranet_user", ANYTHING)
SCOPE_MISSING = error("insufficient_scope", "")
EMPTY = {"result": [], "result_error": [], "result_total": [], "result_next": [], "result_time": []}
NOTHING = ok(EMPTY)
HALTED = answered([], errors=[NOT_FOUND])
WENT_ON = answered({"1": DATE}, errors=[NOT_FOUND])


def no_badge(code: str) -> dict[str, Any]:
    return error("NOT_FOUND", f"Badge not found for code `{code}`")


def no_text(shown: Any, name: str = "code") -> dict[str, Any]:
    text = f"Invalid value {{{shown}}} to match with parameter {{{name}}}. Should be value of type string."
    return error("100", text)


def add(name: str, title: str, value: str = "v") -> str:
    return f"{ADD}?code=b24nb_test_{name}&title={title}&value={value}&type=primary"


def refers(code: str, expected: Any, **other: Any) -> tuple[Any, ...]:
    """Get VIP as ``a``, then get the badge whose code is this text as ``b``; ``b`` is found or refused."""
    commands = {"a": GET_VIP, "b": f"{GET}?code={code}"}
    if expected == VIP_FOUND:
        return batch(commands), answered({"a": VIP_FOUND, "b": VIP_FOUND})
    return batch(commands), answered({"a": VIP_FOUND}, errors={"b": expected})


# fmt: off
REQUEST = [
    live("request.cmd-case", "The names cmd and halt are taken in any case.", SERVER,
         call("batch", {"CMD": [GET_NONE, NOW], "Halt": 1}), HALTED),
    live("request.json-encoding", "In JSON the query of a command is encoded once.", BATCH,
         batch({"a": add("new", quote("a & b = c%"))}), answered({"a": {"badge": badge("new", "a & b = c%", "v")}})),
    live("request.form-encoding", "In a form it is encoded once more.", BATCH,
         post("<admin>/batch", "cmd[a]=" + quote(add("new", quote("a & b = c%")), safe="")),
         answered({"a": {"badge": badge("new", "a & b = c%", "v")}})),
    live("request.query", "cmd may stand in the query.", SERVER,
         get("<admin>/batch?cmd[a]=" + quote(GET_VIP, safe="")), answered({"a": VIP_FOUND})),
    *(live(f"request.unknown-{command}", "No slash before it, no suffix, no empty name: an unknown method.", DERIVED,
           batch({"a": command}), answered([], errors={"a": UNKNOWN}))
      for command in ("/" + NOW, NOW + ".json", "", "?code=x", "no.such.method?x=1")),
    live("request.method-case", "Its method is taken in any case.", DERIVED,
         batch({"a": "CRM.activity.BADGE.get?code=" + VIP["code"]}), answered({"a": VIP_FOUND})),
    live("request.hash", "What follows a raw # is lost.", DERIVED,
         batch({"a": GET_VIP + "#x&code=b24nb_test_none"}), answered({"a": VIP_FOUND})),
    *(live(f"request.halt-{name}", f"halt={shown} stops at the first error.", SERVER,
           batch([GET_NONE, NOW], value), HALTED)
      for name, shown, value in (("one", "1", 1), ("true", "true", True), ("text-one", '"1"', "1"),
                                 ("text-false", '"false"', "false"), ("n", '"N"', "N"), ("list", "[0]", [0]))),
    *(live(f"request.halt-not-{name}", f"halt={shown} does not stop.", SERVER, batch([GET_NONE, NOW], value), WENT_ON)
      for name, shown, value in (("zero", "0", 0), ("text-zero", '"0"', "0"), ("empty", '""', ""),
                                 ("false", "false", False), ("absent", "nothing", None), ("list", "[]", []))),
    live("request.halt-form", "In a form halt=false is a text, and true.", SERVER,
         post("<admin>/batch", "halt=false&cmd[]=" + quote(GET_NONE) + "&cmd[]=" + NOW), HALTED),
    fact("request.credentials", "A command can't bring credentials of its own.", SERVER,
         batch({"a": "profile?auth=<token>&aplogin=7&ap=x", "b": f"{LIST}?access_token=nobody"}, by="<employee>"),
         answered({"a": having(ID="7"), "b": {"badges": [VIP]}}, totals={"b": 1})),
]

RESPONSE = [
    live("response.list-errors-map", "Errors that do not start at 0 are a map.", SDKS,
         batch([NOW, GET_NONE]), answered([DATE], errors={"1": NOT_FOUND})),
    live("response.number-keys", "Keys 0 and 1 of a map make lists; in another order they stay a map.", SERVER,
         batch({"0": NOW, "1": GET_VIP}), answered([DATE, VIP_FOUND]),
         batch({"1": NOW, "0": GET_VIP}), answered({"1": DATE, "0": VIP_FOUND})),
    fact("response.null", "A result with null is kept.", DERIVED,
         batch({"a": add("c" * 256, "t")}), answered({"a": {"badge": None}}), portal={"code_limit": 255}),
    fact("response.start-minus-1", "start=-1 leaves no total.", SERVER,
         batch({"a": f"{LIST}?start=-1"}), answered({"a": {"badges": [VIP]}})),
    live("response.order", "Commands run in their order.", BATCH,
         batch({"z": add("new", "t"), "a": f"{GET}?code=b24nb_test_new", "m": f"{DELETE}?code=b24nb_test_new"}),
         answered({"z": {"badge": badge("new", "t", "v")}, "a": {"badge": badge("new", "t", "v")}, "m": True})),
]

RULES = [
    live("rule.51", "50 commands are executed, no other (documented: 400 for the whole).", SERVER,
         batch([NOW] * 50 + [add("new", "t"), NOW]), answered([DATE] * 50, errors={"50": TOO_MANY, "51": TOO_MANY}),
         call(GET, {"code": "b24nb_test_new"}), Answer(400, having(error="NOT_FOUND"))),
    *(live(f"rule.inside-{method}", f"{method} is not allowed inside (documented: 405).", SERVER,
           batch({"a": f"{method}?x=1", "b": NOW}), answered({"b": DATE}, errors={"a": NOT_ALLOWED}))
      for method in ("batch", "download", "upload")),
    live("rule.inside-Batch", "That is compared in lower case only: Batch slips through.", DERIVED,
         batch({"a": "Batch?cmd[x]=" + NOW}),
         answered({"a": EMPTY | {"result": {"x": DATE}, "result_time": {"x": TIME}}})),
    live("rule.halt-without-error", "Without an error halt stops nothing.", BATCH,
         batch({"a": NOW, "b": GET_VIP}, 1), answered({"a": DATE, "b": VIP_FOUND})),
    *(live(f"rule.no-commands-{commands!r:.3}", "No commands: five empty lists.", SERVER,
           call("batch", {"cmd": commands}), NOTHING) for commands in (None, {}, NOW, 5)),
    live("rule.not-a-text", "A command that is no text is skipped, but it counts.", SERVER,
         batch({"a": 5, "b": None, "c": ["x"], "d": NOW, "e": True}), answered({"d": DATE}),
         batch([None] * 50 + [NOW]), answered([], errors={"50": TOO_MANY})),
    fact("rule.scope", "A missing scope has no description here.", BATCH,
         batch({"a": GET_VIP, "b": NOW}, by="<noscope>"), answered({"b": DATE}, errors={"a": SCOPE_MISSING})),
    fact("rule.credentials", "Wrong credentials refuse the whole batch.", SERVER,
         batch({"a": NOW}, by="/rest/<user>/wrong"), Answer(401, having(error="INVALID_CREDENTIALS"))),
    live("rule.same-key", "Of commands with the same key the last is taken.", DERIVED,
         post("<admin>/batch", f'{{"cmd": {{"a": "{GET_NONE}", "a": "{NOW}"}}}}', JSON_TYPE), answered({"a": DATE})),
    live("rule.app-info", "app.info of a webhook works alone and fails inside.", DERIVED,
         call("app.info"), Answer(200), batch({"a": "app.info"}),
         answered([], errors={"a": error("ACCESS_DENIED", "Access denied! Application context required")})),
    fact("rule.intranet", "A refused extranet user makes the status of the whole batch 403.", DERIVED,
         batch({"a": NOW, "b": LIST}, by="<extranet>"),
         Answer(403, answered({"a": DATE}, errors={"b": INTRANET}).body)),
]

REFERENCES = [
    live("reference.result", "$result[a][badge][code] is what a answered, with its wrapper.", BATCH,
         *refers("$result[a][badge][code]", VIP_FOUND)),
    fact("reference.list", "A step can be a position.", DERIVED,
         batch({"a": LIST, "b": f"{GET}?code=$result[a][badges][0][code]"}),
         answered({"a": {"badges": [VIP]}, "b": VIP_FOUND}, totals={"a": 1})),
    live("reference.list-key", "With a list of commands the key is the position.", BATCH,
         batch([GET_VIP, f"{GET}?code=$result[0][badge][code]"]), answered([VIP_FOUND, VIP_FOUND])),
    fact("reference.total", "$total[a] is a number, and stays one: it is no text.", SERVER,
         batch({"a": LIST, "b": f"{GET}?code=$total[a]"}),
         answered({"a": {"badges": [VIP]}}, totals={"a": 1}, errors={"b": no_text(1)})),
    fact("reference.next", "$next[a] is where a's next page starts.", BATCH,
         sixty_activities, batch({"a": "crm.activity.list", "b": "crm.activity.list?start=$next[a]"}),
         answered({"a": Like("50 rows", lambda rows: len(rows) == 50),
                   "b": Like("10 rows", lambda rows: len(rows) == 10)}, totals={"a": 60, "b": 60}, nexts={"a": 50})),
    fact("reference.time", "$time[a][...] is a part of a's time block.", SERVER,
         *refers("$time[a][start]", no_text(1764000000)), portal={"clock": True}),
    live("reference.error", "$error[a][...] is a part of a's error.", SERVER,
         batch({"a": GET_NONE, "b": f"{GET}?code=$error[a][error]"}),
         answered([], errors={"a": NOT_FOUND, "b": no_badge("NOT_FOUND")})),
    live("reference.map", "A map stays a map.", SERVER,
         batch({"a": add("new", "x").replace("title=x", "title[en]=E&title[de]=D"),
                "b": add("two", "$result[a][badge][title]")}),
         answered({"a": {"badge": badge("new", {"en": "E", "de": "D"}, "v")},
                   "b": {"badge": badge("two", {"en": "E", "de": "D"}, "v")}})),
    live("reference.nested-value", "References stand in nested values too.", SERVER,
         batch({"a": GET_VIP, "b": add("new", "x").replace("title=x", "title[en]=$result[a][badge][title]")}),
         answered({"a": VIP_FOUND, "b": {"badge": badge("new", {"en": "Client"}, "v")}})),
    *(live(f"reference.embedded-{title}", "Inside a text a text is put in; what is glued behind it goes.", SERVER,
           batch({"a": GET_VIP, "b": add("new", given)}),
           answered({"a": VIP_FOUND, "b": {"badge": badge("new", title, "v")}}))
      for given, title in (("Copy of $result[a][badge][title]", "Copy of Client"),
                           ("$result[a][badge][title] $result[a][badge][value]", "Client VIP"),
                           ("To $result[a][badge][title]!, x", "To Client x"),
                           ("x $result[a][badge] y", "x $result[a][badge] y"))),
    fact("reference.embedded-number", "And a number.", SERVER,
         batch({"a": LIST, "b": add("new", "There are $total[a] badges")}),
         answered({"a": {"badges": [VIP]}, "b": {"badge": badge("new", "There are 1 badges", "v")}}, totals={"a": 1})),
    *(live(f"reference.{name}", says, SERVER, *refers(text, expected)) for name, says, text, expected in (
        ("unknown-step", "An unknown step stops at what was found.", "$result[a][badge][nosuch]", no_text("Array")),
        ("unknown-key", "An unknown command stops at the whole map.", "$result[nosuch][badge]", no_text("Array")),
        ("too-deep", "A step into a text stops at the text.", "$result[a][badge][code][x]", VIP_FOUND),
        ("encoded", "It may be encoded like any value.", quote("$result[a][badge][code]", safe=""), VIP_FOUND),
        ("no-part", "Without a part it is no reference.", "$result", no_badge("$result")),
        ("other-name", "Other names are none.", "$nothing[a][badge]", no_badge("$nothing[a][badge]")))),
    live("reference.later", "A later command can't be referred to yet.", BATCH,
         batch({"a": f"{GET}?code=$result[b][badge][code]", "b": GET_VIP}),
         answered({"b": VIP_FOUND}, errors={"a": no_text("Array")})),
]
# fmt: on

FACTS: list[Fact] = [*REQUEST, *RESPONSE, *RULES, *REFERENCES]
