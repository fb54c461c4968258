"""Two ends that do as RFC 9293 says over a network that does not, and a capture point between them.

Each end writes down every state that it is in: what is inferred from the capture is held against
that. Data is sent at once and a FIN when its program closes; windows never close. Times in
microseconds.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sockstates.tcp.segment import Address, Segment, add, distance
from sockstates.tcp.states import State

A, B = Address("10.0.0.1", 1111), Address("10.0.0.2", 80)
SYNCHRONIZED = frozenset(State) - {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECV}
MAY_SEND = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
LINGER = 3_000_000
TRIES = 4
MOST_EVENTS = 3000
"""Two ends that answer each other's ACKs with ACKs would never come to an end."""


@dataclass(frozen=True)
class Network:
    """Chances for a segment on one of the two legs: between an end and the capture point."""

    loss: float
    copies: float
    late: float


class End:
    """One end of a connection, RFC 9293, section 3.10."""

    def __init__(self, world: "World", local: Address, remote: Address) -> None:
        self.world, self.local, self.remote = world, local, remote
        self.state = State.CLOSED
        self.visited: list[State] = []
        self.listens = False
        self.passive = False
        self.first = self.next = self.oldest = self.expected = 0
        self.waiting: list[Segment] = []
        self.early: list[Segment] = []
        self.tries = 0
        self.timer = 0

    def enters(self, state: State) -> None:
        self.state = state
        self.visited.append(state)
        if state is State.CLOSED:
            self.waiting, self.early = [], []
            self.timer += 1
            if self.listens:
                self.state = State.LISTEN
        elif state is State.TIME_WAIT:
            self._later(LINGER, self._lingered)

    def _later(self, delay: int, act: Callable[[int], None]) -> None:
        self.timer += 1
        timer = self.timer
        self.world.at(delay, lambda: act(timer))

    def _lingered(self, timer: int) -> None:
        if self.state is State.TIME_WAIT and timer == self.timer:
            self.enters(State.CLOSED)

    # What a program does.

    def listen(self) -> None:
        self.listens, self.state = True, State.LISTEN

    def connect(self) -> None:
        if self.state is State.CLOSED:
            self._number()
            self.passive = False
            self.enters(State.SYN_SENT)
            self._say("S", self.first, kept=True)

    def send(self, length: int) -> None:
        if self.state in MAY_SEND:
            self._say("P.", self.next, length, kept=True)

    def close(self) -> None:
        if self.state is State.SYN_SENT:
            self.enters(State.CLOSED)
        elif self.state is State.ESTABLISHED or (self.state is State.SYN_RECV and not self.passive):
            self.enters(State.FIN_WAIT1)
            self._say("F.", self.next, kept=True)
        elif self.state is State.CLOSE_WAIT:
            self.enters(State.LAST_ACK)
            self._say("F.", self.next, kept=True)

    def abort(self) -> None:
        loud = {State.ESTABLISHED, State.FIN_WAIT1, State.FIN_WAIT2, State.CLOSE_WAIT}
        if self.state in loud or (self.state is State.SYN_RECV and not self.passive):
            self._say(self.world.chance.choice(("R", "R.")), self.next)
        elif self.state in (State.LISTEN, State.SYN_RECV, State.CLOSED):
            return
        self.enters(State.CLOSED)

    # What is sent.

    def _number(self) -> None:
        self.first = self.next = self.oldest = self.world.chance.choice(
            (7, 2**31 - 3, 2**32 - 2, self.world.chance.randrange(2**32))
        )
        self.waiting, self.early, self.tries = [], [], 0

    def _say(self, flags: str, sequence: int, length: int = 0, *, kept: bool = False) -> None:
        acknowledgement = self.expected if "." in flags else None
        said = Segment(0, self.local, self.remote, flags, sequence, acknowledgement, 500)
        said = replace(said, missing=length)
        if kept:
            self.next = said.end
            self.waiting.append(said)
            if len(self.waiting) == 1:
                self.tries = 0
                self._later(300_000, self._again)
        self.world.carry(said)

    def _again(self, timer: int) -> None:
        if timer != self.timer or not self.waiting:
            return
        self.tries += 1
        if self.tries > TRIES:
            self.enters(State.CLOSED)
            return
        oldest = self.waiting[0]
        if "." in oldest.flags:
            oldest = replace(oldest, acknowledgement=self.expected)
            follower = self.waiting[1:2]
            if (
                oldest.length
                and follower
                and follower[0].has("F")
                and self.world.chance.random() < 0.3
            ):
                joined = oldest.length + follower[0].length
                oldest = replace(oldest, flags="FP.", missing=joined)
        self.world.carry(oldest)
        self._later(300_000 << self.tries, self._again)

    def _acknowledge(self) -> None:
        self._say(".", self.next)

    def _refuse(self, segment: Segment) -> None:
        if segment.has("R"):
            return
        if segment.acknowledgement is not None:
            self._say("R", segment.acknowledgement)
        else:
            before, self.expected = self.expected, segment.end
            self._say("R.", 0)
            self.expected = before

    # What arrives.

    def takes(self, segment: Segment) -> None:
        match self.state:
            case State.CLOSED:
                self._refuse(segment)
            case State.LISTEN:
                self._takes_listening(segment)
            case State.SYN_SENT:
                self._takes_opening(segment)
            case _:
                self._takes(segment)

    def _takes_listening(self, segment: Segment) -> None:
        if segment.has("R"):
            return
        if segment.acknowledgement is not None:
            self._refuse(segment)
        elif segment.has("S"):
            self._number()
            self.passive, self.expected = True, segment.end
            self.enters(State.SYN_RECV)
            self._say("S.", self.first, kept=True)

    def _takes_opening(self, segment: Segment) -> None:
        acknowledgement = segment.acknowledgement
        if acknowledgement is not None and acknowledgement != self.next:
            self._refuse(segment)
            return
        if segment.has("R"):
            if acknowledgement is not None:
                self.enters(State.CLOSED)
            return
        if not segment.has("S"):
            return
        self.expected = segment.end
        self.waiting.clear()
        if acknowledgement is not None:
            self.oldest = acknowledgement
            self.enters(State.ESTABLISHED)
            self._acknowledge()
        else:
            self.next = self.first
            self.enters(State.SYN_RECV)
            self._say("S.", self.first, kept=True)

    def _takes(self, segment: Segment) -> None:
        ahead = distance(self.expected, segment.sequence)
        size = distance(segment.sequence, segment.end)
        if not (0 <= ahead < 60_000 or (size and -size < ahead < 0)):
            if not segment.has("R"):
                self._acknowledge()
                if self.state is State.TIME_WAIT:
                    self._later(LINGER, self._lingered)
            return
        if segment.has("R"):
            if ahead == 0:
                self.enters(State.CLOSED)
            else:
                self._acknowledge()
            return
        if segment.has("S"):
            self._acknowledge()
            return
        if segment.acknowledgement is None or not self._takes_acknowledgement(segment):
            return
        if ahead > 0:
            self.early.append(segment)
            self._acknowledge()
            return
        self._takes_in_order(segment)
        for each in sorted(self.early, key=lambda each: distance(self.expected, each.sequence)):
            if distance(each.sequence, self.expected) >= 0:
                self.early.remove(each)
                self._takes_in_order(each)

    def _takes_acknowledgement(self, segment: Segment) -> bool:
        assert segment.acknowledgement is not None
        taken = segment.acknowledgement
        if self.state is State.SYN_RECV:
            if not 0 < distance(self.oldest, taken) <= distance(self.oldest, self.next):
                self._refuse(segment)
                return False
            self.enters(State.ESTABLISHED)
        if distance(self.next, taken) > 0:
            self._acknowledge()
            return False
        if distance(self.oldest, taken) <= 0:
            return True
        self.oldest = taken
        self.waiting = [each for each in self.waiting if distance(taken, each.end) > 0]
        self.tries = 0
        if self.waiting:
            self._later(300_000, self._again)
        elif self.state in (State.FIN_WAIT1, State.CLOSING, State.LAST_ACK):
            self.enters(
                {
                    State.FIN_WAIT1: State.FIN_WAIT2,
                    State.CLOSING: State.TIME_WAIT,
                    State.LAST_ACK: State.CLOSED,
                }[self.state]
            )
            return self.state in SYNCHRONIZED
        return True

    def _takes_in_order(self, segment: Segment) -> None:
        if self.state not in SYNCHRONIZED or distance(self.expected, segment.end) <= 0:
            if self.state in SYNCHRONIZED and segment.end != segment.sequence:
                self._acknowledge()
            return
        self.expected = segment.end
        if segment.has("F"):
            after = {
                State.ESTABLISHED: State.CLOSE_WAIT,
                State.FIN_WAIT1: State.CLOSING,
                State.FIN_WAIT2: State.TIME_WAIT,
            }
            self.enters(after.get(self.state, self.state))
        self._acknowledge()


class World:
    """Both ends, the network, the clock, and what the capture point sees. All from one seed."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.now = 0
        self.captured: list[Segment] = []
        self.simultaneous = chance.random() < 0.1
        self._order = itertools.count()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self.ends = {A: End(self, A, B), B: End(self, B, A)}
        calm = chance.random() < 0.2
        self._legs = [
            Network(0, 0, 0)
            if calm or chance.random() < 0.3
            else Network(*(chance.choice((0, 0.1, 0.3)) for _ in range(3)))
            for _ in range(2)
        ]
        self.delays = [chance.choice((0, 50, 20_000)) for _ in range(2)]

    def run(self) -> None:
        """One connection from its beginning until nothing is left to happen."""
        chance = self.chance
        if self.simultaneous:
            self.at(chance.randrange(3000), self.ends[B].connect)
        else:
            self.ends[B].listen()
        self.at(chance.randrange(3000), self.ends[A].connect)
        for end in self.ends.values():
            time = 0
            for _ in range(chance.randrange(4)):
                time += chance.choice((100, 30_000, 400_000))
                self.at(time, lambda end=end: end.send(chance.choice((1, 100))))  # type: ignore[misc]
            time += chance.choice((100, 50_000, 50_000, 900_000))
            if chance.random() < 0.9:
                self.at(time, end.abort if chance.random() < 0.15 else end.close)
        for _ in range(MOST_EVENTS):
            if not self._due:
                break
            self.now, _, act = heapq.heappop(self._due)
            act()

    def at(self, delay: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._order), act))

    def carry(self, segment: Segment) -> None:
        """Send a segment over the leg to the capture point, and from there over the other one."""
        first = 0 if segment.source == A else 1
        self._over(first, lambda: self._passes(segment, 1 - first))

    def _passes(self, segment: Segment, leg: int) -> None:
        self.captured.append(replace(segment, time=self.now * 1000))
        self._over(leg, lambda: self.ends[segment.destination].takes(segment))

    def _over(self, leg: int, act: Callable[[], None]) -> None:
        network, chance = self._legs[leg], self.chance
        if chance.random() < network.loss:
            return
        for _ in range(2 if chance.random() < network.copies else 1):
            late = chance.choice((10, 5_000, 700_000)) if chance.random() < network.late else 0
            self.at(self.delays[leg] + late, act)

    def hides_simultaneous_open(self, seen: list[Segment]) -> bool:
        """Whether both ends opened the connection, and a SYN is not what is seen first of each."""
        first = {each.source: each.flags for each in reversed(seen)}
        return self.simultaneous and first != {A: "S", B: "S"}


def numbers_follow(segments: list[Segment]) -> bool:
    """Whether both SYNs of the connection are of one number each: nothing began anew."""
    seen: dict[Address, set[int]] = {}
    for each in segments:
        if each.has("S"):
            seen.setdefault(each.source, set()).add(add(each.sequence, 0))
    return all(len(each) == 1 for each in seen.values())
