"""The sysctls and socket options that say how long TCP waits: ranges, defaults, since when. Data.

Names and meanings are those of Documentation/networking/ip-sysctl.rst and tcp(7), socket(7).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sockstates.tcp.kernel import OLDEST, Kernel
from sockstates.tcp.nearest import did_you_mean

LARGEST = 2**31 - 1
IPV4 = "net.ipv4."


class SettingError(ValueError):
    """A setting or an option that this kernel does not have, or a value that it refuses."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A sysctl: its unit, the kernel's default, the values it takes, the first Linux that has it.

    before: what a kernel without it does, as a value of it.
    """

    unit: str
    default: int
    low: int = 0
    high: int = 255
    since: tuple[int, int] = OLDEST
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A socket option: level and number for setsockopt(2), its unit, the values it takes."""

    level: int
    number: int
    unit: str
    low: float
    high: float
    since: tuple[int, int] = OLDEST
    kinds: tuple[str, ...] = field(default=())
    """The timers that it has to do with."""


SETTINGS: Mapping[str, Setting] = {
    "tcp_syn_retries": Setting("repetitions", 6, 1, 127),
    "tcp_synack_retries": Setting("repetitions", 5),
    "tcp_syn_linear_timeouts": Setting("repetitions", 4, 0, 127, (6, 5), 0),
    "tcp_retries1": Setting("repetitions", 3),
    "tcp_retries2": Setting("repetitions", 15),
    "tcp_orphan_retries": Setting("repetitions", 0),
    "tcp_early_retrans": Setting("mode; 3 and 4: with tail loss probe", 3, 0, 4),
    "tcp_sack": Setting("0 or more: a tail loss probe needs it", 1),
    "tcp_thin_linear_timeouts": Setting("0: back off; else the first six not", 0),
    "tcp_rto_min_us": Setting("microseconds", 200_000, 1, LARGEST, (6, 11), 200_000),
    "tcp_rto_max_ms": Setting("milliseconds", 120_000, 1000, 120_000, (6, 15), 120_000),
    "tcp_keepalive_time": Setting("seconds", 7200, 0, LARGEST),
    "tcp_keepalive_intvl": Setting("seconds", 75, 0, LARGEST),
    "tcp_keepalive_probes": Setting("probes", 9),
    "tcp_fin_timeout": Setting("seconds", 60, 0, LARGEST),
    "tcp_max_tw_buckets": Setting("sockets", 65536, 0, LARGEST),
    "tcp_abort_on_overflow": Setting("0 or 1: reset what the accept queue cannot hold", 0),
    "tcp_max_syn_backlog": Setting("half-open connections", 1024, 0, LARGEST),
    "tcp_syncookies": Setting("0: never, 1: when the SYN queue is full, 2: always", 1),
}
"""Settings below net.ipv4, which IPv6 obeys too. What a kernel has by default where it works it
out from its memory (tcp_max_tw_buckets, tcp_max_syn_backlog) is what a usual machine has."""

_ALL = ("syn", "data", "probe", "keepalive", "fin")
_TCP = socket.IPPROTO_TCP
_ALIVE = ("keepalive",)
OPTIONS: Mapping[str, Option] = {
    "TCP_SYNCNT": Option(_TCP, 7, "repetitions", 1, 127, kinds=("syn", "synack")),
    "TCP_USER_TIMEOUT": Option(_TCP, 18, "milliseconds", 0, LARGEST, kinds=_ALL),
    "TCP_KEEPIDLE": Option(_TCP, 4, "seconds", 1, 32767, kinds=_ALIVE),
    "TCP_KEEPINTVL": Option(_TCP, 5, "seconds", 1, 32767, kinds=_ALIVE),
    "TCP_KEEPCNT": Option(_TCP, 6, "probes", 1, 127, kinds=_ALIVE),
    "TCP_LINGER2": Option(
        _TCP, 8, "seconds; below 0: none", -LARGEST, LARGEST, kinds=("fin-wait2",)
    ),
    "TCP_DEFER_ACCEPT": Option(_TCP, 9, "seconds", 0, LARGEST, kinds=("synack",)),
    "TCP_THIN_LINEAR_TIMEOUTS": Option(_TCP, 16, "0 or 1", 0, 1, kinds=("data",)),
    "TCP_RTO_MAX_MS": Option(
        _TCP, 44, "milliseconds", 1000, 120_000, (6, 15), ("synack", "data", "probe", "fin", "syn")
    ),
    "TCP_RTO_MIN_US": Option(
        _TCP, 45, "microseconds", 4001, 200_000, (6, 15), ("data", "probe", "fin", "fin-wait2")
    ),
    "SO_LINGER": Option(
        socket.SOL_SOCKET, socket.SO_LINGER, "seconds (l_linger)", 0, LARGEST, kinds=("fin",)
    ),
    "SO_SNDTIMEO": Option(
        socket.SOL_SOCKET, socket.SO_SNDTIMEO, "seconds", 0, LARGEST, kinds=("syn", "data", "probe")
    ),
}


def bare(name: str) -> str:
    """A setting's name without what it lies below: tcp_retries2 of net.ipv4.tcp_retries2."""
    name = name.replace("/", ".")
    return name.removeprefix("ipv4.") if name.startswith("ipv4.") else name.removeprefix(IPV4)


def checked_setting(name: str, text: str, kernel: Kernel) -> tuple[str, int]:
    """The setting's bare name and value. Raises SettingError, which says what there is instead."""
    short = bare(name)
    known = SETTINGS.get(short)
    if known is None:
        raise SettingError(_unknown("setting", short, SETTINGS))
    if kernel.version < known.since:
        raise SettingError(
            f"{kernel} has no {short}: it came with Linux {known.since[0]}.{known.since[1]}"
        )
    value = _number(short, text, whole=True)
    high = known.high // kernel.hz if known.unit == "seconds" else known.high
    _in_range(short, value, known.low, high, known.unit)
    return short, int(value)


def checked_option(name: str, text: str, kernel: Kernel) -> tuple[str, float]:
    """The option's name and value, in its own unit. Raises SettingError."""
    known = OPTIONS.get(name.upper())
    if known is None:
        raise SettingError(_unknown("socket option", name, OPTIONS))
    if kernel.version < known.since:
        raise SettingError(
            f"{kernel} has no {name.upper()}: it came with Linux {known.since[0]}.{known.since[1]}"
        )
    value = _number(name.upper(), text, whole=not name.upper().startswith("SO_SND"))
    _in_range(name.upper(), value, known.low, known.high, known.unit)
    return name.upper(), value


def value_of(settings: Mapping[str, str], name: str, kernel: Kernel) -> int:
    """A setting's value out of sysctls by their full names; else what the kernel does by default.

    What a kernel does not have counts as what it does instead, even where a value is given.
    """
    known = SETTINGS[name]
    if kernel.version < known.since and known.before is not None:
        return known.before
    found = settings.get(IPV4 + name, settings.get(name))
    return known.default if found is None else int(found)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    hint = did_you_mean(name, names).rstrip()
    return (
        f"no {what} of TCP's timers is called {name!r}. {hint}".rstrip()
        + f"\n  known: {', '.join(names)}"
    )


def _number(name: str, text: str, *, whole: bool) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise SettingError(f"{name}={text}: {text!r} is not {kind}") from None


def _in_range(name: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise SettingError(
            f"{name}={value:g} is out of range: the kernel takes {low:g} to {high:g} ({unit})"
        )
