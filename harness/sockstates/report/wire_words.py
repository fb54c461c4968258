"""What a wire did to a segment, in a few words beside its arrow, and what it let come no further.

Pure. The whole of each act is in the timeline; here is what a reader of a diagram needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sockstates.evidence.wire_acts import RELEASED, acts_by_segment
from sockstates.record.events import NANOSECONDS
from sockstates.record.kernel_events import WireActed
from sockstates.record.timeline import Timeline
from sockstates.report.clock import duration
from sockstates.tcp.segment import Segment

KEPT = ("held", "delayed")


def wire_remarks(timeline: Timeline) -> Mapping[Segment, str]:
    """``held for 0.3 s by the wire``, ``doubled by the wire``, by segment."""
    return {segment: _remark(acts) for segment, acts in acts_by_segment(timeline).items()}


def stopped_by_wire(timeline: Timeline) -> dict[Segment, WireActed]:
    """The segments that a wire dropped, or kept until the end, with what it did."""
    found = {}
    for segment, acts in acts_by_segment(timeline).items():
        last = acts[-1]
        if last.action == "dropped" or last.action in KEPT:
            found[segment] = last
    return found


def _remark(acts: Sequence[WireActed]) -> str:
    first, last = acts[0], acts[-1]
    match first.action:
        case "held" | "delayed" if last.action == RELEASED:
            waited = duration((last.time - first.came) / NANOSECONDS)
            return f"{first.action} for {waited} by the wire"
        case "held" | "delayed" | "dropped":
            return ""  # the cross at the arrow's end says so, and by which fault
        case "duplicated" | "damaged":
            return f"{first.action} by the wire"
        case _:
            return f"rewritten by the wire: {first.detail}"
