"""What happened between frames, as comments on the frames of a capture.

A comment stands on the first frame after what it tells; what comes after the last frame stands on
that one, behind a line that says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sockstates.evidence.bars import Piece, bars
from sockstates.record.events import RuleChanged, SysctlSet
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import Timeline
from sockstates.report.clock import since_start
from sockstates.report.words import rule_text, sysctl_text

AFTERWARDS = "After this frame:"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that happened, in words."""

    time: int
    text: str


def remarks(timeline: Timeline, hosts: Collection[str]) -> list[Remark]:
    """Steps, and states, rules and settings of these hosts, by time."""
    found = [Remark(step.time, f"Step: {step.text}") for step in timeline.steps()]
    for bar in bars(timeline, 0):
        host, local, _ = bar.key
        if host in hosts:
            end = timeline.names.endpoint(local)
            found += [
                _remark(timeline, piece.start, host, f"{end} {_words(piece)}")
                for piece in bar.pieces
            ]
    for event in timeline.events:
        if event.host not in hosts:
            continue
        if isinstance(event, SysctlSet):
            found.append(_remark(timeline, event.time, event.host, sysctl_text(event)))
        elif isinstance(event, RuleChanged) and event.change != "counted":
            found.append(_remark(timeline, event.time, event.host, rule_text(event)))
    return sorted(found, key=lambda remark: remark.time)


def _remark(timeline: Timeline, time: int, host: str, text: str) -> Remark:
    return Remark(time, f"{host}: {text}, at {since_start(timeline, time):.6f} s")


def _words(piece: Piece) -> str:
    """Exact moments are told otherwise than those of the first sample that saw it."""
    return f"becomes {piece.state}" if piece.exact else f"is seen as {piece.state}"


def comments(frames: Sequence[CapturedFrame], said: Sequence[Remark]) -> dict[int, str]:
    """The remarks by the index of the frame that they stand on; empty without a frame."""
    if not frames:
        return {}
    found: dict[int, list[str]] = defaultdict(list)
    position = 0
    for index, frame in enumerate(frames):
        while position < len(said) and said[position].time <= frame.time:
            found[index].append(said[position].text)
            position += 1
    if position < len(said):
        found[len(frames) - 1] += [AFTERWARDS, *(each.text for each in said[position:])]
    return {index: "\n".join(texts) for index, texts in found.items()}
