"""Answers that go wrong on the way: reset, cut, slow, of the wrong kind."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError

from b24nb.sandbox.exchange import SANDBOX, Reply, reason
from b24nb.sandbox.faults import Fault

#: Where a redirect leads; the name resolves nowhere.
RENAMED_HOST = "renamed-portal.bitrix24.example"
_HTML = "text/html; charset=utf-8"
_CHUNK = 1 << 20


async def send(connection: HTTP1Connection, fault: Fault, reply: Reply, target: str) -> None:
    """Answer as a fault has it, and close the connection."""
    stream: IOStream = connection.detach()
    try:
        if fault.kind == "reset":
            _reset(stream)
        elif fault.kind == "hang":
            await _wait_for_close(stream, fault.seconds)
        else:
            async for data in _answer(fault, reply, target):
                await stream.write(data)
    except StreamClosedError:
        pass  # the client has had enough
    finally:
        stream.close()


def _reset(stream: IOStream) -> None:
    """Closing with a linger time of zero sends RST instead of FIN."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _wait_for_close(stream: IOStream, seconds: float) -> None:
    closed = asyncio.Event()
    stream.set_close_callback(closed.set)
    try:
        await asyncio.wait_for(closed.wait(), seconds)
    except TimeoutError:
        return


async def _answer(fault: Fault, reply: Reply, target: str) -> AsyncIterator[bytes]:
    body = reply.body
    if fault.kind == "html":
        location = f"Location: https://{RENAMED_HOST}{target}\r\n" if fault.status == 302 else ""
        title = f"{fault.status} {reason(fault.status)}"
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
        yield _head(fault.status, _HTML, len(page), location) + page
    elif fault.kind == "cut":
        yield _head(reply.status, reply.content_type, len(body)) + body[: len(body) // 2]
    elif fault.kind == "drip":
        yield _head(reply.status, reply.content_type, len(body))
        for index in range(len(body)):
            yield body[index : index + 1]
            await asyncio.sleep(fault.seconds)
    elif fault.kind == "empty":
        yield _head(200, reply.content_type, 0)
    elif fault.kind == "charset":
        text = '{"result":"Звонок пропущен"}'.encode("windows-1251")
        yield _head(200, reply.content_type, len(text)) + text
    elif fault.kind == "gzip":
        yield _head(200, reply.content_type, len(body), "Content-Encoding: gzip\r\n") + body
    elif fault.kind == "list":
        yield _head(200, reply.content_type, 2) + b"[]"
    elif fault.kind == "oversized":
        yield _head(200, reply.content_type, fault.size) + b'{"result":"'
        left = fault.size - 13
        while left > 0:
            yield b"x" * min(left, _CHUNK)
            left -= _CHUNK
        yield b'"}'


def _head(status: int, content_type: str, length: int, extra: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status} {reason(status)}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
        f"X-Sandbox: {SANDBOX}\r\nConnection: close\r\n{extra}\r\n"
    ).encode()
