"""Socket options as a scenario gives them: packed for setsockopt(2), or refused by name.

Built-in endpoints make real system calls, so an option does here what it does in a program:
socket(7), tcp(7), ip(7). What is refused points into the memory, or at the descriptors, of the
process that sets it, or is about what the words for calls do not give back.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping, Sequence

from sockstates.lab.arguments import check_option
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.socket_options import option_names

Options = Sequence[tuple[int, int, int | float | bytes]]
SetOptions = Mapping[tuple[int, int], int | bytes]
"""Level and name -> what was set."""
LINGER, TIMEVAL = struct.Struct("ii"), struct.Struct("ll")
"""struct linger, struct timeval."""
MICROSECONDS = 1_000_000

_PROGRAM = "start a program that sets it, with host.start(…)"
_FILTER = f"drop segments with host.iptables(…), or {_PROGRAM}"
REFUSED: Mapping[tuple[int, int], tuple[str, str]] = {
    (socket.SOL_SOCKET, 26): ("SO_ATTACH_FILTER", _FILTER),
    (socket.SOL_SOCKET, 50): ("SO_ATTACH_BPF", _FILTER),
    (socket.SOL_SOCKET, 51): ("SO_ATTACH_REUSEPORT_CBPF", _PROGRAM),
    (socket.SOL_SOCKET, 52): ("SO_ATTACH_REUSEPORT_EBPF", _PROGRAM),
    (socket.IPPROTO_TCP, 35): ("TCP_ZEROCOPY_RECEIVE", _PROGRAM),
}
"""What cannot be set here, by level and number, with its name and what to do instead."""
REFUSED_FLAGS: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "send": {
        0x20000000: (
            "MSG_FASTOPEN",
            "connect with options=[(socket.IPPROTO_TCP, 30, 1)] (TCP_FASTOPEN_CONNECT), then send",
        ),
        0x4000000: ("MSG_ZEROCOPY", "send without it: the segments are the same"),
    },
    "receive": {
        socket.MSG_TRUNC: ("MSG_TRUNC", "receive without it: it throws away what it reads"),
        socket.MSG_ERRQUEUE: ("MSG_ERRQUEUE", "read Endpoint.error()"),
    },
}
_WAITS = {
    "connect": socket.SO_SNDTIMEO,
    "send": socket.SO_SNDTIMEO,
    "recv": socket.SO_RCVTIMEO,
    "accept": socket.SO_RCVTIMEO,
    "close": socket.SO_LINGER,
}
"""By system call: the option of SOL_SOCKET that says how long it waits at most."""


def packed_option(level: int, name: int, value: int | float | bytes) -> int | bytes:
    """An option's value as setsockopt(2) takes it; seconds become the kernel's own structures.

    Errors: LabError for what is refused, with what to do instead.
    """
    check_option((level, name, value))
    if (level, name) in REFUSED:
        option, instead = REFUSED[level, name]
        raise LabError(
            f"{option} cannot be set on a built-in endpoint: it points into the memory of the "
            f"process\n  that sets it, and that is another one. Instead {instead}."
        )
    if isinstance(value, bytes):
        return value
    if level == socket.SOL_SOCKET and name == socket.SO_LINGER:
        return LINGER.pack(1, int(value))
    if level == socket.SOL_SOCKET and name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        return TIMEVAL.pack(*divmod(round(value * MICROSECONDS), MICROSECONDS))
    if isinstance(value, float):
        raise LabError(
            f"{option_names(level, name)[1]}: its value is an int or bytes, not {value!r}"
        )
    return value


def packed_options(options: Options) -> tuple[tuple[int, int, int | bytes], ...]:
    """Each option of `options` as :func:`packed_option` makes it."""
    for option in options:
        check_option(option)
    return tuple((level, name, packed_option(level, name, value)) for level, name, value in options)


def options_of(
    packed: Iterable[tuple[int, int, int | bytes]],
) -> dict[tuple[int, int], int | bytes]:
    """By level and name: what was set last."""
    return {(level, name): value for level, name, value in packed}


def check_flags(word: str, flags: int) -> None:
    """LabError for a MSG_* flag that cannot do here what it does in a program."""
    for flag, (name, instead) in REFUSED_FLAGS[word].items():
        if flags & flag:
            raise LabError(
                f"{word}: {name} does not do on a built-in endpoint what it does in a program.\n"
                f"  Instead {instead}."
            )


def seconds_of(name: int, value: int | bytes) -> float | None:
    """The time in SO_LINGER, SO_RCVTIMEO or SO_SNDTIMEO, in seconds; None where it is off."""
    if name == socket.SO_LINGER and isinstance(value, bytes) and len(value) == LINGER.size:
        on, seconds = LINGER.unpack(value)
        return float(seconds) if on else None
    if isinstance(value, bytes) and len(value) == TIMEVAL.size:
        whole, micro = TIMEVAL.unpack(value)
        return float(whole + micro / MICROSECONDS)
    return None


def longest_wait(call: str, options: SetOptions) -> float:
    """Seconds for which an option lets a system call wait at most; 0 where none says."""
    name = _WAITS.get(call)
    value = None if name is None else options.get((socket.SOL_SOCKET, name))
    return 0.0 if name is None or value is None else seconds_of(name, value) or 0.0
