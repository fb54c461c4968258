"""The packet filter's own trace: what a rule, or a chain's policy, decided about which segment.

Lives in a host's agent. From before the first rule that drops or rejects, the kernel is asked to
trace TCP in that rule's chain (``rules.watching``) and its messages are read here. Decides about no
packet; a trace that cannot be had keeps no rule from being put in force.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Final

from sockstates.record.events import Event
from sockstates.record.kernel_events import FilterDecided, RecordsLost, WitnessJoined
from sockstates.sandbox.rules import AnyCommand, Family, watching
from sockstates.sandbox.rules.rule import TCP, Append, Insert, SetPolicy
from sockstates.sandbox.rules.table import Table
from sockstates.sandbox.witnesses.netfilter_events import NetfilterEvents
from sockstates.sandbox.witnesses.netlink_attributes import Message, number
from sockstates.sandbox.witnesses.packet_ring import attach_filter
from sockstates.sandbox.witnesses.trace_messages import (
    CHAIN,
    HANDLE,
    IDENTITY,
    TABLE,
    Headers,
    drops,
    headers,
    sieve,
    text,
)

WITNESS: Final = "filter trace"
NFNLGRP_NFTRACE: Final = 9
MOST_HEADERS: Final = 64
"""Packets whose way through a chain is being told at one time; more than a few there cannot be."""
_FAMILIES: Final[dict[int, Family]] = {2: 4, 10: 6}
"""NFPROTO_IPV4, NFPROTO_IPV6."""


class FilterTrace:
    """The trace of one host; costs nothing until a rule drops."""

    def __init__(
        self,
        host: str,
        table: Table,
        selector: selectors.BaseSelector,
        record: Callable[[Event], None],
    ) -> None:
        self._host = host
        self._table = table
        self._selector = selector
        self._record = record
        self._events: NetfilterEvents | None = None
        self._missing = False
        self._every_head = False
        self._counting: dict[str, int] = {}
        """Chain traced -> handle of the rule that counts what went untraced there."""
        self._untraced = 0
        self._beyond = False
        """There were more packets than are traced."""
        self._headers: dict[tuple[bytes, bytes], Headers] = {}

    def prepare(self, command: AnyCommand) -> None:
        """Be there before this command of iptables is carried out, when it can end a segment."""
        if self._missing:
            return
        try:
            if (chain := chain_that_ends(command)) is not None and chain not in self._counting:
                self._trace(chain)
            if not self._every_head and goes_on(command):
                self._every_head = True
                self._sift()
        except OSError as error:
            self._missing = True
            self._record(WitnessJoined(time.time_ns(), WITNESS, self._host, str(error)))

    def _trace(self, chain: str) -> None:
        first = self._events is None
        if self._events is None:
            self._events = NetfilterEvents(NFNLGRP_NFTRACE)
            self._sift()
            self._selector.register(self._events, selectors.EVENT_READ, self)
        made = self._table.put_beside(watching.trace(chain), "the trace of the filter")
        self._counting[chain] = made[-1][0].get_attr("NFTA_RULE_HANDLE")
        if first:
            self._record(WitnessJoined(time.time_ns(), WITNESS, self._host))

    def _sift(self) -> None:
        if self._events is not None:
            program = sieve(watching.TRACE_TABLE, every_head=self._every_head)
            attach_filter(self._events.socket, program)

    def ready(self) -> None:
        """Read all messages that are there."""
        if self._events is not None:
            for message in self._events.read():
                self._take(message)

    def settle(self) -> None:
        """Read what there is; say what was lost, and what was not traced as it was too much."""
        self.ready()
        lost = 0 if self._events is None else self._events.count_losses()
        if self._beyond:
            self._beyond = False
            lost += self._count_untraced()
        if lost:
            self._record(RecordsLost(time.time_ns(), self._host, WITNESS, lost))

    def _count_untraced(self) -> int:
        """Packets beyond the limit since the last time."""
        requests = [watching.counting_rule(*each) for each in self._counting.items()]
        try:
            counts = self._table.count_beside(requests, "the trace of the filter")
        except OSError:  # a program on the host has emptied nf_tables: nothing is traced any more
            return 1
        before, self._untraced = self._untraced, sum(count.packets for count in counts)
        return self._untraced - before

    def _take(self, message: Message) -> None:
        if text(message, TABLE) == watching.TRACE_TABLE:
            self._beyond = True
            return
        # Of one packet in one chain; the kernel's identity of it is not another's meanwhile.
        key = message.attributes.get(IDENTITY, b""), message.attributes.get(CHAIN, b"")
        found = headers(message)
        if found is not None:
            self._headers.pop(key, None)
            self._headers[key] = found
            if len(self._headers) > MOST_HEADERS:
                del self._headers[next(iter(self._headers))]
        if drops(message):
            self._decided(message, self._headers.pop(key, None))

    def _decided(self, message: Message, segment: Headers | None) -> None:
        now = time.time_ns()
        if segment is None:
            self._record(RecordsLost(now, self._host, WITNESS, 1))
            return
        chain = text(message, CHAIN)
        octets = message.attributes.get(HANDLE)
        handle = None if octets is None else number(octets)
        family = _FAMILIES.get(message.family)
        origin = None if family is None else self._table.origin(family, chain, handle)
        self._record(
            FilterDecided(
                now,
                self._host,
                line=origin.line if origin else "",
                verdict="reject" if origin and origin.target == "REJECT" else "drop",
                **segment._asdict(),
                chain=chain,
            )
        )


def chain_that_ends(command: AnyCommand) -> str | None:
    """The chain in which a command of iptables puts an end to TCP segments; None: in none."""
    if isinstance(command, SetPolicy):
        return command.chain if command.policy == "DROP" else None
    if not isinstance(command, Append | Insert) or command.rule.target not in ("DROP", "REJECT"):
        return None
    protocol = command.rule.protocol
    if protocol is not None and (protocol.number == TCP) == protocol.negated:
        return None
    return command.rule.chain


def goes_on(command: AnyCommand) -> bool:
    """Whether a packet that it is about may be dropped later in the chain, by another message."""
    if isinstance(command, SetPolicy):
        return command.policy == "DROP"
    return isinstance(command, Append | Insert) and command.rule.target is None
