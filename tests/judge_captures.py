"""tshark as the judge of how connections are followed: every frame of a capture, field by field.

``python -m tests.judge_captures FOLDER`` compares all captures below a folder.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sockstates import Segment
from sockstates.captures.file import CaptureFile
from sockstates.tcp.connection import Direction
from sockstates.tcp.dissect import Malformed
from sockstates.tcp.following import Followed, Following
from sockstates.tcp.following_rules import FAST, TOLD
from sockstates.tcp.headers import read_segment
from sockstates.tcp.marks import SENT_AGAIN, Mark

ANALYSIS = {
    Mark.RETRANSMISSION: "retransmission",
    Mark.FAST_RETRANSMISSION: "fast_retransmission",
    Mark.SPURIOUS_RETRANSMISSION: "spurious_retransmission",
    Mark.OUT_OF_ORDER: "out_of_order",
    Mark.LOST_SEGMENT: "lost_segment",
    Mark.DUPLICATE_ACK: "duplicate_ack",
    Mark.ACK_LOST_SEGMENT: "ack_lost_segment",
    Mark.KEEP_ALIVE: "keep_alive",
    Mark.KEEP_ALIVE_ACK: "keep_alive_ack",
    Mark.ZERO_WINDOW: "zero_window",
    Mark.ZERO_WINDOW_PROBE: "zero_window_probe",
    Mark.ZERO_WINDOW_PROBE_ACK: "zero_window_probe_ack",
    Mark.WINDOW_UPDATE: "window_update",
    Mark.WINDOW_FULL: "window_full",
    Mark.REUSED_PORTS: "reused_ports",
}
NUMBERS = ("tcp.stream", "tcp.seq", "tcp.ack", "tcp.analysis.duplicate_ack_num")
FIELDS = ("frame.number", *NUMBERS, *(f"tcp.analysis.{name}" for name in ANALYSIS.values()))
Facts = dict[str, str]
When = Callable[[Direction, Direction, Segment], bool]
KNOWN_DIFFERENCES: dict[str, tuple[When, set[str]]] = {
    "tshark counts -1 duplicates where the peer acknowledged something uncaptured, and reads the "
    "count without its sign: any repetition within 20 ms is then taken for a fast one": (
        lambda _, there, segment: (
            there.duplicates == TOLD
            and there.acknowledged == segment.sequence
            and segment.time - there.acknowledged_at < FAST
        ),
        {"retransmission", "fast_retransmission", "out_of_order"},
    ),
    "tshark counts a SYN-ACK's new number from the RST that refused the SYN before it": (
        lambda here, there, _: here.renumbered or there.renumbered,
        set(ANALYSIS.values()) | {"duplicate_ack_num"},
    ),
    "tshark takes Linux's probe of a closed window, which has no byte, for a keep-alive": (
        lambda here, there, segment: (
            bool((here.marks | there.marks) & Mark.ZERO_WINDOW_PROBE) and not segment.length
        ),
        {"keep_alive", "keep_alive_ack", "zero_window_probe", "zero_window_probe_ack"},
    ),
    "tshark keeps 0 for a number that it does not know, so one that is 0 is not known to it": (
        lambda here, there, _: (
            0 in (here.next, here.contiguous, there.acknowledged, there.contiguous)
        ),
        set(ANALYSIS.values()) | {"duplicate_ack_num"},
    ),
}
"""Why tshark differs -> when, and in what."""


def judged(path: Path) -> dict[int, Facts]:
    """What tshark says of each frame with TCP, by the frame's number; empty fields left out."""
    command = ["tshark", "-r", "-", "-T", "fields", "-E", "separator=/t"]
    command += ["-E", "occurrence=f", "-Y", "tcp && !icmp && !icmpv6"]
    command += [f"-e{field}" for field in FIELDS]
    with path.open("rb") as file:
        ran = subprocess.run(command, stdin=file, capture_output=True, text=True, check=True)
    rows = (line.split("\t") for line in ran.stdout.splitlines())
    return {
        int(row[0]): {name: value for name, value in zip(FIELDS[1:], row[1:], strict=True) if value}
        for row in rows
    }


def followed(path: Path) -> dict[int, tuple[Facts, set[str]]]:
    """What we say of each frame with TCP, in tshark's words, and where tshark may differ."""
    capture, following = CaptureFile(path), Following()
    found = {}
    for number, (time, interface, data, _, _) in enumerate(capture.records(), start=1):
        try:
            segment = read_segment(data, time, capture.found.interfaces[interface].link_type)
        except Malformed:
            continue
        if segment is not None:
            before = excused(following, segment)
            found[number] = facts(following.of(segment)), before | excused(following, segment)
    return found


def excused(following: Following, segment: Segment) -> set[str]:
    """The fields in which tshark differs for a known reason; before or after the segment."""
    place = following.known.get((segment.source, segment.destination))
    if place is None:
        return set()
    _, here, there = place
    return {
        f"tcp.analysis.{name}"
        for holds, names in KNOWN_DIFFERENCES.values()
        if holds(here, there, segment)
        for name in names
    }


def facts(each: Followed) -> Facts:
    """What was found out about a segment, in tshark's words."""
    said = {"tcp.stream": str(each.connection.number), "tcp.seq": str(each.sequence)}
    # tshark prints the field also where ACK is not set and it means nothing.
    said["tcp.ack"] = "0" if each.acknowledgement is None else str(each.acknowledgement)
    if each.duplicate:
        said["tcp.analysis.duplicate_ack_num"] = str(each.duplicate)
    # tshark calls the two special kinds of retransmission by the general name too.
    marks = each.marks | (Mark.RETRANSMISSION if each.marks & SENT_AGAIN else Mark(0))
    return said | {f"tcp.analysis.{ANALYSIS[mark]}": "1" for mark in marks}


def judged_together(paths: Iterable[Path], joined: Path) -> Iterator[tuple[Path, dict[int, Facts]]]:
    """As `judged`, of each of these: many at a time, since tshark takes long to begin.

    Captures that have no address in common are one capture to tshark, put one behind the other: the
    sections of a pcapng file. Then its frames are counted on, and its connections.
    """
    groups: list[tuple[set[str], list[Path]]] = []
    for path in paths:
        ends = addresses(path)
        addressed, group = next((each for each in groups if not each[0] & ends), (set(), []))
        if not group:
            groups.append((addressed, group))
        addressed |= ends
        group.append(path)
    for _, group in groups:
        joined.write_bytes(b"".join(path.read_bytes() for path in group))
        yield from _taken_apart(judged(joined), group)


def addresses(path: Path) -> set[str]:
    """Every address between which a capture has TCP."""
    found: set[str] = set()
    capture = CaptureFile(path)
    for _, interface, data, _, _ in capture.records():
        with suppress(Malformed):
            segment = read_segment(data, 0, capture.found.interfaces[interface].link_type)
            if segment is not None:
                found |= {segment.source.ip, segment.destination.ip}
    return found


def _taken_apart(
    together: dict[int, Facts], paths: Iterable[Path]
) -> Iterator[tuple[Path, dict[int, Facts]]]:
    """What tshark said of captures put one behind the other, for each of them."""
    frames = streams = 0
    for path in paths:
        count = sum(1 for _ in CaptureFile(path).records())
        own = {
            number - frames: facts
            for number, facts in together.items()
            if frames < number <= frames + count
        }
        frames += count
        told = {int(each["tcp.stream"]) for each in own.values()}
        yield (
            path,
            {
                number: each | {"tcp.stream": str(int(each["tcp.stream"]) - streams)}
                for number, each in own.items()
            },
        )
        streams += len(told)


def disagreements(path: Path, theirs: dict[int, Facts] | None = None) -> Iterator[str]:
    """Each field of each frame in which tshark and we differ, in words.

    theirs: what tshark says, where that is known.
    """
    theirs, ours = judged(path) if theirs is None else theirs, followed(path)
    for number in sorted(theirs | ours):
        (mine, known), other = ours.get(number, ({}, set())), theirs.get(number, {})
        for field in sorted((mine | other).keys() - known):
            if mine.get(field) != other.get(field):
                yield (
                    f"{path} frame {number} {field}: tshark {other.get(field, 'nothing')}, "
                    f"we {mine.get(field, 'nothing')}"
                )


def main(folder: str) -> int:
    """Compare all captures below the folder; the number of differences, at most 1, as status."""
    paths = sorted(path for path in Path(folder).rglob("*.pcap*") if path.is_file())
    found = [text for path in paths for text in disagreements(path)]
    frames = sum(len(followed(path)) for path in paths)
    print(*found, sep="\n")
    print(f"{len(paths)} captures, {frames} segments, {len(found)} differences")
    return 0 if paths and frames and not found else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
