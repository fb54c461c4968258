"""An end of a connection that no kernel has: the scenario itself writes what it sends.

Its host's kernel is kept quiet by a filter rule, so that it answers nothing that comes for this
end; the capture has it all the same, because it stands before the filter. Nothing here judges.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sockstates.lab.listener import Listener, PassiveEnd
from sockstates.lab.rule import Rule
from sockstates.lab.words import HasWords
from sockstates.record.events import SegmentCrafted
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.network.topology import way_out
from sockstates.tcp.crafting import CraftingError, frame_of, frame_text, packet_of, read_layer
from sockstates.tcp.segment import Address

if TYPE_CHECKING:
    from sockstates.lab.endpoint import Endpoint
    from sockstates.lab.host import Host

ANYWHERE = ("", "0.0.0.0", "::")


class CraftedPeer(HasWords):
    """One end, at `local` on `host`, whose segments the scenario writes; made by `Host.crafts`.

    `rule` keeps the host's kernel quiet. `peer` is the real socket at the other end, where `crafts`
    was given a listener.
    """

    def __init__(self, host: Host, local: Address, to: Host, remote: Address | None) -> None:
        self.host = host
        self.local = local
        self.rule: Rule | None = None
        self._to = to
        self.known_remote = remote
        self._peer: Endpoint | None = None

    def __repr__(self) -> str:
        return f"<crafted {self.host.lab.names.endpoint(self.local)}>"

    @property
    def has_peer(self) -> bool:
        """Whether it was given a listener, so that the socket at the other end is known."""
        return self._peer is not None

    @property
    def peer(self) -> Endpoint:
        """The socket at the other end, as :attr:`Connection.server` is one."""
        if self._peer is None:
            raise LabError(f"{self!r} was given no listener: the other end is what connects to it")
        return self._peer

    @peer.setter
    def peer(self, peer: Endpoint) -> None:
        self._peer = peer

    @property
    def remote(self) -> Address:
        """The other end's address; of a listening end that of whoever has sent to it last."""
        if self.known_remote is not None:
            return self.known_remote
        self.host.lab.settle()
        for segment in reversed(self.host.lab.timeline.arrived[self.host.name]):
            if segment.destination == self.local and segment.source.ip == self._to.address:
                return segment.source
        raise LabError(
            f"{self!r} does not know yet to which port of {self._to.name} it sends: nothing has "
            f"come from there. Wait for it first:\n"
            f'  lab.sees("{self._to.name} > {self.host.name}: Flags [S], seq J")'
        )

    def sends(
        self, segment: str | Any, *, payload: bytes = b"", checksum: int | None = None
    ) -> None:
        """Send a segment: ``"Flags [S], seq 1000, options [mss 1460]"``, or scapy's ``TCP(…)``.

        In tcpdump's notation, without its ends; letters are those that `lab.sees` has bound, the
        window is 64240 unless it is written. Of a layer (TCP, or IP with TCP) what is not set is
        filled in: addresses, ports, the checksum, unless `checksum` says which. On return it has
        left the host. Errors: LabError says what can be written.
        """
        host, remote = self.host, self.remote
        try:
            layer = segment
            if isinstance(segment, str):
                layer = read_layer(segment, host.lab.seen.bindings, payload)
            elif payload:
                layer = segment / payload
            packet = packet_of(layer, self.local, remote, checksum)
        except CraftingError as error:
            raise LabError(f"{self!r} cannot send that: {error}") from error
        interface, mac = way_out(host.lab.plan, host.name, remote.ip)
        frame = frame_of(packet, interface.mac, mac)
        time = host.agent.send_frame(interface.name, frame)
        text = frame_text(frame, partial(_host_name, host))
        host.lab.timeline.add(SegmentCrafted(time, host.name, self.local, remote, text))


def _host_name(host: Host, end: Address) -> str:
    return host.lab.names.host(end.ip)


def craft(host: Host, port: int, to: Listener | Host, to_port: int | None) -> CraftedPeer:
    """See :meth:`Host.crafts`."""
    made = crafted_end(host, port, to, to_port)
    remote = "" if made.known_remote is None else f"--sport {made.known_remote.port} "
    other = to.host if isinstance(to, Listener) else to
    made.rule = host.iptables(f"-I INPUT -s {other.name} -p tcp {remote}--dport {port} -j DROP")
    return made


def crafted_end(
    host: Host,
    port: int,
    to: Listener | Host,
    to_port: int | None,
    kind: type[CraftedPeer] = CraftedPeer,
) -> CraftedPeer:
    """The end by itself, without what keeps its host's kernel quiet."""
    other = to.host if isinstance(to, Listener) else to
    if other is host:
        raise LabError(f"{host.name} cannot craft segments to itself: give another host as to=…")
    if isinstance(to, Listener):
        remote: Address | None = host.target_at(to)
    else:
        remote = None if to_port is None else Address(other.address, to_port)
    made = kind(host, Address(host.address, port), other, remote)
    if isinstance(to, Listener) and remote is not None:
        made.peer = PassiveEnd(to, remote, made.local)
    return made
