"""A timeline written to a file and read back is the same timeline; what is broken is said."""

import dataclasses
import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates.captures.file import CaptureFile
from sockstates.record import events
from sockstates.record.timeline import Timeline
from sockstates.report.folder import write_folder
from sockstates.report.json_values import from_json, public_fields, to_json
from sockstates.report.text import ladder, states_table, text_timeline
from sockstates.report.timeline_file import (
    EVENT_CLASSES,
    NAME,
    TimelineFileError,
    is_timeline,
    read_frames,
    read_header,
    read_timeline,
    write_timeline,
)
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from tests.module_trees import PROJECT
from tests.recorded import START, Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 16868)
DOCUMENT = (PROJECT / "docs" / "timeline.md").read_text(encoding="utf-8")
EVENTS = list(EVENT_CLASSES.values())

ADDRESSES = st.builds(Address, st.sampled_from(["10.0.0.1", "fd00::2", "::"]), st.integers(0, 9))
RESULTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner),
    max_leaves=4,
)
st.register_type_strategy(Address, ADDRESSES)
st.register_type_strategy(object, RESULTS)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any object of an event's class. Its time is one that a capture can hold, too."""
    fields = {
        name: st.integers(0, 2**63) if name == "time" else st.from_type(each)
        for name, each in public_fields(kind).items()
    }
    return st.builds(kind, **fields)


@pytest.fixture
def timeline() -> Timeline:
    """Frames of three hosts, one of them cut short, and events that were not recorded by time."""
    made = empty_timeline("router")
    made.sampled["client"] = at(3)
    sends(made, 0.001, CLIENT, SERVER, Written("S", 1000), seen_at=("router", "router", "server"))
    sends(made, 0.002, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(made, 0.003, CLIENT, SERVER, Written("P.", 1001, 5001, b"\x00\xff hello"))
    cut = made.frames["server"][0]
    made.add_frames("server", [dataclasses.replace(cut, time=at(4), data=cut.data[:60], length=99)])
    made.add(events.Step(at(2), "Später. \U0001f600 \udcff"))
    made.add(events.Step(at(1), "Sooner."))
    made.add(
        events.SocketSeen(at(1.5), "client", Address(*CLIENT), Address(*SERVER), State.FIN_WAIT1)
    )
    made.add(events.CallEnded(at(1.6), "client", 1, "accept", result=(3, ("10.0.0.1", 43210))))
    made.add(events.CallEnded(at(1.7), "client", 2, "recv", result=bytes(range(256))))
    return made


@pytest.fixture
def saved(timeline: Timeline, tmp_path: Path) -> Path:
    write_folder(timeline, tmp_path)
    return tmp_path / NAME


def test_what_is_read_is_what_was_written(timeline: Timeline, saved: Path) -> None:
    read = read_timeline(saved)
    for name in public_fields(Timeline):
        assert getattr(read, name) == getattr(timeline, name), name
    assert read.wire == timeline.wire
    assert read.arrived == timeline.arrived


def test_it_is_drawn_as_a_live_one(timeline: Timeline, saved: Path) -> None:
    read = read_timeline(saved)
    for draw in (ladder, states_table, text_timeline):
        assert draw(read) == draw(timeline)


def test_written_again_it_is_the_same_file(saved: Path) -> None:
    again = saved.with_name("again.jsonl")
    write_timeline(read_timeline(saved), again)
    assert again.read_bytes() == saved.read_bytes()


def test_lines_are_ordered_by_time_and_are_plain_ascii(saved: Path) -> None:
    assert is_timeline(saved)
    times = [json.loads(line)["time"] for line in saved.read_bytes().splitlines()[1:]]
    assert times == sorted(times)
    assert len(times) == 8
    saved.read_text(encoding="ascii")


def test_the_header_says_who_recorded_it(saved: Path) -> None:
    header = read_header(saved)
    assert {"kernel", "python", "scapy", "psutil", "pyroute2", "pytest"} <= set(header.recorded_by)
    assert {host: each.frames for host, each in header.captures.items()} == {
        "client": 3,
        "server": 4,
        "router": 2,
    }
    assert header.timeline["title"] == "A title"


@pytest.mark.parametrize("kind", EVENTS, ids=EVENT_CLASSES)
@given(st.data())
def test_every_kind_of_event_comes_back(kind: type, data: st.DataObject) -> None:
    event = data.draw(values_of(kind))
    written = json.loads(json.dumps(to_json(event)))
    assert from_json(kind, written) == event


class TestBroken:
    """Each defect is said, with its line."""

    @pytest.mark.parametrize(
        ("line", "old", "new", "said"),
        [
            (1, '"version": 1', '"version": 2', "version 2; this sockstates reads version 1"),
            (1, "sockstates timeline", "something", "is not a timeline"),
            (1, '"title"', '"headline"', "line 1: a timeline has no 'headline'"),
            (1, '"sampled": {"client": ', '"sampled": {"client": "x', "line 1: "),
            (3, '"event": "HostReady"', '"event": "HostBurnt"', "line 3: there is no event 'HostB"),
            (3, '"host"', '"guest"', "line 3: HostReady has no field 'guest'"),
            (3, '"namespace": 1, ', "", "line 3: HostReady: "),
            (3, '"namespace": 1', '"namespace": "one"', "line 3: field 'namespace': 'one' is not"),
            (6, '"FIN_WAIT1"', '"FIN_WEIGHT1"', "line 6: field 'state': 'FIN_WEIGHT1' is none of"),
            (6, '"10.0.0.1", 43210', '"10.0.0.1"', "line 6: field 'local': "),
            (8, '"octets": "\\u0000', '"octets": "\\u0100', "line 8: field 'result': "),
            (4, "}", "", "line 4: "),
            (5, "{", "[", "line 5: "),
        ],
    )
    def test_a_line(self, saved: Path, line: int, old: str, new: str, said: str) -> None:
        lines = saved.read_text().splitlines()
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new)
        saved.write_text("\n".join(lines))
        with pytest.raises(TimelineFileError) as error:
            read_timeline(saved)
        assert str(saved) in str(error.value)
        assert said in str(error.value)

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"null\n", b"{}\n", b"\n\n"])
    def test_what_is_no_timeline_at_all(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / NAME
        path.write_bytes(content)
        assert not is_timeline(path)
        with pytest.raises(TimelineFileError):
            read_timeline(path)

    def test_a_capture_that_is_not_there(self, saved: Path) -> None:
        saved.with_name("server.pcapng").unlink()
        with pytest.raises(TimelineFileError, match=r"needs server.pcapng beside it"):
            read_timeline(saved)

    def test_a_capture_that_is_cut_off(self, saved: Path) -> None:
        capture = saved.with_name("server.pcapng")
        capture.write_bytes(capture.read_bytes()[:-70])
        with pytest.raises(
            TimelineFileError, match=r"has 3 frames, .* with 4; the file ends within"
        ):
            read_timeline(saved)

    def test_a_capture_of_another_run(self, saved: Path) -> None:
        capture = saved.with_name("server.pcapng")
        capture.write_bytes(saved.with_name("client.pcapng").read_bytes())
        with pytest.raises(TimelineFileError, match=r"has 3 frames, .* recorded with 4"):
            read_timeline(saved)

    def test_a_capture_that_is_none(self, saved: Path) -> None:
        saved.with_name("server.pcapng").write_bytes(b"no capture")
        with pytest.raises(
            TimelineFileError, match=r"server.pcapng is not a capture file: it begins with"
        ):
            read_timeline(saved)


def test_a_file_from_before_a_field_was_there_is_read(saved: Path) -> None:
    text = saved.read_text()
    assert '"retransmits": 0, ' in text
    saved.write_text(text.replace('"retransmits": 0, ', ""))
    assert isinstance(read_timeline(saved), Timeline)


def test_frames_come_back_exactly(timeline: Timeline, saved: Path) -> None:
    for host, frames in timeline.frames.items():
        assert list(read_frames(CaptureFile(saved.with_name(f"{host}.pcapng")))) == frames
    assert timeline.frames["client"][0].time == START + 1_000_000


class TestDocument:
    """docs/timeline.md against the classes: what is not described, or is no more, fails."""

    def described(self) -> dict[str, list[str]]:
        """The fields that the document describes, by kind of event."""
        sections = re.split(r"^### ", DOCUMENT, flags=re.MULTILINE)[1:]
        return {
            section.split()[0].strip("`"): re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
            for section in sections
        }

    def test_every_kind_and_every_field(self) -> None:
        expected = {
            name: [each for each in public_fields(kind) if each not in ("time", "host")]
            for name, kind in EVENT_CLASSES.items()
        }
        assert self.described() == expected

    def test_every_kind_has_a_time_and_a_host(self) -> None:
        for kind in EVENTS:
            assert {"time", "host"} <= set(public_fields(kind)), kind

    def test_what_the_header_has(self) -> None:
        header = DOCUMENT.partition("## The first line")[2].partition("\n## ")[0]
        named = set(re.findall(r"^\| `([\w.]+)` \|", header, re.MULTILINE))
        own = {"format", "version", "recorded_by", "captures"}
        about = {f"timeline.{name}" for name in public_fields(Timeline)}
        assert named == own | about - {
            f"timeline.{name}" for name in ("events", "frames", "chosen")
        }

    def test_the_example_is_read(self, tmp_path: Path) -> None:
        example = DOCUMENT.partition("```jsonl\n")[2].partition("```")[0]
        path = tmp_path / NAME
        path.write_text(example)
        read = read_timeline(path)
        assert [type(each).__name__ for each in read.events] == ["Step", "StateChanged"]

    def test_every_event_of_the_union_is_known(self) -> None:
        assert set(EVENTS) == set(typing.get_args(events.Event))
