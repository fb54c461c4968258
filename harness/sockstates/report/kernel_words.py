"""The events of the witnesses beside psutil, in words for people."""

from __future__ import annotations

from sockstates.record.kernel_events import (
    FilterDecided,
    FlowChanged,
    KernelEvent,
    PacketDropped,
    RecordsLost,
    ResetPassed,
    Retransmitted,
    SocketGlanced,
    StateChanged,
    WireActed,
    WitnessJoined,
)
from sockstates.record.timeline import HostNames
from sockstates.tcp.segment import Address


def kernel_event_text(names: HostNames, event: KernelEvent) -> str:
    """What a witness said, without time and host."""
    match event:
        case SocketGlanced():
            return f"{_ends(names, event.local, event.remote)} is {event.state}, says sock_diag"
        case StateChanged():
            ends = _ends(names, event.local, event.remote)
            return f"{ends} goes from {event.before} to {event.after}"
        case Retransmitted():
            what = "its SYN-ACK" if event.syn_ack else "a segment"
            return f"{_ends(names, event.local, event.remote)} sends {what} again"
        case ResetPassed():
            what = "sends an RST" if event.sent else "takes in an RST"
            reason = f": {event.reason}" if event.reason else ""
            return f"{_ends(names, event.local, event.remote)} {what}{reason}"
        case _:
            return _about_packets(names, event)


def _about_packets(
    names: HostNames,
    event: PacketDropped | FilterDecided | FlowChanged | WireActed | WitnessJoined | RecordsLost,
) -> str:
    match event:
        case PacketDropped():
            where = f" for {_ends(names, event.local, event.remote)}" if event.local else ""
            return f"the kernel drops a packet{where}: {event.reason}"
        case FilterDecided():
            way = f"{names.endpoint(event.source)} > {names.endpoint(event.destination)}"
            return f"{event.verdict} by iptables {event.line}: {way} Flags [{event.flags}]"
        case FlowChanged():
            return _flow_text(names, event)
        case WireActed():
            return wire_act_text(names, event)
        case WitnessJoined():
            return f"{event.witness}: {f'not there: {event.missing}' if event.missing else 'there'}"
        case RecordsLost():
            return f"{event.witness} LOST {event.count} RECORDS"


def _flow_text(names: HostNames, event: FlowChanged) -> str:
    way = f"{names.endpoint(event.source)} > {names.endpoint(event.destination)}"
    text = f"conntrack: {way} {event.change} {event.state}".rstrip()
    answers = event.replies_to, event.replier
    if None in answers or answers == (event.source, event.destination):
        return text
    after = " > ".join(names.endpoint(each) for each in answers if each)
    return f"{text}, rewritten to {after}"


def wire_act_text(names: HostNames, event: WireActed) -> str:
    """``held client.43210 > server.80 Flags [P.], seq 5, length 3``, and how."""
    way = f"{names.endpoint(event.source)} > {names.endpoint(event.destination)}"
    length = f", length {event.length}" if event.length else ""
    how = f": {event.detail}" if event.detail else ""
    return f"{event.action} {way} Flags [{event.flags}], seq {event.sequence}{length}{how}"


def _ends(names: HostNames, local: Address, remote: Address | None) -> str:
    to = f" (to {names.endpoint(remote)})" if remote else ""
    return f"{names.endpoint(local)}{to}"
