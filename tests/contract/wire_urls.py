"""Addresses, verbs, reserved parameters and the order of checks."""

import re

from tests.contract.wire import *

CALLING = page("settings/how-to-call-rest-api/general-principles")
ENCODING = page("settings/how-to-call-rest-api/data-encoding")
WEBHOOKS = page("local-integrations/local-webhooks")
RENAMED = page("settings/how-to-call-rest-api/change-domen")
V3 = page("api-reference/rest-v3/index")

GET = "crm.activity.badge.get"
CODE = f"code={VIP['code']}"
FOUND = ok({"badge": VIP})
FOUND_XML = Answer(200, xml={"result/badge/code": VIP["code"], "result/badge/type": "primary"})
UNKNOWN_METHOD = refused(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
NO_AUTH = refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
NO_CODE = refused(400, "100", "Could not find value for parameter {code}")
WRONG_VERB = refused(400, "invalid_http_method", "Wrong method for current action")
ADMINISTRATOR = ok(having(ID="1", ADMIN=True))
SIGNATURE = matching(r"[\w+/=.-]{20,}")
ONE_CALL_TOO_MUCH = {"clock": True, "limits": True, "cost": {GET: 1}, "operating": 0.5}

# fmt: off
FORMS = [
    live("url.webhook", "A webhook's address is /rest/{user}/{code}/{method}.", WEBHOOKS,
         get(f"<admin>/{GET}?{CODE}"), FOUND),
    live("url.webhook-slash", "The same with a slash behind it.", WEBHOOKS, get(f"<admin>/{GET}/?{CODE}"), FOUND),
    fact("url.oauth", "An application calls /rest/{method} with its token.", CALLING,
         get(f"/rest/{GET}?{CODE}&auth=<token>"), FOUND),
    fact("url.oauth-slash", "The same with a slash behind it.", CALLING,
         get(f"/rest/{GET}/?{CODE}&auth=<token>"), FOUND),
    live("url.webhook-json", "The suffix .json asks for JSON.", ENCODING, get(f"<admin>/{GET}.json?{CODE}"), FOUND),
    live("url.webhook-xml", "The suffix .xml asks for XML.", ENCODING, get(f"<admin>/{GET}.xml?{CODE}"), FOUND_XML),
    fact("url.oauth-json", "An application may add .json.", ENCODING,
         get(f"/rest/{GET}.json?{CODE}&auth=<token>"), FOUND),
    fact("url.oauth-xml", "An application may add .xml.", ENCODING,
         get(f"/rest/{GET}.xml?{CODE}&auth=<token>"), FOUND_XML),
    fact("url.v3", "Below /rest/api/ is another protocol without badge methods; its errors are objects.", V3,
         call(GET, {"code": VIP["code"]}, by="/rest/api/<user>/<secret>"),
         Answer(400, {"error": having(code=matching("BITRIX_REST_V3_EXCEPTION_.+"))})),
    live("url.v3-only", "A method that only REST 3 has is unknown without /api/.", V3,
         call("main.eventlog.list"), UNKNOWN_METHOD),
    live("url.segments-win", "User and code of the path win over aplogin and ap of query and body.", SERVER,
         call("profile?aplogin=7&ap=wrong", {"aplogin": "7", "ap": "wrong"}), ok(having(ADMIN=True))),
    fact("url.ap-in-query", "aplogin and ap in the query are the same credentials.", SERVER,
         get("/rest/profile?aplogin=<user>&ap=<secret>"), ADMINISTRATOR),
    fact("url.ap-in-form", "aplogin and ap in a form are the same credentials.", DERIVED,
         post("/rest/profile", "aplogin=<user>&ap=<secret>"), ADMINISTRATOR),
    fact("url.ap-in-json", "aplogin and ap in JSON are the same credentials.", DERIVED,
         call("profile", {"aplogin": "<user>", "ap": "<secret>"}, by="/rest"), ADMINISTRATOR),
    live("url.parameter-method", "A parameter named method does not choose the method.", SERVER,
         get(f"<admin>/{GET}?method=profile&{CODE}"), FOUND),
    live("url.case-of-method", "The method's name is taken in lower case.", SERVER,
         get(f"<admin>/CRM.Activity.BADGE.Get?{CODE}"), FOUND),
    live("url.case-of-json", "The suffix is recognised in any case: .JSON.", SERVER,
         get(f"<admin>/{GET}.JSON?{CODE}"), FOUND),
    live("url.case-of-xml", "The suffix is recognised in any case: .Xml.", SERVER,
         get(f"<admin>/{GET}.Xml?{CODE}"), FOUND_XML),
    live("url.other-suffix", "Any other last part belongs to the method's name.", SERVER,
         get("<admin>/profile.html"), UNKNOWN_METHOD),
    live("url.accept-is-ignored", "The header Accept does not choose the format.", SERVER,
         get(f"<admin>/{GET}?{CODE}", accept="text/xml"), FOUND),
    fact("url.user-forgotten", "/rest/{code}/{method} matches no route.", "observed (bitrix24/b24pysdk#3)",
         get(f"/rest/<secret>/{GET}?{CODE}"), UNKNOWN_METHOD),
    fact("url.bare-rest", "/rest/ names no method.", DERIVED, get("/rest/"), UNKNOWN_METHOD),
    fact("url.bare-webhook", "A webhook without a method names none.", DERIVED, get("<admin>/"), UNKNOWN_METHOD),
]

RESERVED = [
    fact("reserved.start-is-cast", "start is taken away and cast to a number, whatever it is.", SERVER,
         get("<admin>/crm.activity.badge.list?start=abc"), ok({"badges": [VIP]}, total=1)),
    live("reserved.state-webhook", "A webhook's answer is not signed.", SERVER,
         call("profile", {"state": "abc"}), ok(having(ADMIN=True))),
    fact("reserved.state-signs", "With state, profile signs for an application, before time.", SERVER,
         oauth("profile", {"state": "abc"}), ok(having(ID="1"), signature=SIGNATURE)),
    fact("reserved.state-app-info", "With state, app.info signs for an application.", SERVER,
         oauth("app.info", {"state": "abc"}), ok(ANYTHING, signature=SIGNATURE)),
    fact("reserved.state-user-current", "With state, user.current signs for an application.", SERVER,
         oauth("user.current", {"state": "abc"}), ok(ANYTHING, signature=SIGNATURE)),
    fact("reserved.state-unsigned", "The badge methods do not sign.", SERVER,
         oauth(GET, {"state": "abc", "code": VIP["code"]}), FOUND),
    fact("reserved.token", "token turns the call into the check of a download link.", SERVER,
         call("profile", {"token": "x"}), refused(403, "ACCESS_DENIED", "Access denied! Link check failed")),
]

VERBS = [
    live("verb.get-body", "The body of a GET is ignored.", SERVER,
         Send("GET", f"<admin>/{GET}", json={"code": VIP["code"]}, headers={"Content-Type": JSON_TYPE}), NO_CODE),
    live("verb.post-both", "A POST takes query and body together.", SERVER,
         call("crm.activity.badge.add?code=b24nb_test_new&type=warning", {"title": "t", "value": "v"}),
         ok({"badge": {"code": "b24nb_test_new", "title": "t", "value": "v", "type": "warning"}})),
    *(live(f"verb.{verb.lower()}-classic", f"{verb} of a classic method runs.", SERVER,
           Send(verb, "<admin>/server.time"), ok(matching(r"\d{4}-.+"))) for verb in ("PUT", "PATCH", "DELETE")),
    *(fact(f"verb.{verb.lower()}-body", f"The body of {verb} is ignored, credentials in it too.", SERVER,
           Send(verb, "/rest/profile", json={"aplogin": "<user>", "ap": "<secret>"},
                headers={"Content-Type": JSON_TYPE}), NO_AUTH) for verb in ("PUT", "PATCH", "DELETE")),
    *(live(f"verb.{verb.lower()}-badge", f"{verb} of a badge method is refused.", SERVER,
           Send(verb, f"<admin>/{GET}?{CODE}"), WRONG_VERB) for verb in ("PUT", "PATCH", "DELETE")),
    live("verb.delete-configurable", "The methods of configurable activities refuse them just so.", SERVER,
         Send("DELETE", "<admin>/crm.activity.configurable.get?id=1"), WRONG_VERB),
    live("verb.head-classic", "HEAD of a classic method runs.", SERVER,
         Send("HEAD", "<admin>/server.time"), Answer(200, b"")),
    live("verb.head-badge", "HEAD of a badge method is refused.", SERVER,
         Send("HEAD", f"<admin>/{GET}?{CODE}"), Answer(400, b"")),
    fact("verb.options", "OPTIONS answers with the CORS headers and does nothing.", SERVER,
         Send("OPTIONS", f"<admin>/crm.activity.badge.delete?{CODE}"),
         Answer(200, b"").with_headers(Access_Control_Allow_Origin="*",
                                       Access_Control_Allow_Headers="origin, content-type, accept"),
         call(GET, {"code": VIP["code"]}), FOUND),
    fact("verb.options-any", "OPTIONS asks for neither method nor credentials.", SERVER,
         Send("OPTIONS", "/rest/no.such.method"), Answer(200, b"").with_headers(Access_Control_Allow_Origin="*")),
]

ORDER = [
    fact("order.https-webhook", "A webhook over plain HTTP is refused with 401 (documented: 400).",
         "observed (bitrix24/b24jssdk#500)", call("profile"), refused(401, "INVALID_REQUEST", "Https required."),
         portal={"https_required": True}),
    fact("order.https-oauth", "An access token over plain HTTP meets no such check.", SERVER,
         oauth("profile"), ADMINISTRATOR, portal={"https_required": True}),
    fact("order.stopped-first", "A stopped portal says so before it looks for the method.", SERVER,
         fault("PORTAL_DELETED"), get("/rest/no.such.method"), Answer(403, having(error="PORTAL_DELETED"))),
    live("order.method-first", "An unknown method is 404 even without credentials.", SERVER,
         get("/rest/no.such.method"), UNKNOWN_METHOD),
    fact("order.method-before-code", "An unknown method is 404 with wrong credentials too.", SERVER,
         call("no.such.method", by="/rest/<user>/wrong"), UNKNOWN_METHOD),
    live("order.credentials-before-arguments", "Credentials are checked before arguments.", SERVER,
         call(GET, by="/rest"), NO_AUTH),
    fact("order.scope-before-arguments", "The scope is checked before arguments.", SERVER,
         call(GET, by="<noscope>"), Answer(401, having(error="insufficient_scope"))),
    fact("order.credentials-before-time-limit", "Credentials come before the method's time limit.", SERVER,
         call(GET, {"code": VIP["code"]}), call(GET, by="/rest/<user>/wrong"),
         Answer(401, having(error="INVALID_CREDENTIALS")), portal=ONE_CALL_TOO_MUCH),
    fact("order.time-limit-before-arguments", "The time limit is checked before arguments.", SERVER,
         call(GET, {"code": VIP["code"]}), call(GET), Answer(429, having(error="OPERATION_TIME_LIMIT")),
         portal=ONE_CALL_TOO_MUCH),
    fact("order.renamed", "A renamed portal answers 302 and names its new address.", RENAMED,
         fault("html", status=302), call("profile"),
         Answer(302).with_headers(Location=re.compile(r"https://[^/]+/rest/.*"))),
]
# fmt: on

FACTS: list[Fact] = [*FORMS, *RESERVED, *VERBS, *ORDER]
