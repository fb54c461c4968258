"""Socket options by name, as Linux numbers them: what setsockopt(2) was asked, in words.

Source: include/uapi/asm-generic/socket.h, and tcp.h, in.h and in6.h in include/uapi/linux. The
numbers are written out so that a recording reads the same on every system.
"""

from __future__ import annotations

import ast
import re
import struct
from typing import Final

SOL_SOCKET, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO = 1, 13, 20, 21
_STRUCTURES: Final = {
    (SOL_SOCKET, SO_LINGER): (struct.Struct("=ii"), "{{l_onoff={}, l_linger={}}}"),
    (SOL_SOCKET, SO_RCVTIMEO): (struct.Struct("=qq"), "{{tv_sec={}, tv_usec={}}}"),
    (SOL_SOCKET, SO_SNDTIMEO): (struct.Struct("=qq"), "{{tv_sec={}, tv_usec={}}}"),
}
"""Options whose value is a structure: its form, and how strace(1) writes it."""
_ARGUMENTS = re.compile(r"(\d+), (\d+)(, .+)?", re.DOTALL)
LEVELS: Final = {0: "IPPROTO_IP", SOL_SOCKET: "SOL_SOCKET", 6: "IPPROTO_TCP", 41: "IPPROTO_IPV6"}
"""The first argument of setsockopt(2) after the socket."""
NAMES: Final = {
    "IPPROTO_IP": {
        1: "IP_TOS",
        2: "IP_TTL",
        4: "IP_OPTIONS",
        8: "IP_PKTINFO",
        10: "IP_MTU_DISCOVER",
        11: "IP_RECVERR",
        14: "IP_MTU",
        15: "IP_FREEBIND",
        19: "IP_TRANSPARENT",
        24: "IP_BIND_ADDRESS_NO_PORT",
        51: "IP_LOCAL_PORT_RANGE",
    },
    "SOL_SOCKET": {
        1: "SO_DEBUG",
        2: "SO_REUSEADDR",
        3: "SO_TYPE",
        4: "SO_ERROR",
        5: "SO_DONTROUTE",
        6: "SO_BROADCAST",
        7: "SO_SNDBUF",
        8: "SO_RCVBUF",
        9: "SO_KEEPALIVE",
        10: "SO_OOBINLINE",
        12: "SO_PRIORITY",
        SO_LINGER: "SO_LINGER",
        15: "SO_REUSEPORT",
        18: "SO_RCVLOWAT",
        19: "SO_SNDLOWAT",
        SO_RCVTIMEO: "SO_RCVTIMEO",
        SO_SNDTIMEO: "SO_SNDTIMEO",
        25: "SO_BINDTODEVICE",
        30: "SO_ACCEPTCONN",
        32: "SO_SNDBUFFORCE",
        33: "SO_RCVBUFFORCE",
        36: "SO_MARK",
        38: "SO_PROTOCOL",
        39: "SO_DOMAIN",
        46: "SO_BUSY_POLL",
        47: "SO_MAX_PACING_RATE",
        49: "SO_INCOMING_CPU",
        60: "SO_ZEROCOPY",
    },
    "IPPROTO_TCP": {
        1: "TCP_NODELAY",
        2: "TCP_MAXSEG",
        3: "TCP_CORK",
        4: "TCP_KEEPIDLE",
        5: "TCP_KEEPINTVL",
        6: "TCP_KEEPCNT",
        7: "TCP_SYNCNT",
        8: "TCP_LINGER2",
        9: "TCP_DEFER_ACCEPT",
        10: "TCP_WINDOW_CLAMP",
        11: "TCP_INFO",
        12: "TCP_QUICKACK",
        13: "TCP_CONGESTION",
        14: "TCP_MD5SIG",
        16: "TCP_THIN_LINEAR_TIMEOUTS",
        17: "TCP_THIN_DUPACK",
        18: "TCP_USER_TIMEOUT",
        19: "TCP_REPAIR",
        23: "TCP_FASTOPEN",
        24: "TCP_TIMESTAMP",
        25: "TCP_NOTSENT_LOWAT",
        26: "TCP_CC_INFO",
        27: "TCP_SAVE_SYN",
        28: "TCP_SAVED_SYN",
        30: "TCP_FASTOPEN_CONNECT",
        31: "TCP_ULP",
        32: "TCP_MD5SIG_EXT",
        33: "TCP_FASTOPEN_KEY",
        34: "TCP_FASTOPEN_NO_COOKIE",
        35: "TCP_ZEROCOPY_RECEIVE",
        36: "TCP_INQ",
        37: "TCP_TX_DELAY",
        44: "TCP_RTO_MAX_MS",
        45: "TCP_RTO_MIN_US",
        46: "TCP_DELACK_MAX_US",
    },
    "IPPROTO_IPV6": {
        16: "IPV6_UNICAST_HOPS",
        23: "IPV6_MTU_DISCOVER",
        24: "IPV6_MTU",
        25: "IPV6_RECVERR",
        26: "IPV6_V6ONLY",
        67: "IPV6_TCLASS",
        75: "IPV6_TRANSPARENT",
        78: "IPV6_FREEBIND",
    },
}
"""By level and number."""


def option_names(level: int, number: int) -> tuple[str, str]:
    """Level and option by name; the number itself where it is not known yet."""
    known = LEVELS.get(level, str(level))
    return known, NAMES.get(known, {}).get(number, str(number))


def arguments_text(recorded: str) -> str:
    """What a call of setsockopt or getsockopt was given: ``IPPROTO_TCP, TCP_NODELAY, 1``.

    recorded: its arguments as the timeline has them, ``6, 1, 1``. Structures are
    written as strace(1) does. What is not of that form is given back as it is.
    """
    found = _ARGUMENTS.fullmatch(recorded)
    if found is None:
        return recorded
    option = int(found[1]), int(found[2])
    value = found[3] or ""
    return ", ".join(option_names(*option)) + _value_text(option, value)


def _value_text(option: tuple[int, int], value: str) -> str:
    if option in _STRUCTURES and value.startswith((", b'", ', b"')):
        structure, form = _STRUCTURES[option]
        data = ast.literal_eval(value[2:])
        if len(data) == structure.size:
            return f", {form.format(*structure.unpack(data))}"
    return value
