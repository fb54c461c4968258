"""How a judgement ends when it does not end well. A judgement that holds ends without a word."""

from __future__ import annotations


class ExpectationFailed(AssertionError):
    """The evidence is there, and it contradicts what was expected."""

    __module__ = "sockstates"  # what pytest prints before the message, and where it is exported


class Inconclusive(Exception):
    """The evidence cannot decide: frames were lost, the clock was set, a host died.

    An error, never a pass and never a skip.
    """

    __module__ = "sockstates"
