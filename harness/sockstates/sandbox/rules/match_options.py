"""The matches (``-m``) that are supported, their options, and what the options add up to. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sockstates.sandbox.rules import values
from sockstates.sandbox.rules.rule import (
    CommentMatch,
    ConntrackMatch,
    LengthMatch,
    LimitMatch,
    Match,
    NthMatch,
    RandomMatch,
    TcpFlags,
    TcpMatch,
    UdpMatch,
)
from sockstates.sandbox.rules.values import BadValueError
from sockstates.sandbox.rules.words import Word

Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its name inside, a reader for each value, whether ``!`` may precede it."""

    key: str
    readers: tuple[Reader, ...] = ()
    invertible: bool = False


@dataclass(slots=True)
class Given:
    """An option as it stood in the line."""

    values: tuple[Any, ...]
    negated: bool
    word: Word


@dataclass(slots=True)
class MatchDraft:
    """A match whose options are still being read."""

    module: str
    word: Word
    given: dict[str, Given] = field(default_factory=dict)

    def value(self, key: str, default: Any = None) -> Any:
        """Give the option's first value."""
        return self.given[key].values[0] if key in self.given else default

    def negated(self, key: str) -> bool:
        """Tell whether ``!`` stood before the option."""
        return key in self.given and self.given[key].negated


class IncompleteMatchError(Exception):
    """A match whose options do not add up: what is wrong, what to type, and at which word."""

    def __init__(self, problem: str, instead: str, word: Word | None = None) -> None:
        super().__init__(problem, instead)
        self.problem, self.instead, self.word = problem, instead, word


def _whole(low: int, high: int, what: str) -> Reader:
    return lambda text: values.number(text, low, high, what)


def _mode(text: str) -> str:
    if text not in ("random", "nth"):
        raise BadValueError(f"{text!r} is not a statistic mode", "Type random or nth.")
    return text


def _port_options(transport: str) -> dict[str, Option]:
    def read(text: str) -> tuple[int, int]:
        return values.ports(text, transport)

    source = Option("source", (read,), invertible=True)
    destination = Option("destination", (read,), invertible=True)
    return {
        "--sport": source,
        "--source-port": source,
        "--dport": destination,
        "--destination-port": destination,
    }


MATCH_OPTIONS: dict[str, dict[str, Option]] = {
    "tcp": {
        **_port_options("tcp"),
        "--syn": Option("syn", invertible=True),
        "--tcp-flags": Option("flags", (values.flags, values.flags), invertible=True),
    },
    "udp": _port_options("udp"),
    "conntrack": {"--ctstate": Option("states", (values.states,), invertible=True)},
    "state": {"--state": Option("states", (values.states,), invertible=True)},
    "statistic": {
        "--mode": Option("mode", (_mode,)),
        "--probability": Option("probability", (values.probability,), invertible=True),
        "--every": Option("every", (_whole(1, 2**32 - 1, "a number of packets"),), invertible=True),
        "--packet": Option("packet", (_whole(0, 2**32 - 1, "a packet's number"),)),
    },
    "limit": {
        "--limit": Option("rate", (values.rate,)),
        # 0 is left out: iptables takes it, and the kernel then silently uses 5.
        "--limit-burst": Option("burst", (_whole(1, 10_000, "a number of packets"),)),
    },
    "length": {"--length": Option("length", (values.lengths,), invertible=True)},
    "comment": {"--comment": Option("text", (values.comment,))},
}

IMPLIED_MODULES = {values.PROTOCOLS["tcp"]: "tcp", values.PROTOCOLS["udp"]: "udp"}
"""Protocols whose options may follow ``-p`` without ``-m``."""


def finish(draft: MatchDraft) -> Match:
    """Make the match of its options; IncompleteMatchError where they do not add up to one."""
    return _FINISHERS[draft.module](draft)


def _ports(draft: MatchDraft, key: str) -> Any:
    if key not in draft.given:
        return None
    low, high = draft.value(key)
    return values.port_range(low, high, draft.negated(key))


def _finish_tcp(draft: MatchDraft) -> Match:
    flags = None
    if "syn" in draft.given and "flags" in draft.given:
        raise IncompleteMatchError(
            "--syn and --tcp-flags say the same thing twice",
            "Keep one: --syn is --tcp-flags FIN,SYN,RST,ACK SYN.",
            draft.given["flags"].word,
        )
    if "syn" in draft.given:
        flags = TcpFlags(values.flags("FIN,SYN,RST,ACK"), values.flags("SYN"), draft.negated("syn"))
    if "flags" in draft.given:
        mask, comp = draft.given["flags"].values
        flags = TcpFlags(mask, comp, draft.negated("flags"))
    return TcpMatch(_ports(draft, "source"), _ports(draft, "destination"), flags)


def _finish_udp(draft: MatchDraft) -> Match:
    return UdpMatch(_ports(draft, "source"), _ports(draft, "destination"))


def _finish_conntrack(draft: MatchDraft) -> Match:
    option = "--state" if draft.module == "state" else "--ctstate"
    _need(draft, "states", f"{option} NEW,ESTABLISHED (or other states)")
    return ConntrackMatch(
        draft.value("states"),
        draft.negated("states"),
        "state" if draft.module == "state" else "conntrack",
    )


def _finish_statistic(draft: MatchDraft) -> Match:
    _need(draft, "mode", "--mode random --probability 0.3, or --mode nth --every 3 --packet 0")
    random = draft.value("mode") == "random"
    for key in ("every", "packet") if random else ("probability",):
        if key in draft.given:
            raise IncompleteMatchError(
                f"--{key} does not belong to --mode {draft.value('mode')}",
                "random has --probability; nth has --every and --packet.",
                draft.given[key].word,
            )
    if random:
        _need(draft, "probability", "--probability 0.3")
        return RandomMatch(draft.value("probability"), draft.negated("probability"))
    _need(draft, "every", "--every 3")
    every, packet = draft.value("every"), draft.value("packet", 0)
    if packet >= every:
        raise IncompleteMatchError(
            f"no packet out of every {every} is numbered {packet}",
            f"Packets are counted from 0: type --packet 0 to --packet {every - 1}.",
            draft.given["packet"].word,
        )
    return NthMatch(every, packet, draft.negated("every"))


def _finish_limit(draft: MatchDraft) -> Match:
    default = LimitMatch()
    rate, unit = draft.value("rate", (default.rate, default.unit))
    return LimitMatch(rate, unit, draft.value("burst", default.burst))


def _finish_length(draft: MatchDraft) -> Match:
    _need(draft, "length", "--length 1400 or --length 100:200")
    low, high = draft.value("length")
    return LengthMatch(low, high, draft.negated("length"))


def _finish_comment(draft: MatchDraft) -> Match:
    _need(draft, "text", '--comment "why this rule"')
    return CommentMatch(draft.value("text"))


def _need(draft: MatchDraft, key: str, example: str) -> None:
    if key not in draft.given:
        raise IncompleteMatchError(
            f"-m {draft.module} is not complete", f"Add {example}.", draft.word
        )


_FINISHERS: dict[str, Callable[[MatchDraft], Match]] = {
    "tcp": _finish_tcp,
    "udp": _finish_udp,
    "conntrack": _finish_conntrack,
    "state": _finish_conntrack,
    "statistic": _finish_statistic,
    "limit": _finish_limit,
    "length": _finish_length,
    "comment": _finish_comment,
}
