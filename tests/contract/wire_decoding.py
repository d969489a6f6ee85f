"""How a request's parameters are read: query, form, JSON, and PHP's brackets."""

import json

from tests.contract.wire import *

ENCODING = page("settings/how-to-call-rest-api/data-encoding")
PHP = f"{SERVER}; PHP's parse_str"

CODE = f"code={VIP['code']}"
BODY = json.dumps({"code": VIP["code"]})

NEW = "code=b24nb_test_new&type=primary"


def added(title: object = "t", value: object = "v", code: str = "new") -> Answer:
    return ok({"badge": badge(code, title, value)})


def multipart(name: str, boundary: str = "boundary") -> Send:
    part = f"--b24nb\r\nContent-Disposition: form-data; name={name}\r\n\r\n{VIP['code']}\r\n--b24nb--\r\n"
    return post(f"<admin>/{GET}", part, f"multipart/form-data; {boundary}=b24nb")


# fmt: off
BODIES = [
    *(live(f"body.{kind}", f"{kind} is JSON.", SERVER, post(f"<admin>/{GET}", BODY, kind), FOUND)
      for kind in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json")),
    live("body.multipart", "A multipart form is read; quotes and capitals do not matter.", PHP,
         multipart('"code"'), FOUND, multipart("code", "Boundary"), FOUND),
    *(live(f"body.{kind}", f"A body of the type {kind} is read as urlencoded text.", SERVER,
           post(f"<admin>/{GET}", CODE, kind), FOUND) for kind in ("text/plain", None)),
    *(live(f"body.json-as-{kind}", f"JSON under the type {kind} is not JSON.", SERVER,
           post(f"<admin>/{GET}", BODY, kind), missing("code")) for kind in ("text/plain", FORM_TYPE)),
    *(live(f"body.dropped-{text[:7]}", "A body that is no JSON, or only a scalar, is silently dropped.", SERVER,
           post(f"<admin>/{GET}", text, JSON_TYPE), missing("code"))
      for text in (BODY[:-1], "", "5", '"code"', "true", "null")),
    live("body.malformed-keeps-query", "Where it is dropped, the query still counts.", SERVER,
         post(f"<admin>/{GET}?{CODE}", "{", JSON_TYPE), FOUND),
    fact("body.malformed-loses-token", "An access token in malformed JSON is not found.", DERIVED,
         post("/rest/profile", '{"auth": "<token>"', JSON_TYPE), NO_AUTH),
    live("body.list", "A JSON list has positions for names: no named parameter is in it.", ENCODING,
         post(f"<admin>/{GET}", json.dumps([VIP["code"]]), JSON_TYPE), missing("code")),
    live("body.wins", "The body wins over the query: JSON and a form.", SERVER,
         call(f"{GET}?code=b24nb_test_other", {"code": VIP["code"]}), FOUND,
         post(f"<admin>/{GET}?code=b24nb_test_other", CODE), FOUND),
    live("body.replaces-keys", "It replaces whole keys: maps are not merged.", SERVER,
         post(f"<admin>/{ADD}?{NEW}&title[en]=Query&value=v", "title[de]=Body"), added({"de": "Body"})),
    live("body.gives-texts", "A form and a query give texts: 123 and true are some.", SERVER,
         post(f"<admin>/{GET}", "code=123"), refused(400, "NOT_FOUND", "Badge not found for code `123`"),
         get(f"<admin>/{GET}?code=true"), refused(400, "NOT_FOUND", "Badge not found for code `true`")),
]

BRACKETS = [
    live("php.map", "a[b]=c is a map, in a form and in the query.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title[en]=Client&title%5Bde%5D=Kunde&value=VIP+%26%20%D0%9A ✓".encode()),
         added({"en": "Client", "de": "Kunde"}, "VIP & К ✓"),
         get(f"<admin>/{ADD}?code=b24nb_test_two&type=primary&title[en]=Client&value[de]=v"),
         added({"en": "Client"}, {"de": "v"}, "two")),
    fact("php.names", "A dot or a space in a name becomes an underscore.", PHP,
         get("/rest/profile?access.token=<token>"), ok(having(ID="1")),
         get("/rest/profile?access+token=<token>"), ok(having(ID="1"))),
]

BINDING = [
    live("names.case", "Names of parameters are case-sensitive: CODE is not code.", SERVER,
         call(GET, {"CODE": VIP["code"]}), missing("code")),
    live("names.unknown", "Unknown parameters are ignored.", SERVER,
         call(GET, {"code": VIP["code"], "id": 1, "select": ["code"], "x": {"y": None}}), FOUND),
]
# fmt: on

FACTS: list[Fact] = [*BODIES, *BRACKETS, *BINDING]
