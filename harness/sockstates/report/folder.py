"""A scenario's evidence as files: captures of each host and of all, the timeline, the ladder.

Every file of a report is written through `Folder`.
"""

from __future__ import annotations

import errno
import io
import os
import platform
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sockstates.captures.pcapng_writer import CaptureInterface, Section, write_pcapng
from sockstates.record.events import CaptureChosen, FramesLost, HostReady
from sockstates.record.timeline import Timeline
from sockstates.report.capture_comments import comments, remarks
from sockstates.report.text import ladder, states_table, text_timeline
from sockstates.report.timeline_file import NAME, write_timeline
from sockstates.system import system_text
from sockstates.terminal import harmless

LADDER_WIDTH = 100
ALL_HOSTS = "all_hosts.pcapng"
"""No host can have this name."""
PROBE = ".sockstates-probe"
MOST_LINKS = 40
"""As many as the kernel follows; path_resolution(7)."""


class Folder:
    """A folder in which files are made anew, whoever else may write there.

    Root may be asked to write into somebody else's folder, and that user may put a symbolic link,
    a hard link or a FIFO in the place of a file, at any moment. So names are resolved one by one
    against descriptors, and never twice (openat(2)): on the way to the folder, links are followed
    only where root or this process's user made them, and below it none is. A file is removed and
    made anew (O_EXCL), never opened where it is. Errors: OSError, with the file.
    """

    def __init__(self, path: Path, *, make: bool = True, _descriptor: int | None = None) -> None:
        """Open the folder at `path`, and make it, and those above it, where they are missing."""
        self.path = path
        self._descriptor = _resolved(path, make=make) if _descriptor is None else _descriptor

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def below(self, name: str, *, make: bool = True) -> Folder:
        """A folder in this one; a link in its place is refused."""
        path = self.path / name
        with _named(path):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=self._descriptor)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            return Folder(path, _descriptor=os.open(name, flags, dir_fd=self._descriptor))

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        """A new file of that name, in the place of what was there."""
        with _named(self.path / name):
            self.remove(name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o666, dir_fd=self._descriptor)
            with open(descriptor, "wb") as file:
                yield file

    def write_text(self, name: str, text: str) -> None:
        """A new file in UTF-8; what cannot be encoded is written in hexadecimal."""
        with self.new(name) as file:
            file.write(text.encode("utf-8", "backslashreplace"))

    def read_text(self, name: str) -> str:
        """What is in a regular file of that name, in UTF-8."""
        with _named(self.path / name):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
            with open(descriptor, encoding="utf-8") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                return file.read()

    def remove(self, name: str) -> None:
        """Remove a file, or the link in its place, where there is one."""
        with _named(self.path / name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """What is in it."""
        with _named(self.path):
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._descriptor)
            try:
                return sorted(os.listdir(descriptor))
            finally:
                os.close(descriptor)

    def check(self) -> None:
        """See whether something can be written here, and leave nothing behind."""
        try:
            with self.new(PROBE) as file:
                file.write(bytes(1))
        finally:
            self.remove(PROBE)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an error name the whole path, not what is relative to a descriptor."""
    try:
        yield
    except OSError as error:
        if error.filename == str(path) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _resolved(path: Path, *, make: bool) -> int:
    """A descriptor of a folder, reached without following another user's link."""
    place = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = [*reversed(path.absolute().parts[1:])]
    links = 0
    try:
        with _named(path):
            while parts:
                name = parts.pop()
                found = _opened_in(place, name, make=make)
                kind = os.fstat(found)
                if stat.S_ISLNK(kind.st_mode):
                    links += 1
                    target = _target(found, kind.st_uid, links)
                    parts += reversed([part for part in target.split("/") if part])
                    if target.startswith("/"):
                        place = _instead(place, os.open("/", os.O_PATH | os.O_CLOEXEC))
                elif stat.S_ISDIR(kind.st_mode):
                    place = _instead(place, found)
                else:
                    os.close(found)
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError:
        os.close(place)
        raise
    return place


def _opened_in(place: int, name: str, *, make: bool) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=place)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=place)
        return os.open(name, flags, dir_fd=place)


def _target(link: int, owner: int, count: int) -> str:
    """Where a link leads that may be followed; closes its descriptor."""
    try:
        if owner not in (0, os.geteuid()):
            raise OSError(errno.ELOOP, f"it leads over a symbolic link of another user ({owner})")
        if count > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _instead(before: int, after: int) -> int:
    os.close(before)
    return after


def write_folder(timeline: Timeline, folder: Path) -> None:
    """Write the evidence into `folder`, which is made where it is missing.

    timeline.txt has everything in words, timeline.jsonl for programs, ladder.txt the diagram;
    <host>.pcapng every frame of a host for tcpdump, tshark and Wireshark, all_hosts.pcapng those
    of all hosts, each where it was sent and where it arrived; <host>.capture-<number>.pcapng what a
    capture that the scenario chose kept. Errors: OSError, with the file.
    """
    with Folder(folder) as opened:
        opened.write_text("timeline.txt", harmless(text_timeline(timeline) + "\n"))
        drawn = ladder(timeline, width=LADDER_WIDTH, calls=True)
        diagram = f"{drawn}\n\n{states_table(timeline)}\n"
        opened.write_text("ladder.txt", harmless(diagram))
        with opened.new(NAME) as file, io.TextIOWrapper(file, encoding="ascii") as text:
            write_timeline(timeline, text)
        hosts = _captured_hosts(timeline)
        for host in hosts:
            with opened.new(f"{host}.pcapng") as file:
                write_capture(timeline, [host], file)
        with opened.new(ALL_HOSTS) as file:
            write_capture(timeline, hosts, file)
        for event in timeline.events:
            if isinstance(event, CaptureChosen) and event.change == "began":
                with opened.new(f"{event.host}.capture-{event.number}.pcapng") as file:
                    _write_chosen(timeline, event, file)


def _captured_hosts(timeline: Timeline) -> list[str]:
    ready = [event.host for event in timeline.events if isinstance(event, HostReady)]
    return list(dict.fromkeys([*ready, *timeline.frames]))


def write_capture(timeline: Timeline, hosts: Sequence[str], file: BinaryIO) -> None:
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
    write_pcapng(file, frames, interfaces, comments(frames, said), section)


def _write_chosen(timeline: Timeline, chosen: CaptureChosen, file: BinaryIO) -> None:
    """Write what a capture of the scenario's own kept, with what it asked for."""
    frames = timeline.chosen.get(chosen.number, [])
    names = dict.fromkeys(frame.interface for frame in frames)
    about = f"direction {chosen.direction}, interface {chosen.interface}"
    interfaces = [
        CaptureInterface(name, about, filter=chosen.expression)
        for name in names or [f"{chosen.host}:{chosen.interface}"]
    ]
    section = Section(comment=f"{timeline.title}\n{chosen.expression}\n{about}")
    write_pcapng(file, frames, interfaces, section=section)


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
