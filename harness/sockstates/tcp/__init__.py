"""The core: TCP's states, segments, and tcpdump's notation. It touches no kernel and no lab."""

from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.explanation import explain
from sockstates.tcp.links import ETHERNET, RAW_IP
from sockstates.tcp.matching import Match, Mismatch, UnknownHost, match
from sockstates.tcp.notation import NotationError, Origins, format_segment, parse_pattern
from sockstates.tcp.options import Option
from sockstates.tcp.pattern import Gap, Line, Pattern
from sockstates.tcp.segment import Address, Segment, add, distance
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
    UnknownState,
)

__all__ = [
    "CLOSED",
    "CLOSE_WAIT",
    "CLOSING",
    "ESTABLISHED",
    "ETHERNET",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "LAST_ACK",
    "LISTEN",
    "RAW_IP",
    "SYN_RECV",
    "SYN_SENT",
    "TIME_WAIT",
    "Address",
    "Gap",
    "Line",
    "Malformed",
    "Match",
    "Mismatch",
    "NotationError",
    "Option",
    "Origins",
    "Pattern",
    "Segment",
    "State",
    "UnknownHost",
    "UnknownState",
    "add",
    "dissect",
    "distance",
    "explain",
    "format_segment",
    "match",
    "parse_pattern",
]
