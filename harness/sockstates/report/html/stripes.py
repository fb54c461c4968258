"""What the segments alone say of endpoints' states, as stripes beside the bars of states."""

from __future__ import annotations

from collections.abc import Iterator

from sockstates.evidence.bars import Bar
from sockstates.report.clock import since_start
from sockstates.report.html.columns import Columns
from sockstates.report.html.layout import SectionLayout
from sockstates.report.html.markup import Markup, tag
from sockstates.report.html.scene import Scene
from sockstates.tcp.inference import Inferred

STRIPE = 4.0


def draw_stripes(scene: Scene, columns: Columns, layout: SectionLayout) -> Iterator[Markup]:
    """For each bar that is to be seen here, what the segments say of the same endpoint."""
    for bar in dict.fromkeys(bar for bar, _ in layout.pieces):
        changes = scene.inferred.get(bar.key, [])
        ends = [*(change.time for change in changes[1:]), layout.section.end]
        for change, end in zip(changes, ends, strict=False):
            if change.time < layout.section.end and end > layout.section.start:
                yield _stripe(scene, columns, layout, (bar, change, end))


def _stripe(
    scene: Scene, columns: Columns, layout: SectionLayout, what: tuple[Bar, Inferred, int]
) -> Markup:
    bar, change, end = what
    placed, section, place = layout.placed, layout.section, columns.bars[bar]
    top = placed.y(change.time) if change.time >= section.start else 0.0
    bottom = placed.y(end) if end < section.end else placed.height
    since = since_start(scene.timeline, change.time)
    sure = "proved" if change.certain else "only possible"
    said = f"{bar.key[0]} is {change.after} at {since:.6f} s, {sure} by segments: {change.why}"
    stripe = tag(
        "rect",
        tag("title", said),
        x=place.left + place.width + 1,
        y=top,
        width=STRIPE,
        height=max(bottom - top, 1.0),
        class_="solid",
    )
    kind = "stripe" if change.certain else "stripe possible"
    return tag("g", stripe, class_=f"{kind} state-{change.after}")
