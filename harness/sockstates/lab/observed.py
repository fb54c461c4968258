"""A socket of a host as the evidence shows it, and what is expected of its state, owner and queues.

It does nothing on the host but have it sampled: the verbs are `sockstates.lab.endpoint`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockstates.evidence.expectations import (
    NOBODY,
    EndpointLooks,
    Owner,
    explain_did_not_stay,
    explain_not_reached,
    first_that_holds,
    observation_text,
)
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.evidence.waited import waited_text
from sockstates.lab.call import Call
from sockstates.lab.owners import ANY_OWNER, AnyOwner
from sockstates.lab.program import Program
from sockstates.lab.words import HasWords
from sockstates.record.events import NANOSECONDS, SocketSeen
from sockstates.record.timeline import EndpointKey, SocketKey
from sockstates.sandbox.client.errors import CallFailed, LabError
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

if TYPE_CHECKING:
    from sockstates.lab.endpoint import Endpoint
    from sockstates.lab.host import Host
    from sockstates.lab.host_sockets import SocketHost

OPENING = (State.SYN_SENT, State.SYN_RECV)
"""The states of an end whose connect(2) has not returned yet, or not been answered."""
TIMERS = ("retransmit", "keepalive", "time-wait", "probe")
"""As `SocketSeen` names them."""
FEWEST_SAMPLES = 3
"""Without these no window is watched: at its beginning, at its end, and one between."""


class ObservedSocket(HasWords):
    """A socket known by its addresses, whoever has it open."""

    def __init__(
        self, host: Host, local: Address, remote: Address | None, number: int | None = None
    ) -> None:
        self.host = host
        self.local = local
        self.remote = remote
        self.number = number
        self.cookie = 0
        """The kernel's number for this very socket, SO_COOKIE of socket(7); 0: not known."""
        self._connecting: Call | None = None
        self.options_set: dict[tuple[int, int], int | bytes] = {}
        """Level and name of each socket option that was set -> its value."""
        self.peer: Endpoint | None = None
        """The other end, where it is known."""
        self._expected: State | None = None
        """The state in which the scenario last expected this end, and found it."""
        self._reached = -1
        """The observation, in the endpoint's history, that satisfied the last `reaches`."""

    def __repr__(self) -> str:
        to = f" to {self.host.lab.names.endpoint(self.remote)}" if self.remote else ""
        return f"<{self.host.lab.names.endpoint(self.local)}{to}>"

    @property
    def connecting(self) -> Call:
        """The call of connect(2) of a built-in client."""
        if self._connecting is None:
            raise LabError(f"{self!r} was not connected by the scenario")
        return self._connecting

    @connecting.setter
    def connecting(self, call: Call) -> None:
        self._connecting = call

    @property
    def key(self) -> EndpointKey:
        """Host, local and remote address; of this very socket, where it is known which one."""
        key = self.host.name, self.local, self.remote
        return SocketKey.of(key, self.cookie) if self.cookie else key

    @property
    def seen(self) -> SocketSeen | None:
        """The endpoint as the latest sample saw it; None when no sample ever did."""
        self.host.lab.settle()
        return self.host.lab.timeline.latest(self.key)

    @property
    def state(self) -> State:
        """The state in the latest sample; CLOSED when there is no such socket."""
        seen = self.seen
        return seen.state if seen else State.CLOSED

    def reaches(
        self,
        state: State | str,
        *,
        owner: Host | Program | int | AnyOwner | None = ANY_OWNER,
        send_queue: int | None = None,
        receive_queue: int | None = None,
        seconds: float | None = None,
    ) -> SocketSeen:
        """Expect psutil to see this endpoint in `state`, now or by a deadline.

        The deadline is derived from the kernel's own timers, or `seconds` from now. `owner` is who
        has it open: None for nobody, a host for its built-in endpoints, a program, a process id.
        Queues are bytes. What was seen since the last `reaches` counts, short states too; what
        satisfied that one counts again only if it is still so. What was seen comes back.
        """
        looks = self._looks(state, owner, send_queue, receive_queue)
        lab = self.host.lab
        began = lab.now()
        if looks.state is State.CLOSED and self._never_seen():
            # It came and went between two samples, or never was: it is not there now.
            return SocketSeen(lab.now(), *self.key, State.CLOSED)

        start = self._first_that_counts()

        def reached() -> bool:
            return first_that_holds(lab.timeline, looks, start) is not None

        limit = seconds if seconds is not None else lab.deadlines.state_change(self, looks.state)
        lab.wait_until(reached, f"{self!r} to reach {looks}", limit)
        index = first_that_holds(lab.timeline, looks, start)
        if index is None:
            raise ExpectationFailed(
                explain_not_reached(
                    lab.timeline, looks, start, lab.seconds_since(began), lab.origin
                )
            )
        self._reached = index
        self.go_on_from(looks.state)
        return lab.timeline.history(self.key)[index]

    def go_on_from(self, state: State) -> None:
        """The scenario has expected this end in `state`, and goes on from there.

        Where that is a state of an established connection, the connect(2) that made it returns
        first. The kernel is ESTABLISHED before it has woken the program, and a passive end is so
        only after its peer. What the scenario does next, a close or an RST of the peer's, would
        otherwise be what the call returns with.
        """
        self._expected = state
        if state not in OPENING and state is not State.CLOSED:
            self.wait_for_connect()

    def wait_for_connect(self) -> None:
        """Wait until the connect(2) of this end, or else of its peer, has returned."""
        for end in (self, self.peer):
            if end is not None and end._connecting is not None:
                end._connecting.wait()
                return

    def _is_expected_to_open(self) -> bool:
        """Whether the scenario has last expected this end or its peer in the middle of opening."""
        return any(end is not None and end._expected in OPENING for end in (self, self.peer))

    def _first_that_counts(self) -> int:
        """The first observation in the history that the next `reaches` may take."""
        if self._reached < 0:
            return 0
        self.host.sample()
        still_so = len(self.host.lab.timeline.history(self.key)) == self._reached + 1
        return self._reached if still_so else self._reached + 1

    def _never_seen(self) -> bool:
        self.host.lab.settle()
        return not self.host.lab.timeline.history(self.key)

    def stays(
        self,
        state: State | str,
        *,
        seconds: float,
        owner: Host | Program | int | AnyOwner | None = ANY_OWNER,
        send_queue: int | None = None,
        receive_queue: int | None = None,
    ) -> SocketSeen:
        """Expect psutil to see this endpoint so in every sample of the next `seconds`.

        Where the host had no processor to look with meanwhile, it is watched as long once more.
        What was seen last comes back.
        """
        looks = self._looks(state, owner, send_queue, receive_queue)
        lab = self.host.lab
        before = self.host.settle()
        start = max(0, len(lab.timeline.history(self.key)) - 1)
        began, samples = lab.now(), 0
        while samples < FEWEST_SAMPLES:
            if lab.seconds_since(began) > seconds + lab.deadlines.programs:
                raise Inconclusive(
                    f"{self!r}: in {lab.seconds_since(began):.1f} s only {samples} samples were "
                    "taken; that cannot show that nothing changed between them"
                )
            lab.wait_until(lambda: False, f"{self!r} to stay {looks}", seconds)
            samples = self.host.settle() - before
        ends = began + int(seconds * NANOSECONDS)
        # A change that was certainly later than the window says nothing about it.
        told = lab.timeline.history(self.key)[start:]
        history = [seen for seen in told if seen.not_before < ends]
        if not history and looks.state is State.CLOSED:
            return SocketSeen(lab.now(), *self.key, State.CLOSED)
        wrong = next((seen for seen in history if not looks.holds(seen)), None)
        if wrong is not None or not history:
            window = f"for {seconds:g} s ({samples} samples)"
            raise ExpectationFailed(
                explain_did_not_stay(lab.timeline, looks, wrong, lab.origin, window)
            )
        self.go_on_from(looks.state)
        return history[-1]

    def runs_timer(
        self,
        kind: str | None,
        *,
        count: int | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        seconds: float | None = None,
    ) -> SocketSeen:
        """Expect sock_diag(7) to show this timer of the endpoint, now or by a deadline.

        `kind`: ``retransmit``, ``keepalive``, ``time-wait``, ``probe`` (of a zero window), or None:
        no timer runs. `count`: how often the kernel has sent again, or probed, what is unanswered.
        `at_least` and `at_most`: seconds in which it was due when it was read. The deadline is that
        of the next segment, or `seconds` from now. What was seen comes back: its `timer`,
        `timer_expires` (ns from its `time`) and `retransmits`.
        """
        if kind is not None and kind not in TIMERS:
            raise LabError(f"runs_timer: {kind!r} is none of {', '.join(TIMERS)}, or None")
        least = 0.0 if at_least is None else at_least
        most = float("inf") if at_most is None else at_most

        def so(seen: SocketSeen) -> bool:
            due = (seen.timer_expires or 0) / NANOSECONDS
            counted = count is None or seen.retransmits == count
            return seen.timer == (kind or "") and counted and least <= due <= most

        lab, expected = self.host.lab, kind or "none"
        expected += "" if count is None else f", count {count}"
        expected += (
            "" if (at_least, at_most) == (None, None) else f", due in {least:g} to {most:g} s"
        )
        self.host.sample()
        start = max(0, len(lab.timeline.history(self.key)) - 1)

        def found() -> SocketSeen | None:
            since = lab.timeline.history(self.key)[start:]
            return next(
                (seen for seen in since if seen.state is not State.CLOSED and so(seen)), None
            )

        limit = lab.deadlines.next_segment() if seconds is None else seconds
        lab.wait_until(lambda: found() is not None, f"{self!r} to run the timer {expected}", limit)
        seen = found()
        if seen is None:
            latest = lab.timeline.latest(self.key)
            raise ExpectationFailed(
                f"{self!r} did not run the timer within {waited_text(limit)}\n\n"
                f"  expected  timer {expected}\n"
                f"  seen      {observation_text(lab.timeline, latest, lab.origin)}"
            )
        return seen

    def _looks(
        self,
        state: State | str,
        owner: Host | Program | int | AnyOwner | None,
        send_queue: int | None,
        receive_queue: int | None,
    ) -> EndpointLooks:
        return EndpointLooks(self.key, State.of(state), owner_of(owner), send_queue, receive_queue)


def owner_of(owner: SocketHost | Program | int | AnyOwner | None) -> Owner | None:
    """Whose sockets are meant; None: anybody's. Errors: CallFailed for what owns no socket."""
    from sockstates.lab.host_sockets import AGENT_PROCESS, SocketHost

    if owner is ANY_OWNER:
        return None
    if owner is None:
        return NOBODY
    if isinstance(owner, SocketHost):
        return Owner(f"the built-in endpoints of {owner.name}", lambda pid: pid == AGENT_PROCESS)
    if isinstance(owner, Program):
        return Owner(str(owner), owner.has_process)
    if isinstance(owner, int):
        return Owner(f"process {owner}", lambda pid: pid == owner)
    raise CallFailed(f"owner: a host, a program, a process id or None, not {owner!r}")
