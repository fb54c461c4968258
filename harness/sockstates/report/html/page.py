"""The page of one scenario: its diagrams, packets, events and circumstances in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sockstates.record.events import NANOSECONDS
from sockstates.record.timeline import Timeline
from sockstates.report.clock import duration
from sockstates.report.html.claims import claim_links
from sockstates.report.html.columns import Columns
from sockstates.report.html.controls import switch
from sockstates.report.html.drawing import draw_section
from sockstates.report.html.layout import SectionLayout, marks_of, moments, settle
from sockstates.report.html.legend import legend
from sockstates.report.html.markup import Markup, page, tag
from sockstates.report.html.netstat import netstat_tables
from sockstates.report.html.results import INDEX_FILE, Result
from sockstates.report.html.scale import factor
from sockstates.report.html.scene import Scene, scene
from sockstates.report.html.tables import circumstances, event_table, packet_table, settings
from sockstates.report.rewriting_words import rewriting_lines
from sockstates.report.story import Story

STALE = (
    "This page is from an earlier run: the last run into this report did not run this scenario to "
    "its end."
)


def scenario_page(
    timeline: Timeline,
    result: Result,
    versions: Mapping[str, str],
    files: Iterable[str],
    sentences: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The whole document. `files`: names of the evidence files that lie beside it.

    sentences: what each claim of the ledger says, by its id; none where there is no ledger.
    """
    shown = scene(Story(timeline))
    columns = Columns(shown)
    body = tag(
        "main",
        _head(result, sentences),
        _message(result),
        tag("p", STALE, class_="stale-note", role="status"),
        tag(
            "section",
            tag("h2", "What happened"),
            legend(shown, columns),
            *_ladder(shown, columns),
            id="ladder",
        ),
        _folded("Packets, as tcpdump prints them", packet_table(shown), "packets", opened=True),
        _folded(
            "Sockets after each step, as netstat prints them", netstat_tables(timeline), "netstat"
        ),
        _folded("Everything that was recorded", event_table(timeline), "events"),
        _folded("Settings in force when it began", settings(timeline), "settings"),
        tag(
            "section",
            tag("h2", "Circumstances"),
            circumstances(timeline, versions),
            _files(files),
            id="circumstances",
        ),
    )
    readout = tag("div", class_="readout", id="readout", aria_hidden="true", hidden=True)
    return page(f"{result.title} ({result.verdict})", Markup(body + readout), script="scenario.js")


def _head(result: Result, sentences: Mapping[str, str]) -> Markup:
    when = datetime.fromtimestamp(result.when / NANOSECONDS, UTC)
    facts = [
        tag("span", result.verdict, class_=f"verdict {result.verdict}"),
        *(tag("span", word) for word in (result.family, duration(result.seconds)) if word),
        tag("span", f"{when:%Y-%m-%d %H:%M:%S} UTC"),
        *claim_links(result, sentences, "../"),
    ]
    bar = tag("nav", tag("a", "All scenarios", href=f"../{INDEX_FILE}"), switch())
    return tag(
        "header",
        bar,
        tag("h1", result.title),
        tag("p", *facts, class_="facts"),
        tag("p", tag("code", result.name), class_="name-of-test"),
    )


def _message(result: Result) -> Markup:
    if not result.message:
        return Markup("")
    heads = {"failed": "Why it failed", "skipped": "Why it was skipped"}
    head = heads.get(result.verdict, f"Why it is {result.verdict}")
    return tag("section", tag("h2", head), tag("pre", result.message, tabindex=0), class_="message")


def _ladder(shown: Scene, columns: Columns) -> Iterator[Markup]:
    layouts = [marks_of(shown, columns, section) for section in shown.sections]
    pixels = factor(moments(layout) for layout in layouts)
    for number, layout in enumerate(layouts, start=1):
        settle(layout, columns, pixels)
        yield _step(shown, columns, layout, number)
    for line in rewriting_lines(shown.timeline, shown.timeline.wire):
        yield tag("p", line, class_="left-out")
    yield from _left_out(shown)


def _step(shown: Scene, columns: Columns, layout: SectionLayout, number: int) -> Markup:
    title = layout.section.title
    head = tag("h3", tag("span", number, class_="number"), title) if title else Markup("")
    drawn = tag(
        "div",
        draw_section(shown, columns, layout, number),
        class_="wide",
        tabindex=0,
        role="region",
        aria_label=f"Ladder diagram {number}",
    )
    return tag("figure", head, drawn, class_="step")


def _left_out(shown: Scene) -> Iterator[Markup]:
    if shown.bars_left_out:
        words = f"The states of {shown.bars_left_out} more endpoints are below, not drawn."
        yield tag("p", words, class_="left-out")
    if shown.notes_left_out:
        words = f"{shown.notes_left_out} more calls and rules are below, not drawn."
        yield tag("p", words, class_="left-out")


def _folded(title: str, content: Markup, name: str, *, opened: bool = False) -> Markup:
    summary = tag("summary", tag("h2", title))
    return tag("details", summary, content, id=name, open=opened)


def _files(files: Iterable[str]) -> Markup:
    links = [tag("li", tag("a", name, href=name)) for name in files]
    if not links:
        return Markup("")
    return tag("div", tag("h3", "Files"), tag("ul", *links, class_="files"))
