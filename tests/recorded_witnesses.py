"""Words for what the witnesses beside the capture say, in timelines made by hand."""

from itertools import pairwise

from sockstates.record.events import SocketSeen
from sockstates.record.kernel_events import SocketGlanced, StateChanged, WitnessJoined
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from tests.recorded import at, empty_timeline

CLIENT, SERVER = Address("10.0.0.1", 40000), Address("10.0.0.2", 80)
KEY: EndpointKey = ("server", SERVER, CLIENT)
"""The endpoint that the hand-made testimony is about."""
APART = 0.001
"""Seconds between two looks."""


def samples(
    timeline: Timeline, *seen: tuple[float, State], until: float = 10.0, key: EndpointKey = KEY
) -> Timeline:
    """Has psutil see these states, each first at that second, and a look a millisecond before."""
    for seconds, state in seen:
        timeline.add(SocketSeen(at(seconds), *key, state, not_before=at(seconds - APART)))
    timeline.sampled[key[0]] = timeline.glanced[key[0]] = at(until)
    return timeline


def glances(
    timeline: Timeline, *seen: tuple[float, State], until: float = 10.0, key: EndpointKey = KEY
) -> Timeline:
    """Has sock_diag see these states."""
    for seconds, state in seen:
        timeline.add(SocketGlanced(at(seconds), *key, state, at(seconds - APART)))
    timeline.glanced[key[0]] = at(until)
    return timeline


def changes(timeline: Timeline, *states: tuple[float, State], key: EndpointKey = KEY) -> Timeline:
    """Has the tracepoint show these changes; the first state is the one before all of them."""
    timeline.add(WitnessJoined(at(-0.01), "tracepoints"))
    for (_, before), (seconds, after) in pairwise(states):
        timeline.add(StateChanged(at(seconds), *key, before, after, 0xABC))
    return timeline


def sampled(*seen: tuple[float, State], until: float = 10.0) -> Timeline:
    """A timeline in which there are samples only."""
    return samples(empty_timeline(), *seen, until=until)


def traced(*states: tuple[float, State]) -> Timeline:
    """A timeline in which there is the tracepoint only."""
    return changes(empty_timeline(), *states)
