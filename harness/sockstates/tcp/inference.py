"""The states of both ends of a connection, inferred from the segments of one capture.

Every change of state that the segments suggest is given, and each is either *certain* (proved) or
only *possible*. Certain means: under the assumptions named here, this end has been in this state,
in this connection. When it entered the state is only bounded: a segment passed the capture later
than it was sent and earlier than it arrived.

Assumptions, always
    Own: a segment was sent by the end whose address it bears, or is a copy of one that was.
    Ends: each end does as RFC 9293 says. Its FIN leaves when its program closes: an end that has
    closed while a full window or queued data holds its FIN back is taken for one that has not.
    An ACK without data bears SND.NXT, except for probes, whose numbers lie before what was sent.
    No SYN cookies (such a server is never in SYN_RECV), and no data on a SYN that is accepted.
    Simultaneous open: where both ends opened the connection, the first segment that was captured
    of each is its SYN.
Assumption Path, only where it is named
    All that reaches an end passes the capture point first, and was captured, in order. What passed
    may never arrive; what was lost, doubled or overtaken on either side of it does not matter.
    Two routes, or frames that the capture dropped, break it.

What X has sent proves of X (Y is the peer; f and p are the numbers of X's and Y's FIN)
    SYN_SENT: it sent a SYN without ACK. SYN_RECV: it sent one with ACK.
    ESTABLISHED: it sent data, for data waits for it (3.9.1). Or, unless the open was simultaneous:
    it acknowledged more than Y's SYN, sent a FIN, or opened actively and sent an ACK.
    FIN_WAIT1: a segment of X with its FIN acknowledges a, and Y's FIN lies at or after a (p >= a,
    or Y was seen to send a byte before which its FIN cannot be). So X had sent its FIN and not
    taken in Y's. Only numbers are compared: the order of capture does not matter.
    CLOSE_WAIT: an ACK of X without data acknowledges p and bears s, and X's FIN lies at or after s
    (f >= s, or X was seen to send the byte before s). It bears SND.NXT, so when X had taken in Y's
    FIN it had not sent its own. Where the byte before s was not seen, that may have been X's FIN,
    lost before the capture or sent before it began, and then X was in CLOSING.
    LAST_ACK: CLOSE_WAIT is proved, and a segment with X's FIN acknowledges p. Without the proof of
    CLOSE_WAIT a FIN that acknowledges p may be a repeated one: CLOSING.
    CLOSING: FIN_WAIT1 is proved, and a segment with X's FIN acknowledges p: it is repeated, so not
    acknowledged, and Y's has come. Or (Path) X acknowledges p before anything acknowledged f.
    TIME_WAIT (Path): FIN_WAIT1 is proved, X acknowledges p, and every copy of Y's FIN until then
    acknowledges f: whichever copy X took in told it both.
    CLOSED: it sent RST after it was proved to be open, with a number of what it has sent, and not
    number 0 with an ACK: that refuses a SYN, may be late, and may have come before it opened.

FIN_WAIT1 and CLOSE_WAIT exclude each other in one connection: each says which FIN came first. So
what follows only from the other one is not even possible, and is left out.

Never proved: FIN_WAIT2, and CLOSED or LISTEN by what arrived, for nothing that X sends afterwards
tells them apart from the states beside them. Not on the wire, and so never inferred: timeouts,
TIME_WAIT's end, a program that closes in SYN_SENT or LISTEN.

Captured at the host
    What one host's own interfaces captured from the beginning (a lab's witness) has all that its
    own ends sent: none of it is lost before the capture. There a FIN is the first one if no copy of
    it was captured before, and this alone tells FIN_WAIT1 and LAST_ACK apart. What was on its way
    to the end may still be dropped behind the capture, so what it would change is possible until
    the end sends something that says so, and is dropped when the end sends what contradicts it.

Pure. The numbers are kept by `sockstates.tcp.proofs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sockstates.tcp.ends import (
    End,
    Inferred,
    acknowledges,
    change_of,
    is_past_syn,
    is_valid_reset,
    reaches,
    resets_on_abort,
)
from sockstates.tcp.proofs import Proofs
from sockstates.tcp.segment import Address, Segment
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from sockstates.tcp.transitions import Event, arc_for

__all__ = ["Inference", "Inferred", "infer_states"]

WAITS_FOR_ACK = (SYN_RECV, FIN_WAIT1, CLOSING, LAST_ACK)
OWN_FIN_TAKEN = (FIN_WAIT2, TIME_WAIT, CLOSED)
OPEN = (ESTABLISHED, CLOSE_WAIT)
CLOSES_FIRST = frozenset({FIN_WAIT1, FIN_WAIT2, CLOSING, TIME_WAIT})
CLOSES_SECOND = frozenset({CLOSE_WAIT, LAST_ACK})


def infer_states(segments: Iterable[Segment], *, captured_at_host: bool = False) -> list[Inferred]:
    """What both ends of every connection went through, by time.

    segments: of one capture, in its order. captured_at_host: they are all that passed the
    interfaces of one host (``timeline.arrived[host]``), and only what is said of that host's own
    ends is wanted: these are proved by more (see above). Timeouts are not on the wire, so TIME_WAIT
    and given-up connections have no end.
    """
    inference = Inference(captured_at_host=captured_at_host)
    for segment in segments:
        inference.follow(segment)
    return inference.result()


class Inference:
    """Follows segments one at a time; `result` may be asked at any time."""

    def __init__(self, *, captured_at_host: bool = False) -> None:
        self._ends: dict[tuple[Address, Address], tuple[End, End]] = {}
        self._proved: list[Inferred] = []
        self._proofs: dict[tuple[Address, Address], tuple[Proofs, int]] | None = (
            None if captured_at_host else {}
        )

    def result(self) -> list[Inferred]:
        """All changes inferred so far, by time."""
        possible = [each for end, _ in self._ends.values() for each in end.possible]
        found = sorted([*self._proved, *possible], key=lambda each: each.time)
        if self._proofs is None:
            return found
        return [each for one in found for each in self._certified(self._proofs, one)]

    @staticmethod
    def _certified(
        every: dict[tuple[Address, Address], tuple[Proofs, int]], change: Inferred
    ) -> Iterator[Inferred]:
        """The change, certain where its state is proved; nothing where another one rules it out."""
        proofs, number = every[change.local, change.remote]
        proved = proofs.proved(number, change.segment.time)
        closed_second = CLOSE_WAIT in proved and change.after in CLOSES_FIRST
        if closed_second or (FIN_WAIT1 in proved and change.after in CLOSES_SECOND):
            return
        yield replace(change, certain=change.after in proved)

    def follow(self, segment: Segment) -> None:
        """Take the next segment of the capture."""
        key = segment.source, segment.destination
        pair = self._ends.get(key)
        if pair is None:
            sender, receiver = End(*key), End(segment.destination, segment.source)
            pair = self._ends[key] = sender, receiver
            self._ends[receiver.local, receiver.remote] = receiver, sender
        sender, receiver = pair
        if self._proofs is not None:
            proofs = self._proofs.get(key)
            if proofs is None:
                proofs = self._proofs[key] = Proofs(segment.time), 0
                self._proofs[key[::-1]] = proofs[0], 1
            proofs[0].follow(proofs[1], segment)
        quiet = segment.flags in (".", "P.") and not (sender.possible or receiver.possible)
        if not (quiet and sender.state is receiver.state is ESTABLISHED) or (
            not sender.known and _says_more(sender, receiver, segment)
        ):
            self._sent(sender, receiver, segment)
            self._arrives(receiver, sender, segment)
        sender.last = segment

    def _sent(self, end: End, peer: End, segment: Segment) -> None:
        """Draw from a segment what it says about the end that sent it."""
        if segment.has("R"):
            self._sent_reset(end, peer, segment)
        elif segment.has("S"):
            self._sent_syn(end, segment)
        else:
            self._sent_other(end, peer, segment)

    def _sent_reset(self, end: End, peer: End, segment: Segment) -> None:
        provoked = peer.last
        if end.state is SYN_RECV and end.passive:
            if provoked is not None and provoked.flags == "S":
                self._move(end, Event.SYN, segment, "refused another SYN")
            return
        if end.state in (CLOSED, LISTEN, SYN_SENT):
            return
        self._prove(end)
        self._reset_from(end, end.state, peer.last, segment)
        end.known = True

    def _reset_from(
        self, end: End, state: State | None, provoked: Segment | None, segment: Segment
    ) -> None:
        """An end that sends RST in this state has no connection any more."""
        answers_data = provoked is not None and provoked.length > 0 and not segment.has(".")
        if state in (FIN_WAIT1, FIN_WAIT2) and answers_data:
            self._move(end, Event.DATA, segment, "refused data after its close")
        elif state is FIN_WAIT2 and provoked is not None and provoked.flags == "S":
            self._move(end, Event.SYN, segment, "refused another SYN")
        elif segment.has(".") and resets_on_abort(state):
            self._move(end, Event.ABORT, segment, "sent RST")
        elif state is not CLOSED:
            self._jump(end, CLOSED, segment, "answered as where no connection is")

    def _sent_syn(self, end: End, segment: Segment) -> None:
        again = end.first == segment.sequence and end.state is not None
        if again and end.state in (SYN_SENT, SYN_RECV):
            end.possible.clear()  # it says again what the peer had only seemed to answer
        if segment.has("."):
            if end.state is SYN_SENT and again:
                self._move(end, Event.SYN, segment, "answered a SYN with its own")
            elif not again:
                self._begin_passively(end, segment)
        elif not again:
            self._forget(end, segment)
            end.passive, end.known, end.first = False, True, segment.sequence
            self._move(end, Event.ACTIVE_OPEN, segment, "sent SYN")

    def _begin_passively(self, end: End, segment: Segment) -> None:
        if end.likely is TIME_WAIT:
            self._prove(end)
        else:
            self._forget(end, segment)
            end.state = LISTEN
        end.fin = end.fin_arrived = None
        end.passive, end.known, end.first = True, True, segment.sequence
        self._move(end, Event.SYN, segment, "answered a SYN")

    def _forget(self, end: End, segment: Segment) -> None:
        """A new connection begins: the old one of the same addresses has ended, unseen or not."""
        self._prove(end)
        if end.state not in (None, CLOSED, LISTEN):
            self._jump(end, CLOSED, segment, "gone, not seen when: a new connection begins")
        end.state, end.fin, end.fin_arrived = CLOSED, None, None

    def _sent_other(self, end: End, peer: End, segment: Segment) -> None:
        fin, speaks = segment.has("F"), segment.length > 0 or segment.has("F")
        end.spoke = end.spoke or speaks
        end.known = end.known or (end.spoke and peer.spoke)
        if end.state is None:
            self._jump(end, ESTABLISHED, segment, "seen in the middle of a connection")
        self._contradict(end, segment)
        if end.state is SYN_SENT or (
            end.state is SYN_RECV and (speaks or is_past_syn(end, segment))
        ):
            self._open(end, segment)
        if acknowledges(segment, end.fin_arrived) and end.fin_arrived is not None:
            self._took_fin(end, end.fin_arrived)
        if fin and end.fin is None:
            end.fin = segment.end
            if end.state in (*OPEN, SYN_RECV):
                self._move(end, Event.CLOSE, segment, "sent FIN")

    @staticmethod
    def _contradict(end: End, segment: Segment) -> None:
        """Drop what cannot have happened when the end still sends this."""
        for number, each in enumerate(end.possible):
            event = each.arc.event if each.arc else None
            repeats_fin = end.fin is not None and segment.has("F") and each.after in OWN_FIN_TAKEN
            took = event in (Event.FIN, Event.FIN_ACK)
            if event is Event.RST or repeats_fin:
                took = True
            elif took:
                took = not acknowledges(segment, each.segment)
            if took:
                del end.possible[number:]
                return

    def _open(self, end: End, segment: Segment) -> None:
        """It behaves as an established end does: the handshake is complete."""
        if end.possible and end.possible[0].after is ESTABLISHED:
            sure = end.known and not end.doubted
            self._settle(end, replace(end.possible.pop(0), certain=sure))
        elif end.state is SYN_SENT:
            self._move(end, Event.SYN_ACK, segment, "acknowledged a SYN-ACK")
        elif not segment.has("F"):
            self._move(end, Event.ACK, segment, "sent what only an established end sends")

    def _took_fin(self, end: End, arrived: Segment) -> None:
        """It has acknowledged the peer's FIN: that segment arrived, whatever came before it."""
        if any(change.segment is arrived for change in end.possible):
            while end.possible and end.possible[0].segment.time <= arrived.time:
                change = end.possible.pop(0)
                sure = end.known and change.segment is arrived
                self._settle(end, replace(change, certain=sure))
        elif end.state in (ESTABLISHED, FIN_WAIT1, FIN_WAIT2):
            self._took_late(end, arrived)
        end.fin_arrived = None

    def _took_late(self, end: End, arrived: Segment) -> None:
        """The FIN was still on its way when the end sent something after it had passed here."""
        waiting, end.possible = end.possible, []
        both = end.state is FIN_WAIT1 and reaches(arrived, end.fin)
        event = Event.FIN_ACK if both else Event.FIN
        self._move(end, event, arrived, "FIN arrived", sure=not waiting)
        for change in waiting:
            if change.arc is not None and end.likely is CLOSING:
                self._maybe(end, change.arc.event, change.segment, change.why)

    def _arrives(self, end: End, peer: End, segment: Segment) -> None:
        """Note what a segment may do to the end that it is on its way to."""
        if segment.has("R"):
            if is_valid_reset(end, peer, segment):
                self._maybe(end, Event.RST, segment, "RST arrived")
            return
        end.doubted = bool(end.possible)
        self._takes(end, segment)
        end.copied = None

    def _takes(self, end: End, segment: Segment) -> None:
        """Note what a segment other than RST may do to an end."""
        if segment.has("S"):
            self._arrives_again(end, segment)
        if segment.has("S") and end.likely is SYN_SENT and reaches(segment, end.first + 1):
            self._maybe(end, Event.SYN_ACK, segment, "SYN-ACK arrived")
            return
        fin = segment.has("F")
        if fin:
            end.copied = self._arrives_again(end, segment)
            end.fin_arrived = segment
        waits = end.first + 1 if end.likely is SYN_RECV else end.fin
        if end.likely in WAITS_FOR_ACK and reaches(segment, waits):
            if fin and end.likely is FIN_WAIT1:
                self._maybe(end, Event.FIN_ACK, segment, "FIN with ACK of FIN arrived")
                return
            self._maybe(end, Event.ACK, segment, "ACK arrived")
        if fin and end.likely in (ESTABLISHED, FIN_WAIT1, FIN_WAIT2):
            self._maybe(end, Event.FIN, segment, "FIN arrived")

    @staticmethod
    def _arrives_again(end: End, segment: Segment) -> int | None:
        """A copy of a SYN or FIN: nobody can say any more that the earlier one has arrived.

        Nor that it has not, where its acknowledgement can wait, as a FIN's: when it came (ns).
        """
        for number, each in enumerate(end.possible):
            one = each.segment
            if (one.flags, one.sequence, one.end) == (segment.flags, segment.sequence, segment.end):
                end.doubted = False
                del end.possible[number:]
                return each.earliest
        return None

    def _maybe(self, end: End, event: Event, segment: Segment, why: str) -> None:
        before = end.likely
        arc = arc_for(before, event, passive=end.passive) if before else None
        if arc is not None:
            end.possible.append(change_of(end, arc, segment, why))

    def _move(
        self, end: End, event: Event, segment: Segment, why: str, *, sure: bool = True
    ) -> None:
        """The end has taken this arc; what was only possible before it is settled."""
        self._prove(end)
        arc = arc_for(end.state, event, passive=end.passive) if end.state else None
        if arc is not None:
            change = change_of(end, arc, segment, why)
            self._settle(end, replace(change, certain=sure and end.known))

    def _jump(self, end: End, after: State, segment: Segment, why: str) -> None:
        """A change that is no arc, because what caused it was not seen."""
        times = segment.time, end.local, end.remote
        self._settle(end, Inferred(*times, end.state, after, why, end.known, segment))

    def _settle(self, end: End, change: Inferred) -> None:
        self._proved.append(change)
        end.state, end.since = change.after, change.time

    def _prove(self, end: End) -> None:
        """Take what was possible for what happened, although not for certain."""
        for change in end.possible:
            self._settle(end, change)
        end.possible.clear()


def _says_more(sender: End, receiver: End, segment: Segment) -> bool:
    """Whether a segment in the middle of a connection adds to who was seen to send data."""
    return receiver.spoke if sender.spoke else segment.length > 0
