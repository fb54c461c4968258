"""A section of the ladder diagram as inline SVG. Colours and type are the style sheet's."""

from __future__ import annotations

from collections.abc import Iterator

from sockstates.record.events import NANOSECONDS
from sockstates.report.clock import duration, since_start
from sockstates.report.html.bars import draw_bars, gradients
from sockstates.report.html.columns import Columns
from sockstates.report.html.layout import SectionLayout
from sockstates.report.html.markup import Markup, joined, tag
from sockstates.report.html.scale import Fold
from sockstates.report.html.scene import Scene
from sockstates.report.html.segments import draw_arrow, draw_ties, full_text
from sockstates.report.html.stripes import draw_stripes

HEAD = 30.0
AXIS = 66.0
LABEL_APART = 12.0


def draw_section(scene: Scene, columns: Columns, layout: SectionLayout, number: int) -> Markup:
    """One section's diagram; `number` makes the ids in it unique on the page."""
    height = layout.placed.height
    parts = [
        tag("title", f"Ladder diagram of step {number}: {layout.section.title or 'the beginning'}"),
        tag("desc", _description(scene, layout)),
        gradients(layout, number),
        _moved(HEAD, *_background(scene, columns, layout)),
        *_heads(columns, height),
        _moved(
            HEAD,
            *draw_bars(scene, columns, layout, number),
            *draw_stripes(scene, columns, layout),
            *draw_ties(columns, layout),
            *_axis(scene, layout),
            *_notes(columns, layout),
            *(draw_arrow(scene, columns, arrow) for arrow in layout.arrows),
        ),
    ]
    return tag(
        "svg",
        *parts,
        class_="ladder",
        viewBox=f"0 0 {columns.width:.0f} {height + HEAD:.0f}",
        width=round(columns.width),
        height=round(height + HEAD),
        role="group",
    )


def _moved(down: float, *parts: Markup) -> Markup:
    return tag("g", *parts, transform=f"translate(0 {down:g})")


def _description(scene: Scene, layout: SectionLayout) -> str:
    """What a reader who cannot see the picture is told: its segments and states in order."""
    told = [full_text(scene, arrow.sent) for arrow in layout.arrows]
    states = [f"{bar.key[0]} is {piece.state}" for bar, piece in layout.pieces]
    return f"{len(told)} segments. States: {', '.join(states) or 'none'}."


def _heads(columns: Columns, height: float) -> Iterator[Markup]:
    for lane in columns.lanes:
        middle = (lane.left + lane.right) / 2
        for x in sorted({lane.left, lane.right}):
            kind = "lane between" if lane.passes_on else "lane"
            yield tag("line", x1=x, x2=x, y1=HEAD - 6, y2=height + HEAD, class_=kind)
        words = f"{lane.name} {lane.side}".strip()
        yield tag("text", words, x=middle, y=15.0, class_="host", text_anchor="middle")


def _background(scene: Scene, columns: Columns, layout: SectionLayout) -> Iterator[Markup]:
    for fold in layout.placed.folds:
        yield _fold(columns, layout, fold)
    yield from _bands(scene, columns, layout)
    for gap, mark in layout.left_out:
        length = duration((gap.end - gap.start) / NANOSECONDS)
        words = f"{gap.count:,} segments in {length} are left out; the captures have them"
        middle = (columns.lanes[0].right + columns.lanes[-1].left) / 2
        x, width = columns.lanes[0].right, columns.lanes[-1].left - columns.lanes[0].right
        box = tag("rect", x=x, y=mark.y - 15, width=width, height=30, class_="left-out")
        yield tag(
            "g",
            box,
            tag("text", words, x=middle, y=mark.y + 4, text_anchor="middle"),
            class_="omission",
        )


def _fold(columns: Columns, layout: SectionLayout, fold: Fold) -> Markup:
    length = duration((fold.end - fold.start) / NANOSECONDS)
    busy = any(gap.start < fold.end and gap.end > fold.start for gap, _ in layout.left_out)
    words = f"{length}, not drawn to scale" if busy else f"{length} of silence"
    middle = (columns.lanes[0].right + columns.lanes[-1].left) / 2
    box = tag("rect", x=AXIS, y=fold.y - 11, width=columns.width - AXIS - 4, height=22)
    return tag(
        "g", box, tag("text", words, x=middle, y=fold.y + 4, text_anchor="middle"), class_="fold"
    )


def _bands(scene: Scene, columns: Columns, layout: SectionLayout) -> Iterator[Markup]:
    """A rule is a hatched band along its host's lane as long as it is in force."""
    placed, section = layout.placed, layout.section
    taken: dict[str, int] = {}
    for band in scene.bands:
        lane = columns.lane_of_host(band.host)
        if lane is None or band.end <= section.start or band.start >= section.end:
            continue
        top = placed.y(band.start) if band.start > section.start else 0.0
        bottom = placed.y(band.end) if band.end < section.end else placed.height
        place = taken[band.host] = taken.get(band.host, -1) + 1
        x = lane.left - 9 - 7 * place if lane.on_the_left else lane.right + 2 + 7 * place
        said = f"{band.host}: iptables {band.line}, in force"
        yield tag(
            "rect",
            tag("title", said),
            x=x,
            y=top,
            width=6.0,
            height=max(bottom - top, 2.0),
            class_="band",
        )


def _axis(scene: Scene, layout: SectionLayout) -> Iterator[Markup]:
    placed = layout.placed
    yield tag("line", x1=AXIS, x2=AXIS, y1=0, y2=placed.height, class_="axis")
    for top, bottom in placed.scaled:
        yield tag("line", x1=AXIS, x2=AXIS, y1=top, y2=bottom, class_="axis scaled")
    for fold in placed.folds:
        zigzag = f"M{AXIS:g} {fold.y - 11:g}l-4 4l8 5l-8 5l4 4v4"
        yield tag("path", d=zigzag, class_="zigzag")
    for time, y in _labels(layout):
        text = f"{since_start(scene.timeline, time):.6f}"
        yield tag("text", text, x=AXIS - 6, y=y + 3.5, class_="time", text_anchor="end")


def _labels(layout: SectionLayout) -> list[tuple[int, float]]:
    """Times beside the axis: the segments' first, others where there is room."""
    wanted = [arrow.start for arrow in layout.arrows]
    wanted += [note.mark for note in layout.notes]
    folded = [fold.y for fold in layout.placed.folds]
    kept: list[tuple[int, float]] = []
    for mark in wanted:
        others = [y for _, y in kept] + folded
        if (
            all(abs(mark.y - y) >= LABEL_APART for y in others)
            or mark in wanted[: len(layout.arrows)]
        ):
            kept.append((mark.time, mark.y))
    return kept


def _notes(columns: Columns, layout: SectionLayout) -> Iterator[Markup]:
    for placed in layout.notes:
        lane = columns.lane_of_host(placed.note.host)
        said = tag("title", placed.note.text)
        y = placed.mark.y
        if lane is None or lane.notes is None:
            middle = (columns.lanes[0].right + columns.lanes[-1].left) / 2
            text = tag("text", placed.lines[0], x=middle, y=y, text_anchor="middle")
            yield tag("g", said, text, class_=f"note {placed.note.kind}")
            continue
        x, _ = lane.notes
        lines = [
            tag("tspan", line, x=x + 9, dy=0 if number == 0 else "12.5")
            for number, line in enumerate(placed.lines)
        ]
        edge = tag("line", x1=x + 3, x2=x + 3, y1=y - 9, y2=y + 12.5 * (len(lines) - 1) + 3)
        text = tag("text", joined(lines), x=x + 9, y=y)
        yield tag("g", said, edge, text, class_=f"note {placed.note.kind}")
