"""What the signs in the diagrams mean: only those that occur, so that it stays short."""

from __future__ import annotations

from collections.abc import Iterator

from sockstates.report.html.columns import Columns
from sockstates.report.html.markup import Markup, tag
from sockstates.report.html.scene import Scene


def legend(scene: Scene, columns: Columns) -> Markup:
    """A list of small drawings with their meanings."""
    entries = [tag("li", _drawing(parts), words) for parts, words in _entries(scene)]
    entries += [tag("li", _drawing([sign]), words) for sign, words in _letters(scene, columns)]
    about = (
        "Time runs downwards, in seconds since the scenario began. A segment's words are tcpdump's "
        "in short, its numbers counted from each connection's beginning; point at it, or move to "
        "it with the Tab and arrow keys, for all of it."
    )
    return tag(
        "details",
        tag("summary", "How to read it"),
        tag("p", about),
        tag("ul", *entries),
        class_="legend",
        open=True,
    )


def _letters(scene: Scene, columns: Columns) -> Iterator[tuple[Markup, str]]:
    """Which connection each letter stands for: who opened it, to whom."""
    named: set[str] = set()
    names = scene.timeline.names
    for sent in scene.every:
        ends = sent.segment.source, sent.segment.destination
        letter = columns.letter(*ends)
        if letter.isalpha() and letter not in named:
            named.add(letter)
            sign = tag("text", letter, x=28, y=13, class_="words letter", text_anchor="middle")
            yield sign, f"the connection {' > '.join(map(names.endpoint, ends))}"


def _drawing(parts: list[Markup]) -> Markup:
    return tag(
        "svg",
        *parts,
        class_="ladder sign",
        viewBox="0 0 56 18",
        width=56,
        height=18,
        aria_hidden="true",
    )


def _entries(scene: Scene) -> Iterator[tuple[list[Markup], str]]:
    shaft = tag("line", x1=2, y1=6, x2=54, y2=12, class_="shaft")
    head = tag("path", d="M54 12L45 7.5L46.5 11L44 15Z", class_="head")
    yield [tag("g", shaft, head, class_="segment")], "a segment, from its sender to its receiver"
    shown = scene.shown
    if any(sent.first is not None for sent in shown):
        comb = tag("path", d="M54 3h-8V14h8", class_="tie")
        yield (
            [tag("g", shaft, head, class_="segment again"), comb],
            "the same bytes sent again, tied to their first",
        )
    if any(sent.loss is not None for sent in shown):
        broken = tag("line", x1=2, y1=9, x2=32, y2=9, class_="shaft")
        cross = tag("g", tag("path", d="M28 4l9 9m0 -9l-9 9"), class_="break")
        yield [tag("g", broken, cross, class_="segment lost")], "a segment that did not arrive"
    if any(sent.numbered.tls for sent in shown):
        words = tag("text", "TLS", x=16, y=13, class_="words tls")
        yield [words], "the TLS records that end in a segment, by the names of what is in them"
    pieces = [piece for bar in scene.bars for piece in bar.pieces]
    if any(not piece.exact for piece in pieces):
        yield [_soft()], "a state as samples saw it: it began somewhere in the soft edge"
    if any(piece.exact for piece in pieces):
        solid = tag("rect", x=6, y=5, width=44, height=13, class_="solid")
        edge = tag("line", x1=6, x2=50, y1=5, y2=5, class_="edge")
        sign = tag("g", solid, edge, class_="state state-ESTABLISHED")
        yield [sign], "a state as the kernel's tracepoint told it: exactly from the edge on"
    if scene.inferred:
        stripe = tag("rect", x=26, y=1, width=4, height=16, class_="solid")
        sign = tag("g", stripe, class_="stripe state-ESTABLISHED")
        yield (
            [sign],
            "beside a state: what the segments alone prove; pale: make possible",
        )
    if scene.bands:
        yield [tag("rect", x=25, y=1, width=6, height=16, class_="band")], "a filter rule in force"
    yield from _time_signs()


def _soft() -> Markup:
    steps = [
        tag("rect", x=6, y=2 + 3 * each, width=44, height=3, class_="solid", opacity=0.2 * each)
        for each in range(1, 4)
    ]
    rest = tag("rect", x=6, y=14, width=44, height=4, class_="solid")
    return tag("g", *steps, rest, class_="state state-ESTABLISHED")


def _time_signs() -> Iterator[tuple[list[Markup], str]]:
    scaled = tag("line", x1=28, x2=28, y1=1, y2=17, class_="axis scaled")
    spread = tag("line", x1=28, x2=28, y1=1, y2=17, class_="axis")
    yield [scaled], "time to scale"
    yield [spread], "time spread out: this was closer together, but the words need room"
    yield [tag("path", d="M28 1l-4 4l8 5l-8 5l4 2", class_="zigzag")], "a long silence, folded"
