"""The sockets of a host as ``netstat -antpW`` prints them (net-tools), from recorded evidence.

Byte for byte a row is netstat's. Their order is not: netstat's is that of the kernel's hash
tables, which nobody can know afterwards; here listeners come first, then ports. What the evidence
cannot tell at the moment is said below the table, with ``!``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sockstates.evidence.expectations import endpoint_text
from sockstates.evidence.sockets_at import Unsure, sockets_at
from sockstates.record.events import NANOSECONDS, SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

TITLE = "Active Internet connections (servers and established)"
HEADS = (
    "Proto Recv-Q Send-Q Local Address           Foreign Address         State       "
    "PID/Program name    "
)
ADDRESS_WIDTH = 23
PROGRAM_WIDTH = 20
"""PROGNAME_WIDTH of net-tools' netstat.c, with the byte that ends the text."""
NOT_KNOWN = "?"


def netstat_table(timeline: Timeline, host: str, moment: int | None = None) -> str:
    """The table of a host at a moment (ns); by default when it was looked at last.

    A queue that the kernel was just changing is ``?``. Raises MomentNotRecorded.
    """
    found = sockets_at(timeline, host, moment)
    rows = [_row(seen, found.commands) for seen in sorted(found.certain, key=_place)]
    doubts = [_doubt(timeline, each) for each in found.unsure]
    return "\n".join([TITLE, HEADS, *rows, *doubts]) + "\n"


def _is_ipv6(seen: SocketSeen) -> bool:
    return seen.mapped or ":" in seen.local.ip


def _place(seen: SocketSeen) -> tuple[bool, bool, int, int]:
    remote = seen.remote.port if seen.remote else 0
    return _is_ipv6(seen), seen.state is not State.LISTEN, seen.local.port, remote


def _row(seen: SocketSeen, commands: Mapping[int, tuple[str, ...]]) -> str:
    # A listener's send queue is sock_diag's backlog; /proc/net/tcp, which netstat reads, has none.
    sending = 0 if seen.state is State.LISTEN else seen.send_queue
    queues = [NOT_KNOWN if each is None else each for each in (seen.receive_queue, sending)]
    protocol = "tcp6" if _is_ipv6(seen) else "tcp"
    local, remote = _address(seen.local), _remote(seen)
    return (
        f"{protocol:4}  {queues[0]:>6} {queues[1]:>6} {local:{ADDRESS_WIDTH}} "
        f"{remote:{ADDRESS_WIDTH}} {seen.state.value:11} {_program(seen, commands):{PROGRAM_WIDTH}}"
    )


def _address(address: Address) -> str:
    return f"{address.ip}:{address.port or '*'}"


def _remote(seen: SocketSeen) -> str:
    if seen.remote is not None:
        return _address(seen.remote)
    return ":::*" if _is_ipv6(seen) else "0.0.0.0:*"


def _program(seen: SocketSeen, commands: Mapping[int, tuple[str, ...]]) -> str:
    """Number and name of the first process that has it open, cut off as netstat does."""
    pid = seen.owner if seen.first_owner is None else seen.first_owner
    if pid is None:
        return "-"
    if pid not in commands:
        return f"{pid}/{NOT_KNOWN}"
    name = commands[pid][0]
    if name.startswith("/"):
        name = name.rpartition("/")[2]
    return f"{pid}/{name}"[: PROGRAM_WIDTH - 1]


def _doubt(timeline: Timeline, unsure: Unsure) -> str:
    looked, seen = (
        f"at {(each - timeline.beginning()) / NANOSECONDS:.6f} s"
        for each in (unsure.looked, unsure.seen)
    )
    who = endpoint_text(timeline, unsure.key)
    if unsure.before is unsure.after:
        what = f"{unsure.before} {looked} and {seen}, with other queues or another owner"
    else:
        what = f"{unsure.before} {looked}, {unsure.after} {seen}"
    return f"! {who}: {what}; what it was between is not known"
