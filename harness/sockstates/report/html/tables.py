"""The parts of a page that are tables: packets as tcpdump prints them, events, circumstances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from sockstates.record.events import CallBegan, HostReady, Step
from sockstates.record.timeline import Timeline
from sockstates.report.clock import moment
from sockstates.report.html.markup import Markup, joined, tag
from sockstates.report.html.scene import Scene
from sockstates.report.html.segments import lost_text
from sockstates.report.story import Sent, set_by_scenario
from sockstates.report.words import event_text
from sockstates.tcp.notation import format_segment

MOST_PACKETS = 1200
MOST_EVENTS = 2000
LONGEST_EVENT = 400


def packet_table(scene: Scene) -> Markup:
    """The segments as ``tcpdump -nn`` prints them, with the hosts' names.

    The middle of very many is left out, and said to be.
    """
    if not scene.every:
        return tag("p", "No TCP segment was captured.")
    rows = [_packet(scene, sent) for sent in _ends(scene.every, MOST_PACKETS)]
    left = len(scene.every) - len(rows)
    if left:
        words = f"{left:,} segments are left out here; the captures have them all."
        rows.insert(MOST_PACKETS // 2, tag("tr", tag("td", words, colspan=4), class_="left-out"))
    return _table(("No.", "Seconds", "Remark", "Segment"), rows, "packets")


def _ends(whole: Sequence[Sent], most: int) -> list[Sent]:
    if len(whole) <= most:
        return list(whole)
    return [*whole[: most // 2], *whole[-most // 2 :]]


def _packet(scene: Scene, sent: Sent) -> Markup:
    names = scene.timeline.names
    text = format_segment(sent.segment, lambda end: names.host(end.ip), sent.origin)
    marks = []
    if sent.first is not None:
        marks.append(tag("span", f"again ({sent.first + 1})", class_="mark again"))
    loss = sent.loss
    if loss is not None:
        word = "stopped" if loss.rule else "lost"
        marks.append(tag("span", word, class_="mark lost", title=lost_text(loss)))
    marks += [tag("span", each, class_="mark") for each in sent.numbered.remarks]
    if sent.numbered.tls:
        told = sent.numbered.tls_details
        marks.append(tag("span", sent.numbered.tls, class_="mark tls", title=told))
    time = moment(scene.timeline, sent.segment.time).strip()
    cells = [sent.place + 1, time, joined(marks), text]
    return tag("tr", *(tag("td", cell) for cell in cells))


def _table(heads: Iterable[str], rows: Iterable[Markup], kind: str) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", each, scope="col") for each in heads)))
    table = tag("table", head, tag("tbody", *rows), class_=kind)
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=kind)


def event_table(timeline: Timeline) -> Markup:
    """What every witness recorded, in words and in order."""
    began = {event.call: event for event in timeline.events if isinstance(event, CallBegan)}
    events = sorted(timeline.events, key=lambda event: event.time)
    rows = []
    for event in islice(events, MOST_EVENTS):
        text = event_text(timeline, event, began)[:LONGEST_EVENT]
        cells = moment(timeline, event.time).strip(), event.host, type(event).__name__, text
        kind = "said" if isinstance(event, Step) else None
        rows.append(tag("tr", *(tag("td", cell) for cell in cells), class_=kind))
    left = len(events) - len(rows)
    if left:
        words = f"{left:,} later events are left out here; the timeline's file has them all."
        rows.append(tag("tr", tag("td", words, colspan=4), class_="left-out"))
    return _table(("Seconds", "Host", "Witnessed", "What"), rows, "events")


def circumstances(timeline: Timeline, versions: Mapping[str, str]) -> Markup:
    """Kernel, versions, addresses, and every host's settings."""
    hosts = [
        tag("li", tag("b", host), f" {', '.join(addresses)}")
        for host, addresses in timeline.names.addresses.items()
    ]
    about = [
        item for name, value in versions.items() for item in (tag("dt", name), tag("dd", value))
    ]
    changed = [tag("li", tag("code", line)) for line in set_by_scenario(timeline)]
    return tag(
        "div",
        tag("div", tag("h3", "Versions"), tag("dl", *about)),
        tag("div", tag("h3", "Hosts"), tag("ul", *hosts)),
        tag(
            "div",
            tag("h3", "Set by the scenario"),
            tag("ul", *changed) if changed else tag("p", "Nothing: as in every lab."),
        ),
        class_="circumstances",
    )


def settings(timeline: Timeline) -> Markup:
    """The sysctls in force at the beginning: one column where all hosts agree."""
    ready = [event for event in timeline.events if isinstance(event, HostReady)]
    names = list(dict.fromkeys(name for event in ready for name in event.sysctls))
    rows = []
    for name in names:
        values = {event.host: event.sysctls.get(name, "not there") for event in ready}
        same = len(set(values.values())) == 1
        said = (
            next(iter(values.values()))
            if same
            else "; ".join(f"{host}: {value}" for host, value in values.items())
        )
        rows.append(tag("tr", tag("td", tag("code", name)), tag("td", tag("code", said))))
    return _table(("Setting", "Value"), rows, "settings")
