"""Segments as arrows: with tcpdump's words beside them, lost ones broken off, repetitions tied."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from sockstates.report.clock import since_start
from sockstates.report.delivery import Loss
from sockstates.report.html.columns import ROOM_OF_ONE, Columns
from sockstates.report.html.layout import ARROW_LETTER, BESIDE, LINE, Arrow, SectionLayout
from sockstates.report.html.markup import Markup, joined, tag
from sockstates.report.html.scene import Scene
from sockstates.report.story import Sent
from sockstates.report.words import shortened
from sockstates.tcp.notation import format_segment

AT_THE_DOOR = 14.0
"""How far from its destination's lane the arrow ends that a filter there stopped."""
LOST_AT = 0.64
"""How far a lost segment's arrow goes, when nobody knows where it was lost."""
TIES = 3
"""Ties that stand beside one another before the next one takes the first's place."""


def full_text(scene: Scene, sent: Sent) -> str:
    """The segment as tcpdump prints it, with its time and what became of it."""
    timeline, segment = scene.timeline, sent.segment
    text = format_segment(segment, lambda end: timeline.names.host(end.ip), sent.origin)
    remarks = f"  ({sent.numbered.tls_details})" if sent.numbered.tls else ""
    remarks += f"  ({', '.join(sent.numbered.remarks)})" if sent.numbered.remarks else ""
    if sent.first is not None:
        first = scene.every[sent.first].segment.time
        remarks += f"  (again; first at {since_start(timeline, first):.6f})"
    if sent.loss is not None:
        remarks += f"  ({lost_text(sent.loss)})"
    arrival = scene.arrivals.get(sent.place)
    if arrival is not None:
        remarks += f"  (captured at its destination {(arrival - segment.time) / 1000:.1f} µs later)"
    return f"{since_start(timeline, segment.time):.6f} {text}{remarks}"


def lost_text(loss: Loss) -> str:
    """``lost``, or in which host, or by which of its rules."""
    if loss.rule:
        return f"stopped in {loss.where} by {loss.rule}"
    return f"lost in {loss.where}" if loss.where else "lost"


def draw_arrow(scene: Scene, columns: Columns, arrow: Arrow) -> Markup:
    """One segment: its arrow, its words, and the whole of it for whoever asks."""
    sent = arrow.sent
    start, end = columns.ends(sent.segment)
    lost = sent.loss
    share = 1.0 if lost is None else _share(columns, arrow, lost)
    tip, fall = start + (end - start) * share, arrow.fall * share
    y = arrow.start.y
    said = full_text(scene, sent)
    parts = [
        tag("title", said),
        tag("line", x1=start, y1=y, x2=tip, y2=y + fall, class_="reach"),
        tag("line", x1=start, y1=y, x2=tip, y2=y + fall, class_="shaft"),
        _head(start, y, tip, y + fall) if lost is None else _break(start, tip, y + fall, lost),
        _words(columns, arrow, start, end, share),
    ]
    kind = "segment" + (" again" if sent.first is not None else "")
    kind += " lost" if lost is not None else ""
    kind += " reset" if sent.segment.has("R") else ""
    letter = columns.letter(sent.segment.source, sent.segment.destination)
    kind += f" of-{letter}" if letter.isalpha() else ""
    return tag("g", *parts, class_=kind, tabindex=0, role="img", aria_label=said)


def _share(columns: Columns, arrow: Arrow, lost: Loss) -> float:
    """How much of its way a lost segment came."""
    start, end = columns.ends(arrow.sent.segment)
    if start == end:  # to the end that sent it
        return 1.0
    for lane in columns.lanes:
        if lane.passes_on and lane.host == lost.where:
            return (lane.left - start) / (end - start)
    return 1 - AT_THE_DOOR / abs(end - start) if lost.where else LOST_AT


def _head(x1: float, y1: float, x2: float, y2: float) -> Markup:
    angle = math.degrees(math.atan2(y2 - y1, x2 - x1))
    turned = f"translate({x2:.1f} {y2:.1f}) rotate({angle:.1f})"
    return tag("path", d="M0 0L-9 -4L-7 0L-9 4Z", transform=turned, class_="head")


def _break(start: float, x: float, y: float, lost: Loss) -> Markup:
    """A cross where the segment was lost, with the word behind it, or below it the rule."""
    forward = x > start
    beside = 9.0 if forward else -9.0
    cross = f"M{x - 4.5:.1f} {y - 4.5:.1f}l9 9m0 -9l-9 9"
    if lost.rule:
        most = int(abs(x - start) / ARROW_LETTER)
        words = tag(
            "text",
            shortened(lost.rule, most),
            x=x,
            y=y + 15,
            text_anchor="end" if forward else "start",
        )
    else:
        anchor = "start" if forward else "end"
        words = tag("text", lost_text(lost), x=x + beside, y=y + 3.5, text_anchor=anchor)
    return tag("g", tag("path", d=cross), words, class_="break")


def _words(columns: Columns, arrow: Arrow, start: float, end: float, share: float) -> Markup:
    """Near the sender, above the line: as many of tcpdump's words as there is room for.

    What the segment says in TLS stands above them.
    """
    segment = arrow.sent.segment
    letter = columns.letter(segment.source, segment.destination)
    before = len(letter) + 1 if letter else 0
    across = ROOM_OF_ONE if start == end else abs(end - start) * share
    room = int((across - 2 * BESIDE) / ARROW_LETTER)
    text = _fitting(arrow.sent.numbered.words(remarks=not arrow.apart), room - before)
    content = [tag("tspan", letter, class_="letter"), f" {text}"] if letter else [text]
    lines = [(content, len(text) + before, "words")]
    lines += [([line], len(line), "words tls") for line in reversed(arrow.spoken)]
    forward = end >= start
    x, y = start + BESIDE if forward else start - BESIDE, arrow.start.y - 4
    parts = []
    for number, (said, letters, kind) in enumerate(lines):
        height, width = y - LINE * number, letters * ARROW_LETTER
        anchor = "start" if forward else "end"
        left = x if forward else x - width
        if arrow.covers:
            plate = {"x": left - 2, "y": height - 9.5, "width": width + 4, "height": 12.0}
            parts.append(tag("rect", class_="plate", **plate))
        parts.append(tag("text", *said, x=x, y=height, text_anchor=anchor, class_=kind))
    return joined(parts)


def _fitting(words: list[str], room: int) -> str:
    """The flags and the words that fit; the length goes first, then what is acknowledged."""
    flags, *kept = words
    for least in ("length", "ack"):
        if len(f"{flags} {', '.join(kept)}") > room:
            kept = [word for word in kept if not word.startswith(least)]
    while kept and len(f"{flags} {', '.join(kept)}") > room:
        kept = kept[:-1]
    return f"{flags} {', '.join(kept)}".strip()


def draw_ties(columns: Columns, layout: SectionLayout) -> Iterator[Markup]:
    """A comb beside the sender's lane: from a segment's first to each time it was sent again."""
    heights = {arrow.sent.place: arrow.start.y for arrow in layout.arrows}
    combs: dict[int, list[Arrow]] = defaultdict(list)
    for arrow in layout.arrows:
        if arrow.sent.first is not None:
            combs[arrow.sent.first].append(arrow)
    for number, (first, again) in enumerate(combs.items()):
        segment = again[0].sent.segment
        start, end = columns.ends(segment)
        out = (12 + 4 * (number % TIES)) * (-1 if end >= start else 1)
        top = heights.get(first, 0.0)
        path = f"M{start:.1f} {top:.1f}h{out}" if first in heights else f"M{start + out:.1f} {top}"
        for arrow in again:
            path += f"V{arrow.start.y:.1f}h{-out}m{out} 0"
        times = "once" if len(again) == 1 else f"{len(again)} times"
        said = tag("title", f"sent again {times} in this step")
        yield tag("path", said, d=path, class_="tie")
