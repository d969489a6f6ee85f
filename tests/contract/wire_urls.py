"""Addresses, verbs, reserved parameters and the order of checks."""

import re

from tests.contract.wire import *

CALLING = page("settings/how-to-call-rest-api/general-principles")
WEBHOOKS = page("local-integrations/local-webhooks")
RENAMED = page("settings/how-to-call-rest-api/change-domen")
V3 = page("api-reference/rest-v3/index")

CODE = f"code={VIP['code']}"
FOUND_XML = Answer(200, xml={"result/badge/code": VIP["code"], "result/badge/type": "primary"})
WRONG_VERB = refused(400, "invalid_http_method", "Wrong method for current action")
ADMINISTRATOR = ok(having(ID="1", ADMIN=True))
SIGNATURE = matching(r"[\w+/=.-]{20,}")
#: What may follow a method's name.
TAILS = {"": FOUND, "/": FOUND, ".json": FOUND, ".JSON": FOUND, ".xml": FOUND_XML, ".Xml": FOUND_XML}
HTTPS = refused(401, "INVALID_REQUEST", "Https required.")
ONE_CALL_TOO_MUCH = {"clock": True, "limits": True, "cost": {GET: 1}, "operating": 0.5}

# fmt: off
FORMS = [
    *(live(f"url.webhook{tail}", f"A webhook's address is /rest/{{user}}/{{code}}/{{method}}{tail}.", WEBHOOKS,
           get(f"<admin>/{GET}{tail}?{CODE}"), answer) for tail, answer in TAILS.items()),
    *(fact(f"url.oauth{tail}", f"An application calls /rest/{{method}}{tail} with its token.", CALLING,
           get(f"/rest/{GET}{tail}?{CODE}&auth=<token>"), answer) for tail, answer in TAILS.items()),
    fact("url.v3", "Below /rest/api/ is another protocol without badge methods; its errors are objects.", V3,
         call(GET, {"code": VIP["code"]}, by="/rest/api/<user>/<secret>"),
         Answer(400, {"error": having(code=matching("BITRIX_REST_V3_EXCEPTION_.+"))})),
    live("url.segments-win", "User and code of the path win over aplogin and ap of query and body.", SERVER,
         call("profile?aplogin=7&ap=wrong", {"aplogin": "7", "ap": "wrong"}), ok(having(ADMIN=True))),
    fact("url.ap", "aplogin and ap in the query, a form or JSON are the same credentials.", SERVER,
         get("/rest/profile?aplogin=<user>&ap=<secret>"), ADMINISTRATOR,
         post("/rest/profile", "aplogin=<user>&ap=<secret>"), ADMINISTRATOR,
         call("profile", {"aplogin": "<user>", "ap": "<secret>"}, by="/rest"), ADMINISTRATOR),
    live("url.parameter-method", "A parameter named method does not choose the method.", SERVER,
         get(f"<admin>/{GET}?method=profile&{CODE}"), FOUND),
    live("url.other-suffix", "Any other last part belongs to the method's name.", SERVER,
         get("<admin>/profile.html"), UNKNOWN_METHOD),
    live("url.accept-is-ignored", "The header Accept does not choose the format.", SERVER,
         get(f"<admin>/{GET}?{CODE}", accept="text/xml"), FOUND),
    fact("url.user-forgotten", "/rest/{code}/{method} matches no route.", "observed (bitrix24/b24pysdk#3)",
         get(f"/rest/<secret>/{GET}?{CODE}"), UNKNOWN_METHOD),
    fact("url.bare", "/rest/ names no method, nor does a webhook without one.", DERIVED,
         get("/rest/"), UNKNOWN_METHOD, get("<admin>/"), UNKNOWN_METHOD),
]

RESERVED = [
    fact("reserved.start-is-cast", "start is taken away and cast to a number, whatever it is.", SERVER,
         get("<admin>/crm.activity.badge.list?start=abc"), ok({"badges": [VIP]}, total=1)),
    live("reserved.state-webhook", "A webhook's answer is not signed.", SERVER,
         call("profile", {"state": "abc"}), ok(having(ADMIN=True))),
    *(fact(f"reserved.state-{method}", f"With state, {method} signs for an application, before time.", SERVER,
           oauth(method, {"state": "abc"}), ok(ANYTHING, signature=SIGNATURE))
      for method in ("profile", "app.info", "user.current")),
    fact("reserved.state-unsigned", "The badge methods do not sign.", SERVER,
         oauth(GET, {"state": "abc", "code": VIP["code"]}), FOUND),
    fact("reserved.token", "token turns the call into the check of a download link.", SERVER,
         call("profile", {"token": "x"}), refused(403, "ACCESS_DENIED", "Access denied! Link check failed")),
]

VERBS = [
    live("verb.get-body", "The body of a GET is ignored.", SERVER,
         Send("GET", f"<admin>/{GET}", json={"code": VIP["code"]}, headers={"Content-Type": JSON_TYPE}),
         missing("code")),
    *(live(f"verb.{verb.lower()}-classic", f"{verb} of a classic method runs.", SERVER,
           Send(verb, "<admin>/server.time"), ok(matching(r"\d{4}-.+"))) for verb in ("PUT", "PATCH", "DELETE")),
    *(fact(f"verb.{verb.lower()}-body", f"The body of {verb} is ignored, credentials in it too.", SERVER,
           Send(verb, "/rest/profile", json={"aplogin": "<user>", "ap": "<secret>"},
                headers={"Content-Type": JSON_TYPE}), NO_AUTH) for verb in ("PUT", "PATCH", "DELETE")),
    *(live(f"verb.{verb.lower()}-badge", f"{verb} of a badge method is refused.", SERVER,
           Send(verb, f"<admin>/{GET}?{CODE}"), WRONG_VERB) for verb in ("PUT", "PATCH", "DELETE")),
    live("verb.delete-configurable", "The methods of configurable activities refuse them just so.", SERVER,
         Send("DELETE", "<admin>/crm.activity.configurable.get?id=1"), WRONG_VERB),
    live("verb.head", "HEAD of a classic method runs, of a badge method is refused.", SERVER,
         Send("HEAD", "<admin>/server.time"), Answer(200, b""),
         Send("HEAD", f"<admin>/{GET}?{CODE}"), Answer(400, b"")),
    fact("verb.options", "OPTIONS answers with the CORS headers to anybody, and does nothing.", SERVER,
         Send("OPTIONS", f"<admin>/crm.activity.badge.delete?{CODE}"),
         Answer(200, b"").with_headers(Access_Control_Allow_Origin="*",
                                       Access_Control_Allow_Headers="origin, content-type, accept"),
         call(GET, {"code": VIP["code"]}), FOUND,
         Send("OPTIONS", "/rest/no.such.method"), Answer(200, b"").with_headers(Access_Control_Allow_Origin="*")),
]

ORDER = [
    fact("order.https", "A webhook over plain HTTP is refused first, with 401 (documented: 400); a token is not.",
         "observed (bitrix24/b24jssdk#500)", call("profile"), HTTPS, call("profile", by="/rest/<user>/wrong"), HTTPS,
         oauth("profile"), ADMINISTRATOR, portal={"https_required": True}),
    fact("order.stopped-first", "A stopped portal says so before it looks for the method.", SERVER,
         fault("PORTAL_DELETED"), get("/rest/no.such.method"), Answer(403, having(error="PORTAL_DELETED"))),
    fact("order.method-first", "An unknown method is 404 without credentials and with wrong ones.", SERVER,
         get("/rest/no.such.method"), UNKNOWN_METHOD, call("no.such.method", by="/rest/<user>/wrong"), UNKNOWN_METHOD),
    fact("order.time-limit", "The method's time limit comes after the credentials and before the arguments.", SERVER,
         call(GET, {"code": VIP["code"]}), call(GET, by="/rest/<user>/wrong"),
         Answer(401, having(error="INVALID_CREDENTIALS")), call(GET), Answer(429, having(error="OPERATION_TIME_LIMIT")),
         portal=ONE_CALL_TOO_MUCH),
    fact("order.renamed", "A renamed portal answers 302 and names its new address.", RENAMED,
         fault("html", status=302), call("profile"),
         Answer(302).with_headers(Location=re.compile(r"https://[^/]+/rest/.*"))),
]
# fmt: on

FACTS: list[Fact] = [*FORMS, *RESERVED, *VERBS, *ORDER]
