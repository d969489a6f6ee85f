"""Who is let in: webhooks, access tokens, the authorization server's token endpoint."""

from typing import Any
from urllib.parse import urlencode

from tests.contract.stage import Stage
from tests.contract.wire import *

AUTHORIZATION = page("settings/how-to-call-rest-api/authorization")
OAUTH = page("settings/oauth/index")
RENEWAL = page("settings/oauth/auto-renewal")
SDKS = "observed (the vendor's SDKs test it)"

CODE = {"code": VIP["code"]}
ANNA, BEN = ok(having(ID="1", ADMIN=True)), ok(having(ID="7", ADMIN=False))

WRONG = refused(401, "INVALID_CREDENTIALS", "Invalid request credentials")
HIGHER = "The request requires higher privileges than provided by"
WEBHOOK_SCOPE = refused(401, "insufficient_scope", f"{HIGHER} the webhook token")
TOKEN_SCOPE = refused(401, "insufficient_scope", f"{HIGHER} the access token")
EXPIRED = refused(401, "expired_token", "The access token provided has expired")
UNKNOWN_TOKEN = refused(401, "invalid_token", "Unable to get application by token")
NO_USER = refused(401, "authorization_error", "Unable to authorize user")
WEBHOOK_PLAN = refused(401, "ACCESS_DENIED", "REST is available only by subscription.")
TOKEN_PLAN = refused(401, "ACCESS_DENIED", "REST is available only on commercial plans.")

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
#: expires and user_id: observed (b24-rest-docs#285).
MORE = {"expires": INTEGER, "user_id": Like("1", lambda value: str(value) == "1")}
NEW_PAIR = Answer(200, having(**TEXTS, **ADDRESSES, **MORE, expires_in=3600, status=matching("[LFDTPS]")))


def take_pair(stage: Stage) -> None:
    """Use the pair that was just answered from now on, keeping the one before."""
    stage.names["old_token"], stage.names["old_refresh"] = stage.names["token"], stage.names["refresh"]
    stage.names["token"], stage.names["refresh"] = stage.last["access_token"], stage.last["refresh_token"]
    assert stage.names["refresh"] != stage.names["old_refresh"]
    assert stage.names["token"] != stage.names["old_token"]


# fmt: off
WEBHOOK = [
    fact("webhook.code", "A code has 16 characters.", SERVER, get("<admin>/server.time"), ok(ANYTHING),
         sixteen_characters),
    fact("webhook.login", "The user's segment may be a login.", SERVER,
         call("profile", by="/rest/anna/<secret>"), ANNA),
    *(fact(f"webhook.{name}", f"{name} is refused.", SDKS, call("profile", by=path), WRONG) for name, path in (
        ("A wrong code", "/rest/<user>/wrong"), ("A wrong user id", "/rest/7/<secret>"),
        ("A disabled webhook", "<disabled>"))),
    fact("webhook.none", "No credentials, or only a half of a webhook.", SDKS, get("/rest/profile"), NO_AUTH,
         get("/rest/profile?aplogin=<user>"), NO_AUTH, get("/rest/profile?ap=<secret>"), NO_AUTH),
    fact("webhook.dismissed", "The owner was dismissed.", SERVER, call("profile", by="<dismissed>"), NO_USER),
    fact("webhook.order", "The code is judged before the scope, this before the plan, this before the owner.", SERVER,
         call(GET, CODE, by="/rest/<user>/wrong"), WRONG, call(GET, CODE, by="<noscope>"), WEBHOOK_SCOPE,
         call("profile", by="<dismissed>"), WEBHOOK_PLAN, portal=NO_PLAN),
]

TOKEN = [
    *(fact(f"token.{name}", f"{name} in the query, in a form, in JSON.", AUTHORIZATION,
           get(f"/rest/profile?{name}=<token>"), ANNA, post("/rest/profile", f"{name}=<token>"), ANNA,
           call("profile", {name: "<token>"}, by="/rest"), ANNA) for name in ("auth", "access_token")),
    fact("token.header-first", "Authorization: Bearer is read, and wins over auth.", SERVER, issue("ben", user="ben"),
         call("profile", {"auth": "<token>"}, by="/rest", authorization="Bearer <ben>"), BEN),
    fact("token.auth-first", "auth wins over access_token.", SERVER, issue("ben", user="ben"),
         call("profile", {"auth": "<ben>", "access_token": "<token>"}, by="/rest"), BEN),
    fact("token.none", "A list, an empty text and another scheme are no token.", SERVER,
         call("profile", {"auth": ["<token>"]}, by="/rest"), NO_AUTH, post("/rest/profile", "auth[]=<token>"), NO_AUTH,
         call("profile", {"auth": ""}, by="/rest"), NO_AUTH,
         call("profile", by="/rest", authorization="Basic <token>"), NO_AUTH),
    fact("token.empty-falls-through", "Where one place is empty, the next counts.", SERVER,
         call("profile", {"auth": "", "access_token": "<token>"}, by="/rest"), ANNA),
    fact("token.dismissed", "A user who can't log in any more.", SERVER,
         issue("gone", user="dmitri"), oauth("profile", token="<gone>"), NO_USER),
    fact("token.order", "An unknown token is found before the plan, this before the expiry.", SERVER,
         oauth("profile", token="nobody"), UNKNOWN_TOKEN, wait(3700), oauth("profile"), TOKEN_PLAN,
         portal=CLOCK | NO_PLAN),
    fact("token.order-scope", "The scope is judged before the user and after the expiry.", SERVER,
         issue("gone", user="dmitri", scopes=["user_brief"]), oauth(GET, CODE, token="<gone>"), TOKEN_SCOPE,
         wait(3700), oauth(GET, CODE, token="<gone>"), EXPIRED, portal=CLOCK),
]

RENEW = [
    fact("refresh.get", "A refresh is a GET of the token endpoint; the new token has the scopes of the old.", RENEWAL,
         ask(token()), NEW_PAIR, take_pair, oauth(GET, CODE), FOUND),
    fact("refresh.form", "Or a POST of a form; the slash at the end may be missing.", SDKS,
         post("/oauth/token", urlencode(token(), safe="<>")), NEW_PAIR, take_pair, oauth("profile"), ANNA),
    fact("refresh.rotates", "The refresh token rotates: the old one is used up.", OAUTH,
         ask(token()), NEW_PAIR, take_pair, ask(token(refresh_token="<old_refresh>")),
         trouble(400, "invalid_grant"), ask(token()), NEW_PAIR),
    fact("refresh.after-expiry", "It works when the access token is over, which it is after an hour.", RENEWAL,
         wait(3700), oauth("profile"), EXPIRED, ask(token()), NEW_PAIR, take_pair, oauth("profile"), ANNA,
         wait(3590), oauth("profile"), ANNA, wait(20), oauth("profile"), EXPIRED, portal=CLOCK),
    fact("refresh.180-days", "A refresh token lives 180 days.", OAUTH,
         wait(179 * 86_400), ask(token()), NEW_PAIR, take_pair, wait(181 * 86_400), ask(token()),
         trouble(400, "invalid_grant"), portal=CLOCK),
    *(fact(f"refresh.{code}", f"A wrong {name} is {code}, with {status}.", SDKS, ask(token(**{name: "wrong"})),
           trouble(status, code)) for name, code, status in (
        ("refresh_token", "invalid_grant", 400), ("client_secret", "invalid_client", 400),
        ("client_id", "wrong_client", 200), ("grant_type", "invalid_request", 400))),
    fact("refresh.missing", "A missing parameter is invalid_request.", SDKS, ask(token(refresh_token=None)),
         Answer(400, having(error="invalid_request",
                            error_description=matching('.*No "refresh_token" parameter found.*')))),
    fact("refresh.missing-grant", "So is a missing grant_type.", SDKS,
         ask(token(grant_type=None)), trouble(400, "invalid_request")),
    fact("code.exchange", "A code is exchanged for a pair, once.", OAUTH,
         agree, ask(exchange()), NEW_PAIR, take_pair, oauth("profile"), ANNA, ask(token()), NEW_PAIR,
         ask(exchange()), trouble(400, "invalid_grant")),
    fact("code.30-seconds", "A code lives 30 seconds.", OAUTH,
         agree, wait(29), ask(exchange()), NEW_PAIR, agree, wait(31), ask(exchange()),
         trouble(400, "invalid_grant"), portal=CLOCK),
    fact("code.wrong", "An unknown code is invalid_grant, a wrong client_secret is invalid_client here too.", SDKS,
         ask(exchange(code="nobody")), trouble(400, "invalid_grant"),
         agree, ask(exchange(client_secret="wrong")), trouble(400, "invalid_client")),
]
# fmt: on

FACTS: list[Fact] = [*WEBHOOK, *TOKEN, *RENEW]
