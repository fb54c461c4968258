"""Many connections of one host at once: how many are in a state, and whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockstates.evidence.expectations import Owner
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import SocketSeen
from sockstates.tcp.states import State

if TYPE_CHECKING:
    from sockstates.lab.addressed_host import AddressedHost


def counted(
    host: AddressedHost, state: State, number: int, owner: Owner | None, seconds: float | None
) -> Sequence[SocketSeen]:
    """See :meth:`Host.counts`."""
    lab = host.lab
    what = f"{host.name} to have {number} in {state}"
    lab.wait_until(lambda: len(_found(host, state, owner)) == number, what, seconds)
    found = _found(host, state, owner)
    if len(found) != number:
        known = Counter(seen.state for seen in _connections(host))
        known_text = ", ".join(f"{times} {each}" for each, times in known.items())
        plural = "" if number == 1 else "s"
        owned = "" if owner is None else f" owned by {owner.text}"
        raise ExpectationFailed(
            f"{host.name}: expected {number} connection{plural} in {state}{owned}, "
            f"found {len(found)}\n\n"
            f"  all connections  {known_text or 'none'}"
        )
    return found


def _found(host: AddressedHost, state: State, owner: Owner | None) -> list[SocketSeen]:
    return [
        seen
        for seen in _connections(host)
        if seen.state is state and (owner is None or owner.holds(seen.owner))
    ]


def _connections(host: AddressedHost) -> list[SocketSeen]:
    """The latest of each connection that was ever seen: not of listening sockets."""
    timeline = host.lab.timeline
    latest = (
        timeline.latest(key)
        for key in tuple(timeline.endpoints())
        if key[0] == host.name and key[2] is not None
    )
    return [seen for seen in latest if seen is not None]
