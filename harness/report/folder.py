"""A scenario's evidence as files: captures of each host and of all, the timeline, the ladder."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.evidence.events import CaptureChosen, FramesLost, HostReady
from harness.evidence.timeline import Timeline
from harness.report.capture_comments import comments, remarks
from harness.report.pcapng import CaptureInterface, Section, write_pcapng
from harness.report.terminal import harmless
from harness.report.text import ladder, states_table, text_timeline
from harness.report.timeline_file import NAME, write_timeline
from harness.system import system_text

LADDER_WIDTH = 100
ALL_HOSTS = "all_hosts.pcapng"
"""No host can have this name."""


def write_folder(timeline: Timeline, folder: Path) -> None:
    """Write the evidence into `folder`, which is made where it is missing.

    timeline.txt has everything in words, timeline.jsonl for programs, ladder.txt the diagram;
    <host>.pcapng every frame of a host for tcpdump, tshark and Wireshark, all_hosts.pcapng those
    of all hosts, each where it was sent and where it arrived; <host>.capture-<number>.pcapng what a
    capture that the scenario chose kept. Errors: OSError, with the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "timeline.txt", text_timeline(timeline) + "\n")
    diagram = f"{ladder(timeline, width=LADDER_WIDTH)}\n\n{states_table(timeline)}\n"
    _write(folder / "ladder.txt", diagram)
    write_timeline(timeline, folder / NAME)
    hosts = _captured_hosts(timeline)
    for host in hosts:
        write_capture(timeline, [host], folder / f"{host}.pcapng")
    write_capture(timeline, hosts, folder / ALL_HOSTS)
    for event in timeline.events:
        if isinstance(event, CaptureChosen) and event.change == "began":
            _write_chosen(timeline, event, folder / f"{event.host}.capture-{event.number}.pcapng")


def _write(path: Path, text: str) -> None:
    """UTF-8; octets of a program that are no character are written in hexadecimal."""
    path.write_text(harmless(text), encoding="utf-8", errors="backslashreplace")


def _captured_hosts(timeline: Timeline) -> list[str]:
    ready = [event.host for event in timeline.events if isinstance(event, HostReady)]
    return list(dict.fromkeys([*ready, *timeline.frames]))


def write_capture(timeline: Timeline, hosts: Sequence[str], path: Path) -> None:
    """Write what these hosts captured, by time when there are several.

    Steps, states, rules and settings are comments on the frames that follow them. Errors: OSError.
    """
    frames = [frame for host in hosts for frame in timeline.frames.get(host, [])]
    if len(hosts) > 1:
        frames.sort(key=lambda frame: frame.time)
    said = remarks(timeline, hosts)
    about = [timeline.title, *(() if frames else [each.text for each in said])]
    interfaces = []
    for host in hosts:
        own = _interfaces(timeline, host)
        lost = _lost(timeline, host)
        if lost and len(own) > 1:
            about.append(f"The capture on {host} lost {lost} frames, of all interfaces together.")
        interfaces += own
    section = Section(platform.machine(), system_text(), comment="\n".join(about))
    write_pcapng(path, frames, interfaces, comments(frames, said), section)


def _write_chosen(timeline: Timeline, chosen: CaptureChosen, path: Path) -> None:
    """Write what a capture of the scenario's own kept, with what it asked for."""
    frames = timeline.chosen.get(chosen.number, [])
    names = dict.fromkeys(frame.interface for frame in frames)
    about = f"direction {chosen.direction}, interface {chosen.interface}"
    interfaces = [
        CaptureInterface(name, about, filter=chosen.expression)
        for name in names or [f"{chosen.host}:{chosen.interface}"]
    ]
    section = Section(comment=f"{timeline.title}\n{chosen.expression}\n{about}")
    write_pcapng(path, frames, interfaces, section=section)


def _lost(timeline: Timeline, host: str) -> int:
    """Frames that the capture of a host lost."""
    return sum(
        event.count
        for event in timeline.events
        if isinstance(event, FramesLost)
        and event.host == host
        and not (event.chosen or event.on_the_way)
    )


def _interfaces(timeline: Timeline, host: str) -> list[CaptureInterface]:
    """The host's interfaces that saw frames, with counts where the kernel's are an interface's own.

    The kernel counts losses for a whole capture; with one interface they are that interface's.
    """
    frames, lost = timeline.frames.get(host, []), _lost(timeline, host)
    counts = Counter(frame.interface for frame in frames) or Counter({f"{host}:eth0": 0})
    if len(counts) > 1 and lost:
        return [CaptureInterface(name) for name in counts]
    return [
        CaptureInterface(name, received=count + lost, dropped=lost)
        for name, count in counts.items()
    ]
