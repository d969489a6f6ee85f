"""The token endpoint of the OAuth 2.0 server: issues tokens for a code or for a refresh token.

For a real portal it is another host. The statuses are its own: for example, an unknown application answers 200.
Vendor page: https://apidocs.bitrix24.com/settings/oauth/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from b24nb import spec
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.php import iso


def token(params: Mapping[Any, Any], accounts: Accounts, url: str) -> tuple[int, dict[str, Any]]:
    """The answer of ``/oauth/token/``.

    Parameters
    ----------
    params : mapping
        The parameters of the request, from query or form.
    accounts : Accounts
        The portal's application and tokens.
    url : str
        The address of the portal, which is also the authorization server here.

    Returns
    -------
    (int, dict)
        Status and JSON body.
    """
    application = accounts.application
    grant_type = params.get("grant_type")
    needed = {"authorization_code": "code", "refresh_token": "refresh_token"}.get(str(grant_type))
    if needed is None:
        return _error(400, "invalid_request", "Unsupported or missing grant_type")
    for name in ("client_id", "client_secret", needed):
        if not isinstance(params.get(name), str) or not params[name]:
            return _error(400, "invalid_request", f'No "{name}" parameter found')
    if params["client_id"] != application["client_id"]:
        return _error(200, "wrong_client", "Unknown client")
    if params["client_secret"] != application["client_secret"]:
        return _error(400, "invalid_client", "Client secret is wrong")
    redeem = accounts.redeem_code if needed == "code" else accounts.redeem_refresh_token
    granted = redeem(params[needed])
    if granted is None:
        return _error(400, "invalid_grant", "The grant is unknown, used or expired")
    pair = accounts.issue(granted["user_id"], granted["scopes"])
    return 200, {
        "access_token": pair["access_token"],
        "expires": int(pair["expires"]),
        "expires_in": spec.ACCESS_TOKEN_SECONDS,
        "scope": "app",
        "domain": urlsplit(url).netloc,
        "server_endpoint": f"{url}/oauth/rest/",
        "status": "L",
        "client_endpoint": f"{url}/rest/",
        "member_id": application["member_id"],
        "user_id": pair["user_id"],
        "refresh_token": pair["refresh_token"],
    }


def app_info(access_token: str, accounts: Accounts, url: str) -> tuple[int, dict[str, Any]]:
    """The answer of the authorization server's ``app.info``: the application and user of a token."""
    caller = accounts.token(access_token)
    if caller is None:
        return _error(401, "invalid_token", "Unable to get application by token")
    if caller.expires <= accounts.store.switches.clock():
        return _error(401, "expired_token", "The access token provided has expired")
    application = accounts.application
    install = {"installed": True, "version": 1, "status": "L", "scope": ",".join(application["scopes"].split())}
    install |= {"domain": urlsplit(url).netloc, "uri": url, "client_endpoint": f"{url}/rest/"}
    install |= {"member_id": application["member_id"], "member_type": "bitrix24"}
    result = {
        "client_id": application["client_id"],
        "scope": ",".join(caller.scopes),
        "expires": iso(caller.expires),
        "install": install,
        "user_id": caller.user.id,
    }
    return 200, {"result": result}


def _error(status: int, code: str, description: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": code, "error_description": description}
