"""Turn a failed request into an error of this package that says what to do and quotes no address."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.exceptions import ReadTimeoutError

from b24nb.errors import BadResponse, ConnectionFailed, Timeout, TransportError
from b24nb.secret import Secret, redact

_CUT = http.client.RemoteDisconnected | http.client.IncompleteRead
#: Those of requests are an OSError. ValueError: a host name that is not valid in DNS, or a chunk of negative size.
FAILURES = (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError)
#: A proxy that can't be used: refused, with a malformed address, or of a kind that needs another library.
_OF_PROXY = (requests.exceptions.ProxyError, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)

_CLOCK = "Check the clock of this machine; if it is right, the portal's certificate has to be renewed."
_AUTHORITY = "connect(verify='authority.pem') takes the authority that signed it: a company proxy's, or your own."
_HOST = "Check the host in the address; another server may answer under it, a proxy's or an old one."
_BREAKS_A_RULE = "The certificate, or that of the authority that signed it, breaks a rule: its owner has to renew it."
#: What to do about a certificate, by OpenSSL's code for what is wrong with it.
_OF_CERTIFICATE = {9: _CLOCK, 10: _CLOCK, 62: _HOST, 64: _HOST} | dict.fromkeys((2, 18, 19, 20, 21), _AUTHORITY)


def request_error(error: BaseException, method: str, origin: str, total: float, *, sent: bool) -> TransportError:
    """The error for a failed request; never quotes the original, which quotes the address."""
    cause = _innermost(error)
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return BadResponse(f"{method}: the compressed answer can't be unpacked.", method=method)
    if isinstance(cause, http.client.HTTPException) and not isinstance(cause, _CUT):
        hint = "Something else than a portal answers there. Check the address, its port and the proxy settings."
        return BadResponse(f"{method}: what came back is not HTTP.", method=method, sent=sent, hint=hint)
    if isinstance(cause, TimeoutError | ReadTimeoutError):
        text = f"{method}: {f'no complete answer within {total:g} s' if sent else 'no connection in time'}."
        hint = "Is the portal slow or out of reach? timeout=(connect, total) sets the limits."
        return Timeout(text, method=method, sent=sent, hint=hint)
    host = urlsplit(origin).hostname
    what, hint = f"could not connect to {host}", "Check the address, the network and the proxy settings."
    if sent:
        what = "the connection broke before the answer was complete"
        hint = "The portal may have carried the call out: look before you repeat a write."
    elif isinstance(error, _OF_PROXY):
        what, hint = _proxy(cause)
    elif isinstance(error, requests.exceptions.SSLError):
        what, hint = _tls(cause)
    elif isinstance(cause, socket.gaierror):
        what = f"the host {host} was not found"
    elif "SOCKS" in str(error):  # the class of its connection
        what, hint = _proxy(cause)
    return ConnectionFailed(f"{method}: {what}.", method=method, sent=sent, hint=hint)


def _proxy(cause: BaseException) -> tuple[str, str]:
    """How the proxy refused the connection, and what to do."""
    status = re.search(r"Tunnel connection failed: (\d{3})", str(cause))
    code = status[1] if status else ""
    if code == "407":
        hint = "Put user and password into HTTPS_PROXY=http://user:password@proxy:port, or ask who runs it."
        return "the proxy wants a user name and a password (HTTP 407)", hint
    if code >= "500":
        return f"the proxy could not reach the portal (HTTP {code})", "Check the host in the address."
    if code:
        hint = "Ask who runs the proxy to let this host pass, or name the host in NO_PROXY."
        return f"the proxy refused to connect to the portal (HTTP {code})", hint
    socks = "For a SOCKS proxy: pip install pysocks. " if "Missing dependencies" in str(cause) else ""
    hint = "Check HTTPS_PROXY and ALL_PROXY, or name the portal's host in NO_PROXY."
    return "could not connect through the proxy", socks + hint


def _tls(cause: BaseException) -> tuple[str, str]:
    """Why TLS failed, and what to do."""
    code = getattr(cause, "verify_code", 0)
    if code or isinstance(cause, ssl.SSLCertVerificationError):
        why = getattr(cause, "verify_message", cause)
        return f"the portal's certificate was not accepted ({why})", _OF_CERTIFICATE.get(code, _BREAKS_A_RULE)
    if "WRONG_VERSION_NUMBER" in str(cause):
        return ("what answers there does not speak https", "Check the port and the proxy settings.")
    reason = str(getattr(cause, "reason", None) or type(cause).__name__).lower().replace("_", " ")
    return (f"TLS failed ({reason})", "Check the address, and the file given by verify= or REQUESTS_CA_BUNDLE, if any.")


def _innermost(error: BaseException) -> BaseException:
    """The innermost error: requests wraps urllib3, which wraps the socket's error, which says what happened."""
    inside = (getattr(error, "reason", None), *reversed(error.args))
    inner = next((one for one in inside if isinstance(one, BaseException) and one is not error), None)
    return _innermost(inner) if inner else error


def redirect_error(response: requests.Response, method: str, secrets: Iterable[Secret]) -> BadResponse:
    """The error for a redirect. It names the host, but not the path, which can hold the secret."""
    here = urlsplit(response.url)
    try:
        target = urlsplit(urljoin(response.url, response.headers["Location"]))
        host = target.netloc.rpartition("@")[2]
    except ValueError:
        target, host = here, ""
    if not host:
        where, hint = "an address that can't be read", "Look at what answers at this address."
    elif host.lower() != here.netloc.lower():
        where = f"{target.scheme}://{host}, another host, which must not get the secret"
        hint = "If the portal was renamed, connect with its new address; if it is a login page, have /rest/ exempted."
    elif re.search(r"auth|log-?in|sso|oauth", target.path, re.IGNORECASE):
        where = "a login page of the same host"
        hint = "Something there wants a person to log in first: ask for an exception for the path /rest/."
    elif target.path.endswith("/coupon_activation.php"):
        where = "the page that wants a licence key"
        hint = "The licence of this portal has expired; its administrator has to renew it."
    else:
        where = "another page of the same host"
        hint = "Check the address, https included; or something before the portal rewrites the path /rest/."
    text = f"{method}: the answer is a redirect (HTTP {response.status_code}) to {redact(where, secrets)}."
    return BadResponse(f"{text} It was not followed.", method=method, http_status=response.status_code, hint=hint)
