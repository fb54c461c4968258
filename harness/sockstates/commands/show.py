"""``sockstates show FILE``: the ladder of a capture from anywhere, or of a saved timeline.

What a capture cannot tell is said beside what it tells. A capture of many connections gives a
table of them first. Nothing here needs a lab, root, or Linux.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sockstates.captures.file import CaptureFile, NotACapture, Sieve
from sockstates.captures.libpcap import FileFilter, FilterRefused
from sockstates.captures.pcapng_reader import Findings
from sockstates.captures.survey import Survey, survey
from sockstates.captures.view import WHOLE, capture_timeline, captured_hosts
from sockstates.record.events import NANOSECONDS
from sockstates.record.timeline import Timeline
from sockstates.report.clock import duration
from sockstates.report.connections_table import connections_table, interest, legend
from sockstates.report.states import states_table
from sockstates.report.text import ladder
from sockstates.report.timeline_file import TimelineFileError, read_timeline
from sockstates.report.tls_words import tls_problems
from sockstates.tcp.connection import Connection
from sockstates.tcp.headers import SYN
from sockstates.tcp.inference import Inferred, infer_states
from sockstates.tcp.links import COOKED_2
from sockstates.tcp.marks import Mark

HANDFUL = 4
"""So many connections are drawn at once; of more a table comes first."""
ROWS = 30
"""Connections in the table."""
MOST = 1000
"""Segments drawn of each capture point."""
NAMED = 4
"""Interfaces that are named where there are many."""
NARROWEST, WIDTH_OF_A_FILE, WIDEST = 60, 100, 1000
LONGEST_NAME = 60
"""Of what is asked for and is not there, so much is repeated."""
NOTHING_TO_SHOW = 1


class CannotShow(Exception):
    """Nothing can be drawn; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    file: Path
    connection: str
    most: int
    table: bool
    width: int
    filter: str | None = None


def main(arguments: Sequence[str]) -> int:
    """Show a file; the exit status: 0, or 1 when there is nothing to show, 2 for wrong usage."""
    wish = _read(arguments)
    try:
        for text in show(wish):
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except (CannotShow, TimelineFileError) as reason:
        sys.stderr.write(f"{wish.file}: {reason}\n")
        return NOTHING_TO_SHOW
    except BrokenPipeError:
        # Whoever reads has seen enough; what is still buffered must not be complained about.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"{wish.file}: {error.strerror or error}\n")
        return NOTHING_TO_SHOW
    return 0


def _read(arguments: Sequence[str]) -> Wish:
    parser = argparse.ArgumentParser(
        prog="sockstates show", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("file", type=Path, help="a pcap or pcapng file, or a timeline.jsonl")
    parser.add_argument(
        "--connection",
        default="",
        metavar="WHICH",
        help="its number in the table, or a part of its addresses and ports: 3, 10.0.0.1.443",
    )
    parser.add_argument(
        "--filter",
        metavar="EXPRESSION",
        help="only frames that it is true of, in tcpdump's words: 'host 10.0.0.1 and port 443'",
    )
    parser.add_argument(
        "--most", type=int, default=MOST, metavar="N", help=f"segments to draw at most ({MOST})"
    )
    parser.add_argument("--table", action="store_true", help="the table only")
    parser.add_argument("--width", type=int, default=0, help="columns; the terminal's by default")
    chosen = parser.parse_args(arguments)
    width = chosen.width or shutil.get_terminal_size((WIDTH_OF_A_FILE, 0)).columns
    return Wish(
        chosen.file,
        chosen.connection,
        max(1, chosen.most),
        chosen.table,
        min(max(NARROWEST, width), WIDEST),
        chosen.filter,
    )


def show(wish: Wish) -> Iterator[str]:
    """What there is to say, piece by piece. Raises CannotShow, TimelineFileError, OSError."""
    if wish.file.is_dir():
        raise CannotShow("it is a folder; give a capture or a timeline.jsonl in it")
    if wish.file.suffix == ".jsonl":
        if wish.filter is not None:
            raise CannotShow("a filter sifts a capture; give a pcapng file that lies beside it")
        timeline = read_timeline(wish.file)
        yield from _drawn(timeline, wish, _inferred(timeline) if not _has_states(timeline) else [])
        if _has_states(timeline):
            yield f"\n{states_table(timeline, width=wish.width)}"
        return
    try:
        capture = CaptureFile(wish.file, None if wish.filter is None else sieve(wish.filter))
    except NotACapture as refusal:
        raise CannotShow(
            f"{refusal}. Only pcap, pcapng and timeline.jsonl files can be shown"
        ) from None
    yield from _show_capture(capture, wish)


def sieve(expression: str) -> Sieve:
    """What lets through the frames that a filter expression is true of, whatever their link type.

    It raises CannotShow for an expression that does not compile, OSError without libpcap.
    """
    filters: dict[int, FileFilter] = {}

    def wanted(link_type: int, data: bytes, length: int) -> bool:
        if link_type not in filters:
            try:
                filters[link_type] = FileFilter(expression, link_type)
            except FilterRefused as refusal:
                raise CannotShow(str(refusal)) from None
        return filters[link_type].keeps(data, length)

    return wanted


def _show_capture(capture: CaptureFile, wish: Wish) -> Iterator[str]:
    seen = survey(capture)
    remarks = list(_remarks(capture, seen))
    if not seen.connections:
        nothing = "no TCP segment is in it"
        if wish.filter is not None:
            nothing += f" that the filter {wish.filter!r} is true of"
        raise CannotShow("; ".join([nothing, *remarks]))
    chosen = _chosen(seen.connections, wish.connection)
    yield _head(capture, seen)
    yield from _wrapped(remarks, wish.width)
    if wish.table or len(chosen) > HANDFUL:
        yield from _table(chosen, wish)
        return
    yield from _wrapped([remark for each in chosen for remark in _missing(each)], wish.width)
    timeline = capture_timeline(capture, seen.connections, chosen, wish.most)
    yield from _wrapped(tls_problems(timeline.wire), wish.width)
    yield ""
    inferred = _inferred(timeline)
    yield from _drawn(timeline, wish, inferred)
    segments, drawn = sum(each.segments for each in chosen), len(timeline.wire)
    if segments > wish.most:
        yield f"\nthe first {drawn} of {segments} segments; --most {segments} draws them all"
    elif drawn < segments:
        yield f"\n! {segments - drawn} of the {segments} segments are not drawn"
    whole = segments <= wish.most
    known = {
        each.number: _of(each, seen.connections, timeline, inferred) for each in chosen if whole
    }
    yield f"\n{connections_table(chosen, wish.width, known)}"


def _of(
    connection: Connection,
    every: list[Connection],
    timeline: Timeline,
    inferred: list[Inferred],
) -> list[Inferred]:
    """What was inferred of a connection's ends until the next one of the same ends began.

    Under the names that the connection has for its ends. Its last segment may arrive after the
    moment at which it was sent.
    """
    own = timeline.rewritings.own
    ends = connection.source, connection.destination
    ways = {own(*way): way for way in (ends, ends[::-1])}
    later = (
        each.began
        for each in every
        if each.number > connection.number
        and {each.source, each.destination} == {connection.source, connection.destination}
    )
    until = next(later, None)
    return [
        replace(each, local=way[0], remote=way[1])
        for each in inferred
        if (way := ways.get(own(each.local, each.remote)))
        and connection.began <= each.segment.time
        and (until is None or each.segment.time < until)
    ]


def _wrapped(remarks: list[str], width: int) -> Iterator[str]:
    for remark in remarks:
        yield textwrap.fill(f"! {remark}", width, subsequent_indent="  ")


def _head(capture: CaptureFile, seen: Survey) -> str:
    count = len(seen.connections)
    text = f"{capture.path.name}: {seen.segments} segments of {count} TCP connection"
    return text + ("" if count == 1 else "s")


def _remarks(capture: CaptureFile, seen: Survey) -> Iterator[str]:
    """What could not be read, or was not captured."""
    yield from capture.found.remarks
    yield from _stamps(capture.found)
    if seen.malformed:
        yield f"{seen.malformed} frames contradict themselves or are cut short within their headers"
    if seen.carriers:
        named = ", ".join(f"{count} are {name}" for name, count in seen.carriers.most_common())
        yield f"frames that may carry TCP in what is not read here: {named}"
    for link_type, count in seen.not_read.items():
        yield f"{count} frames have link type {link_type}, which is not read here"
    if capture.has_copies:
        yield _copies(capture, seen)
    elif len(capture.found.interfaces) > 1 and not captured_hosts(capture):
        yield (
            f"captured on {_interfaces(capture.found)}: what passed two of them is in the file "
            "twice, and looks sent again"
        )


def _copies(capture: CaptureFile, seen: Survey) -> str:
    """How many segments lie in the file several times, and where these were captured."""
    places, copies = list(seen.copies.places), seen.copies
    found = capture.found.interfaces
    named = {
        int.from_bytes(link[4:8], "big")
        if found[index].link_type == COOKED_2
        else found[index].name or index
        for index, link, _ in places
    }
    hops = {hops for _, _, hops in places}
    where = []
    if len(named) > 1:
        where.append(f"on interfaces {_few(sorted(map(str, named)))}")
    if len(hops) > 1:
        where.append(f"with a TTL of {' and '.join(map(str, sorted(hops, reverse=True)))}")
    said = " ".join(where) or "at one place, with the same IP identification"
    return (
        f"{copies.several} of {seen.segments} segments were captured more than once, up to "
        f"{copies.most} times: {said}. Each is drawn once, when it was captured first"
    )


def _few(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])


def _interfaces(found: Findings) -> str:
    """``2 interfaces (wan:0, lan:1)``: the names of the first ones, and how many have none."""
    names = [each.name for each in found.interfaces if each.name]
    said = [_few(names)] if names else []
    unnamed = len(found.interfaces) - len(names)
    if unnamed:
        said.append(f"{unnamed} without a name")
    return f"{len(found.interfaces)} interfaces ({', '.join(said)})"


def _stamps(found: Findings) -> Iterator[str]:
    """What is wrong with the times at which frames are said to have been captured."""
    if found.backwards:
        yield (
            f"the file's stamps are not in order: {counted(found.stamped_early, 'frame')} "
            f"stamped up to {_exactly(found.backwards)} before a frame that comes earlier in the "
            "file; what is shown is in the order of the stamps"
        )
    if found.without_stamp:
        yield (
            f"{counted(found.without_stamp, 'frame')} without a stamp: each is shown at that of "
            "the frame before it"
        )


def _exactly(nanoseconds: int) -> str:
    """A duration that may be much shorter than what `duration` rounds to."""
    if nanoseconds < NANOSECONDS // 1000:
        return f"{nanoseconds / 1000:g} us"
    return duration(nanoseconds / NANOSECONDS)


def counted(count: int, noun: str) -> str:
    """``1 frame is``, ``3 frames are``."""
    return f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"


def _missing(connection: Connection) -> Iterator[str]:
    """What the capture lacks of a connection."""
    who = f"connection {connection.number}"
    if not (connection.first.flags | connection.second.flags) & SYN:
        yield f"{who} began before the capture: its numbers count from what was seen first"
    if not connection.second.segments:
        yield f"{who}: only what {connection.source.ip} sent was captured, or nobody answered"
    lost = connection.count(Mark.LOST_SEGMENT | Mark.ACK_LOST_SEGMENT)
    if lost:
        yield f"{who}: segments are missing in the capture in {lost} places"


def _chosen(connections: list[Connection], which: str) -> list[Connection]:
    """The connections that are meant. Raises CannotShow when there is none."""
    if not which:
        return connections
    if which.isdecimal() and len(which) < 10 and int(which) < len(connections):
        return [connections[int(which)]]
    ends = re.compile(rf"(?<![\w.:]){re.escape(which)}(?![\w:])")
    found = [
        each
        for each in connections
        if any(ends.search(f"{end.ip}.{end.port}") for end in (each.source, each.destination))
        or which in (str(each.source.port), str(each.destination.port))
    ]
    if not found:
        said = which if len(which) <= LONGEST_NAME else f"{which[:LONGEST_NAME]}..."
        raise CannotShow(
            f"none of its {len(connections)} connections is {said!r}: give a number below "
            f"{len(connections)}, an address, or address.port"
        )
    return found


def _table(connections: list[Connection], wish: Wish) -> Iterator[str]:
    shown = sorted(connections, key=interest, reverse=True)[:ROWS]
    yield ""
    yield connections_table(sorted(shown, key=lambda each: each.number), wish.width)
    if len(connections) > ROWS:
        yield f"and {len(connections) - ROWS} more, in which less went wrong"
    yield f"\n{legend(wish.width)}"
    yield f"\nTo see one: sockstates show {wish.file} --connection {shown[0].number}"


def _drawn(timeline: Timeline, wish: Wish, inferred: list[Inferred]) -> Iterator[str]:
    if not timeline.wire:
        raise CannotShow("no TCP segment is in it")
    yield ladder(timeline, width=wish.width, inferred=inferred)
    if inferred:
        yield "\n(STATE): inferred from the segments (RFC 9293), not seen; with ? only possible"


def _inferred(timeline: Timeline) -> list[Inferred]:
    """What both ends went through: each from the capture of its own host, where there is one."""
    if not timeline.names.addresses or set(timeline.frames) == {WHOLE}:
        return infer_states(timeline.wire)
    found = []
    for host, segments in timeline.arrived.items():
        found += [
            each
            for each in infer_states(segments, captured_at_host=True)
            if timeline.names.host(each.local.ip) == host
        ]
    return found


def _has_states(timeline: Timeline) -> bool:
    return next(timeline.endpoints(), None) is not None
