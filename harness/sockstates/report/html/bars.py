"""The bars of states beside the lanes: hard edges where a witness is exact, soft ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sockstates.evidence.bars import Bar, Piece
from sockstates.report.clock import since_start
from sockstates.report.html.columns import Columns
from sockstates.report.html.layout import LABEL, SectionLayout, listener_name
from sockstates.report.html.markup import Markup, tag
from sockstates.report.html.scene import Scene
from sockstates.tcp.states import CLOSED, State

SHORT = {
    State.SYN_SENT: "SYN-S",
    State.SYN_RECV: "SYN-R",
    State.ESTABLISHED: "ESTAB",
    State.FIN_WAIT1: "FIN-1",
    State.FIN_WAIT2: "FIN-2",
    State.TIME_WAIT: "TIME",
    State.CLOSE_WAIT: "CLS-W",
    State.LAST_ACK: "LAST",
    State.CLOSING: "CLSNG",
    State.LISTEN: "LISTEN",
    State.CLOSED: "CLOSED",
}
"""Names for bars that are narrow because there are many."""


def gradients(layout: SectionLayout, number: int) -> Markup:
    """For each pair of states that follow each other here: from one colour to the other."""
    pairs = dict.fromkeys(_soft(bar, piece) for bar, piece in layout.pieces if not piece.exact)
    return tag(
        "defs",
        *(
            tag(
                "linearGradient",
                tag("stop", offset=0, class_=f"stop-{before or 'none'}"),
                tag("stop", offset=1, class_=f"stop-{after}"),
                id=_gradient(number, before, after),
                x1=0,
                y1=0,
                x2=0,
                y2=1,
            )
            for before, after in pairs
        ),
    )


def _gradient(number: int, before: str, after: str) -> str:
    return f"soft{number}-{before or 'none'}-{after}"


def _soft(bar: Bar, piece: Piece) -> tuple[str, str]:
    index = bar.pieces.index(piece)
    before = bar.pieces[index - 1].state if index else ""
    return str(before), str(piece.state)


def draw_bars(
    scene: Scene, columns: Columns, layout: SectionLayout, number: int
) -> Iterator[Markup]:
    """Every piece of every bar that the section sees."""
    for bar, piece in layout.pieces:
        yield _piece(scene, columns, layout, (bar, piece), number)


def _piece(
    scene: Scene,
    columns: Columns,
    layout: SectionLayout,
    what: tuple[Bar, Piece],
    number: int,
) -> Markup:
    bar, piece = what
    placed, section = layout.placed, layout.section
    place = columns.bars[bar]
    begins = piece.start >= section.start
    top = placed.y(piece.start) if begins else 0.0
    last = piece.end >= section.end
    bottom = placed.height if last else placed.y(piece.end)
    bottom = max(bottom, top + LABEL if piece.state is CLOSED else top + 2)
    parts = [tag("title", _said(scene, bar, piece))]
    if begins and not piece.exact:
        soft = placed.y(piece.not_before) if piece.not_before >= section.start else 0.0
        if top - soft >= 1:
            fill = f"url(#{_gradient(number, *_soft(bar, piece))})"
            parts.append(
                tag(
                    "rect",
                    x=place.left,
                    y=soft,
                    width=place.width,
                    height=top - soft,
                    fill=fill,
                    class_="soft",
                )
            )
    parts.append(
        tag("rect", x=place.left, y=top, width=place.width, height=bottom - top, class_="solid")
    )
    if begins and piece.exact:
        parts.append(
            tag("line", x1=place.left, x2=place.left + place.width, y1=top, y2=top, class_="edge")
        )
    parts.append(_name(columns, bar, piece, (top, bottom)))
    kind = f"state state-{piece.state}"
    return tag("g", *parts, class_=kind, data_host=bar.key[0], data_state=piece.state)


def _name(columns: Columns, bar: Bar, piece: Piece, ends: tuple[float, float]) -> Markup:
    place, (top, bottom) = columns.bars[bar], ends
    middle = place.left + place.width / 2
    letter = columns.letter(bar.key[1], bar.key[2])
    if place.width < 30 and bottom - top > 44:
        return tag(
            "text",
            listener_name(bar, piece),
            class_="name",
            text_anchor="end",
            transform=f"translate({middle + 3.5:.1f} {top + 5:.1f}) rotate(-90)",
        )
    name = SHORT[piece.state] if place.width < 60 else str(piece.state)
    if place.width < 30:
        name = name[:1]
    elif letter:
        name = f"{letter} {name}"
    return tag("text", name, x=middle, y=top + 11, class_="name", text_anchor="middle")


def _said(scene: Scene, bar: Bar, piece: Piece) -> str:
    host, local, remote = bar.key
    names = scene.timeline.names
    to = f" to {names.endpoint(remote)}" if remote else ""
    since = since_start(scene.timeline, piece.start)
    by = (
        f"at {since:.6f} s"
        if piece.exact
        else (f"after {since_start(scene.timeline, piece.not_before):.6f} s, by {since:.6f} s")
    )
    return f"{host} {local.ip}.{local.port}{to}: {piece.state} {by}, say {piece.witness}"
