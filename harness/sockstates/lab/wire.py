"""The wire between two hosts as the scenario holds it: what it does to the segments it is told of.

Without a fault it passes on every frame as it came, in order. A fault is one line of tcpdump's
notation that says which segments it is about, and a verb: hold, delay, duplicate, corrupt, drop or
rewrite. What was done to which segment is recorded; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sockstates.lab.addressed_host import AddressedHost
from sockstates.lab.fault import Fault
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.network.topology import WIRE
from sockstates.sandbox.protocol import FaultRequest
from sockstates.tcp import pattern
from sockstates.tcp.altering import LARGEST, OPTION_KINDS
from sockstates.tcp.comparison import Places
from sockstates.tcp.matching import UnknownHost, places_of
from sockstates.tcp.notation import NotationError, parse_pattern
from sockstates.tcp.segment import FLAG_LETTERS

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab
    from sockstates.sandbox.client.line import Line

WHERE = ("payload", "header")


class Wire(AddressedHost):
    """The wire of a lab. Each verb takes which segments, and gives the fault that it made.

    Which: one line as `Lab.sees` takes it, whose letters stand for what they were bound to; what is
    not bound is anything. `number=2`: the second only of those that the line describes, from now
    on; `every=3`: the third, the sixth …; without either all of them. A segment is one fault's: the
    first made that chooses it. Errors: LabError says what is possible.
    """

    def hold(
        self,
        which: str,
        *,
        number: int | None = None,
        every: int | None = None,
        until: int | str | None = None,
    ) -> Fault:
        """Keep segments until :meth:`Fault.release`; they go on in the order in which they came.

        `until=4`: until the fourth segment that the line describes has passed; what comes before it
        is held, or of these only the one of that `number`. `until="server > client: Flags [S]"`:
        until such a segment has passed. The fault is over then.
        """
        request = self._request("hold", which, number, every, _until_words(until))
        if isinstance(until, str):
            awaited = self._one_line("hold(until=…)", until)
            return self._make(
                request, until=awaited, places={**request.places, **self._places(awaited)}
            )
        if until is not None and until <= (number or 1):
            raise LabError(
                f"wire.hold: until={until}, which is not behind number {number or 1}: what is held "
                "waits for a later segment"
            )
        return self._make(request, until=until)

    def delay(
        self, which: str, *, seconds: float, number: int | None = None, every: int | None = None
    ) -> Fault:
        """Have segments go on so many seconds after they came; others can overtake them."""
        if not 0 < seconds < 3600:
            raise LabError(f"wire.delay: seconds={seconds!r}; more than 0, and less than an hour")
        request = self._request("delay", which, number, every, f"by {seconds:g} s")
        return self._make(request, seconds=float(seconds))

    def duplicate(
        self, which: str, *, copies: int = 1, number: int | None = None, every: int | None = None
    ) -> Fault:
        """Have segments go on with so many copies right behind them."""
        _at_least_one("duplicate", "copies", copies)
        words = "" if copies == 1 else f"{copies} copies"
        return self._make(self._request("duplicate", which, number, every, words), copies=copies)

    def corrupt(
        self,
        which: str,
        *,
        where: str = "payload",
        fix_checksum: bool = False,
        number: int | None = None,
        every: int | None = None,
    ) -> Fault:
        """Turn one bit of segments: of the payload's last byte, or of the header (its window).

        A segment without payload is damaged in its header. The checksum stays as it was, so that it
        is wrong, unless `fix_checksum` makes it right for what the segment now says.
        """
        if where not in WHERE:
            raise LabError(f"wire.corrupt: where={where!r}; it is one of {', '.join(WHERE)}")
        words = f"in its {where}" + (", with a right checksum" if fix_checksum else "")
        request = self._request("corrupt", which, number, every, words)
        return self._make(request, header=where == "header", checksum_fixed=fix_checksum)

    def drop(self, which: str, *, number: int | None = None, every: int | None = None) -> Fault:
        """Have segments not go on at all."""
        return self._make(self._request("drop", which, number, every))

    def rewrite(
        self,
        which: str,
        *,
        flags: str | None = None,
        without: Collection[str] = (),
        number: int | None = None,
        every: int | None = None,
        **numbers: int,
    ) -> Fault:
        """Have segments say something else, with right checksums.

        `window=0`, `mss=500`, `window_scale=0`, `urgent=1`, `sequence=…`, `acknowledgement=…`,
        `ttl=1`: numbers as on the wire; mss and window scale only where the segment has the option.
        `flags="R."`: these and no others. `without=["sackOK", "TS"]`: without these options.
        """
        removed = (without,) if isinstance(without, str) else tuple(without)
        if not (numbers or removed or flags is not None):
            raise LabError(f"wire.rewrite: rewrite what? One of {_rewritable()}")
        _check_rewriting(numbers, flags, removed)
        words = [f"{name} {value}" for name, value in numbers.items()]
        words += [f"flags {flags}"] if flags is not None else []
        words += [f"without {name}" for name in removed]
        request = self._request("rewrite", which, number, every, ", ".join(words))
        return self._make(request, numbers=numbers, flags=flags, without=removed)

    def notices(
        self, which: str, *, number: int | None = None, every: int | None = None, instead_of: str
    ) -> Fault:
        """Have segments chosen as by the verb `instead_of`, and go on at once, unchanged."""
        request = self._request(
            "rewrite", which, number, every, f"nothing, instead of {instead_of}"
        )
        return self._make(request)

    def _request(
        self, verb: str, which: str, number: int | None, every: int | None, words: str = ""
    ) -> FaultRequest:
        line = self._one_line(verb, which)
        if number is not None and every is not None:
            raise LabError(f"wire.{verb}: number={number} or every={every}, not both")
        for name, value in (("number", number), ("every", every)):
            if value is not None:
                _at_least_one(verb, name, value)
        chosen = f"number {number}" if number else f"every {every}." if every else ""
        said = ", ".join(each for each in (chosen, words) if each)
        text = f"{verb} {line}" + (f" ({said})" if said else "")
        bindings = dict(self.lab.seen.bindings)
        return FaultRequest(verb, text, line, self._places(line), bindings, number, every)

    def _make(self, request: FaultRequest, **said: Any) -> Fault:
        number = self.agent.faults.apply(replace(request, **said))
        fault = Fault(self, number, request.text)
        fault.record("applied", 0)
        return fault

    def _one_line(self, verb: str, text: str) -> pattern.Line:
        try:
            lines = parse_pattern(text)
        except NotationError as error:
            raise LabError(f"wire.{verb}: {error}") from error
        if len(lines) != 1 or not isinstance(lines[0], pattern.Line):
            raise LabError(
                f"wire.{verb}: one line of tcpdump's notation says which segments, as "
                f"'client > server: Flags [P.]' does, not {text!r}"
            )
        return lines[0]

    def _places(self, line: pattern.Line) -> Places:
        try:
            return places_of((line,), self.lab.names.addresses)
        except UnknownHost as error:
            raise LabError(f"wire: {error}") from error


def wire_of(lab: Lab, line: Line | None) -> Wire:
    """The wire of a lab, by the line to its agent; LabError where the lab has none."""
    if line is None:
        raise LabError("this lab has no wire between its hosts: ask for the fixture `wire`")
    return Wire(lab, WIRE, {}, line)


def _until_words(until: int | str | None) -> str:
    if until is None:
        return ""
    what = f"number {until}" if isinstance(until, int) else until.strip()
    return f"until {what} has passed"


def _at_least_one(verb: str, name: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise LabError(f"wire.{verb}: {name}={value!r}; it must be 1 or more")


def _rewritable() -> str:
    return ", ".join([*(f"{name}=…" for name in LARGEST), "flags=…", "without=…"])


def _check_rewriting(
    numbers: Mapping[str, object], flags: str | None, removed: Collection[str]
) -> None:
    for name, value in numbers.items():
        if name not in LARGEST:
            raise LabError(f"wire.rewrite: there is no {name!r}, only {_rewritable()}")
        if not isinstance(value, int) or not 0 <= value <= LARGEST[name]:
            raise LabError(f"wire.rewrite: {name}={value!r}; a number from 0 to {LARGEST[name]}")
    for letter in flags or "":
        if letter not in FLAG_LETTERS:
            raise LabError(
                f"wire.rewrite: flags={flags!r}; the letters are tcpdump's, {FLAG_LETTERS}"
            )
    for name in removed:
        if name not in OPTION_KINDS:
            raise LabError(
                f"wire.rewrite: without={name!r}; it takes out {', '.join(OPTION_KINDS)}"
            )
