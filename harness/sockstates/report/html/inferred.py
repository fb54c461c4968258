"""What the segments alone say of endpoints' states; drawn beside what the witnesses saw.

What an end sent proves its state; what passed a capture on its way to it makes one only possible.
"""

from __future__ import annotations

from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.inference import Inferred, infer_states

MOST_SEGMENTS = 50_000
"""Of one host's capture; more are not followed for a picture."""


def inferred(timeline: Timeline) -> dict[EndpointKey, list[Inferred]]:
    """The changes of each host's own endpoints, by time."""
    found: dict[EndpointKey, list[Inferred]] = {}
    for host, segments in timeline.arrived.items():
        names = timeline.names.addresses
        own = (*names.get(host, ()), *names.get("localhost", ()))
        if host in timeline.between or len(segments) > MOST_SEGMENTS:
            continue
        sound = [each for each in segments if each not in timeline.unsound]
        for change in infer_states(sound, captured_at_host=True):
            if change.local.ip in own:
                found.setdefault((host, change.local, change.remote), []).append(change)
    return found
