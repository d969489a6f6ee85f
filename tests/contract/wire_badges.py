"""The four badge methods, check by check in their order."""

from typing import Any

from tests.contract.wire import *

BADGES = "https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges"
OVERVIEW = f"{BADGES}/index.html"
ADD_PAGE, DELETE_PAGE = (f"{BADGES}/crm-activity-badge-{name}.html" for name in ("add", "delete"))

CODE = {"code": VIP["code"]}
DENIED = refused(400, "ACCESS_DENIED", "Access denied")
EXTRANET = Answer(403, {"error": "allowed_only_intranet_user", "error_description": TEXT})
DUPLICATE = refused(400, "BX_INVALID_VALUE", "Code must be unique")
CODE_TOO_LONG = refused(400, "400", "Mysql query error: (1406) Data too long for column 'CODE' at row 1")
#: What add answers to a code over the limit of newer portals, and how a sandbox is made an older one.
OVER_THE_LIMIT = refused(400, "0", "The length of the code field must not exceed 30 characters")
OLDER = {"code_limit": 255}
LONG = "b24nb_test_" + "x" * 25
OLD_CODE = badge() | {"code": LONG}
ASSUMED = "assumed: the order of checks is not documented"
TOO_LONG = refused(400, "400", matching(r"Mysql query error: \(1406\) Data too long for column '(TITLE|VALUE)'.+"))


def new(**changes: Any) -> dict[str, Any]:
    return badge("new", "t", "v") | changes


def without(*names: str) -> dict[str, Any]:
    return {key: value for key, value in new().items() if key not in names}


def not_found(code: str) -> Answer:
    return refused(400, "NOT_FOUND", f"Badge not found for code `{code}`")


def mismatch(shown: str, name: str, wanted: str = "string") -> Answer:
    found = f"Invalid value {{{shown}}} to match with parameter {{{name}}}."
    return refused(400, "100", f"{found} Should be value of type {wanted}.")


def no_language(key: str) -> Answer:
    return refused(400, "0", f"Language `{key}` was not found")


def wrong_text(field: str, key: str) -> Answer:
    return refused(400, "0", f"Wrong value of field `{field}` for language {key}")


def required(field: str) -> Answer:
    return refused(400, "REQUIRED_ARG_MISSING", f"Argument '{field}' is required")


WRONG_TYPE = refused(400, "WRONG_TYPE_VALUE", "Wrong value of field `type`")


def echoed(**changes: Any) -> Answer:
    return ok({"badge": new(**changes)})


def total(count: int) -> Like:
    return Like(f"{count} badges", lambda result: list(result) == ["badges"] and len(result["badges"]) == count)


def listed(*badges: Any) -> Answer:
    return ok({"badges": list(badges)}, total=len(badges))


MANY = tuple(badge(f"n{number}") for number in range(120))

# fmt: off
JSON_VALUES: dict[str, tuple[Any, str]] = {
    "number": (123, "123"), "fraction": (1.5, "1.5"), "true": (True, "1"), "false": (False, ""), "null": (None, ""),
    "list": (["x"], "Array"), "empty-list": ([], "Array"), "map": ({"en": "x"}, "Array"), "empty-map": ({}, "Array"),
}
ACCESS = [
    *(row for method, params, answer in ((ADD, new(), echoed()), (GET, CODE, FOUND), (LIST, {}, listed(VIP)),
                                         (DELETE, CODE, ok(True))) for row in (
        fact(f"access.{method}-scope", "It needs the scope crm, before it looks at arguments.", OVERVIEW,
             call(method, by="<noscope>"), NO_SCOPE),
        fact(f"access.{method}-oauth", "An application may call it.", OVERVIEW, oauth(method, params), answer),
        fact(f"access.{method}-extranet", "An extranet user may not call it at all.", SERVER,
             call(method, by="<extranet>"), EXTRANET))),
    fact("access.employee-writes", "Only an administrator may write; the answer is 400.", SERVER,
         call(ADD, new(), by="<employee>"), DENIED, call(ADD, new(title="", type="pink"), by="<employee>"), DENIED,
         call(DELETE, CODE, by="<employee>"), DENIED,
         call(DELETE, {"code": "b24nb_test_none"}, by="<employee>"), DENIED),
    fact("access.oauth-employee", "An application acts with the rights of its user.", SERVER,
         issue("ben", user="ben"), oauth(DELETE, CODE, token="<ben>"), DENIED, oauth(GET, CODE, token="<ben>"), FOUND),
    fact("access.arguments-first", "An employee who omits an argument sees 100, not ACCESS_DENIED.", SERVER,
         call(ADD, {}, by="<employee>"), missing("code"), call(DELETE, {}, by="<employee>"), missing("code")),
]

ARGUMENTS = [
    *(live(f"argument.{method}-{name}-missing", f"{name} is missing.", SERVER,
           call(method, without(name)), missing(name))
      for method, names in ((ADD, new()), (GET, CODE), (DELETE, CODE)) for name in names),
    live("argument.order", "The first that is missing is named, and a wrong value where its turn comes.", SERVER,
         call(ADD), missing("code"), call(ADD, without("title", "value", "type")), missing("title"),
         call(ADD, without("value", "type")), missing("value"), call(ADD, {"code": 5}), mismatch("5", "code"),
         call(ADD, without("title") | {"type": 5}), missing("title"),
         call(ADD, without("type") | {"settings": "x"}), missing("type")),
    *(live(f"argument.{method.rsplit('.', 1)[1]}-{name}-{kind}", f"{name} as {kind} is no text.", SERVER,
           call(method, new(**{name: value})), mismatch(shown, name))
      for method, name in ((ADD, "code"), (ADD, "type"), (GET, "code"), (DELETE, "code"))
      for kind, (value, shown) in JSON_VALUES.items()),
    live("argument.settings-wrong", "settings has to be an array; a text and a number are none.", SERVER,
         call(ADD, new(settings="x")), mismatch("x", "settings", "array"),
         call(ADD, new(settings=1)), mismatch("1", "settings", "array")),
    *(live(f"argument.settings-{name}", f"settings as {name} is accepted and never returned.", SERVER,
           call(ADD, new(settings=value)), echoed())
      for name, value in (("list", ["x"]), ("map", {"a": 1}), ("null", None))),
]

TEXTS = [
    *(live(f"text.{field}-{kind}", f"{field} as {kind} counts as not given.", SERVER,
           call(ADD, new(**{field: value})), required(field)) for field in ("title", "value")
      for kind, value in (("empty-text", ""), ("number", 5), ("zero", 0), ("fraction", 1.5), ("true", True),
                          ("false", False), ("null", None))),
    *(row for field in ("title", "value") for row in (
          live(f"text.{field}-map", f"{field} can be a map of languages, kept in its order.", ADD_PAGE,
               call(ADD, new(**{field: {"ru": "К", "en": "C"}})), echoed(**{field: {"ru": "К", "en": "C"}})),
          *(live(f"text.{field}-language-{key}", f"An unknown language of {field} is named; case matters.", SERVER,
                 call(ADD, new(**{field: {key: "C"}})), no_language(key)) for key in ("xx", "EN")),
          live(f"text.{field}-list", f"{field} as a list fails on language 0.", SERVER,
               call(ADD, new(**{field: ["C"]})), no_language("0")),
          *(live(f"text.{field}-entry-{kind}", f"A language of {field} without text is named.", SERVER,
                 call(ADD, new(**{field: {"en": "C", "de": entry}})), wrong_text(field, "de"))
            for kind, entry in (("empty", ""), ("number", 5), ("null", None), ("map", {"x": "y"}))),
          live(f"text.{field}-in-order", f"Entries of {field} are checked in order, the language first.", SERVER,
               call(ADD, new(**{field: {"en": "", "xx": "C"}})), wrong_text(field, "en"),
               call(ADD, new(**{field: {"xx": "C", "en": ""}})), no_language("xx"),
               call(ADD, new(**{field: {"xx": ""}})), no_language("xx")),
          *(live(f"text.{field}-empty-{kind}", f"An empty {kind} passes as {field} and comes back as [].", SERVER,
                 call(ADD, new(**{field: empty})), echoed(**{field: []}))
            for kind, empty in (("map", {}), ("list", []))))),
    *(live(f"text.language-{code}", f"{code} is a language of a cloud portal.", SERVER,
           call(ADD, new(title={code: "C"})), echoed(title={code: "C"})) for code in ("en", "de", "ru")),
    fact("text.portal-languages", "Which languages there are is the portal's own matter.", SERVER,
         call(ADD, new(title={"xx": "C"})), echoed(title={"xx": "C"}),
         call(ADD, new(code="b24nb_test_2", title={"en": "C"})), no_language("en"), portal={"languages": ("xx",)}),
    *(live(f"text.kept-{name}", f"The text {text!r} comes back as that text.", SERVER,
           call(ADD, new(title=text, value=text)), echoed(title=text, value=text),
           call(GET, {"code": "b24nb_test_new"}), echoed(title=text, value=text))
      for name, text in (("digits", "123"), ("true", "true"), ("null", "null"), ("json", '{"a":1}'),
                         ("quoted", '"x"'), ("spaces", "  x  "), ("newline", "a\nb"),
                         ("html", "<b>&amp;</b>"), ("backslash", "a\\u0041"),
                         ("emoji", "🎉"), ("rtl", "مرحبا"), ("zero", "0"))),
]

ORDER_AND_TYPE = [
    *(live(f"type.{name}", f"{name} is a type.", ADD_PAGE, call(ADD, new(type=name)), echoed(type=name))
      for name in ("success", "failure", "warning", "primary", "secondary")),
    *(live(f"type.wrong-{name}", f"The type {value!r} is refused.", ADD_PAGE, call(ADD, new(type=value)), WRONG_TYPE)
      for name, value in (("unknown", "pink"), ("empty", ""), ("case", "Primary"), ("space", "primary "))),
    live("order.values", "title is judged first, then value, type, and the code; a refused badge is not added.", SERVER,
         call(ADD, new(title={"xx": "t"}, value="", type="pink")), no_language("xx"),
         call(ADD, new(value="", type="pink")), required("value"), call(ADD, new(code="", type="pink")), WRONG_TYPE,
         call(ADD, new(code=VIP["code"], type="pink")), WRONG_TYPE, call(ADD, new(type="pink")), WRONG_TYPE,
         call(GET, {"code": "b24nb_test_new"}), not_found("b24nb_test_new")),
]

ADDED = [
    live("code.empty", "An empty code is refused in the portal's language.", SERVER,
         call(ADD, new(code="")), refused(400, "BX_EMPTY_REQUIRED", TEXT)),
    fact("code.empty-english", "In English it names the field.", SERVER,
         call(ADD, new(code="")), refused(400, "BX_EMPTY_REQUIRED", matching(".*CODE.*"))),
    fact("language.russian", "Two texts speak the portal's language.", SERVER,
         call(ADD, new(code="")), refused(400, "BX_EMPTY_REQUIRED", 'Не заполнено обязательное поле "CODE"'),
         call(ADD, new(), by="<employee>"), refused(400, "ACCESS_DENIED", "Доступ запрещен"),
         portal={"language": "ru"}),
    fact("language.not-translated", "The others do not.", SERVER,
         call(ADD, new(code="missedCall")), DUPLICATE, call(GET, {"code": "x"}), not_found("x"),
         call(DELETE, {"code": "waitingPayment"}), IN_USE, badges=None, portal={"language": "ru"}),
    fact("code.blank", "A code of spaces is accepted.", SERVER, call(ADD, new(code="  ")), echoed(code="  ")),
    live("code.duplicate", "A code that exists is refused.", ADD_PAGE,
         call(ADD, new(code=VIP["code"])), DUPLICATE, call(GET, CODE), FOUND),
    fact("code.duplicate-case", "MySQL usually ignores case, of any script: it exists in other letters too.", DERIVED,
         call(ADD, new(code="B24NB_TEST_VIP")), DUPLICATE,
         call(ADD, new(code="Ключ")), echoed(code="Ключ"), call(ADD, new(code="КЛЮЧ")), DUPLICATE),
    fact("code.case-sensitive", "Under another collation it is another badge.", DERIVED,
         call(GET, {"code": "B24NB_TEST_VIP"}), not_found("B24NB_TEST_VIP"),
         call(ADD, new(code="B24NB_TEST_VIP")), echoed(code="B24NB_TEST_VIP"), portal={"case_sensitive": True}),
    live("code.30", "30 characters are accepted and echoed.", ADD_PAGE,
         call(ADD, new(code=LONG[:30])), echoed(code=LONG[:30])),
    fact("code.31", "A longer code is refused by newer portals; characters count, not bytes.", ADD_PAGE,
         call(ADD, new(code=LONG[:31])), OVER_THE_LIMIT, call(LIST), listed(VIP),
         call(ADD, new(code="я" * 30)), echoed(code="я" * 30), call(ADD, new(code="ю" * 31)), OVER_THE_LIMIT),
    fact("code.31-order", "The length is judged after rights and type, before a code that exists.", ASSUMED,
         call(ADD, new(code=LONG), by="<employee>"), DENIED, call(ADD, new(code=LONG, type="pink")), WRONG_TYPE,
         call(ADD, new(code=OLD_CODE["code"])), OVER_THE_LIMIT, badges=(OLD_CODE,)),
    fact("code.31-old", "An old long code is listed, found and deleted, but not added again.", ASSUMED,
         call(LIST), listed(OLD_CODE), call(GET, {"code": LONG}), ok({"badge": OLD_CODE}),
         call(DELETE, {"code": LONG}), ok(True), call(ADD, OLD_CODE), OVER_THE_LIMIT, badges=(OLD_CODE,)),
    *(fact(f"code.255-{letter}", "255 characters, not bytes, fit in older portals.", SERVER,
           call(ADD, new(code=letter * 255)), echoed(code=letter * 255), call(GET, {"code": letter * 255}),
           echoed(code=letter * 255), portal=OLDER) for letter in "cя"),
    fact("code.256", "There a longer one is cut silently, with null; the second time the cut one is there.", DERIVED,
         call(ADD, new(code="c" * 256)), ok({"badge": None}),
         call(GET, {"code": "c" * 255}), echoed(code="c" * 255), call(ADD, new(code="c" * 256)),
         refused(400, "400", matching(r"Mysql query error: \(1062\) Duplicate entry .+")), portal=OLDER),
    fact("code.256-strict", "A strict database refuses it.", DERIVED,
         call(ADD, new(code="c" * 256)), CODE_TOO_LONG, call(LIST), listed(VIP), portal={"strict_sql": True} | OLDER),
    fact("text.4000", "A text is stored as JSON: 3998 characters fit, or 666 that become \\uXXXX.", DERIVED,
         call(ADD, new(title="t" * 3998, value="я" * 666)), echoed(title="t" * 3998, value="я" * 666),
         call(ADD, new(code="2", title="t" * 3999)), TOO_LONG, call(ADD, new(code="2", value="я" * 667)), TOO_LONG,
         portal={"strict_sql": True}),
    fact("text.cut", "A text that was cut is no JSON any more and comes back as it is stored.", DERIVED,
         call(ADD, new(title="t" * 4100)), Answer(200), call(GET, {"code": "b24nb_test_new"}),
         echoed(title='"' + "t" * 3999)),
]

GOTTEN = [
    live("get.not-found", "The text names the code, also an empty one (documented: Not found.).", SERVER,
         call(GET, {"code": "b24nb_test_none"}), not_found("b24nb_test_none"), call(GET, {"code": ""}), not_found("")),
    fact("get.case", "Lookup ignores case on MySQL, by delete too; the stored spelling comes back.", DERIVED,
         call(GET, {"code": "B24NB_Test_VIP"}), FOUND, call(DELETE, {"code": "B24NB_TEST_VIP"}), ok(True)),
]

LISTED = [
    fact("list.order", "In practice in the order of creation.", DERIVED,
         call(ADD, new()), call(LIST), listed(VIP, new())),
    fact("list.ignores", "filter, order and select are ignored.", SERVER,
         call(LIST, {"filter": {"code": "x"}, "order": {"code": "DESC"}, "select": ["code"]}), listed(VIP)),
    fact("list.start", "All rows come, with total (a sample omits it), whatever start is; -1 drops the total.", SERVER,
         call(LIST, {"start": 50}), ok(total(120), total=120),
         post(f"<admin>/{LIST}?start=100"), ok(total(120), total=120), call(LIST, {"start": -1}), ok(total(120)),
         post(f"<admin>/{LIST}", "start=-1"), ok(total(120)), badges=MANY),
    fact("list.empty", "An empty list has a total of 0.", SERVER,
         call(LIST), Answer(200).with_bytes('{"result":{"badges":[]},"total":0,"time":{'), badges=()),
    live("list.live", "It has badges and total, no next.", SERVER,
         call(LIST), ok(Like("badges", lambda result: list(result) == ["badges"]), total=ANYTHING)),
]

DELETED = [
    live("delete.true", "The result is true; the second time it is not found.", DELETE_PAGE,
         call(DELETE, CODE), ok(True), call(GET, CODE), not_found(VIP["code"]),
         call(DELETE, CODE), not_found(VIP["code"])),
    live("delete.empty", "An empty code is not found.", SERVER, call(DELETE, {"code": ""}), not_found("")),
]

NEIGHBOURS = [
    live("action.update", "An action that the controller lacks is 400 with 22002; backslashes are doubled.", DERIVED,
         call("crm.activity.badge.update", CODE), refused(400, "22002",
                 r"Could not find description of update in Bitrix\Crm\Controller\Activity\Badge")
         .with_bytes(r"Bitrix\\Crm\\Controller\\Activity\\Badge")),
    live("action.no-controller", "A controller that does not exist is 404.", DERIVED,
         call("crm.activity.nosuch.get"), UNKNOWN_METHOD),
]
# fmt: on

FACTS: list[Fact] = [*ACCESS, *ARGUMENTS, *TEXTS, *ORDER_AND_TYPE, *ADDED, *GOTTEN, *LISTED, *DELETED, *NEIGHBOURS]
