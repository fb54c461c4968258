"""What a scenario is told that asks for a word which there is not: the nearest one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sockstates.tcp.nearest import nearest

OTHER_NAMES = {
    "execute": "start",
    "popen": "start",
    "recv": "receive",
    "setsockopt": "set_option",
    "getsockopt": "get_option",
    "tcpdump": "capture",
    "wait_for": "reaches",
}
"""What people may look for who know it by another name -> our word."""
HELD_AS = {
    "ObservedSocket": ("an endpoint", ("connection.client", "connection.server")),
    "Lab": ("a lab", ("lab",)),
    "AddressedHost": ("a host", ("client", "server")),
    "Connection": ("a connection", ("connection",)),
    "Program": ("a program", ("program",)),
    "Call": ("a call", ("endpoint.connecting",)),
    "Rule": ("a rule", ("rule",)),
    "Wire": ("a wire", ("wire",)),
    "Fault": ("a fault", ("fault",)),
    "Link": ("a link", ("link",)),
    "CraftedPeer": ("a crafted end", ("crafted",)),
    "FilteredCapture": ("a capture", ("capture",)),
    "KernelCounter": ("a counter", ("counter",)),
}
"""Class -> what it is, and the names by which scenarios usually hold one."""


class HasWords:
    """Something that a scenario holds."""

    __slots__ = ()
    if not TYPE_CHECKING:  # or every name would be right

        def __getattr__(self, name: str) -> Any:
            """Refuse a name that there is not.

            It is left empty in the error: Python would guess a second time what was meant.
            """
            private = name.startswith("_")
            words = [] if private else _words(self)
            raise AttributeError(unknown_word(type(self), name, words), name="")


def unknown_word(kind: type, name: str, words: list[str]) -> str:
    """What to say where `name` is none of the words of an object of this class."""
    what, _ = _held_as(kind)
    problem = f"{what} has no {name!r}."
    if name.startswith("_"):
        return problem
    near = [OTHER_NAMES[name]] if OTHER_NAMES.get(name) in words else nearest(name, words)
    owners = [each for each in kinds() if name in _words(each) and not issubclass(kind, each)]
    if owners:
        other, held = _held_as(owners[0])
        ways = " or ".join(f"{each}.{name}" for each in held)
        return f"{problem} {other[0].upper()}{other[1:]} has: {ways}{_does(owners[0], name)}"
    if near:
        return f"{problem} Did you mean {' or '.join(near)}?{_does(kind, near[0])}"
    return f"{problem} It has: {', '.join(words)}."


def _does(kind: type, word: str) -> str:
    """What the word does, by the first line of its docstring."""
    documented = inspect.getdoc(getattr(kind, word, None))
    return f"\n  {word}: {documented.splitlines()[0]}" if documented else ""


def _words(of: object) -> list[str]:
    return [name for name in dir(of) if not name.startswith("_")]


def kinds() -> Iterator[type]:
    """The classes of things that scenarios hold, those first of which there is most to say."""
    known = list(HELD_AS)
    first = sorted(
        (each for each in HasWords.__subclasses__() if each.__name__ in HELD_AS),
        key=lambda each: known.index(each.__name__),
    )
    for kind in first:
        yield from (kind, *_special(kind))


def _special(kind: type) -> Iterator[type]:
    each: type
    for each in kind.__subclasses__():
        yield from (each, *_special(each))


def _held_as(kind: type) -> tuple[str, tuple[str, ...]]:
    found = (HELD_AS[each.__name__] for each in kind.__mro__ if each.__name__ in HELD_AS)
    return next(found, (kind.__name__, (kind.__name__.lower(),)))
