"""A listening socket, and the ends of connections that come out of its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockstates.lab.call import Call
from sockstates.lab.endpoint import Endpoint
from sockstates.lab.tls_seen import Ends, TlsSeen
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.segment import Address
from sockstates.tls.conversation import Conversation

if TYPE_CHECKING:
    from sockstates.lab.host import Host


class Listener(Endpoint):
    """A listening socket, built-in or a program's."""

    def __init__(self, host: Host, local: Address, number: int | None = None) -> None:
        super().__init__(host, local, None, number)
        self._accepted: dict[Address, int] = {}
        self._accepting: Call | None = None

    def accept_next(self) -> Call:
        """Begin accept(2); returns at once, also when no connection is complete yet."""
        if self.number is None:
            raise LabError(f"{self!r} is a program's: the program accepts, not the scenario")
        self._accepting = self._call("accept", self.host.sockets.accept)
        return self._accepting

    def accept_from(self, peer: Address) -> int:
        """accept(2) until the connection with this peer comes; the number of its socket."""
        while peer not in self._accepted:
            call, self._accepting = self._accepting, None
            if call is None or call.was_judged_a_failure:  # EAGAIN, by SO_RCVTIMEO or O_NONBLOCK
                call, self._accepting = self.accept_next(), None
            accepted = call.returns()
            assert isinstance(accepted, tuple)
            self._accepted[Address(*accepted[1])] = accepted[0]
        return self._accepted[peer]

    def sees_tls(self, text: str) -> Conversation:
        """As :meth:`Connection.sees_tls`, of the last connection to this listener.

        For one that comes and goes too fast for its sockets to be seen.
        """
        return TlsSeen(self.host.lab, f"the last connection to {self!r}", self._ends).sees(text)

    def _ends(self) -> Ends | None:
        """Whose SYN came last, and to which of our addresses."""
        found = [
            (segment.source, segment.destination)
            for segment in self.host.lab.timeline.wire
            if segment.flags == "S" and segment.destination.port == self.local.port
            if segment.destination.ip in self.host.addresses
        ]
        return found[-1] if found else None


class PassiveEnd(Endpoint):
    """The server's end of a connection: accepted when something is to be done with it."""

    def __init__(self, listener: Listener, local: Address, remote: Address) -> None:
        super().__init__(listener.host, local, remote)
        self.listener = listener
        self.options_set.update(listener.options_set)

    def accept(self) -> None:
        """Take this connection out of the listener's queue; accept(2)."""
        if self.number is None and self.remote is not None:
            self.number = self.listener.accept_from(self.remote)
            self.wait_for_connect()  # accepted: the client is connected, and about to be told
