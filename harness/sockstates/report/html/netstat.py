"""The part of a page that shows each host's sockets at the end of each step, as netstat would."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sockstates.evidence.netstat import netstat_table
from sockstates.evidence.sockets_at import MomentNotRecorded, last_certain
from sockstates.record.timeline import Timeline
from sockstates.report.clock import moment
from sockstates.report.html.markup import Markup, tag

MOST_STEPS = 40
MOST_ROWS = 60
"""Lines of one table."""


def netstat_tables(timeline: Timeline) -> Markup:
    """A table for each host and step, taken when everything in it was certain, if it ever was."""
    hosts = [name for name in timeline.names.addresses if name not in timeline.between]
    parts: list[Markup] = []
    spans = list(_spans(timeline))
    for title, start, end in islice(spans, MOST_STEPS):
        tables = [table for host in hosts for table in _table(timeline, host, start, end)]
        if tables:
            parts += [tag("h3", title or "At the end"), *tables]
    if len(spans) > MOST_STEPS:
        words = f"{len(spans) - MOST_STEPS} more steps: sockstates netstat has them all."
        parts.append(tag("p", words, class_="left-out"))
    return tag("div", *parts) if parts else tag("p", "The sockets of no host were looked at.")


def _spans(timeline: Timeline) -> Iterator[tuple[str, int, int]]:
    """Each step's text, beginning and end (ns); all of it where there is no step."""
    end = max(timeline.sampled.values(), default=0)
    steps = timeline.steps()
    ends = [step.time for step in steps[1:]] + [end]
    if not steps:
        yield "", timeline.beginning(), end
    for step, until in zip(steps, ends, strict=True) if steps else ():
        yield step.text, step.time, until


def _table(timeline: Timeline, host: str, start: int, end: int) -> Iterator[Markup]:
    try:
        when = last_certain(timeline, host, start, end)
        text = netstat_table(timeline, host, when)
    except MomentNotRecorded:
        return
    lines = text.splitlines()
    if len(lines) > MOST_ROWS:
        lines[MOST_ROWS:] = [f"and {len(lines) - MOST_ROWS} more"]
    yield tag("h4", f"{host} at {moment(timeline, when).strip()} s")
    yield tag("pre", "\n".join(lines), class_="wide", tabindex=0)
