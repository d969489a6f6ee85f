"""Who is let in: webhooks, access tokens, the authorization server's token endpoint."""

from typing import Any
from urllib.parse import urlencode

from tests.contract.stage import Stage
from tests.contract.wire import *

WEBHOOKS = page("local-integrations/local-webhooks")
AUTHORIZATION = page("settings/how-to-call-rest-api/authorization")
OAUTH = page("settings/oauth/index")
RENEWAL = page("settings/oauth/auto-renewal")
OAUTH_ERRORS = page("settings/oauth/error-codes")
SDKS = "observed (the vendor's SDKs test it)"

GET, ADD, DELETE = "crm.activity.badge.get", "crm.activity.badge.add", "crm.activity.badge.delete"
CODE = {"code": VIP["code"]}
FOUND = ok({"badge": VIP})
ANNA, BEN = ok(having(ID="1", ADMIN=True)), ok(having(ID="7", ADMIN=False))

NO_AUTH = refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
WRONG = refused(401, "INVALID_CREDENTIALS", "Invalid request credentials")
HIGHER = "The request requires higher privileges than provided by"
WEBHOOK_SCOPE = refused(401, "insufficient_scope", f"{HIGHER} the webhook token")
TOKEN_SCOPE = refused(401, "insufficient_scope", f"{HIGHER} the access token")
EXPIRED = refused(401, "expired_token", "The access token provided has expired")
UNKNOWN_TOKEN = refused(401, "invalid_token", "Unable to get application by token")
NO_USER = refused(401, "authorization_error", "Unable to authorize user")
WEBHOOK_PLAN = refused(401, "ACCESS_DENIED", "REST is available only by subscription.")
TOKEN_PLAN = refused(401, "ACCESS_DENIED", "REST is available only on commercial plans.")
HTTPS = refused(401, "INVALID_REQUEST", "Https required.")

CLOCK = {"clock": True}
NO_PLAN = {"rest_available": False}


def sixteen_characters(stage: Stage) -> None:
    assert len(stage.names["secret"]) == 16


def agree(stage: Stage) -> None:
    """A user agrees in the browser; the application gets a code."""
    brought = stage.portal.authorize(state="abc")
    assert set(brought) == {"code", "state", "domain", "member_id", "scope", "server_domain"}
    assert brought["state"] == "abc"
    stage.names["once"] = brought["code"]


def token(**changes: Any) -> dict[str, Any]:
    """The parameters of a refresh."""
    given = {"grant_type": "refresh_token", "client_id": "<client>"}
    given |= {"client_secret": "<client_secret>", "refresh_token": "<refresh>"}
    return {name: value for name, value in (given | changes).items() if value is not None}


def exchange(**changes: Any) -> dict[str, Any]:
    """The parameters of a code exchange."""
    return token(grant_type="authorization_code", code="<once>", refresh_token=None) | changes


def ask(parameters: dict[str, Any]) -> Send:
    return get("/oauth/token/?" + urlencode(parameters, safe="<>"))


def trouble(status: int, code: str) -> Answer:
    """An error of the authorization server; it need not have a description."""
    return Answer(status, Like(f"the error {code}", lambda body: body["error"] == code and len(body) <= 2))


TEXTS = dict.fromkeys(("access_token", "refresh_token", "scope", "domain", "member_id"), TEXT)
ADDRESSES = dict.fromkeys(("client_endpoint", "server_endpoint"), matching(".*/rest/"))
PAIR = having(**TEXTS, **ADDRESSES, expires_in=3600, status=matching("[LFDTPS]"))
ONE = Like("1", lambda value: str(value) == "1")
NEW_PAIR = Answer(200, PAIR)


def take_pair(stage: Stage) -> None:
    """Use the pair that was just answered from now on, keeping the one before."""
    stage.names["old_token"], stage.names["old_refresh"] = stage.names["token"], stage.names["refresh"]
    stage.names["token"], stage.names["refresh"] = stage.last["access_token"], stage.last["refresh_token"]
    assert stage.names["refresh"] != stage.names["old_refresh"]
    assert stage.names["token"] != stage.names["old_token"]


# fmt: off
WEBHOOK = [
    fact("webhook.ok", "User id and code let in with the owner's rights.", WEBHOOKS,
         call("profile"), ANNA, call("profile", by="<employee>"), BEN),
    fact("webhook.code", "A code has 16 characters.", SERVER, get("<admin>/server.time"), ok(ANYTHING),
         sixteen_characters),
    fact("webhook.login", "The user's segment may be a login.", SERVER,
         call("profile", by="/rest/anna/<secret>"), ANNA),
    fact("webhook.wrong-code", "A wrong code.", SDKS, call("profile", by="/rest/<user>/wrong"), WRONG),
    fact("webhook.wrong-user", "A wrong user id.", SERVER, call("profile", by="/rest/7/<secret>"), WRONG),
    fact("webhook.disabled", "A disabled webhook.", SERVER, call("profile", by="<disabled>"), WRONG),
    fact("webhook.only-user", "Only aplogin is no credential.", SERVER, get("/rest/profile?aplogin=<user>"), NO_AUTH),
    fact("webhook.only-code", "Only ap is none either.", SERVER, get("/rest/profile?ap=<secret>"), NO_AUTH),
    fact("webhook.none", "Without any credentials.", SDKS, get("/rest/profile"), NO_AUTH),
    fact("webhook.scope", "A scope that was not granted.", SDKS,
         call(GET, CODE, by="<noscope>"), WEBHOOK_SCOPE, call("profile", by="<noscope>"), ANNA),
    fact("webhook.plan", "A plan without REST.", SERVER, call("profile"), WEBHOOK_PLAN, portal=NO_PLAN),
    fact("webhook.dismissed", "The owner was dismissed.", SERVER, call("profile", by="<dismissed>"), NO_USER),
    fact("webhook.https-first", "Https is judged before the code.", SERVER,
         call("profile", by="/rest/<user>/wrong"), HTTPS, portal={"https_required": True}),
    fact("webhook.code-before-scope", "The code before the scope.", SERVER,
         call(GET, CODE, by="/rest/<user>/wrong"), WRONG),
    fact("webhook.code-before-plan", "The code before the plan.", SERVER,
         call("profile", by="/rest/<user>/wrong"), WRONG, portal=NO_PLAN),
    fact("webhook.scope-before-plan", "The scope before the plan.", SERVER,
         call(GET, CODE, by="<noscope>"), WEBHOOK_SCOPE, portal=NO_PLAN),
    fact("webhook.plan-before-owner", "The plan before the owner.", SERVER,
         call("profile", by="<dismissed>"), WEBHOOK_PLAN, portal=NO_PLAN),
    fact("webhook.scope-before-owner", "The scope before the owner.", SERVER,
         webhook("late", user="dmitri", scopes=("task",)), call(GET, CODE, by="<late>"), WEBHOOK_SCOPE),
]

TOKEN = [
    fact("token.header", "Authorization: Bearer.", AUTHORIZATION, oauth("profile"), ANNA),
    fact("token.auth-query", "auth in the query.", AUTHORIZATION, get("/rest/profile?auth=<token>"), ANNA),
    fact("token.auth-form", "auth in a form.", AUTHORIZATION, post("/rest/profile", "auth=<token>"), ANNA),
    fact("token.auth-json", "auth in JSON.", AUTHORIZATION, call("profile", {"auth": "<token>"}, by="/rest"), ANNA),
    fact("token.access-token-query", "access_token in the query.", SERVER,
         get("/rest/profile?access_token=<token>"), ANNA),
    fact("token.access-token-form", "access_token in a form.", SERVER,
         post("/rest/profile", "access_token=<token>"), ANNA),
    fact("token.access-token-json", "access_token in JSON.", SERVER,
         call("profile", {"access_token": "<token>"}, by="/rest"), ANNA),
    fact("token.header-first", "The header wins over auth.", SERVER, issue("ben", user="ben"),
         call("profile", {"auth": "<token>"}, by="/rest", authorization="Bearer <ben>"), BEN),
    fact("token.auth-first", "auth wins over access_token.", SERVER, issue("ben", user="ben"),
         call("profile", {"auth": "<ben>", "access_token": "<token>"}, by="/rest"), BEN),
    fact("token.list", "A list is no token.", SERVER, call("profile", {"auth": ["<token>"]}, by="/rest"), NO_AUTH),
    fact("token.list-form", "Nor is auth[].", SERVER, post("/rest/profile", "auth[]=<token>"), NO_AUTH),
    fact("token.empty", "An empty one is none.", SERVER, call("profile", {"auth": ""}, by="/rest"), NO_AUTH),
    fact("token.empty-falls-through", "And the next place counts.", SERVER,
         call("profile", {"auth": "", "access_token": "<token>"}, by="/rest"), ANNA),
    fact("token.other-scheme", "Another scheme in the header is none.", SERVER,
         call("profile", by="/rest", authorization="Basic <token>"), NO_AUTH),
    fact("token.unknown", "A token that nobody knows.", SDKS, oauth("profile", token="nobody"), UNKNOWN_TOKEN),
    fact("token.expired", "After an hour.", RENEWAL,
         wait(3590), oauth("profile"), ANNA, wait(20), oauth("profile"), EXPIRED, portal=CLOCK),
    fact("token.scope", "A scope that the application lacks.", SERVER,
         issue("narrow", scopes=["user_brief"]), oauth(GET, CODE, token="<narrow>"), TOKEN_SCOPE),
    fact("token.dismissed", "A user who can't log in any more.", SERVER,
         issue("gone", user="dmitri"), oauth("profile", token="<gone>"), NO_USER),
    fact("token.plan", "A plan without REST.", SERVER, oauth("profile"), TOKEN_PLAN, portal=NO_PLAN),
    fact("token.unknown-before-plan", "An unknown token is found before the plan.", SERVER,
         oauth("profile", token="nobody"), UNKNOWN_TOKEN, portal=NO_PLAN),
    fact("token.plan-before-expiry", "The plan before the expiry.", SERVER,
         wait(3700), oauth("profile"), TOKEN_PLAN, portal=CLOCK | NO_PLAN),
    fact("token.expiry-before-scope", "The expiry before the scope.", SERVER,
         issue("narrow", scopes=["user_brief"]), wait(3700), oauth(GET, CODE, token="<narrow>"), EXPIRED, portal=CLOCK),
    fact("token.scope-before-user", "The scope before the user.", SERVER,
         issue("gone", user="dmitri", scopes=["user_brief"]), oauth(GET, CODE, token="<gone>"), TOKEN_SCOPE),
]

RENEW = [
    fact("refresh.get", "A refresh is a GET of the token endpoint.", RENEWAL,
         ask(token()), NEW_PAIR, take_pair, oauth("profile"), ANNA),
    fact("refresh.form", "Or a POST of a form.", SDKS,
         post("/oauth/token/", urlencode(token(), safe="<>")), NEW_PAIR, take_pair, oauth("profile"), ANNA),
    fact("refresh.no-slash", "With or without the slash at the end.", SDKS,
         get("/oauth/token?" + urlencode(token(), safe="<>")), NEW_PAIR),
    fact("refresh.expires", "Its answer has expires and user_id too.", "observed (b24-rest-docs#285)",
         ask(token()), Answer(200, having(expires=INTEGER, user_id=ONE))),
    fact("refresh.scope", "The new token has the scopes of the old.", OAUTH,
         ask(token()), NEW_PAIR, take_pair, oauth(GET, CODE), FOUND),
    fact("refresh.rotates", "The refresh token rotates: the old one is used up.", OAUTH,
         ask(token()), NEW_PAIR, take_pair, ask(token(refresh_token="<old_refresh>")),
         trouble(400, "invalid_grant"), ask(token()), NEW_PAIR),
    fact("refresh.after-expiry", "It works when the access token is over.", RENEWAL,
         wait(3700), oauth("profile"), EXPIRED, ask(token()), NEW_PAIR, take_pair, oauth("profile"), ANNA,
         wait(3590), oauth("profile"), ANNA, wait(20), oauth("profile"), EXPIRED, portal=CLOCK),
    fact("refresh.180-days", "A refresh token lives 180 days.", OAUTH,
         wait(179 * 86_400), ask(token()), NEW_PAIR, take_pair, wait(181 * 86_400), ask(token()),
         trouble(400, "invalid_grant"), portal=CLOCK),
    fact("refresh.unknown", "An unknown refresh token is invalid_grant.", SDKS,
         ask(token(refresh_token="nobody")), trouble(400, "invalid_grant")),
    fact("refresh.secret", "A wrong client_secret is invalid_client.", SDKS,
         ask(token(client_secret="wrong")), trouble(400, "invalid_client")),
    fact("refresh.client", "An unknown client_id is wrong_client, with 200.", SDKS,
         ask(token(client_id="local.nobody")), trouble(200, "wrong_client")),
    fact("refresh.missing", "A missing parameter is invalid_request.", SDKS, ask(token(refresh_token=None)),
         Answer(400, having(error="invalid_request",
                            error_description=matching('.*No "refresh_token" parameter found.*')))),
    fact("refresh.missing-grant", "So is a missing grant_type.", SDKS,
         ask(token(grant_type=None)), trouble(400, "invalid_request")),
    fact("code.exchange", "A code is exchanged for a pair.", OAUTH,
         agree, ask(exchange()), NEW_PAIR, take_pair, oauth("profile"), ANNA, ask(token()), NEW_PAIR),
    fact("code.30-seconds", "A code lives 30 seconds.", OAUTH,
         agree, wait(29), ask(exchange()), NEW_PAIR, agree, wait(31), ask(exchange()),
         trouble(400, "invalid_grant"), portal=CLOCK),
    fact("code.once", "A code works once.", OAUTH_ERRORS,
         agree, ask(exchange()), NEW_PAIR, ask(exchange()), trouble(400, "invalid_grant")),
    fact("code.unknown", "An unknown code is invalid_grant.", SDKS,
         ask(exchange(code="nobody")), trouble(400, "invalid_grant")),
    fact("code.secret", "A wrong client_secret is invalid_client here too.", SDKS,
         agree, ask(exchange(client_secret="wrong")), trouble(400, "invalid_client")),
    *(fact(f"refresh.{code}", f"The authorization server answers {code} with {status}.", SDKS,
           fault(code, method="oauth/token", status=status, description=text), ask(token()),
           Answer(status, having(error=code))) for code, status, text in (("invalid_scope", 403, "Invalid scope"),
                                 ("PAYMENT_REQUIRED", 401, "Payment required"),
                                 ("NOT_INSTALLED", 401, "Application not installed"),
                                 ("ERROR_OAUTH", 401, "Application not installed"))),
]
# fmt: on

FACTS: list[Fact] = [*WEBHOOK, *TOKEN, *RENEW]
