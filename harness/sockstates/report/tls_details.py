"""What is in a handshake message, in a line: who wants the whole of it has the capture."""

from __future__ import annotations

from sockstates.tls.hello import ClientHello, ServerHello, read_client_hello, read_server_hello
from sockstates.tls.messages import (
    CERTIFICATE,
    CLIENT_HELLO,
    SERVER_HELLO,
    Message,
    read_certificates,
)
from sockstates.tls.octets import TlsError

SHOWN = 8
"""Octets of a random that are written out."""
_COMPRESSION = {0: "none", 1: "DEFLATE"}
"""RFC 3749, section 2."""


def message_details(message: Message) -> str:
    """What a hello offers or chooses, and how large certificates are; empty for other messages.

    Where the message contradicts itself, how.
    """
    try:
        if message.kind == CLIENT_HELLO:
            return _offer(read_client_hello(message.body))
        if message.kind == SERVER_HELLO:
            return _choice(message.name, read_server_hello(message.body))
        if message.kind == CERTIFICATE:
            return _certificates(read_certificates(message.body))
    except TlsError as error:
        return f"broken, {error}"
    return ""


def _offer(hello: ClientHello) -> str:
    suites = hello.suite_names
    first = f" ({suites[0]} first)" if suites else ""
    methods = (_COMPRESSION.get(each, str(each)) for each in hello.compression_methods)
    parts = [
        f"ClientHello offers {' or '.join(hello.version_names)}",
        f"{_counted(len(suites), 'cipher suite')}{first}",
        f"compression {' or '.join(methods)}",
        f"random {_begin(hello.random)}",
    ]
    if hello.server_name:
        parts.append(f"for {hello.server_name}")
    if hello.alpn:
        parts.append(f"to speak {' or '.join(hello.alpn)}")
    return ", ".join(parts)


def _choice(name: str, hello: ServerHello) -> str:
    what = f"{name} chooses {hello.version_name}, {hello.suite_name}"
    return what if hello.is_retry else f"{what}, random {_begin(hello.random)}"


def _certificates(found: tuple[bytes, ...]) -> str:
    sizes = " and ".join(str(len(each)) for each in found)
    return f"{_counted(len(found), 'certificate')} of {sizes} octets" if found else "no certificate"


def _begin(random: bytes) -> str:
    return f"{random[:SHOWN].hex()}…"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
