"""Activities: where badges hang, what holds them, and how they are let go."""

from collections.abc import Callable
from typing import Any

from tests.contract.stage import Stage
from tests.contract.wire import *

ACTIVITIES = "api-reference/crm/timeline/activities"
LIST_PAGE = page(f"{ACTIVITIES}/activity-base/crm-activity-list")
ONES = f"{ACTIVITIES}/configurable/crm-activity-configurable"
ADD_PAGE, UPDATE_PAGE, GET_PAGE = (page(f"{ONES}-{name}") for name in ("add", "update", "get"))
DEALS = page("api-reference/crm/deals/index")
LAYOUT_PAGE = page(f"{ACTIVITIES}/configurable/structure/layout")

#: Of configurable activities; DELETE is that of badges.
ADD, UPDATE, GET = (f"crm.activity.configurable.{name}" for name in ("add", "update", "get"))
CODE = {"code": VIP["code"]}
LAYOUT = {
    "icon": {"code": "info"},
    "header": {"title": "Call"},
    "body": {"logo": {"code": "robot"}, "blocks": {"a": {"type": "text", "properties": {"value": "x"}}}},
}
ODD_LAYOUT = {**LAYOUT, "body": {"blocks": {}}, "footer": {"buttons": {"ok": {"title": "Fertig <ü>"}}}}
DELETE_BADGE = call(DELETE, CODE)
FREE = ok(True)
NO_ITEM = refused(400, "NOT_FOUND", "Item was not found.")
OF_APPLICATIONS = "The method can only be called within the context of a rest application"
NO_CONTEXT = refused(400, "ERROR_WRONG_CONTEXT", OF_APPLICATIONS)
WRONG_FIELD = refused(400, "WRONG_FIELD_VALUE", TEXT)
REDUNDANT = refused(400, "FIELD_IS_REDUNDANT", TEXT)
INCOMING = {"isIncomingChannel": "Y", "deadline": "2030-01-02T10:00:00+03:00"}
NO_DEADLINE = refused(400, "INCOMING_ACTIVITY_CAN_NOT_BE_WITH_DEADLINE", TEXT)
ADDED = ok({"activity": {"id": INTEGER}})
UPDATED = ok(ANYTHING)
UNKNOWN_BADGE = refused(400, "100", matching("Unknown badge value: .+ for type: rest_app_status"))


def owned(**changes: Any) -> dict[str, Any]:
    """The parameters of a new activity on the first deal, without what is ``None``."""
    given = {"ownerTypeId": 2, "ownerId": 1, "fields": {}, "layout": LAYOUT} | changes
    return {name: value for name, value in given.items() if value is not None}


def hold(code: str = VIP["code"], name: str = "activity", **fields: Any) -> Send:
    """An application puts an open activity with a badge on a deal."""
    return oauth(ADD, owned(fields={"badgeCode": code} | fields), keep=(name, "activity", "id"))


def change(**fields: Any) -> Send:
    """The application changes its activity."""
    return oauth(UPDATE, {"id": "<activity>", "fields": fields, "layout": LAYOUT})


def add(fields: Any = None, layout: Any = LAYOUT) -> Send:
    return oauth(ADD, owned(fields=fields or {}, layout=layout))


def field(name: str, value: Any) -> Answer:
    return ok(Like(f"{name}={value!r}", lambda result: result["activity"]["fields"][name] == value))


def days(count: float) -> Callable[[Stage], None]:
    return lambda stage: stage.clock.advance(count * 86_400)


def attach(client_id: str | None = None, deal: int = 1) -> Callable[[Stage], None]:
    """Another activity with the badge, of the application or of another one."""

    def step(stage: Stage) -> None:
        owner = {} if client_id is None else {"client_id": client_id}
        stage.names["foreign"] = stage.portal.attach(VIP["code"], deal=deal, **owner)

    return step


GOT = {
    "activity": {
        "id": INTEGER,
        "ownerTypeId": 2,
        "ownerId": 1,
        "fields": {
            "typeId": "CONFIGURABLE",
            "completed": False,
            "deadline": None,
            "pingOffsets": ANYTHING,
            "isIncomingChannel": False,
            "responsibleId": 1,
            "badgeCode": VIP["code"],
            "originatorId": ANYTHING,
            "originId": ANYTHING,
        },
        "layout": ANYTHING,
    }
}
ROW_OF_TEXTS = Like(
    "upper-case keys and texts, but for PROVIDER_PARAMS",
    lambda row: all(
        key == key.upper() and (type(value) is str or key == "PROVIDER_PARAMS") for key, value in row.items()
    ),
)
HELD = {"PROVIDER_ID": "CONFIGURABLE_REST_APP", "COMPLETED": "N"}
SELECT = ["ID", "OWNER_TYPE_ID", "OWNER_ID", "PROVIDER_PARAMS"]


# fmt: off
LISTED = [
    fact("activities.application", "An application may list, get and delete them too.", SERVER,
         hold(), oauth("crm.activity.list"), ok([having(ID=TEXT)], total=1), oauth(GET, {"id": "<activity>"}), ok(GOT),
         oauth("crm.activity.delete", {"id": "<activity>"}), ok(True)),
    fact("activities.strings", "crm.activity.list has upper-case keys and texts for values.", LIST_PAGE,
         hold(), call("crm.activity.list"), ok([ROW_OF_TEXTS], total=1)),
    fact("activities.pages", "A page has 50 rows; next and total are numbers; start=-1 counts nothing.", LIST_PAGE,
         sixty_activities, call("crm.activity.list"),
         ok(Like("50 rows", lambda rows: len(rows) == 50), next=50, total=60), call("crm.activity.list", {"start": 50}),
         ok(Like("10 rows", lambda rows: len(rows) == 10), total=60),
         call("crm.activity.list", {"start": -1}), ok(Like("50 rows", lambda rows: len(rows) == 50))),
    *(fact(f"activities.order-{name}", f"order sorts by {name}.", LIST_PAGE,
           hold(name="first"), days(0.01), hold(name="second"),
           call("crm.activity.list", {"order": {name: "DESC"}, "select": ["ID"]}),
           ok([{"ID": "2"}, {"ID": "1"}], total=2), portal={"clock": True})
      for name in ("ID", "CREATED", "LAST_UPDATED")),
    fact("activities.select", "Of names that do not exist nothing is shown: empty maps.", DERIVED,
         hold(), call("crm.activity.list", {"select": ["NOSUCH"]}), ok([[]], total=1)),
    fact("activities.scope", "They need the scope crm, configurable ones too.", LIST_PAGE,
         call("crm.activity.list", by="<noscope>"), NO_SCOPE, call("crm.activity.delete", {"id": 1}, by="<noscope>"),
         NO_SCOPE, call(GET, {"id": 1}, by="<noscope>"), NO_SCOPE,
         issue("narrow", scopes=["user_brief"]), oauth(ADD, owned(), token="<narrow>"), NO_SCOPE),
    fact("activities.holders", "So the holders of a badge are found without a reverse look-up.", LIST_PAGE,
         hold(), call("crm.activity.list", {"filter": HELD, "select": SELECT}),
         ok([having(OWNER_TYPE_ID="2", OWNER_ID="1", PROVIDER_PARAMS=having(badgeCode=VIP["code"]))], total=1)),
]

CLASSIC = [
    *(fact(f"activity.{name}", f"crm.activity.{name} refuses configurable activities.", SERVER,
           hold(), call(f"crm.activity.{name}", {"id": "<activity>", "fields": fields}),
           refused(400, "", f"Use crm.activity.configurable.{name} for this activity provider"))
      for name, fields in (("get", {}), ("update", {"SUBJECT": "x"}),
                           ("add", {"PROVIDER_ID": "CONFIGURABLE_REST_APP", "OWNER_TYPE_ID": 2, "OWNER_ID": 1}))),
    fact("activity.get-unknown", "What is not there is an error without a code.", LIST_PAGE,
         call("crm.activity.get", {"id": 999}), refused(400, "", TEXT)),
    *(fact(f"activity.delete-{name}", f"crm.activity.delete deletes them, by webhook too; it takes {name}.", SERVER,
           hold(), call("crm.activity.delete", {name: "<activity>"}), ok(True),
           call(GET, {"id": "<activity>"}), NO_ITEM, DELETE_BADGE, FREE) for name in ("id", "ID")),
    *(live(f"activity.delete-{name}", "Of one that is not there, and without a usable id.", SERVER,
           call("crm.activity.delete", params), refused(400, "", text)) for name, params, text in (
          ("unknown", {"id": 999_999_999}, "Activity is not found."), *((name, params, "ID is not defined or invalid.")
          for name, params in (("nothing", {}), ("zero", {"id": 0}), ("text", {"id": "x"}))))),
]

CONFIGURABLE = [
    *(fact(f"configurable.add-{name}", f"{name} is required.", ADD_PAGE,
           oauth(ADD, owned(**{name: None})), missing(name))
      for name in ("ownerTypeId", "ownerId", "fields", "layout")),
    fact("configurable.arguments-first", "Arguments are bound before the context is checked.", SERVER,
         call(ADD), missing("ownerTypeId")),
    fact("configurable.add-webhook", "A webhook may not add.", SERVER, call(ADD, owned()), NO_CONTEXT),
    fact("configurable.update-webhook", "A webhook may not update.", SERVER,
         hold(), call(UPDATE, {"id": "<activity>", "fields": {"completed": True}}), NO_CONTEXT, DELETE_BADGE, IN_USE),
    fact("configurable.update-unknown", "What is not there is not found; the context comes after.", SERVER,
         call(UPDATE, {"id": 999, "fields": {}}), NO_ITEM, oauth(UPDATE, {"id": 999, "fields": {}}), NO_ITEM),
    fact("configurable.update-id", "id is required.", UPDATE_PAGE, oauth(UPDATE, {"fields": {}}), missing("id")),
    fact("configurable.update-optional", "fields and layout are optional (documented: required).", SERVER,
         hold(), oauth(UPDATE, {"id": "<activity>"}), UPDATED,
         oauth(UPDATE, {"id": "<activity>", "layout": LAYOUT}), UPDATED, oauth(GET, {"id": "<activity>"}), ok(GOT)),
    fact("configurable.get-webhook", "A webhook may get (documented: ERROR_WRONG_CONTEXT) what is there.", SERVER,
         hold(), call(GET, {"id": "<activity>"}), ok(GOT), call(GET, {"id": 999}), NO_ITEM),
    fact("configurable.get-id", "id is required.", GET_PAGE, call(GET), missing("id")),
    *(fact(f"configurable.{name}-{given}-{type(given).__name__}", f"{name} as {given!r} is {shown!r}.", ADD_PAGE,
           hold(**{name: given}), oauth(GET, {"id": "<activity>"}), field(name, shown),
           DELETE_BADGE, FREE if (name, shown) in (("completed", True), ("badgeCode", "")) else IN_USE)
      for name, given, shown in (
          *(("completed", given, True) for given in ("Y", "y", 1, "1", True, "true")),
          *(("completed", given, False) for given in ("N", "n", 0, "0", False, "false")),
          *(("deadline", given, "2030-01-02T10:00:00+03:00") for given in (
              "2030-01-02T10:00:00+03:00", "2030-01-02 10:00", "20300102T100000", "2030-01-02T07:00:00Z")),
          ("isIncomingChannel", "Y", True), ("originId", "42", "42"), ("responsibleId", 7, 7), ("badgeCode", "", ""))),
]

TROUBLES = [
    *(fact(f"trouble.{name}", f"{name} can't be {value!r}.", ADD_PAGE, add({name: value}), WRONG_FIELD)
      for name, value in (("completed", "maybe"), ("isIncomingChannel", "maybe"), ("pingOffsets", ["x"]),
                          ("responsibleId", 999), ("badgeCode", "b24nb_test_none"), ("typeId", "NOSUCH"))),
    fact("trouble.order", "First completed, then a deadline of an incoming one, badge, layout, deadline.", SERVER,
         add(INCOMING | {"completed": "maybe"}), WRONG_FIELD, add(INCOMING | {"badgeCode": "none"}), NO_DEADLINE,
         add({"badgeCode": "none"}, LAYOUT | {"nonsense": {}}), WRONG_FIELD,
         add({"deadline": "tomorrow"}, LAYOUT | {"nonsense": {}}), REDUNDANT),
    *(fact(f"trouble.layout-{name}", f"layout needs {name}.", LAYOUT_PAGE,
           add(layout={key: value for key, value in LAYOUT.items() if key != name}),
           refused(400, "FIELD_IS_REQUIRED", TEXT)) for name in ("icon", "header", "body")),
    fact("trouble.layout-footer", "footer is optional and known; an empty layout is an error of its own.", LAYOUT_PAGE,
         add(layout=LAYOUT | {"footer": {"buttons": {}}}), ADDED,
         add(layout=[]), refused(400, "ERROR_EMPTY_LAYOUT", TEXT)),
    fact("trouble.deadline", "A deadline that is no date.", ADD_PAGE,
         add({"deadline": "tomorrow"}), refused(400, "WRONG_DATETIME_FORMAT", TEXT),
         add({"deadline": "9999-12-31T23:00:00-11:00"}), refused(400, "WRONG_DATETIME_FORMAT", TEXT)),
]

HOLDING = [
    *(fact(f"hold.{name}-changed", f"Letting go: {name}={value!r}.", SERVER,
           hold(), DELETE_BADGE, IN_USE, change(**{name: value}), UPDATED, DELETE_BADGE, FREE)
      for name, value in (("completed", "Y"), ("badgeCode", ""))),
    fact("hold.changed", "So does another badge.", SERVER,
         hold(), change(badgeCode="b24nb_test_two"), UPDATED, DELETE_BADGE, FREE,
         call(DELETE, {"code": "b24nb_test_two"}), IN_USE, badges=(VIP, badge("two"))),
    *(fact(f"hold.{stage}", f"Moving the deal to {stage} lets go only if it is a final stage.", SERVER,
           hold(), call("crm.deal.update", {"id": 1, "fields": {"STAGE_ID": stage}}), DELETE_BADGE, answer)
      for stage, answer in (("WON", FREE), ("LOSE", FREE), ("EXECUTING", IN_USE))),
    fact("hold.deal-deleted", "So does deleting the deal.", SERVER,
         hold(), call("crm.deal.delete", {"id": 1}), ok(True), DELETE_BADGE, FREE),
    *(fact(f"hold.{age}-days", f"So does time: after {age} days, as the portal is set.", SERVER,
           hold(), days(age - 1), DELETE_BADGE, IN_USE, days(1.1), DELETE_BADGE, FREE,
           portal={"clock": True} | portal) for age, portal in ((30, {}), (90, {"attachment_days": 90}))),
    fact("hold.proves-nothing", "badgeCode stays where the badge has gone: it proves no hold.", SERVER,
         hold(), change(completed="Y"), UPDATED, call("crm.activity.list", {"select": ["PROVIDER_PARAMS"]}),
         ok([having(PROVIDER_PARAMS=having(badgeCode=VIP["code"]))], total=1), DELETE_BADGE, FREE),
    fact("hold.proves-nothing-aged", "After 30 days too.", SERVER,
         hold(), days(31), call(GET, {"id": "<activity>"}), ok(GOT), DELETE_BADGE, FREE, portal={"clock": True}),
    fact("hold.reopened", "Reopening a completed activity holds it again.", DERIVED,
         hold(), change(completed="Y"), UPDATED, change(completed="N"), UPDATED, DELETE_BADGE, IN_USE),
    fact("hold.renewed", "Updating an open one whose hold aged out holds it again.", DERIVED,
         hold(), days(31), oauth("profile"), Answer(401), issue("token"), change(originId="x"), UPDATED,
         DELETE_BADGE, IN_USE, portal={"clock": True}),
    fact("hold.two", "Each holder counts.", SERVER,
         hold(), hold(name="second"), change(completed="Y"), UPDATED, DELETE_BADGE, IN_USE,
         call("crm.activity.delete", {"id": "<second>"}), ok(True), DELETE_BADGE, FREE),
    fact("hold.30-characters", "A code of 30 characters is held.", SERVER,
         hold("c" * 30), call(DELETE, {"code": "c" * 30}), IN_USE,
         badges=(badge() | {"code": "c" * 30},)),
    fact("hold.31-characters", "A longer one never counts as held, and its activity can't be updated.", DERIVED,
         hold("c" * 31), change(originId="x"), UNKNOWN_BADGE,
         call(DELETE, {"code": "c" * 31}), FREE, badges=(badge() | {"code": "c" * 31},)),
    fact("hold.other-case", "A badgeCode in other letters passes the check and fails when bound.", DERIVED,
         add({"badgeCode": VIP["code"].upper()}), UNKNOWN_BADGE),
]
FURTHER = [
    fact("hold.untouched", "An update that does not touch the badge leaves its hold as old as it is.", SERVER,
         hold(), days(20), issue("token"), change(originId="x"), UPDATED, days(11), DELETE_BADGE, FREE,
         portal={"clock": True}),
    fact("hold.badge-gone", "A badge that is gone holds nothing and can't be hung up again.", SERVER,
         hold(), days(31), issue("token"), DELETE_BADGE, FREE, change(originId="x"), UPDATED,
         add({"badgeCode": VIP["code"]}), WRONG_FIELD, portal={"clock": True}),
    fact("configurable.foreign", "Who made an activity may change it, nobody else.", SERVER,
         attach("local.other"), oauth(GET, {"id": "<foreign>"}), ok(ANYTHING),
         oauth(UPDATE, {"id": "<foreign>"}), refused(400, "ERROR_WRONG_APPLICATION", TEXT),
         call(UPDATE, {"id": "<foreign>"}), NO_CONTEXT),
    *(fact(f"configurable.update-{name}", f"A wrong {name} of an update.", UPDATE_PAGE,
           hold(), change(**{name: value}), refused(400, code, TEXT)) for name, value, code in (
          ("completed", [], "WRONG_FIELD_VALUE"), ("isIncomingChannel", 2, "WRONG_FIELD_VALUE"),
          ("pingOffsets", "5", "WRONG_FIELD_VALUE"), ("deadline", "tomorrow", "WRONG_DATETIME_FORMAT"))),
    fact("configurable.layout", "A layout comes back as it was; empty maps as lists.", SERVER,
         oauth(ADD, owned(layout=ODD_LAYOUT), keep=("activity", "activity", "id")), oauth(GET, {"id": "<activity>"}),
         ok(having(activity=having(layout=ODD_LAYOUT | {"body": {"blocks": []}})))),
    *(fact(f"configurable.no-owner-{name}", f"An owner that is not there: {name}.", SERVER,
           oauth(ADD, owned(ownerTypeId=kind, ownerId=number)), refused(400, "ACCESS_DENIED", TEXT))
      for name, kind, number in (("deal", 2, 99), ("lead", 1, 1))),
    fact("activities.employee", "An employee reads and deletes activities of his own deals only.", SERVER,
         hold(), attach(), call("crm.activity.list", by="<employee>"), ok([having(ID="2")], total=1),
         call("crm.activity.delete", {"id": "<activity>"}, by="<employee>"), refused(400, "", "Access denied."),
         call("crm.activity.delete", {"id": 2}, by="<employee>"), ok(True)),
    *(fact(f"activities.filter-{name}", f"filter[{name}] finds {count} of two.", LIST_PAGE,
           hold(), attach(deal=2), call("crm.activity.list", {"filter": {name: value}}), ok(ANYTHING, total=count))
      for name, value, count in (
          ("=COMPLETED", "Y", 0), ("@OWNER_ID", [1, 2], 2), ("OWNER_ID", ["2"], 1), ("!@OWNER_ID", [2], 1),
          ("!OWNER_ID", 2, 1), (">ID", 1, 1), ("<=ID", 1, 1), ("%SUBJECT", "BADGE B24NB", 1),
          ("=%SUBJECT", "%badge b24nb%", 1), ("%=SUBJECT", "nothing%", 0), ("!%SUBJECT", "BADGE B24NB", 1),
          ("!=%SUBJECT", "%badge b24nb%", 1),
          ("NO_SUCH_FIELD", 1, 2), ("ID", {"nested": ["x"]}, 0), ("TYPE_ID", "2", 0), ("=TYPE_ID", 6, 2),
          (">CREATED", "2099-01-01T00:00:00+03:00", 0), ("<LAST_UPDATED", "2099-01-01", 2))),
    fact("deal.moved", "Deals can be made, moved and listed.", DEALS,
         call("crm.deal.add", {"fields": {"TITLE": "New", "OPPORTUNITY": "12.50abc"}}, keep=("deal",)),
         call("crm.deal.get", {"id": "<deal>"}), ok(having(STAGE_ID="NEW", OPPORTUNITY="12.5", ASSIGNED_BY_ID="1")),
         call("crm.deal.update", {"id": "<deal>", "fields": {"STAGE_ID": "NOWHERE"}}), refused(400, "", TEXT),
         call("crm.deal.get", {"id": 999}), refused(400, "", TEXT),
         call("crm.deal.list", {"select": ["ID"], "filter": {"STAGE_ID": "NEW"}}),
         ok([{"ID": "1"}, {"ID": TEXT}], total=2)),
    fact("activity.own", "A new one belongs to who made it, unless it says to whom.", LIST_PAGE,
         call("crm.activity.add", {"fields": {"SUBJECT": "Call back"}}, by="<employee>", keep=("activity",)),
         call("crm.activity.get", {"id": "<activity>"}, by="<employee>"), ok(having(RESPONSIBLE_ID="7")),
         call("crm.activity.update", {"id": "<activity>", "fields": {"CREATED": "x", "TYPE_ID": 2}}), ok(True),
         call("crm.activity.get", {"id": "<activity>"}), ok(having(TYPE_ID="6", CREATED=matching("20.+")))),
    fact("activity.plain", "Plain activities are made and completed by webhook.", LIST_PAGE,
         call("crm.activity.add", {"fields": {"SUBJECT": "Call back", "OWNER_ID": 1, "RESPONSIBLE_ID": 7}},
              keep=("activity",)),
         call("crm.activity.update", {"id": "<activity>", "fields": {"COMPLETED": "Y"}}), ok(True),
         call("crm.activity.get", {"id": "<activity>"}),
         ok(having(SUBJECT="Call back", COMPLETED="Y", PROVIDER_ID="CRM_TODO"))),
]
# fmt: on

FACTS: list[Fact] = [*LISTED, *CLASSIC, *CONFIGURABLE, *TROUBLES, *HOLDING, *FURTHER]
