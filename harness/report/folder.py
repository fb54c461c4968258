"""A scenario's evidence as files: a capture for each host, the timeline and the ladder as text."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.evidence.events import FramesLost, HostReady, Step
from harness.evidence.frames import CapturedFrame
from harness.evidence.timeline import Timeline
from harness.report.pcapng import CaptureInterface, Section, write_pcapng
from harness.report.text import ladder, states_table, text_timeline

LADDER_WIDTH = 100


def write_folder(timeline: Timeline, folder: Path) -> None:
    """Write the evidence into `folder`, which is made where it is missing.

    timeline.txt has everything in words, ladder.txt the diagram, <host>.pcapng every frame of a
    host for tcpdump, tshark and Wireshark. Errors: OSError, with the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timeline.txt").write_text(text_timeline(timeline) + "\n", encoding="utf-8")
    diagram = f"{ladder(timeline, width=LADDER_WIDTH)}\n\n{states_table(timeline)}\n"
    (folder / "ladder.txt").write_text(diagram, encoding="utf-8")
    for host in _captured_hosts(timeline):
        write_capture(timeline, host, folder / f"{host}.pcapng")


def _captured_hosts(timeline: Timeline) -> list[str]:
    ready = [event.host for event in timeline.events if isinstance(event, HostReady)]
    return list(dict.fromkeys([*ready, *timeline.frames]))


def write_capture(timeline: Timeline, host: str, path: Path) -> None:
    """Write what one host captured; the steps are comments on the frames that follow them."""
    frames = timeline.frames.get(host, [])
    lost = sum(
        event.count
        for event in timeline.events
        if isinstance(event, FramesLost) and event.host == host
    )
    interfaces = _interfaces(host, frames, lost)
    remark = timeline.title
    if lost and len(interfaces) > 1:
        remark += f"\nThe capture lost {lost} frames, of all interfaces together."
    system = f"{platform.system()} {platform.release()}"
    section = Section(platform.machine(), system, comment=remark)
    write_pcapng(path, frames, interfaces, dict(_comments(timeline, frames)), section)


def _interfaces(host: str, frames: list[CapturedFrame], lost: int) -> list[CaptureInterface]:
    """The interfaces that saw frames, with counts where the kernel's are an interface's own.

    The kernel counts losses for a whole capture; with one interface they are that interface's.
    """
    counts = Counter(frame.interface for frame in frames) or Counter({f"{host}:eth0": 0})
    if len(counts) > 1 and lost:
        return [CaptureInterface(name) for name in counts]
    return [
        CaptureInterface(name, received=count + lost, dropped=lost)
        for name, count in counts.items()
    ]


def _comments(timeline: Timeline, frames: list[CapturedFrame]) -> Iterator[tuple[int, str]]:
    steps = timeline.steps()
    position = 0
    for index, frame in enumerate(frames):
        said: list[str] = []
        while position < len(steps) and steps[position].time <= frame.time:
            said.append(_said(steps[position]))
            position += 1
        if said:
            yield index, "\n".join(said)


def _said(step: Step) -> str:
    return f"Step: {step.text}"
