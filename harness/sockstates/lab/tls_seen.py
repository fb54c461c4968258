"""What a scenario expects two programs to say to each other in TLS: waits for it on the wire.

It judges nothing of what is encrypted, and opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.segment import Address
from sockstates.tls.conversation import Conversation, read
from sockstates.tls.exchange import Said, Script, exchange, parse_script, script_text
from sockstates.tls.octets import NotSeen, TlsError

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab

INDENT = "\n            "
Ends = tuple[Address, Address]
"""Who opened the connection, and to whom."""


class TlsSeen:
    """The TLS of one connection; `name` is for messages, `ends` says which it is, once known."""

    def __init__(self, lab: Lab, name: str, ends: Callable[[], Ends | None]) -> None:
        self._lab = lab
        self._name = name
        self._ends = ends
        self._judged = (-1, 0)
        self._said: tuple[Said, ...] = ()

    def sees(self, text: str) -> Conversation:
        """See :meth:`Connection.sees_tls`. What was lost on its way was said too."""
        lab = self._lab
        try:
            script = parse_script(text)
        except ValueError as error:
            raise LabError(f"sees_tls: {error}") from None

        def holds() -> bool:
            return script.holds(self._until_now())

        patience = max(lab.deadlines.programs, lab.deadlines.next_segment())
        last = "".join(script_text(script.lines)[-1:])
        lab.wait_until(holds, f"{self._name} to say, in TLS, {last!r}", patience)
        lab.settle()
        talk = self._talk()
        if talk is None or not holds():
            raise ExpectationFailed(self._explained(script, talk))
        return talk

    def _talk(self) -> Conversation | None:
        """What both ends have said, as far as it is recorded; None before the first segment."""
        ends = self._ends()
        try:
            return read(self._lab.timeline.wire, *ends) if ends else None
        except NotSeen:
            return None

    def _until_now(self) -> tuple[Said, ...]:
        known = self._lab.timeline.known_of_wire
        if self._judged != known:
            self._judged, self._said = known, _said(self._talk())
        return self._said

    def _explained(self, script: Script, talk: Conversation | None) -> str:
        said = self._until_now()
        problems = [each.problem for each in (talk.client, talk.server)] if talk else []
        more = ["..."] if script.more else []
        return "\n".join(
            (
                f"{self._name} did not say in TLS what was expected",
                "",
                f"  expected  {INDENT.join(script_text(script.lines) + more)}",
                f"  seen      {INDENT.join(script_text(said)) or 'nothing'}",
                f"  differs   {script.difference(said)}",
                *(f"  note      {problem}" for problem in problems if problem),
            )
        )


def _said(talk: Conversation | None) -> tuple[Said, ...]:
    try:
        return exchange(talk) if talk else ()
    except TlsError:  # a hello that is no hello: the conversation's problem says so
        return ()
