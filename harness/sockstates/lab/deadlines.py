"""How long to wait for a fact: from the kernel's own timers, so that no scenario holds a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockstates.record.events import NANOSECONDS
from sockstates.tcp.limits import (
    conntrack_limit,
    keepalive_limit,
    longest_in,
    longest_unacknowledged,
    reuse_delay,
    syn_schedule,
)
from sockstates.tcp.states import State
from sockstates.tcp.timers import late

if TYPE_CHECKING:
    from sockstates.lab.call import Call
    from sockstates.lab.host import Host
    from sockstates.lab.lab import Lab
    from sockstates.lab.observed import ObservedSocket
    from sockstates.record.events import SocketSeen

REPEATING = ("retransmit", "probe")
"""Timers, in sock_diag's words, that send something again: each is followed by the next one."""
PATIENCE = 5.0
"""Seconds in which what needs no timer has happened, on a machine that is busy with other work."""


PROGRAM_PATIENCE = 20.0
"""Seconds in which a program has done what it does by itself. Where eight times more is to be done
than there are processors for, an interpreter takes longer than five seconds to start."""


class Deadlines:
    """Derives the deadlines of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.patience = PATIENCE
        self.programs = PROGRAM_PATIENCE

    def state_change(self, endpoint: ObservedSocket, wanted: State) -> float:
        """Seconds: the timers now pending in the lab, and for CLOSED all that may still follow."""
        limit = self.pending()
        if wanted is State.CLOSED and (seen := endpoint.seen) is not None:
            limit = max(limit, late(self._longest(seen)))
        return limit + self.patience

    def _longest(self, seen: SocketSeen) -> float:
        """Seconds until the kernel gives up an endpoint that looks so, if its peer is silent."""
        settings, orphan = self._lab.settings[seen.host], seen.owner is None
        longest = longest_in(seen.state, settings, orphan=orphan)
        if longest is None and seen.timer in REPEATING:
            longest = longest_unacknowledged(settings, orphan=orphan)
        return longest or 0.0

    def keepalive(self, host: Host) -> float:
        """Seconds in which a host gives up a connection with SO_KEEPALIVE whose peer is silent."""
        return late(keepalive_limit(self._lab.settings[host.name])) + self.patience

    def reusable(self, host: Host) -> float:
        """Seconds after which tcp_tw_reuse gives a TIME_WAIT's port to a new connection."""
        return late(reuse_delay(self._lab.settings[host.name]))

    def forgotten(self, host: Host, state: str = "ESTABLISHED") -> float:
        """Seconds of silence after which a host's connection tracking has forgotten a flow."""
        return late(conntrack_limit(self._lab.settings[host.name], state))

    def call(self, call: Call) -> float:
        """Seconds in which a call has returned: the whole schedule of the SYNs of a connect(2).

        Also for poll(2), which waits for connect(2) where that does not block. An option that lets
        the call wait (SO_RCVTIMEO, SO_LINGER) has its time besides.
        """
        if call.name in ("connect", "poll"):
            settings = self._lab.settings[call.host.name]
            return late(syn_schedule(settings)[-1] + call.may_wait) + self.patience
        return self.pending() + late(call.may_wait) + self.patience

    def next_segment(self) -> float:
        """Seconds in which the next segment is sent, if any timer or program sends one."""
        return self.pending() + self.patience

    def pending(self) -> float:
        """Seconds until the last of all timers now running has run out, at the latest."""
        now = self._lab.now()
        remaining = [0.0]
        for key in self._lab.timeline.endpoints():
            seen = self._lab.timeline.latest(key)
            if seen is None or seen.timer not in REPEATING:
                continue
            expires = seen.timer_expires or 0
            remaining.append(late(expires / NANOSECONDS) - (now - seen.time) / NANOSECONDS)
        return max(remaining)
