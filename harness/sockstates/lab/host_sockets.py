"""What a host does with sockets of no connection yet, and what it tells of many at once."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sockstates.lab.addressed_host import AddressedHost
from sockstates.lab.arguments import check_arguments
from sockstates.lab.call import Call
from sockstates.lab.counted import counted
from sockstates.lab.observed import owner_of
from sockstates.lab.owners import ANY_OWNER, AnyOwner
from sockstates.lab.socket_options import Options, packed_options
from sockstates.record.events import SocketSeen
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.protocol import SocketClosedError, SocketRequests, remote
from sockstates.tcp.states import State

if TYPE_CHECKING:
    from sockstates.lab.program import Program

AGENT_PROCESS = 1
"""The process that has the built-in endpoints open, in the host's own numbering."""
FAMILY_NUMBERS = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
ANY_ADDRESS = {"ipv4": "0.0.0.0", "ipv6": "::"}


class SocketHost(AddressedHost):
    """A host with built-in sockets."""

    @property
    def sockets(self) -> SocketRequests:
        """The built-in sockets of this host, for calls with arguments by name.

        Errors: LabError for arguments that no call takes, and for a socket that is closed.
        """
        return remote(self._checked).sockets

    def _checked(self, request: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        check_arguments(self.name, named)
        try:
            return self.line.ask(request, arguments, named)
        except SocketClosedError:
            raise LabError(
                f"{self.name}: the scenario has already closed this socket; nothing more can be "
                "done with it"
            ) from None

    def bind(self, port: int, *, reuse_address: bool = False, options: Options = ()) -> Call:
        """bind(2) a new socket to this port, and no more; returns the call, which has ended.

        What a server meets that starts again: ``.fails(errno.EADDRINUSE)``.
        """
        wishes = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)] if reuse_address else []
        call = Call(self, self.lab.next_call(), "bind")
        self.sockets.try_bind(
            call=call.number,
            address=(ANY_ADDRESS[self.lab.family], port),
            family=FAMILY_NUMBERS[self.lab.family],
            options=(*wishes, *packed_options(options)),
        )
        return call

    def counts(
        self,
        state: State | str,
        number: int,
        *,
        owner: SocketHost | Program | int | AnyOwner | None = ANY_OWNER,
        seconds: float | None = None,
    ) -> Sequence[SocketSeen]:
        """Expect so many connections of this host to be in `state`, now or by a deadline.

        The deadline is that for what a program does by itself, or `seconds` from now. `owner`: only
        those that it has open, as in `Endpoint.reaches`. What was seen of each of them comes back.
        """
        return counted(self, State.of(state), number, owner_of(owner), seconds)

    def users_of(self, port: int) -> str:
        """Who has this port of the host, a line each, for people; empty when nobody has."""
        self.lab.settle()
        timeline = self.lab.timeline
        found = [timeline.latest(key) for key in timeline.endpoints() if key[0] == self.name]
        return "\n".join(
            f"  {seen.local.ip} port {port} is {seen.state}, {self._process_text(seen.owner)}"
            for seen in found
            if seen is not None and seen.local.port == port and seen.owner is not None
        )

    def _process_text(self, pid: int) -> str:
        if pid == AGENT_PROCESS:
            return "a built-in endpoint of the scenario"
        owner = self.program_of(pid)
        return f"process {pid}" + (f" of {owner[1]!r}" if owner else "")

    def program_of(self, pid: int) -> tuple[int, str] | None:
        """Number and command line of the program whose process this is or was, if any."""
        return self.agent.programs.owner(pid)
