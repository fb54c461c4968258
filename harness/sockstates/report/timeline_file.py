"""A timeline as a file, ``timeline.jsonl``, and back: what is read is judged and drawn as live.

The first line describes the lab and says who recorded it; each further line is one event, ordered
by time. The frames lie beside the file, as pcapng, one capture for each host. docs/timeline.md
describes the format. Versions: whatever a reader of an older one would misunderstand raises the
number. The module never judges what it reads.
"""

from __future__ import annotations

import json
import platform
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TextIO

from sockstates.captures.file import CaptureFile, NotACapture
from sockstates.record.events import Event
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import Timeline
from sockstates.report.json_values import (
    ValueRefused,
    from_json,
    object_from_json,
    public_fields,
    to_json,
)
from sockstates.system import system_text

FORMAT = "sockstates timeline"
VERSION = 1
NAME = "timeline.jsonl"
PACKAGES = ("sockstates", "pytest", "pyroute2", "psutil", "scapy")
EVENT_CLASSES: dict[str, type] = {each.__name__: each for each in typing.get_args(Event)}
"""By the word that stands in a line's ``event``."""

_ELSEWHERE = frozenset({"events", "frames", "chosen"})
"""Of a timeline, what does not stand in the header."""


class TimelineFileError(ValueError):
    """A file is no timeline that can be read; the message names file and line and says why."""


@dataclass(frozen=True, slots=True)
class SavedCapture:
    """The capture of one host: the file's name, beside the timeline, and its number of frames."""

    file: str
    frames: int


@dataclass(frozen=True, slots=True)
class Header:
    """A file's first line. `timeline` are the fields of a Timeline, without events and frames."""

    format: str
    version: int
    recorded_by: dict[str, str] = field(default_factory=dict)
    """Kernel, machine, python and packages with their versions."""
    captures: dict[str, SavedCapture] = field(default_factory=dict)
    timeline: dict[str, Any] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """What runs here: kernel, machine, python and the packages that a lab is made with."""
    found = {
        "kernel": system_text(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_timeline(timeline: Timeline, path: Path | str | TextIO) -> None:
    """Write everything but the frames to a new file; OSError where that cannot be.

    It says that each host's frames lie in ``<host>.pcapng`` beside it, where
    :func:`sockstates.report.folder.write_folder` puts them.
    """
    captures = {
        host: SavedCapture(f"{host}.pcapng", len(frames))
        for host, frames in timeline.frames.items()
    }
    about = {
        name: to_json(getattr(timeline, name))
        for name in public_fields(Timeline)
        if name not in _ELSEWHERE
    }
    header = Header(FORMAT, VERSION, versions(), captures, about)
    order = sorted(enumerate(timeline.events), key=lambda each: each[1].time)
    lines = [to_json(header), *(_line(recorded, event) for recorded, event in order)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    if isinstance(path, Path | str):
        Path(path).write_text(text, encoding="ascii")
    else:
        path.write(text)


def _line(recorded: int, event: Event) -> dict[str, Any]:
    """An event's line: time and kind first, for whoever reads along."""
    values = to_json(event)
    return {
        "time": values.pop("time"),
        "event": type(event).__name__,
        **values,
        "recorded": recorded,
    }


def read_header(path: Path | str) -> Header:
    """The first line of a timeline's file. Raises TimelineFileError, OSError."""
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
        return _header(Path(path), file.readline())


def is_timeline(path: Path | str) -> bool:
    """Whether a file says in its first line that it is a timeline, of whatever version."""
    with Path(path).open("rb") as file:
        return file.read(len(FORMAT) + 40).startswith(f'{{"format": "{FORMAT}"'.encode())


def read_timeline(path: Path | str) -> Timeline:
    """The timeline in a file, with the frames of the captures beside it.

    Raises TimelineFileError, which says what is wrong and in which line, and OSError.
    """
    path = Path(path)
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        header = _header(path, file.readline())
        timeline = _described(path, header)
        recorded = sorted(_events(path, file), key=lambda each: each[0])
    for _, event in recorded:
        timeline.add(event)
    for host, capture in header.captures.items():
        _add_frames(timeline, host, capture, path)
    return timeline


def _header(path: Path, line: str) -> Header:
    values = _object(path, 1, line)
    if values.get("format") != FORMAT:
        raise TimelineFileError(
            f'{path} is not a timeline: its first line lacks "format": "{FORMAT}"'
        )
    if values.get("version") != VERSION:
        raise TimelineFileError(
            f"{path} is a timeline of version {values.get('version')!r}; this sockstates reads "
            f"version {VERSION}. Recorded by: {values.get('recorded_by')}"
        )
    try:
        header: Header = object_from_json(Header, values)
    except ValueRefused as error:
        raise TimelineFileError(f"{path}, line 1: {error}") from None
    return header


def _described(path: Path, header: Header) -> Timeline:
    """The timeline that the header describes, still without events."""
    kinds = {name: kind for name, kind in public_fields(Timeline).items() if name not in _ELSEWHERE}
    given: dict[str, Any] = {}
    for name, value in header.timeline.items():
        if name not in kinds:
            raise TimelineFileError(f"{path}, line 1: a timeline has no {name!r}")
        try:
            given[name] = from_json(kinds[name], value)
        except ValueRefused as error:
            raise TimelineFileError(f"{path}, line 1: {name!r}: {error}") from None
    return Timeline(**given)


def _events(path: Path, lines: typing.Iterable[str]) -> Iterator[tuple[int, Event]]:
    """Every event with its place in the order of recording; its place in the file without one."""
    for number, line in enumerate(lines, start=2):
        values = _object(path, number, line)
        kind = values.pop("event", None)
        recorded = values.pop("recorded", number)
        if kind not in EVENT_CLASSES:
            known = ", ".join(EVENT_CLASSES)
            raise TimelineFileError(
                f"{path}, line {number}: there is no event {kind!r} in version {VERSION}: {known}"
            )
        try:
            event = object_from_json(EVENT_CLASSES[kind], values)
            place: int = from_json(int, recorded)
        except ValueRefused as error:
            raise TimelineFileError(f"{path}, line {number}: {error}") from None
        yield place, event


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        shown = line.rstrip("\n")[:60]
        raise TimelineFileError(f"{path}, line {number}: {error}: {shown!r}") from None
    if not isinstance(values, dict):
        raise TimelineFileError(f"{path}, line {number}: it is not a JSON object")
    return values


def _add_frames(timeline: Timeline, host: str, saved: SavedCapture, path: Path) -> None:
    beside = path.parent / Path(saved.file).name
    try:
        capture = CaptureFile(beside)
    except FileNotFoundError:
        raise TimelineFileError(
            f"{path} needs {beside.name} beside it: the frames that {host} captured are there"
        ) from None
    except NotACapture as error:
        raise TimelineFileError(f"{beside} is not a capture file: {error}") from None
    timeline.frames[host] = []
    timeline.add_frames(host, read_frames(capture))
    found = len(timeline.frames[host])
    if found != saved.frames:
        because = "".join(f"; {remark}" for remark in capture.found.remarks)
        raise TimelineFileError(
            f"{beside} has {found} frames, the timeline was recorded with {saved.frames}{because}"
        )


def read_frames(capture: CaptureFile) -> Iterator[CapturedFrame]:
    """The frames of a capture of ours, which says of each whether it came or went."""
    for time, interface, data, length, direction in capture.records():
        way: Literal["in", "out"] = "in" if direction == "in" else "out"
        yield CapturedFrame(time, capture.found.interfaces[interface].name, way, data, length)
