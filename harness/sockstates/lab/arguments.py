"""What a scenario gives to socket calls, checked before it goes to a host."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, TypeGuard

from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.nearest import nearest

LARGEST_PORT = 65535
LEVELS = ("SOL_", "IPPROTO_")
OPTIONS = ("SO_", "TCP_", "IP_", "IPV6_")
HOW = {socket.SHUT_RD: "READ", socket.SHUT_WR: "WRITE", socket.SHUT_RDWR: "BOTH"}


def check_arguments(host: str, arguments: Mapping[str, Any]) -> None:
    """Raise LabError for what no socket call takes; `arguments` by the names that agents use."""
    for name, value in arguments.items():
        problem = _problem(name, value)
        if problem:
            raise LabError(f"{host}: {problem}")
    if "name" in arguments and (problem := _problem_at_once(**arguments)):
        raise LabError(f"{host}: {problem}")


def _problem(name: str, value: Any) -> str:
    if name in ("address", "source") and value is not None:
        return _problem_of_port(value[1])
    if name in ("backlog", "size", "events") and not _is_number(value):
        return f"{name} is a whole number, not {value!r}"
    if name == "data" and not isinstance(value, bytes):
        return f"what is sent is bytes, not {value!r}{in_bytes(value)}"
    return ""


def _problem_of_port(port: object) -> str:
    if _is_number(port) and 0 <= port <= LARGEST_PORT:
        return ""
    return f"a port is a whole number from 0 to {LARGEST_PORT}, not {port!r}"


def check_option(option: Any) -> None:
    """Raise LabError for what is no level, name and value of setsockopt(2)."""
    if not isinstance(option, tuple) or len(option) != 3:
        raise LabError(
            f"a socket option is a level, a name and a value, not {option!r}: "
            "write (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)"
        )
    problem = _problem_of_option(*option[:2])
    if not problem and not isinstance(option[2], int | float | bytes):
        problem = f"the value of a socket option is a number or bytes, not {option[2]!r}"
    if problem:
        raise LabError(problem)


def _problem_of_option(level: object, name: object) -> str:
    for what, value, prefixes in (("level", level, LEVELS), ("name", name, OPTIONS)):
        if not _is_number(value):
            known = [each for each in dir(socket) if each.startswith(prefixes)]
            near = nearest(value, known) if isinstance(value, str) else []
            write = " or ".join(f"socket.{each}" for each in near)
            return f"the {what} of a socket option is a number, not {value!r}" + (
                f": write {write}" if write else ""
            )
    return ""


def _problem_at_once(name: str, arguments: tuple[Any, ...], **_: Any) -> str:
    if name in ("setsockopt", "getsockopt"):
        return _problem_of_option(*arguments[:2])
    if name == "shutdown" and not (_is_number(arguments[0]) and arguments[0] in HOW):
        return f"shutdown takes READ, WRITE or BOTH of sockstates.lab, not {arguments[0]!r}"
    return ""


def in_bytes(value: object) -> str:
    """``: write b"hello"`` for a text that can be written so."""
    return f": write {value.encode()!r}" if isinstance(value, str) else ""


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int)
