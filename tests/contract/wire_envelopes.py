"""What an answer looks like: envelopes, the time block, system errors, headers, escaping."""

import re

from tests.contract.wire import *

CALLING = page("settings/how-to-call-rest-api/general-principles")
ERRORS = page("error-codes")
SDKS = "observed (the vendor's SDKs)"

CODE = {"code": VIP["code"]}

FLOAT = Like("a number with a fraction", lambda value: type(value) is float)
DATE = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
SELF_HOSTED_TIME = {"start": INTEGER, "finish": FLOAT, "duration": FLOAT, "processing": INTEGER}
SELF_HOSTED_TIME |= {"date_start": DATE, "date_finish": DATE}
CLOUD_TIME = SELF_HOSTED_TIME | {"operating_reset_at": INTEGER, "operating": 0}
OLDER_TIME = CLOUD_TIME | {"start": FLOAT, "processing": FLOAT}
CLIENT_ID = re.compile(r"local\.\w+\.\w+")
TEN_DECIMALS = re.compile(r"\d+\.\d{10}")
CLOUD_TIMES = {f"X_Bitrix_Rest_{part}Time": TEN_DECIMALS for part in ("", "User_", "System_")}


def new(title: object, value: object = "v") -> dict[str, object]:
    return badge("new", title, value)


def system(code: str, text: object, status: int, source: str, **options: object) -> Fact:
    """An error that no request can provoke: the sandbox is told to answer it."""
    steps = (fault(code, **options), oauth(GET, CODE), refused(status, code, text))
    return fact(f"system.{code}", f"{code} comes with HTTP {status}.", source, *steps)


# fmt: off
SUCCESS = [
    fact("time.cloud", "start and processing are integers in builds since October 2025.", SERVER,
         call(GET, CODE), ok(ANYTHING, time=CLOUD_TIME)),
    fact("time.older", "They had a fraction before.", CALLING,
         call(GET, CODE), ok(ANYTHING, time=OLDER_TIME), portal={"integer_time": False}),
    fact("time.self-hosted", "Without the load limiter the two operating keys are absent.",
         "observed (bitrix24/b24jssdk#459)",
         call(GET, CODE), ok(ANYTHING, time=SELF_HOSTED_TIME), portal={"tariff": "self-hosted"}),
    fact("time.whole-floats", "Whole numbers are written without a fraction.", CALLING,
         call(GET, CODE), Answer(200).with_bytes('"operating":0}')),
    fact("time.whole-seconds", "That holds for finish and duration too.", CALLING,
         call(GET, CODE), Answer(200).with_bytes('"finish":1764000000,"duration":0,'), portal={"clock": True}),
]

SYSTEM = [
    system("ACCESS_DENIED", "Current user can't be authorized in this context", 401, SERVER,
           description="Current user can't"),
    system("APPLICATION_NOT_FOUND", "Application not found", 401, SERVER),
    system("CONNECTION_ERROR", "Error connecting to authorization server", 401, SERVER),
    system("user_access_error", "The user does not have access to the application.", 401, SERVER),
    system("ERROR_OAUTH", "Application not installed", 401, SDKS),
    system("NOT_INSTALLED", "Application not installed", 401, SDKS),
    system("PAYMENT_REQUIRED", matching("Subscription has been ended|Payment required"), 401, ERRORS),
    system("OVERLOAD_LIMIT", "REST API is blocked due to overload.", 401, SERVER),
    system("WRONG_LICENSE", "This feature is not enabled for the current license: auth_connector", 403, SERVER),
    system("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403, SERVER),
    system("METHOD_CONFIRM_WAITING", "Waiting for confirmation", 401, SERVER),
    system("METHOD_CONFIRM_DENIED", "Method call denied", 403, SERVER),
    system("PORTAL_DELETED", matching("Portal was deleted.*"), 403, SERVER),
    system("INTERNAL_SERVER_ERROR", "Internal server error", 500, ERRORS),
    system("ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", 500, ERRORS),
    system("ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available", 404, ERRORS),
    *(fact(f"system.html-{status}", f"A {status} can come as HTML.", f"{SDKS}; observed (fast_bitrix24#216)",
           fault("html", status=status), call(GET, CODE),
           Answer(status).with_headers(Content_Type=re.compile("text/html.*")).with_bytes("<html"))
      for status in (302, 403, 500, 502, 504)),
]

HEADERS = [
    *(fact(f"header.cors-{name}", f"The CORS headers stand on {name}.", SERVER, request,
           Answer(status).with_headers(Access_Control_Allow_Origin="*",
                                       Access_Control_Allow_Headers="origin, content-type, accept",
                                       X_Content_Type_Options="nosniff")) for name, request, status in (
          ("success", call(GET, CODE), 200), ("a refusal by the method", call(GET), 400),
          ("a refusal of the credentials", call(GET, by="/rest"), 401), ("404", get("/rest/nosuch"), 404))),
    fact("header.cloud", "The cloud sends three times with ten decimals; it names the application to an application.",
         SERVER, call(GET, CODE), Answer(200).with_headers(**CLOUD_TIMES, X_Bitrix_Rest_Application=None),
         oauth(GET, CODE), Answer(200).with_headers(X_Bitrix_Rest_Application=CLIENT_ID)),
    fact("header.self-hosted", "A self-hosted portal sends none of them.", SERVER,
         oauth(GET, CODE), Answer(200).with_headers(X_Bitrix_Rest_Time=None, X_Bitrix_Rest_Application=None),
         portal={"tariff": "self-hosted"}),
    fact("header.no-retry-after", "No header says when to come back.", SERVER,
         fault("QUERY_LIMIT_EXCEEDED"), call(GET, CODE), Answer(503).with_headers(Retry_After=None)),
]

ESCAPING = [
    live("json.html", "What means something to HTML travels as an escape; the rest is raw UTF-8.", SERVER,
         call(ADD, new("<b>&\"x\"</b> 'y' `К` 🎉")), ok({"badge": new("<b>&\"x\"</b> 'y' `К` 🎉")})
         .with_bytes(r'"title":"\u003Cb\u003E\u0026\u0022x\u0022\u003C\/b\u003E \u0027y\u0027 `К` 🎉"')),
    fact("json.invalid-utf8", "What is not UTF-8 is replaced.", SERVER, post(f"<admin>/{GET}", b"code=a%FFb"),
         Answer(400).with_bytes("Badge not found for code `a\N{REPLACEMENT CHARACTER}b`")),
]

XML = [
    fact("xml.list", "Members of a list are item.", SERVER,
         call(f"{LIST}.xml"), Answer(200, xml={"result/badges/item/code": VIP["code"], "total": "1"})),
    live("xml.true", "true is 1.", SERVER, call(f"{DELETE}.xml", CODE), Answer(200, xml={"result": "1"})),
    fact("xml.false", "false is empty.", SERVER,
         call("profile.xml", by="<employee>"), Answer(200, xml={"result/ID": "7", "result/ADMIN": ""})),
    fact("xml.null", "null is empty.", SERVER,
         call(f"{ADD}.xml", new("t") | {"code": "c" * 256}), Answer(200, xml={"result/badge": ""}),
         portal={"code_limit": 255}),
    live("xml.error", "An error has the same two keys.", SERVER, call(f"{GET}.xml"),
         Answer(400, xml={"error": "100", "error_description": "Could not find value for parameter {code}"})),
    live("xml.escaping", "Texts are escaped as XML wants it.", SERVER,
         call(ADD, new("<b>&</b>")), call(f"{GET}.xml", {"code": "b24nb_test_new"}),
         Answer(200, xml={"result/badge/title": "<b>&</b>"})),
]
# fmt: on

FACTS: list[Fact] = [*SUCCESS, *SYSTEM, *HEADERS, *ESCAPING, *XML]
