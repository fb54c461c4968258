"""What netstat(8) and ss(8) say of a host's TCP sockets, read into plain data and compared.

They are other people's eyes on the same sockets: where they and our own observations disagree, one
of the two is wrong. Pure: text and a timeline in, differences out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from sockstates.evidence.expectations import observation_text, owner_text
from sockstates.record.events import SocketSeen
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

Tool = Literal["netstat", "ss"]
Alike = Callable[[int, int], bool]
"""Whether two processes are of one program."""
_SS_USER = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+),fd=\d+\)')
_NETSTAT_COLUMNS, _SS_COLUMNS = 7, 5


@dataclass(frozen=True, slots=True)
class ListedSocket:
    """One row. Queues in bytes, for a listener in connections; `remote` is None for a listener."""

    local: Address
    remote: Address | None
    state: State
    receive_queue: int
    send_queue: int
    owners: frozenset[int] = frozenset()
    """Processes that have it open; netstat names only one of them."""
    program: str = ""
    """The name beside the process id, as short as the tool makes it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a tool said that ran on `host` between these two moments (ns)."""

    tool: Tool
    host: str
    began: int
    ended: int
    sockets: tuple[ListedSocket, ...]

    def on(self, port: int) -> tuple[ListedSocket, ...]:
        """The rows whose own port this is, a listener first."""
        rows = (row for row in self.sockets if row.local.port == port)
        return tuple(sorted(rows, key=lambda row: row.state is not State.LISTEN))


def read_netstat(text: str) -> tuple[ListedSocket, ...]:
    """The rows of ``netstat -antpW`` (net-tools); raises ValueError for a row that is not one.

    Without W netstat cuts addresses off after 22 characters.
    """
    rows = (line for line in text.splitlines() if line.startswith("tcp"))
    return tuple(_netstat_row(line) for line in rows)


def _netstat_row(line: str) -> ListedSocket:
    columns = line.split(None, _NETSTAT_COLUMNS - 1)
    if len(columns) != _NETSTAT_COLUMNS:
        raise ValueError(f"netstat -antp: {_NETSTAT_COLUMNS} columns expected in {line!r}")
    _, receive_queue, send_queue, local, remote, state, owner = columns
    pid, _, program = owner.strip().partition("/")
    return ListedSocket(
        _address(local),
        None if remote.endswith(":*") else _address(remote),
        State.of(state),
        int(receive_queue),
        int(send_queue),
        frozenset() if pid == "-" else frozenset([int(pid)]),
        program.strip(),
    )


def read_ss(text: str) -> tuple[ListedSocket, ...]:
    """The rows of ``ss -Hantp`` (iproute2); raises ValueError for a row that is not one."""
    return tuple(_ss_row(line) for line in text.splitlines() if line.strip())


def _ss_row(line: str) -> ListedSocket:
    columns = line.split(None, _SS_COLUMNS)
    if len(columns) < _SS_COLUMNS:
        raise ValueError(f"ss -antp: {_SS_COLUMNS} columns or more expected in {line!r}")
    state, receive_queue, send_queue, local, remote = columns[:_SS_COLUMNS]
    users = _SS_USER.findall("".join(columns[_SS_COLUMNS:]))
    return ListedSocket(
        _address(local),
        None if remote.endswith(":*") else _address(remote),
        State.of(state),
        int(receive_queue),
        int(send_queue),
        frozenset(int(pid) for _, pid in users),
        users[0][0] if users else "",
    )


def _address(text: str) -> Address:
    """``10.0.0.1:80``, ``fd00::1:80``, ``[fd00::1]:80`` or ``*:80`` (every address of IPv6)."""
    ip, _, port = text.rpartition(":")
    plain = "::" if ip == "*" else ip.strip("[]").partition("%")[0]
    parsed = ip_address(plain)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return Address(str(parsed), int(port))


def disagreements(listing: Listing, timeline: Timeline, origin: int, alike: Alike) -> list[str]:
    """Every row that no observation of its time equals, and every socket that has no row.

    An observation is of the listing's time when the socket may have been so while the tool ran. Of
    a socket that several processes have open psutil names the last and netstat the first, so that
    two owners are one when they are `alike`.
    """
    found = []
    rows = {(row.local, row.remote) for row in listing.sockets}
    for row in listing.sockets:
        local, remote = row.local, row.remote
        seen = _seen_then(listing, timeline, (listing.host, local, remote))
        if not any(_equal(row, each, listing.tool, alike) for each in seen):
            ours = observation_text(timeline, seen[-1] if seen else None, origin)
            found.append(
                f"{_place(local, remote)}\n  {listing.tool:8}{_row_text(row)}\n  ours    {ours}"
            )
    for host, local, remote in timeline.endpoints():
        seen = _seen_then(listing, timeline, (host, local, remote))
        if host != listing.host or (local, remote) in rows or len(seen) != 1:
            continue
        if seen[0].state is not State.CLOSED and seen[0].time <= listing.began:
            ours = observation_text(timeline, seen[0], origin)
            found.append(
                f"{_place(local, remote)}\n  {listing.tool:8}no such row\n  ours    {ours}"
            )
    return found


def _seen_then(listing: Listing, timeline: Timeline, key: EndpointKey) -> list[SocketSeen]:
    """The same of each socket at an endpoint: two listeners can have one address."""
    sockets = timeline.sockets_at(key)
    return [seen for one in sockets for seen in _in_force(listing, timeline.history(one))]


def _in_force(listing: Listing, history: list[SocketSeen]) -> list[SocketSeen]:
    """The observations that may have been true at a moment while the tool ran."""
    nexts = (*history[1:], None)
    return [
        seen
        for seen, after in zip(history, nexts, strict=False)
        if seen.not_before <= listing.ended and (after is None or after.time >= listing.began)
    ]


def _equal(row: ListedSocket, seen: SocketSeen, tool: Tool, alike: Alike) -> bool:
    # Of a listener sock_diag (and so ss) tells the backlog as its send queue, /proc/net/tcp none.
    sending = 0 if tool == "netstat" and seen.state is State.LISTEN else seen.send_queue
    owner = seen.owner
    if owner is None:
        same_owner = not row.owners
    else:
        same_owner = any(owner == pid or alike(owner, pid) for pid in row.owners)
    return (
        same_owner
        and row.state is seen.state
        and row.send_queue == sending
        and row.receive_queue == seen.receive_queue
    )


def _place(local: Address, remote: Address | None) -> str:
    return f"{local.ip} port {local.port}" + (
        f" to {remote.ip} port {remote.port}" if remote else ""
    )


def _row_text(row: ListedSocket) -> str:
    owners = " and ".join(owner_text(pid) for pid in sorted(row.owners)) or owner_text(None)
    queues = f"queues {row.send_queue} to send, {row.receive_queue} to read"
    return f"{row.state}, owner {owners}, {queues}"
