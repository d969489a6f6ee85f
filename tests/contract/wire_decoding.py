"""How a request's parameters are read: query, form, JSON, and PHP's brackets."""

import json

from tests.contract.wire import *

ENCODING = page("settings/how-to-call-rest-api/data-encoding")
PHP = f"{SERVER}; PHP's parse_str"

GET, ADD, LIST = "crm.activity.badge.get", "crm.activity.badge.add", "crm.activity.badge.list"
CODE = f"code={VIP['code']}"
BODY = json.dumps({"code": VIP["code"]})
FOUND = ok({"badge": VIP})
NO_CODE = refused(400, "100", "Could not find value for parameter {code}")
NO_AUTH = refused(401, "NO_AUTH_FOUND", "Wrong authorization data")

NEW = "code=b24nb_test_new&type=primary"


def added(title: object = "t", value: object = "v", code: str = "new") -> Answer:
    return ok({"badge": badge(code, title, value)})


def multipart(**fields: str) -> Send:
    parts = [
        f'--b24nb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    return post(f"<admin>/{GET}", "".join(parts) + "--b24nb--\r\n", "multipart/form-data; boundary=b24nb")


# fmt: off
BODIES = [
    live("body.json", "A JSON body is read.", ENCODING, post(f"<admin>/{GET}", BODY, JSON_TYPE), FOUND),
    live("body.json-charset", "Parameters of the media type are ignored.", SERVER,
         post(f"<admin>/{GET}", BODY, "application/json; charset=utf-8"), FOUND),
    live("body.json-case", "The media type is recognised in any case.", SERVER,
         post(f"<admin>/{GET}", BODY, "Application/JSON"), FOUND),
    live("body.json-suffix", "A media type with +json is JSON too.", SERVER,
         post(f"<admin>/{GET}", BODY, "application/vnd.api+json"), FOUND),
    live("body.form", "An urlencoded form is read.", ENCODING, post(f"<admin>/{GET}", CODE), FOUND),
    live("body.multipart", "A multipart form is read.", ENCODING, multipart(code=VIP["code"]), FOUND),
    live("body.text-plain", "Any other type is read as urlencoded text.", SERVER,
         post(f"<admin>/{GET}", CODE, "text/plain"), FOUND),
    live("body.no-type", "A body without a type is read as urlencoded text.", SERVER,
         post(f"<admin>/{GET}", CODE, None), FOUND),
    live("body.text-json", "JSON under another type is not JSON.", SERVER,
         post(f"<admin>/{GET}", BODY, "text/plain"), NO_CODE),
    live("body.form-json", "JSON sent as a form is not JSON.", SERVER,
         post(f"<admin>/{GET}", BODY, FORM_TYPE), NO_CODE),
    live("body.malformed", "Malformed JSON is silently dropped.", SERVER,
         post(f"<admin>/{GET}", BODY[:-1], JSON_TYPE), NO_CODE),
    live("body.malformed-keeps-query", "Where it is dropped, the query still counts.", SERVER,
         post(f"<admin>/{GET}?{CODE}", "{", JSON_TYPE), FOUND),
    live("body.empty", "An empty JSON body is silently dropped.", SERVER,
         post(f"<admin>/{GET}", "", JSON_TYPE), NO_CODE),
    *(live(f"body.scalar-{name}", f"A JSON body that is only {text} is silently dropped.", SERVER,
           post(f"<admin>/{GET}", text, JSON_TYPE), NO_CODE)
      for name, text in (("number", "5"), ("text", '"code"'), ("true", "true"), ("null", "null"))),
    fact("body.malformed-loses-token", "An access token in malformed JSON is not found.", DERIVED,
         post("/rest/profile", '{"auth": "<token>"', JSON_TYPE), NO_AUTH),
    live("body.list", "A JSON list has positions for names: no named parameter is in it.", ENCODING,
         post(f"<admin>/{GET}", json.dumps([VIP["code"]]), JSON_TYPE), NO_CODE),
    live("body.wins", "The body wins over the query.", SERVER,
         call(f"{GET}?code=b24nb_test_other", {"code": VIP["code"]}), FOUND),
    live("body.form-wins", "A form wins over the query.", SERVER,
         post(f"<admin>/{GET}?code=b24nb_test_other", CODE), FOUND),
    live("body.replaces-keys", "It replaces whole keys: maps are not merged.", SERVER,
         post(f"<admin>/{ADD}?{NEW}&title[en]=Query&value=v", "title[de]=Body"), added({"de": "Body"})),
    live("body.form-gives-texts", "A form gives texts: 123 is one.", SERVER,
         post(f"<admin>/{GET}", "code=123"), refused(400, "NOT_FOUND", "Badge not found for code `123`")),
    live("body.query-gives-texts", "A query gives texts: true is one.", SERVER,
         get(f"<admin>/{GET}?code=true"), refused(400, "NOT_FOUND", "Badge not found for code `true`")),
]

BRACKETS = [
    live("php.map", "a[b]=c is a map.", PHP, post(f"<admin>/{ADD}", f"{NEW}&title[en]=Client&title[de]=Kunde&value=v"),
         added({"en": "Client", "de": "Kunde"})),
    live("php.map-in-query", "a[b]=c is a map in the query too.", PHP,
         get(f"<admin>/{ADD}?{NEW}&title[en]=Client&value[de]=v"), added({"en": "Client"}, {"de": "v"})),
    live("php.escaped-brackets", "Escaped brackets are brackets.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title%5Ben%5D=Client&value=v"), added({"en": "Client"})),
    live("php.list", "a[]=x is a list; a language map that is one fails at its position.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title[]=x&title[]=y&value=v"), refused(400, "0", "Language `0` was not found")),
    live("php.nested", "a[0][k]=v is a map in a list.", PHP, post(f"<admin>/{GET}", f"code[0][k]={VIP['code']}"),
         refused(400, "100", "Invalid value {Array} to match with parameter {code}. "
                             "Should be value of type string.")),
    live("php.list-of-commands", "cmd[]=... is a list of commands.", PHP,
         post("<admin>/batch", "cmd[]=server.time&cmd[]=server.time"),
         Answer(200, having(result=having(result_error=[]))).with_bytes('"result":{"result":["')),
    live("php.last-wins", "Of a plain name given twice the last wins.", PHP,
         post(f"<admin>/{GET}", f"code=b24nb_test_other&{CODE}"), FOUND),
    live("php.last-key-wins", "Of a key given twice the last wins.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title[en]=a&title[en]=b&value=v"), added({"en": "b"})),
    live("php.plus", "+ is a space.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title=VIP+client&value=a%2Bb"), added("VIP client", "a+b")),
    live("php.percent", "%XX is a byte of UTF-8.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title=%D0%9A&value=%E2%9C%93"), added("К", "✓")),
    live("php.utf8", "Unescaped UTF-8 is read as it stands.", PHP,
         post(f"<admin>/{ADD}", f"{NEW}&title=Кунде&value=✓".encode()), added("Кунде", "✓")),
    fact("php.dot", "A dot in a name becomes an underscore.", PHP,
         get("/rest/profile?access.token=<token>"), ok(having(ID="1"))),
    fact("php.space", "A space in a name becomes an underscore.", PHP,
         get("/rest/profile?access+token=<token>"), ok(having(ID="1"))),
    live("php.dot-in-key", "A dot in a key stays a dot.", PHP, post(f"<admin>/{ADD}", f"{NEW}&title[en.x]=t&value=v"),
         refused(400, "0", "Language `en.x` was not found")),
    live("php.number-keys", "Commands 0 and 1 come back as a list.", PHP,
         post("<admin>/batch", "cmd[0]=server.time&cmd[1]=server.time"),
         Answer(200).with_bytes('"result":{"result":["')),
    live("php.number-keys-apart", "Numbers that do not count from 0 are keys.", PHP,
         post("<admin>/batch", "cmd[1]=server.time&cmd[2]=server.time"),
         Answer(200).with_bytes('"result":{"result":{"1":"')),
    live("php.in-commands", "The query of a batch command is read by the same rules.", PHP,
         call("batch", {"cmd": {"a": f"{ADD}?{NEW}&title[en]=VIP+client&value=v%26w"}}),
         Answer(200, having(result=having(result={"a": {"badge": badge("new", {"en": "VIP client"}, "v&w")}})))),
]

BINDING = [
    live("names.case", "Names of parameters are case-sensitive: CODE is not code.", SERVER,
         call(GET, {"CODE": VIP["code"]}), NO_CODE),
    live("names.unknown", "Unknown parameters are ignored.", SERVER,
         call(GET, {"code": VIP["code"], "id": 1, "select": ["code"], "x": {"y": None}}), FOUND),
]
# fmt: on

FACTS: list[Fact] = [*BODIES, *BRACKETS, *BINDING]
