"""Watching the sockets of a host: psutil for state and owner, sock_diag beside it for the queues.

There is no event for a change of state that an unprivileged process may have, so this looks. It
looks at once when something happened that can change a state (a frame came or went, a call was
made), then ever more rarely; a scenario that waits asks for closer attention until a deadline.

A sample, with psutil, costs half a millisecond of processor time; a glance at sock_diag alone costs
a tenth of that. So most looks are glances, and what a glance finds changed is sampled at once. What
sock_diag alone showed, in a glance or before psutil was asked, is recorded beside as a witness of
its own. An endpoint that is in no list any more is CLOSED. Records changes only; judges nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import psutil

from sockstates.record.events import NANOSECONDS, ProcessSeen, SocketSeen
from sockstates.record.kernel_events import SocketGlanced
from sockstates.sandbox.witnesses.processes import Processes, first_owners
from sockstates.sandbox.witnesses.socket_diagnostics import Diagnosis, Key, SocketDiagnostics
from sockstates.system import VIRTUAL
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

MILLISECOND = NANOSECONDS // 1000
CLOSEST = NANOSECONDS // 2000
"""Half a millisecond: no two looks are closer."""
ATTENDED = 4 * NANOSECONDS // 1000
IDLE = 200 * NANOSECONDS // 1000
"""The longest pause between two looks, while somebody waits and while nobody does."""
RARELY = VIRTUAL in os.environ
EAGERNESS, QUIET_SHARE = 8, 1000
"""Right after something happened, or somebody began to wait, pauses are such a part of the time
since then. They may exceed the longest one when they are only such a part of it, and of what a
socket's timer still has to run half at most: the end of every timer is watched as closely as ever.
Hours of waiting cost next to nothing so. Where waiting takes no time at all, both are a half, and a
timer that is late, as one of minutes is by seconds, is looked at the less closely the later it is:
there looks are what takes time, and the kernel's tracepoints tell everything between them."""
SAMPLED = (10_000 if RARELY else 20) * MILLISECOND
"""While somebody waits, a look is a sample, not a glance, when the last sample is older than this:
that the owner has changed and nothing else does not show in a glance."""
TICK = 10 * MILLISECOND
"""The coarsest of the kernel's clock ticks (HZ=100), in which timers are told."""
SHARE = 3
"""A look is followed by a pause of at least this many times the processor time that it took."""
STATES = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECV,
    4: State.FIN_WAIT1,
    5: State.FIN_WAIT2,
    6: State.TIME_WAIT,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECV,
}
"""The kernel's numbers (include/net/tcp_states.h); 12 is a request socket."""
FAMILIES = (socket.AF_INET, socket.AF_INET6)
MAPPED = "::ffff:"


Ends = tuple[Address, Address | None]


class _Row(NamedTuple):
    """What psutil says of one socket."""

    state: State
    owner: int | None
    mapped: bool
    descriptor: int = -1
    """The owner's; -1 where nobody has it open."""


class Sampler:
    """The watcher of one host; lives in the host's agent, which calls it when it is due."""

    def __init__(
        self,
        host: str,
        record: Callable[[SocketSeen], None],
        record_beside: Callable[[SocketGlanced | ProcessSeen], None],
    ) -> None:
        self._host = host
        self._record = record
        self._record_beside = record_beside
        self._processes = Processes(host, record_beside)
        self._diagnostics = SocketDiagnostics()
        self._seen: dict[Key, SocketSeen] = {}
        self._reading: dict[Key, int] = {}
        """When the reading began (CLOCK_REALTIME, ns) that told what was recorded last."""
        self._attend_until = 0
        self._active_at = self._due = time.monotonic_ns()
        self._glanced: dict[Key, tuple[object, ...]] | None = {}
        """What has been the same since the last sample; None: that sample caught a change."""
        self._states: dict[Key, int] = {}
        """What the last diagnosis said, in the kernel's numbers."""
        self._unchanged_at = time.time_ns()  # the host is new: it has no socket yet
        self._began_sampling = self._unchanged_at
        self._next_sample = 0
        self.count = 0
        """Looks taken so far."""
        self.sampled_at = 0
        """When the latest sample was taken (CLOCK_REALTIME, ns)."""
        self.glanced_at = self._unchanged_at
        """When the latest look at sock_diag began: what it showed last was so until then."""
        self._earliest = 0
        self._timer_due: float = float("inf")
        """When the first timer of all sockets runs out (CLOCK_MONOTONIC, ns)."""

    def happened(self) -> None:
        """Something came, went or was called: look as soon as may be."""
        self._active_at = time.monotonic_ns()
        self._due = max(self._active_at, self._earliest)

    def attend(self, seconds: float) -> None:
        """Somebody waits for a change for so long: look now, and every few milliseconds then."""
        now = time.monotonic_ns()
        self._attend_until = now + int(seconds * NANOSECONDS)
        if seconds:
            self._active_at = self._due = now

    def wait(self) -> float:
        """Seconds until the next look is due."""
        return max(0, self._due - time.monotonic_ns()) / NANOSECONDS

    def look_if_due(self) -> None:
        """Look, when it is time."""
        if (now := time.monotonic_ns()) < self._due:
            return
        began = time.thread_time_ns()
        if self._next_sample <= now < self._attend_until or self._changed():
            self.sample()
        else:
            self._schedule(began)

    def _changed(self) -> bool:
        """Glance at sock_diag: whether anything has changed since the last sample."""
        at = time.time_ns()
        changed = self._lasting(self._diagnose()) != self._glanced
        if not changed:
            self._unchanged_at = at
        return changed

    def _diagnose(self) -> dict[Key, Diagnosis]:
        before, self.glanced_at = self.glanced_at, time.time_ns()
        diagnoses = self._read()
        if self._states.keys() - diagnoses.keys():  # gone, or just taking its place in TIME_WAIT
            diagnoses = self._read()
        running = [each.timer_expires_ms for each in diagnoses.values() if each.timer]
        left, now = min(running, default=float("inf")), time.monotonic_ns()
        self._timer_due = now + left * MILLISECOND if left else min(self._timer_due, now)
        states = {key: diagnosis.state for key, diagnosis in diagnoses.items()}
        if states != self._states:
            self._record_glances(states, before)
            self._states = states
        return diagnoses

    def _read(self) -> dict[Key, Diagnosis]:
        ipv4, ipv6 = (self._diagnostics.read(family) for family in FAMILIES)
        return ipv4 | ipv6

    def _record_glances(self, states: dict[Key, int], before: int) -> None:
        now = time.time_ns()  # after the reading: no state is dated before its cause
        gone = self._states.keys() - states.keys()
        for key in (*gone, *states):  # who takes a port over comes after who had it
            number = states.get(key)
            state = State.CLOSED if number is None else STATES.get(number)
            if state is not None and number != self._states.get(key):
                local, remote, cookie = key
                self._record_beside(
                    SocketGlanced(now, self._host, local, remote, state, before, cookie)
                )

    @staticmethod
    def _lasting(diagnoses: dict[Key, Diagnosis]) -> dict[Key, tuple[object, ...]]:
        return {key: diagnosis.lasting for key, diagnosis in diagnoses.items()}

    def sample(self) -> None:
        """Read every TCP socket of the host with psutil and record what has changed since."""
        began = time.thread_time_ns()
        before, self._unchanged_at = self._unchanged_at, time.time_ns()
        sampled_before, self._began_sampling = self._began_sampling, self._unchanged_at
        diagnoses = self._diagnose()  # first: what changes later, the next glance finds changed
        found = _rows()
        if _missed(found, diagnoses):  # they are new
            diagnoses |= self._read()
        rows = _told_apart(found, diagnoses, self._seen)
        first = _first_owners(rows, diagnoses)
        self._processes.notice(set(first.values()))
        self.sampled_at = time.time_ns()  # after the reading: no state is dated before its cause
        # What came and went while psutil read would look unchanged to a glance: sample once more.
        self._glanced = self._lasting(diagnoses) if _agree(rows, diagnoses) else None
        present = {
            key: self._observation(key, row, diagnoses.get(key), first.get(key), before)
            for key, row in rows.items()
        }
        self._record_changes(present, before, sampled_before)
        self._next_sample = time.monotonic_ns() + SAMPLED
        self._schedule(began)

    def _schedule(self, began: int) -> None:
        self.count += 1
        now = time.monotonic_ns()
        ceiling = ATTENDED if now < self._attend_until else IDLE
        pause = pause_after(now - self._active_at, self._timer_due - now, ceiling)
        self._earliest = now + max(CLOSEST, SHARE * (time.thread_time_ns() - began))
        self._due = max(self._earliest, now + pause)

    def _observation(
        self, key: Key, row: _Row, diagnosis: Diagnosis | None, first: int | None, before: int
    ) -> SocketSeen:
        local, remote, cookie = key
        seen = SocketSeen(
            self.sampled_at,
            self._host,
            local,
            remote,
            row.state,
            row.owner,
            not_before=before,
            first_owner=first,
            mapped=row.mapped,
            cookie=cookie,
        )
        if diagnosis is None or STATES.get(diagnosis.state) is not row.state:
            return seen  # it is changing just now
        return replace(
            seen,
            send_queue=diagnosis.send_queue,
            receive_queue=diagnosis.receive_queue,
            timer=diagnosis.timer,
            timer_expires=diagnosis.timer_expires_ms * (NANOSECONDS // 1000),
            retransmits=diagnosis.retransmits,
        )

    def _record_changes(
        self, present: dict[Key, SocketSeen], before: int, sampled_before: int
    ) -> None:
        for key in self._seen.keys() - present.keys():
            local, remote, cookie = key
            del self._seen[key]
            self._record(
                SocketSeen(
                    self.sampled_at,
                    self._host,
                    local,
                    remote,
                    State.CLOSED,
                    not_before=before,
                    cookie=cookie,
                )
            )
        for key, seen in present.items():
            known = self._seen.get(key)
            if known is None or _changed(known, seen):
                changed = seen
            elif _owners(known) != _owners(seen) or timer_moved(
                known, self._reading[key], seen, self.glanced_at
            ):  # no glance shows another process, or a timer that was started anew
                changed = replace(seen, not_before=sampled_before)
            else:
                continue
            self._record(changed)
            self._seen[key], self._reading[key] = seen, self.glanced_at


def pause_after(quiet: int, until_timer: float, ceiling: int, *, rarely: bool = RARELY) -> int:
    """How long until the next look, in ns like all else: rare in calm, close where a timer ends.

    quiet: since something happened. until_timer: what the first timer still has to run, negative
    when it is late: a timer of minutes is so by seconds (kernel/time/timer.c).
    """
    if rarely:
        return int(min(max(ceiling, abs(until_timer) / 2), quiet // 2))
    longer = min(quiet / QUIET_SHARE, until_timer / 2)
    return int(min(max(ceiling, longer), quiet // EAGERNESS))


def _changed(known: SocketSeen, seen: SocketSeen) -> bool:
    return (
        known.state is not seen.state
        or (known.owner is None) != (seen.owner is None)  # a glance shows that: its inode
        or known.send_queue != seen.send_queue
        or known.receive_queue != seen.receive_queue
        or known.timer != seen.timer
        or known.retransmits != seen.retransmits
    )


def timer_moved(known: SocketSeen, known_since: int, seen: SocketSeen, seen_since: int) -> bool:
    """Whether a timer certainly runs out at another moment than the one that was told of it before.

    Such as TIME_WAIT's, which a repeated FIN starts anew. Each was read at some moment from its
    `since` to its time (ns), and is told in ticks. One that is due already tells nothing.
    """
    if not (known.timer_expires and seen.timer_expires):
        return False
    earliest, latest = known_since + known.timer_expires, known.time + known.timer_expires
    apart = 2 * TICK
    return (
        seen_since + seen.timer_expires > latest + apart
        or seen.time + seen.timer_expires < earliest - apart
    )


def _agree(rows: dict[Key, _Row], diagnoses: dict[Key, Diagnosis]) -> bool:
    """Whether psutil saw what sock_diag had shown right before."""
    before = {key: STATES.get(diagnosis.state) for key, diagnosis in diagnoses.items()}
    return before == {key: row.state for key, row in rows.items()}


def _owners(seen: SocketSeen) -> tuple[int | None, int | None]:
    return seen.owner, seen.first_owner


def _first_owners(rows: dict[Key, _Row], diagnoses: dict[Key, Diagnosis]) -> dict[Key, int]:
    """The lowest process that has it open, of each socket that somebody has."""
    owners = {key: row.owner for key, row in rows.items() if row.owner is not None}
    inodes = {key: diagnoses[key].inode for key in owners.keys() & diagnoses.keys()}
    first = first_owners({inode: owners[key] for key, inode in inodes.items() if inode})
    return owners | {key: first[inode] for key, inode in inodes.items() if inode}


def _missed(rows: Iterable[tuple[Ends, _Row]], diagnoses: dict[Key, Diagnosis]) -> bool:
    """Whether psutil saw a socket that was not there yet when sock_diag was read."""
    return not {ends for ends, _ in rows} <= {key[:2] for key in diagnoses}


def _told_apart(
    rows: Iterable[tuple[Ends, _Row]], diagnoses: dict[Key, Diagnosis], known: Iterable[Key]
) -> dict[Key, _Row]:
    """Which socket each row of psutil's is about: of several with the same addresses, by inode.

    A row that sock_diag does not list any more, or whose owner has just ended, is about what else
    is known at its addresses.
    """
    sockets: dict[Ends, list[Key]] = {}
    for key in (*diagnoses, *(key for key in known if key not in diagnoses)):
        sockets.setdefault(key[:2], []).append(key)
    found: dict[Key, _Row] = {}
    unclear = []
    for ends, row in rows:
        listed = [key for key in sockets.get(ends, []) if key in diagnoses]
        if len(listed) > 1:
            inode = _inode(row)
            listed = [key for key in listed if diagnoses[key].inode == inode]
        if listed:
            found[listed[0]] = row
        else:
            unclear.append((ends, row))
    for ends, row in unclear:
        left = [key for key in sockets.get(ends, []) if key not in found]
        found[left[0] if left else (*ends, 0)] = row
    return found


def _inode(row: _Row) -> int:
    """Of the socket that a row is about; 0 where nobody has it open any more; proc_pid_fd(5)."""
    try:
        return os.stat(f"/proc/{row.owner}/fd/{row.descriptor}").st_ino
    except OSError:
        return 0


def _rows() -> list[tuple[Ends, _Row]]:
    """What psutil sees: local and remote address, and what it says of them."""
    rows: list[tuple[Ends, _Row]] = []
    for row in psutil.net_connections(kind="tcp"):
        state = State.of(row.status)
        if state is State.CLOSED or not row.laddr:
            continue
        remote = _address(row.raddr) if row.raddr and state is not State.LISTEN else None
        local = _address(row.laddr)
        mapped = row.family is socket.AF_INET6 and ":" not in local.ip
        rows.append(((local, remote), _Row(state, row.pid, mapped, row.fd)))
    return rows


def _address(pair: tuple[str, int]) -> Address:
    ip, port = pair
    if ip.startswith(MAPPED):
        mapped = socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET6, ip)[12:])
        return Address(mapped, port)
    return Address(ip, port)
