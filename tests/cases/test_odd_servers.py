"""Servers that stand before a portal, or PHP on it, add something to the answers: they are read, or named."""

import gzip
import json
import socket

import pytest

from b24nb import errors
from tests.servers import answering, http

OK = json.dumps({"result": {"badges": []}, "total": 0}).encode()
LIST = "crm.activity.badge.list"


@pytest.mark.parametrize(
    "answer",
    [
        *(http(OK, "200 OK", f"Content-Encoding: {coding}") for coding in ("none", "", "UTF-8", "identity")),
        http(gzip.compress(OK), "200 OK", "Content-Encoding: gzip"),
        *(http(mark + OK) for mark in (b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 3)),
    ],
    ids=["coding none", "no coding", "charset as coding", "identity", "gzip", "a mark", "three marks"],
)
def test_an_answer_with_something_added_is_read(answer: bytes) -> None:
    with answering(answer) as (connection, _):
        assert connection.call(LIST).result == {"badges": []}


@pytest.mark.parametrize(
    "message",
    [
        b"<br />\n<b>Warning</b>:  Undefined variable $x in <b>/home/bitrix/www/a.php</b> on line <b>7</b><br />\n",
        b"PHP Notice: Undefined index in /home/bitrix/www/a.php on line 7\n",
        b"\nDeprecated: Return type in /home/bitrix/www/a.php on line 7\n",
    ],
)
def test_a_message_of_php_is_named_with_the_switch_that_ends_it(message: bytes) -> None:
    with answering(http(message + OK)) as (connection, _), pytest.raises(errors.BadResponse, match="PHP") as caught:
        connection.call(LIST)
    assert "display_errors" in str(caught.value)


def test_an_error_of_rest_3_has_the_code_that_stands_inside() -> None:
    inside = {"code": "BITRIX_REST_V3_EXCEPTION", "message": "Not here"}
    with answering({"error": inside}) as (connection, _), pytest.raises(errors.ApiError) as caught:
        connection.call(LIST)
    assert (caught.value.code, caught.value.description) == tuple(inside.values())


def test_a_portal_that_is_too_old_for_badges_is_named_so() -> None:
    refusal = {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
    with answering(refusal) as (connection, _), pytest.raises(errors.ApiError, match="update its CRM module"):
        connection.call(LIST)


def test_what_follows_an_interim_answer_is_not_read_as_the_answer_to_another_call() -> None:
    def two(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        connection.sendall(http(b'{"result": "of the first call"}'))
        connection.settimeout(0.5)
        connection.recv(1)

    with answering(two, {"result": "of the second"}) as (connection, _):
        with pytest.raises(errors.BadResponse, match="HTTP 103"):
            connection.call("crm.activity.badge.delete", {"code": "vip"})
        assert connection.call("profile").result == "of the second"
