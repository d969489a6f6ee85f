"""OAuth 2.0 and https on the portal's side, with nothing of the client.

Vendor page: https://apidocs.bitrix24.com/settings/oauth/index.html
"""

import ssl
from pathlib import Path

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import code_of, refresh, rest
from tests.layers import require_package
from tests.programs import python


def test_the_authorization_server_knows_whose_token_it_is(portal: SandboxPortal) -> None:
    pair = refresh(portal, portal.oauth["refresh_token"]).json()
    answer = requests.get(pair["server_endpoint"] + "app.info", {"auth": pair["access_token"]}, timeout=20)
    result = answer.json()["result"]
    assert (result["client_id"], result["user_id"]) == (portal.oauth["client_id"], 1)
    assert result["install"]["client_endpoint"] == portal.url + "/rest/"
    unknown = requests.get(pair["server_endpoint"] + "app.info", {"auth": "x"}, timeout=20)
    assert code_of(unknown) == (401, "invalid_token")


def test_tls_with_a_certificate_made_on_the_spot() -> None:
    require_package("trustme")
    with SandboxPortal(tls=True, https_required=True) as portal:
        assert portal.url.startswith("https://127.0.0.1:")
        assert rest(portal.webhook, "profile", verify=portal.ca_file).ok
        by_name = portal.webhook.replace("127.0.0.1", "localhost")
        assert rest(by_name, "profile", verify=portal.ca_file).ok
        with pytest.raises(requests.exceptions.SSLError):
            rest(portal.webhook, "profile")
        portal.faults.next("reset")
        with pytest.raises(requests.ConnectionError):
            rest(portal.webhook, "profile", verify=portal.ca_file)
        ca_file = Path(str(portal.ca_file))
        assert ssl.create_default_context(cafile=ca_file).cert_store_stats()["x509_ca"] == 1
    assert not ca_file.exists()


def test_trustme_is_imported_only_for_tls() -> None:
    code = "import sys, b24nb.sandbox as s; s.SandboxPortal().start().stop(); print('trustme' in sys.modules)"
    assert python(code) == "False"
