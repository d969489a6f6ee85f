"""The methods around the badges: who am I, and what may I call?"""

from tests.contract.stage import Stage
from tests.contract.wire import *

COMMON = "api-reference/common"
PROFILE, SCOPE = page(f"{COMMON}/users/profile"), page(f"{COMMON}/system/scope")
APP_INFO, METHODS = page(f"{COMMON}/system/app-info"), page(f"{COMMON}/system/methods")
METHOD_GET, NOW = page(f"{COMMON}/system/method-get"), page(f"{COMMON}/system/server-time")
FEATURE, USER = page(f"{COMMON}/system/feature-get"), page("api-reference/user/user-current")
ENUM = page("api-reference/crm/auxiliary/enum/crm-enum-owner-type")

SDK_TEST = "observed (the vendor's b24pysdk tests it)"
NOT_AN_APPLICATION = refused(403, "ACCESS_DENIED", "Access denied! Application context required")
#: Some of the scopes of a cloud portal, each of which it has.
SOME_SCOPES = {"crm", "bizproc", "calendar", "catalog", "disk", "im", "lists", "placement", "sale", "user"}
ALL_SCOPES = Like("all scopes", lambda scopes: set(scopes) > SOME_SCOPES and len(set(scopes)) == len(scopes))


def names(*present: str, absent: str = ".badge.") -> Like:
    fits = lambda result: set(present) <= set(result) and not [name for name in result if absent in name]  # noqa: E731
    return Like(f"names with {present}", fits)


def fewer_keys(stage: Stage) -> None:
    assert set(stage.names["brief"]) < set(stage.names["everything"])


APPLICATION = ["ID", "CODE", "VERSION", "STATUS", "INSTALLED", "PAYMENT_EXPIRED", "DAYS", "LANGUAGE_ID", "LICENSE"]
PERSON = ["ID", "ADMIN", "NAME", "LAST_NAME", "PERSONAL_GENDER", "TIME_ZONE"]


def first_keys(keys: list[str]) -> Like:
    return Like(f"a map that starts with {keys}", lambda result: list(result)[: len(keys)] == keys)


# fmt: off
WHO_AND_WHAT = [
    live("profile.keys", "profile has these keys in this order.", PROFILE, call("profile"), ok(first_keys(PERSON))),
    fact("profile.types", "The id is a text, ADMIN a truth value.", SERVER,
         call("profile"), ok(having(ID="1", ADMIN=True, NAME=TEXT, LAST_NAME=TEXT)),
         call("profile", by="<employee>"), ok(having(ID="7", ADMIN=False))),
    fact("bare", "profile, app.info and scope need no scope; nothing granted is an empty list.", SERVER,
         webhook("bare"), call("profile", by="<bare>"), ok(having(ID="1")), call("scope", by="<bare>"), ok([]),
         call("app.info", by="<bare>"), ok({"SCOPE": [], "LICENSE": TEXT})),
    *(fact(f"user.{scope}", f"user.current works with the scope {scope}.", USER,
           webhook("one", scopes=(scope,)), call("user.current", by="<one>"),
           ok(Like("upper-case keys", lambda user: user["ID"] == "1" and all(k == k.upper() for k in user))))
      for scope in ("user", "user_brief", "user_basic")),
    fact("user.sets", "user_brief shows fewer of them than user.", USER,
         webhook("all", scopes=("user",)), call("user.current", by="<all>", keep=("everything",)),
         webhook("one", scopes=("user_brief",)), call("user.current", by="<one>", keep=("brief",)), fewer_keys),
    fact("user.no-scope", "And with none of them not.", USER,
         webhook("one", scopes=("crm",)), call("user.current", by="<one>"), NO_SCOPE),
    fact("app.application", "app.info of an application; ID and VERSION are integers there.", APP_INFO,
         oauth("app.info"), ok(first_keys(APPLICATION)), oauth("app.info"), ok(having(ID=1, VERSION=1))),
    fact("app.option-webhook", "app.option.get is of an application.", SDK_TEST,
         call("app.option.get"), NOT_AN_APPLICATION, oauth("app.option.get"), ok([])),
    fact("app.placement-webhook", "placement.bind does not take a webhook.", SDK_TEST, call("placement.bind"),
         refused(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method"),
         oauth("placement.bind"), NO_SCOPE,
         issue("placing", scopes=["placement"]), oauth("placement.bind", token="<placing>"), ok(True)),
    live("app.webhook", "app.info of a webhook is another map (documented: ACCESS_DENIED).", SERVER,
         call("app.info"), ok({"SCOPE": Like("a list", lambda scopes: isinstance(scopes, list)), "LICENSE": TEXT})),
    fact("app.self-hosted", "A portal on a server of one's own has a plan of its own.", SERVER,
         call("app.info"), ok(having(LICENSE="ru_selfhosted")), oauth("app.info"), ok(having(LICENSE="ru_selfhosted")),
         call("feature.get", {"CODE": "rest_access"}), ok({"value": "ru_selfhosted"}),
         portal={"tariff": "self-hosted"}),
    fact("scope.granted", "scope lists what was granted.", SCOPE, call("scope"), ok(["crm", "user", "task"]),
         call("scope", by="<noscope>"), ok(["task", "user_brief"])),
    *(fact(f"scope.{key}", f"{key} lists all that the portal has.", SCOPE,
           call("scope", {key: True}, by="<noscope>"), ok(ALL_SCOPES)) for key in ("full", "FULL")),
    live("methods.names", "methods lists names; methods of controllers are not among them.", METHODS,
         call("methods"), ok(names("profile", "batch", "crm.activity.list")),
         call("methods"), ok(names(absent="configurable"))),
    fact("methods.narrowed", "scope narrows them, as what the caller may call does; full gives all.", METHODS,
         call("methods", {"scope": "crm"}), ok(names("crm.activity.list", absent="profile")),
         call("methods", by="<noscope>"), ok(names("profile", absent="crm.")),
         call("methods", {"full": True}, by="<noscope>"), ok(names("profile", "crm.activity.list"))),
    *(live(f"method.{name or None}", "method.get knows methods of controllers only by their controller.", METHOD_GET,
           call("method.get", {"name": name}), ok({"isExisting": known, "isAvailable": known}))
      for name, known in (("crm.activity.badge.get", True), ("crm.activity.badge.nonsense", True),
                          ("server.time", True), ("no.such.method", False), ("SERVER.TIME", False), ("", False))),
    fact("method.scope", "isAvailable says whether the scope was granted.", SERVER,
         call("method.get", {"name": "crm.activity.badge.get"}, by="<noscope>"),
         ok({"isExisting": True, "isAvailable": False})),
    live("method.no-name", "No name is none that it knows.", SERVER,
         call("method.get"), ok({"isExisting": False, "isAvailable": False})),
    live("time.text", "server.time is a text.", NOW,
         call("server.time"), ok(matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"))),
    *(live(f"feature.{key}", f"feature.get takes its code as {key}.", FEATURE,
           call("feature.get", {key: "rest_offline_extended"}), ok({"value": matching("[YN]")}))
      for key in ("CODE", "code")),
    live("feature.empty", "Without a code it refuses.", FEATURE,
         call("feature.get"), refused(400, "CODE_EMPTY", "CODE can't be empty")),
    live("enum.owner-types", "Owner types have ids: 1 lead, 2 deal, 3 contact, 4 company.", ENUM,
         call("crm.enum.ownertype"),
         ok(Like("the four", lambda rows: {1, 2, 3, 4} <= {int(row["ID"]) for row in rows}))),
    fact("enum.scope", "It needs the scope crm.", ENUM, call("crm.enum.ownertype", by="<noscope>"), NO_SCOPE),
    *(fact(f"context.{method}", f"An application may call {method} too.", SERVER, oauth(method, params), ok(ANYTHING))
      for method, params in (("profile", {}), ("user.current", {}), ("scope", {}), ("methods", {}),
                             ("method.get", {"name": "profile"}), ("server.time", {}),
                             ("feature.get", {"CODE": "x"}), ("batch", {"cmd": ["profile"]}))),
]
# fmt: on

FACTS: list[Fact] = [*WHO_AND_WHAT]
