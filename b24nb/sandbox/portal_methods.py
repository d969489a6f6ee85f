"""Methods about the caller and the portal: the user, the scopes and methods, the time.

Vendor pages: https://apidocs.bitrix24.com/api-reference/common/
"""

from __future__ import annotations

from typing import Any

from b24nb.sandbox import php
from b24nb.sandbox.rest_method import CONTROLLERS, METHODS, Call, Refusal, classic, scope_missing

LICENSE = {"standard": "en_pro100", "enterprise": "en_ent250", "self-hosted": "ru_selfhosted"}
#: The scopes of a cloud portal's REST API.
_SCOPES = (
    "ai_admin appform baas bi biconnector bizproc booking calendar calendarmobile call cashbox catalog"
    " catalogmobile configuration.import contact_center crm delivery department disk documentgenerator entity"
    " faceid forum humanresources.hcmlink iblock im im.import imbot imconnector imopenlines intranet landing"
    " landing_cloud lists log mailservice messageservice mobile notifications pay_system placement pull"
    " pull_channel rating rest rpa sale salescenter sign.b2e smile sonet_group socialnetwork task tasks"
    " tasks_extended tasksmobile telephony timeman user user.userfield user_basic user_brief userconsent"
    " userfieldconfig vote"
)
#: Features that answer "Y"; any other answers "N".
_FEATURES = ("rest_offline_extended", "rest_auth_connector", "rest_access")


@classic("profile", signed=True)
def profile(call: Call) -> Any:
    user = call.caller.user
    name = {"NAME": user.name, "LAST_NAME": user.last_name, "PERSONAL_GENDER": "", "TIME_ZONE": ""}
    return {"ID": str(user.id), "ADMIN": bool(user.admin), **name}


@classic("user.current", "user", "user_brief", "user_basic", signed=True)
def user_current(call: Call) -> Any:
    user = call.caller.user
    brief = {"ID": str(user.id), "XML_ID": str(user.id), "ACTIVE": bool(user.active), "NAME": user.name}
    brief |= {"LAST_NAME": user.last_name, "SECOND_NAME": "", "WORK_POSITION": ""}
    brief["USER_TYPE"] = "extranet" if user.kind == "extranet" else "employee"
    if "user" in call.caller.scopes or "user_basic" in call.caller.scopes:
        brief["EMAIL"] = f"{user.login}@portal.example"
    return brief


@classic("app.info", signed=True)
def app_info(call: Call) -> Any:
    license_ = LICENSE[call.switches.tariff]
    if not call.caller.is_application and not call.in_batch:  # in a batch a portal does not know the webhook's id
        return {"SCOPE": list(call.caller.scopes), "LICENSE": license_}
    _require_application(call)
    plan = license_.partition("_")[2]
    info = {"ID": 1, "CODE": call.caller.credential, "VERSION": 1, "STATUS": "L", "INSTALLED": True}
    info |= {"PAYMENT_EXPIRED": "N", "DAYS": None, "LANGUAGE_ID": call.switches.language}
    info |= {"LICENSE": license_, "LICENSE_TYPE": plan, "LICENSE_FAMILY": plan.rstrip("0123456789")}
    return info


@classic("app.option.get")
def app_option_get(call: Call) -> Any:
    """The settings that an application stores on the portal; here always none."""
    _require_application(call)
    return [] if call.get("option") is None else ""


@classic("placement.bind")
def placement_bind(call: Call) -> Any:
    """Stores nothing. Assumed: the kind of credential is checked before its scope."""
    if not call.caller.is_application:
        raise Refusal("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)
    if "placement" not in call.caller.scopes:
        raise scope_missing("access")
    return True


@classic("scope")
def scope(call: Call) -> Any:
    return _SCOPES.split() if php.truthy(call.get("full")) else list(call.caller.scopes)


@classic("methods")
def methods(call: Call) -> Any:
    classic_methods = [method for method in METHODS.values() if not method.controller]
    if wanted := call.get("scope"):
        return [method.name for method in classic_methods if wanted in method.scopes]
    full = php.truthy(call.get("full"))
    return [method.name for method in classic_methods if full or call.caller.may_use(method)]


@classic("method.get")
def method_get(call: Call) -> Any:
    """Of a controller method only the controller is checked, so each of its actions "exists"."""
    name = php.to_text(call.get("name"))
    method = METHODS.get(name)
    if method and not method.controller:
        return {"isExisting": True, "isAvailable": call.caller.may_use(method)}
    exists = name.rpartition(".")[0] in CONTROLLERS
    return {"isExisting": exists, "isAvailable": exists and "crm" in call.caller.scopes}


@classic("server.time")
def server_time(call: Call) -> Any:
    return php.iso(call.switches.clock())


@classic("feature.get")
def feature_get(call: Call) -> Any:
    code = next((value for key, value in call.params.items() if str(key).upper() == "CODE"), "")
    if not php.truthy(code):
        raise Refusal("CODE_EMPTY", "CODE can't be empty")
    if call.switches.tariff == "self-hosted":
        return {"value": LICENSE["self-hosted"]}
    return {"value": "Y" if code in _FEATURES else "N"}


def _require_application(call: Call) -> None:
    if not call.caller.is_application:
        raise Refusal("ACCESS_DENIED", "Access denied! Application context required", 403)
