"""Both ends of one connection, and what is expected of the two at the same moment."""

from __future__ import annotations

from sockstates.evidence.expectations import EndpointLooks, explain_not_together, moment_of_both
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.endpoint import Endpoint
from sockstates.lab.tls_seen import TlsSeen
from sockstates.lab.words import HasWords
from sockstates.record.events import SocketSeen
from sockstates.tcp.states import State
from sockstates.tls.conversation import Conversation


class Connection(HasWords):
    """A connection as the scenario holds it: its two endpoints."""

    def __init__(self, client: Endpoint, server: Endpoint) -> None:
        self.client = client
        self.server = server
        client.peer, server.peer = server, client

    def __repr__(self) -> str:
        return f"<connection {self.client!r}>"

    def established(self, *, seconds: float | None = None) -> Connection:
        """Wait until both ends are ESTABLISHED at one moment, accepted or not; it comes back.

        The deadline is that of `reaches`, or `seconds` from now. Errors: ExpectationFailed.
        """
        __tracebackhide__ = True
        self.reaches(client=State.ESTABLISHED, server=State.ESTABLISHED, seconds=seconds)
        return self

    def reaches(
        self, *, client: State | str, server: State | str, seconds: float | None = None
    ) -> tuple[SocketSeen, SocketSeen]:
        """Expect both ends to be seen in these states at one and the same moment.

        The deadline is derived from the kernel's own timers, or `seconds` from now. What was seen
        of the client and of the server then comes back.
        """
        __tracebackhide__ = True
        lab = self.client.host.lab
        looks = (
            EndpointLooks(self.client.key, State.of(client)),
            EndpointLooks(self.server.key, State.of(server)),
        )
        began = lab.now()

        def known() -> bool:
            return moment_of_both(lab.timeline, looks) is not None

        def probable() -> bool:
            latest = [(each, lab.timeline.latest(each.key)) for each in looks]
            return all(seen is not None and each.holds(seen) for each, seen in latest)

        if seconds is None:
            deadlines = lab.deadlines
            seconds = max(
                deadlines.state_change(self.client, looks[0].state),
                deadlines.state_change(self.server, looks[1].state),
            )
        awaiting = f"{self!r} to be {looks[0].state} at the client, {looks[1].state} at the server"
        left = seconds
        while lab.wait_until(lambda: known() or probable(), awaiting, left) and not known():
            lab.settle()  # one more sample of each host says until when it stayed so
            left = seconds - lab.seconds_since(began)
        if not known():
            waited = lab.seconds_since(began)
            raise ExpectationFailed(explain_not_together(lab.timeline, looks, waited, lab.origin))
        self.client.go_on_from(looks[0].state)
        self.server.go_on_from(looks[1].state)
        first, second = (self._at(each, moment_of_both(lab.timeline, looks)) for each in looks)
        return first, second

    def _at(self, looks: EndpointLooks, moment: int | None) -> SocketSeen:
        """What was known of an endpoint at a moment at which it looked so."""
        history = self.client.host.lab.timeline.history(looks.key)
        return [seen for seen in history if moment is not None and seen.time <= moment][-1]

    def sees_tls(self, text: str) -> Conversation:
        """Expect both ends to have said exactly this in TLS, from the beginning until now.

        A line for each turn: ``server: ServerHello, Certificate, ServerHelloDone``; an alert is
        ``alert unknown_ca``. A last line ``...`` lets more follow. Waits as long as a program may
        take. What was said comes back: hellos, certificates, the encrypted premaster secret.
        """
        ends = self.client.local, self.server.local
        return TlsSeen(self.client.host.lab, repr(self), lambda: ends).sees(text)
