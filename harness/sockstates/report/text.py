"""The timeline as text: a ladder diagram, a table of states, and the whole of it line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sockstates.record.events import NANOSECONDS, CallBegan, Event, HostReady, Step, SysctlSet
from sockstates.record.timeline import Timeline
from sockstates.report.clock import moment
from sockstates.report.ladder import ladder
from sockstates.report.states import states_table
from sockstates.report.story import Story, set_by_scenario
from sockstates.report.words import event_text, sysctl_text
from sockstates.tcp.icmp import IcmpError
from sockstates.tcp.notation import format_segment
from sockstates.tcp.segment import Segment
from sockstates.terminal import harmless_line

__all__ = ["changed_settings", "ladder", "states_table", "text_timeline"]

HOST_WIDTH = 10


def changed_settings(timeline: Timeline) -> list[str]:
    """What the scenario set otherwise than every lab has it: ``client: net.… = 8 (was 15)``."""
    return [
        f"{event.host}: {sysctl_text(event)}"
        for event in timeline.events
        if isinstance(event, SysctlSet)
    ]


def text_timeline(timeline: Timeline) -> str:
    """Everything: what the hosts are like, then what happened, a line each, by time.

    Segments are written as tcpdump prints them, at the time when their sender sent them.
    """
    lines: list[tuple[int, str]] = []
    for sent in Story(timeline).sent:
        segment, loss, numbered = sent.segment, sent.loss, sent.numbered
        text = format_segment(segment, lambda end: _host(timeline, end.ip), sent.origin)
        text += f"  [{numbered.tls_details}]" if numbered.tls else ""
        if loss:
            text += f"  [lost {f'in {loss.where}' if loss.where else 'on the way'}"
            text += f", by {loss.rule}]" if loss.rule else "]"
        lines.append((segment.time, _line(timeline, segment, _sender(timeline, segment), text)))
    for error in timeline.icmp_errors:
        names = timeline.names
        way = f"{names.host(error.source)} > {names.host(error.destination)}"
        about = f"{names.endpoint(error.sender)} > {names.endpoint(error.receiver)}"
        text = f"{way}: ICMP {error.reason}, for {about}"
        lines.append((error.time, _line(timeline, error, names.host(error.source), text)))
    began = {event.call: event for event in timeline.events if isinstance(event, CallBegan)}
    for event in timeline.events:
        lines.append((event.time, _event_line(timeline, event, began)))
    lines.sort(key=lambda line: line[0])
    return "\n".join([*_header(timeline), "", *(text for _, text in lines)])


def _host(timeline: Timeline, ip: str) -> str:
    return timeline.names.host(ip)


def _sender(timeline: Timeline, segment: Segment) -> str:
    return _host(timeline, segment.source.ip)


def _event_line(timeline: Timeline, event: Event, began: dict[int, CallBegan]) -> str:
    text = event_text(timeline, event, began)
    if isinstance(event, Step):
        return f"\n{moment(timeline, event.time)}  == {harmless_line(text)}"
    return _line(timeline, event, event.host, text)


def _line(timeline: Timeline, what: Event | Segment | IcmpError, host: str, text: str) -> str:
    return f"{moment(timeline, what.time)}  {host:<{HOST_WIDTH}}  {harmless_line(text)}"


def _header(timeline: Timeline) -> Iterator[str]:
    began = datetime.fromtimestamp(timeline.beginning() / NANOSECONDS, UTC)
    yield timeline.title or "a lab"
    yield ""
    yield f"began    {began:%Y-%m-%d %H:%M:%S.%f} UTC; times are seconds since then"
    for number, (host, addresses) in enumerate(timeline.names.addresses.items()):
        yield f"{'hosts' if number == 0 else '':<9}{host:<{HOST_WIDTH}}  {', '.join(addresses)}"
    changed = set_by_scenario(timeline)
    if changed:
        yield "changed  " + "\n         ".join(changed)
    yield from _settings(timeline)


def _settings(timeline: Timeline) -> Iterator[str]:
    """The settings in force at the beginning: once where all hosts agree."""
    ready = [event for event in timeline.events if isinstance(event, HostReady)]
    names = dict.fromkeys(name for event in ready for name in event.sysctls)
    if names:
        yield "settings in force when the scenario began"
    for name in names:
        values = {event.host: event.sysctls.get(name, "not there") for event in ready}
        if len(set(values.values())) == 1:
            yield f"         {name} = {next(iter(values.values()))}"
        else:
            yield from (f"         {host}: {name} = {value}" for host, value in values.items())
