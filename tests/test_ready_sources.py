"""What a selector found ready, when handling one source ends, replaces or changes another."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from sockstates.sandbox.agent.ready_sources import ready_sources


class _Sources:
    """Two sources, both ready for both; what is done as soon as the first one has its turn."""

    def __init__(self, selector: selectors.BaseSelector, stack: ExitStack) -> None:
        self.selector = selector
        self.stack = stack
        self.first, self.second = self.made(), self.made()
        for each in (self.first, self.second):
            selector.register(each, EVENT_READ | EVENT_WRITE, each)

    def made(self) -> socket.socket:
        """A socket that can be read from and written to."""
        near, far = (self.stack.enter_context(each) for each in socket.socketpair())
        far.send(b"1")
        return near

    def turns(self) -> Iterator[tuple[object, int]]:
        """Whose turn it is, as long as one look of the selector lasts."""
        return ready_sources(self.selector, 0)


@pytest.fixture
def sources() -> Iterator[_Sources]:
    with ExitStack() as stack:
        yield _Sources(stack.enter_context(selectors.DefaultSelector()), stack)


def test_each_ready_source_has_its_turn(sources: _Sources) -> None:
    both = EVENT_READ | EVENT_WRITE
    assert list(sources.turns()) == [(sources.first, both), (sources.second, both)]


def test_one_that_was_taken_away_has_none(sources: _Sources) -> None:
    turns = sources.turns()
    assert next(turns)[0] is sources.first
    sources.selector.unregister(sources.second)
    sources.second.close()
    assert not list(turns)


def test_one_that_has_its_descriptor_now_has_its_turn_later(sources: _Sources) -> None:
    turns = sources.turns()
    next(turns)
    descriptor = sources.second.fileno()
    sources.selector.unregister(sources.second)
    sources.second.close()
    other, _ = (sources.stack.enter_context(each) for each in socket.socketpair())
    assert other.fileno() == descriptor
    sources.selector.register(other, EVENT_READ | EVENT_WRITE, other)
    assert not list(turns)
    assert list(sources.turns())[1:] == [(other, EVENT_WRITE)]


def test_one_has_its_turn_for_what_it_still_waits_for(sources: _Sources) -> None:
    turns = sources.turns()
    next(turns)
    sources.selector.modify(sources.second, EVENT_WRITE, sources.second)
    assert list(turns) == [(sources.second, EVENT_WRITE)]


def test_one_that_waits_for_something_else_now_has_none(sources: _Sources) -> None:
    sources.selector.modify(sources.second, EVENT_READ, sources.second)
    turns = sources.turns()
    next(turns)
    sources.selector.modify(sources.second, EVENT_WRITE, sources.second)
    assert not list(turns)
