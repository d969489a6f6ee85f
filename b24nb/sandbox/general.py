"""Methods about the caller and the portal itself: who am I, what may I call, what time is it.

Vendor pages: https://apidocs.bitrix24.com/api-reference/common/
"""

from __future__ import annotations

from typing import Any

from b24nb.sandbox import access, php
from b24nb.sandbox.calls import (
    CONTROLLERS,
    METHODS,
    Call,
    Refusal,
    classic,
)
from b24nb.sandbox.envelope import iso

LICENSE = {"standard": "en_pro100", "enterprise": "en_ent250"}
#: What the portal's REST API is divided into.
_SCOPES = ("crm", "user", "user_basic", "user_brief", "task", "im", "placement")
#: What a portal has switched on; any other feature answers "N".
_FEATURES = ("rest_offline_extended", "rest_auth_connector", "rest_access")


@classic("profile", signed=True)
def profile(call: Call) -> Any:
    user = call.caller.user
    return {
        "ID": str(user.id),
        "ADMIN": user.admin,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }


@classic("user.current", "user", "user_brief", "user_basic", signed=True)
def user_current(call: Call) -> Any:
    user = call.caller.user
    brief = {
        "ID": str(user.id),
        "XML_ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "WORK_POSITION": "",
        "USER_TYPE": "extranet" if user.kind == "extranet" else "employee",
    }
    if "user" in call.caller.scopes or "user_basic" in call.caller.scopes:
        brief["EMAIL"] = f"{user.login}@portal.example"
    return brief


@classic("app.info", signed=True)
def app_info(call: Call) -> Any:
    license_ = LICENSE[call.switches.tariff]
    if not call.caller.is_application:
        if call.in_batch:  # there the webhook's id is lost on the way
            raise Refusal("ACCESS_DENIED", "Access denied! Application context required", 403)
        return {"SCOPE": list(call.caller.scopes), "LICENSE": license_}
    return {
        "ID": "1",
        "CODE": call.caller.credential,
        "VERSION": "1",
        "STATUS": "L",
        "INSTALLED": True,
        "PAYMENT_EXPIRED": "N",
        "DAYS": None,
        "LANGUAGE_ID": call.switches.language,
        "LICENSE": license_,
        "LICENSE_TYPE": license_.partition("_")[2],
        "LICENSE_FAMILY": license_.partition("_")[2].rstrip("0123456789"),
    }


@classic("scope")
def scope(call: Call) -> Any:
    return list(_SCOPES if php.truthy(call.get("full")) else call.caller.scopes)


@classic("methods")
def methods(call: Call) -> Any:
    wanted = call.get("scope")
    return [
        method.name
        for method in METHODS.values()
        if not method.controller
        and (wanted in method.scopes if wanted else True)
        and (wanted or php.truthy(call.get("full")) or access.allows(call.caller, method.scopes))
    ]


@classic("method.get")
def method_get(call: Call) -> Any:
    """Of a controller method only the controller is looked up, so any action of it "exists"."""
    name = php.to_text(call.get("name"))
    method = METHODS.get(name)
    if method and not method.controller:
        return {"isExisting": True, "isAvailable": access.allows(call.caller, method.scopes)}
    exists = name.rpartition(".")[0] in CONTROLLERS
    return {"isExisting": exists, "isAvailable": exists and "crm" in call.caller.scopes}


@classic("server.time")
def server_time(call: Call) -> Any:
    return iso(call.switches.clock())


@classic("feature.get")
def feature_get(call: Call) -> Any:
    code = next((value for key, value in call.params.items() if str(key).upper() == "CODE"), "")
    if not php.truthy(code):
        raise Refusal("CODE_EMPTY", "CODE can't be empty")
    return {"value": "Y" if code in _FEATURES else "N"}
