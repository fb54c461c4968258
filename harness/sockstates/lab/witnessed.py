"""What is expected of an endpoint over time, by all that witnesses it: order, length, absence.

It waits until the evidence decides, and leaves the deciding to the pure judgements in
`sockstates.evidence`. What no witness could see is inconclusive, never held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType

from sockstates.evidence.dating import dated
from sockstates.evidence.durations import Decision, Lasted, Limits, decide, time_in
from sockstates.evidence.passages import (
    Pattern,
    Stage,
    judge,
    lost_records,
    may_have_passed,
    narrowed,
    stages,
)
from sockstates.evidence.relations import as_captured_at, came_after, came_before, entered
from sockstates.evidence.testimony import (
    Sought,
    explain_absence,
    explain_duration,
    explain_order,
    explain_passage,
    pattern_text,
)
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.lab.observed import ObservedSocket
from sockstates.record.events import NANOSECONDS
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.limits import longest_in, shortest_in
from sockstates.tcp.matching import Match, match
from sockstates.tcp.notation import parse_pattern
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State
from sockstates.tcp.timers import early, late


class WitnessedSocket(ObservedSocket):
    """A socket of which several witnesses tell."""

    def passes_through(
        self,
        states: Sequence[State | str | EllipsisType],
        *,
        unseen_allowed: bool = False,
        seconds: float | None = None,
    ) -> tuple[Stage, ...]:
        """Expect these states in this order, and none between them unless ``...`` stands there.

        All that was ever seen of the endpoint counts; what is still to come is waited for, for as
        long as the kernel's timers say, or `seconds`, anew with each state. With the tracepoint
        (root) states of any length are seen. Without it, a state that may have passed between two
        samples is Inconclusive; `unseen_allowed`: it is then not claimed, and only what was seen
        must be as expected. What contradicts is ExpectationFailed in any case. All states that the
        endpoint was seen in come back.
        """
        pattern = _pattern(states)
        what = f"{self!r} to pass through {pattern_text(pattern)}"
        began = self.host.lab.now()
        self._wait_for_stages(
            lambda seen: (verdict := judge(seen, pattern)).final or verdict.holds,
            _last_state(pattern),
            what,
            seconds,
        )
        seen = self.stages()
        verdict = judge(seen, pattern)
        if verdict.holds or (unseen_allowed and verdict.possible):
            return tuple(seen)
        failure = Inconclusive if verdict.possible else ExpectationFailed
        raise failure(explain_passage(self._sought(began), pattern, possible=verdict.possible))

    def spends(
        self,
        state: State | str,
        seconds: float | None = None,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Lasted:
        """Expect the endpoint to have been in `state` for so long, the last time it was.

        `seconds`: as a timer of that length of the kernel's, early or late by no more than `early`
        and `late` in `tcp.timers` say; later still is Inconclusive, because a machine with
        other work to do is late as well. `at_least` and `at_most` are bounds on the wall's
        clock. With none of them, as long as the host's settings let an unanswered endpoint be in
        that state. Waits until the state is over, or until `at_least` alone is certain. Samples
        give bounds only; a state that a segment begins is counted from when that was captured on
        this host, where it is known which one (`evidence.dating`). What these leave open is
        Inconclusive.
        """
        wanted = State.of(state)
        began = self.host.lab.now()
        limits = self._limits(wanted, seconds, at_least, at_most)
        finite = limits.least if limits.most == float("inf") else limits.most

        def enough(seen: Sequence[Stage]) -> bool:
            lasted = self._time_in(seen, wanted)
            return lasted is not None and (lasted.over or decide(lasted, limits) is Decision.HOLDS)

        limit = self.host.lab.deadlines.state_change(self, wanted) + finite
        self._wait_for_stages(enough, wanted, f"{self!r} to leave {wanted}", limit)
        return self._judge_time(wanted, limits, began)

    def _judge_time(self, wanted: State, limits: Limits, began: int) -> Lasted:
        seen = self.stages()
        lasted = self._time_in(seen, wanted)
        _, perhaps = may_have_passed(seen, wanted)
        decision = decide(lasted, limits) if lasted else Decision.FAILS
        if lasted is not None and decision is Decision.HOLDS:
            return lasted
        open_question = decision is Decision.UNDECIDED if lasted else perhaps
        failure = Inconclusive if open_question else ExpectationFailed
        raise failure(
            explain_duration(self._sought(began), wanted, limits, lasted, undecided=open_question)
        )

    def never(self, state: State | str) -> None:
        """Expect the endpoint not to have been in `state` at any time until now.

        The tracepoint shows each state; between samples the state must have been impossible by
        RFC 9293's transitions and what was captured by then, otherwise it is Inconclusive.
        """
        unwanted = State.of(state)
        began = self.host.lab.now()
        self.host.lab.settle()
        seen = self.stages()
        certainly, perhaps = may_have_passed(seen, unwanted)
        timeline = self.host.lab.timeline
        whole = timeline.joined("tracepoints") and not lost_records(timeline, "tracepoints")
        exact = whole and unwanted is not State.SYN_RECV
        if not perhaps and (seen or exact):
            return
        failure = ExpectationFailed if certainly else Inconclusive
        raise failure(explain_absence(self._sought(began), unwanted, certain=certainly))

    def enters(
        self,
        state: State | str,
        *,
        after: str | Segment | None = None,
        before: str | Segment | None = None,
        unseen_allowed: bool = False,
    ) -> None:
        """Expect `state` to begin only after a segment came by this host, or before one did.

        The segment is a line of tcpdump's notation, of which the first that fits is meant, or one
        that `lab.sees` returned. It counts from the moment at which this host captured it; a filter
        may still have dropped it. Where samples leave the order open it is Inconclusive, or with
        `unseen_allowed` not claimed. Waits for both.
        """
        if (after is None) == (before is None):
            raise LabError("enters: after which segment, or before which one? Give one of the two.")
        wanted, began = State.of(state), self.host.lab.now()
        line = after if after is not None else before
        assert line is not None
        self._wait_for_stages(
            lambda seen: entered(seen, wanted) is not None and self._captured(line) is not None,
            wanted,
            f"{self!r} to enter {wanted}",
            None,
        )
        segment, stage = self._captured(line), entered(self.stages(), wanted)
        decision = Decision.FAILS
        if stage is not None and segment is not None:
            decision = (came_after if after is not None else came_before)(stage, segment)
        if decision is Decision.HOLDS or (unseen_allowed and decision is Decision.UNDECIDED):
            return
        failure = Inconclusive if decision is Decision.UNDECIDED else ExpectationFailed
        raise failure(
            explain_order(
                self._sought(began),
                wanted,
                ("after" if after is not None else "before", line),
                segment=segment,
                stage=stage,
                undecided=decision is Decision.UNDECIDED,
            )
        )

    def retransmits(self, times: int) -> tuple[Segment, ...]:
        """Expect data, SYN or FIN of this endpoint to have been sent again so many times.

        Counted since its first segment, as captured on its own host; waits for what is missing.
        When is not judged: see `retransmits_as_predicted`.
        """
        from sockstates.lab.schedule import retransmits

        return retransmits(self, times)

    def retransmits_as_predicted(
        self, kind: str | None = None, *, times: int | None = None
    ) -> tuple[Segment, ...]:
        """Expect what is unanswered to be sent again, and given up, when the kernel's timers say.

        What they say is worked out from the host's settings, the socket's options and the kernel's
        version (`sockstates.tcp.prediction`); early or late by no more than a timer may be (`early`
        and `late` in `sockstates.tcp.timers`). `kind` is one of the predictor's (syn, synack, data,
        probe, keepalive, fin, fin-wait2, time-wait); None: what the endpoint's state and timer say.
        It waits until the endpoint is CLOSED; with `times`, until it was sent again so often.
        Every transmission comes back, the first one too; of probes, every probe.
        """
        from sockstates.lab.predicted import retransmits_as_predicted

        return retransmits_as_predicted(self, kind, times)

    def stages(self) -> list[Stage]:
        """The states that the endpoint was seen in, oldest first, by all that is recorded."""
        timeline = self.host.lab.timeline
        return narrowed(timeline, self.key, stages(timeline, self.key))

    def _time_in(self, seen: Sequence[Stage], state: State) -> Lasted | None:
        timeline = self.host.lab.timeline
        looked_at = timeline.glanced.get(self.host.name, 0)
        return time_in(dated(timeline, self.key, seen), state, looked_at)

    def _sought(self, began: int) -> Sought:
        lab = self.host.lab
        return Sought(lab.timeline, self.key, lab.seconds_since(began), lab.origin)

    def _captured(self, wanted: str | Segment) -> Segment | None:
        """The segment as this host captured it, if it did."""
        lab = self.host.lab
        arrived = lab.timeline.arrived[self.host.name]
        rewritings = lab.timeline.rewritings
        if isinstance(wanted, Segment):
            here = rewritings.renamed_at(self.host.name, wanted, lab.names)
            return as_captured_at(arrived, here)
        known = lab.seen.bindings, lab.names.addresses
        found = match(parse_pattern(wanted), arrived, *known, others=rewritings.others)
        return arrived[found.last - 1] if isinstance(found, Match) else None

    def _limits(
        self,
        state: State,
        seconds: float | None,
        at_least: float | None,
        at_most: float | None,
    ) -> Limits:
        if seconds is not None:
            if at_least is not None or at_most is not None:
                raise LabError("spends: a timer's seconds, or at_least and at_most, not both")
            return Limits.timer(seconds)
        if at_least is not None or at_most is not None:
            return Limits(at_least or 0.0, float("inf") if at_most is None else at_most)
        self.host.lab.settle()
        history = self.host.lab.timeline.history(self.key)
        so = [seen for seen in history if seen.state is state]
        orphan = bool(so) and so[-1].owner is None
        settings = self.host.lab.settings[self.host.name]
        shortest = shortest_in(state, settings, orphan=orphan)
        longest = longest_in(state, settings, orphan=orphan)
        if shortest is None or longest is None:
            raise LabError(
                f"{self!r}: nothing limits the time in {state}"
                + (" while a program has the socket" if state is State.FIN_WAIT2 else "")
                + "; say how long: seconds=…, at_least=… or at_most=…"
            )
        return Limits(early(shortest), late(longest), of_timer=True)

    def _wait_for_stages(
        self,
        decided: Callable[[Sequence[Stage]], bool],
        wanted: State,
        awaiting: str,
        seconds: float | None,
    ) -> None:
        """Wait until what was seen decides; the deadline begins anew with each new state."""
        lab = self.host.lab
        known, deadline = -1, 0
        while True:
            lab.settle()
            seen = self.stages()
            if decided(seen):
                return
            if len(seen) != known:
                known = len(seen)
                limit = seconds
                if limit is None:
                    limit = lab.deadlines.state_change(self, wanted)
                deadline = lab.now() + int(limit * NANOSECONDS)
            events = len(lab.timeline.events)
            left = max(0, deadline - lab.now()) / NANOSECONDS

            def more(events: int = events) -> bool:
                return len(lab.timeline.events) > events

            if not lab.wait_until(more, awaiting, left):
                return


def _pattern(states: Sequence[State | str | EllipsisType]) -> Pattern:
    pattern = [
        ... if isinstance(each, EllipsisType) or each == "..." else State.of(each)
        for each in states
    ]
    if not pattern or ... in (pattern[0], pattern[-1]):
        raise LabError("passes_through: a list of states, with a state first and last")
    return pattern


def _last_state(pattern: Pattern) -> State:
    return next(each for each in reversed(pattern) if isinstance(each, State))
