from pathlib import Path

import pytest

from sockstates import Segment
from sockstates.captures.file import CaptureFile
from sockstates.captures.survey import survey
from sockstates.tcp.connection import Connection
from sockstates.tcp.following import Followed, Following, telling_segments
from sockstates.tcp.headers import read_segment
from sockstates.tcp.inference import infer_states
from sockstates.tcp.marks import WORDS, Mark
from sockstates.tcp.options import WINDOW_SCALE, Option
from sockstates.tcp.segment import Address, add
from sockstates.tcp.states import State
from tests.large_capture import write
from tests.made_captures import made, write_pcap
from tests.real_captures import over_real_captures, real_captures

CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 80)
MILLISECOND = 1_000_000


class Wire:
    """A connection with initial numbers 100 and 500 that is followed as it goes on."""

    def __init__(self, first: int = 100, second: int = 500) -> None:
        self.following = Following()
        self.base = {CLIENT: first, SERVER: second}
        self.time = 0

    def sends(
        self,
        source: Address,
        flags: str,
        sequence: int,
        acknowledgement: int | None = None,
        length: int = 0,
        *,
        window: int = 1000,
        after: int = 50 * MILLISECOND,
        options: tuple[Option, ...] = (),
    ) -> Followed:
        """Numbers are relative to the initial ones."""
        self.time += after
        target = SERVER if source == CLIENT else CLIENT
        return self.following.of(
            Segment(
                self.time,
                source,
                target,
                flags,
                add(self.base[source], sequence),
                None if acknowledgement is None else add(self.base[target], acknowledgement),
                window,
                options=options,
                payload=bytes(length),
            )
        )

    def opens(self, scale: int | None = None) -> "Wire":
        options = () if scale is None else (Option(WINDOW_SCALE, bytes([scale])),)
        assert not self.sends(CLIENT, "S", 0, options=options).marks
        assert not self.sends(SERVER, "S.", 0, 1, options=options, after=MILLISECOND).marks
        assert not self.sends(CLIENT, ".", 1, 1, after=MILLISECOND).marks
        return self


@pytest.mark.parametrize("first", [100, 2**32 - 3])
def test_numbers_count_from_the_syn_also_over_the_end_of_the_circle(first: int) -> None:
    wire = Wire(first=first).opens()
    said = wire.sends(CLIENT, "P.", 1, 1, 10)
    assert (said.sequence, said.acknowledgement, said.marks) == (1, 1, Mark(0))
    assert wire.sends(SERVER, ".", 1, 11).acknowledgement == 11
    assert wire.sends(CLIENT, "P.", 1, 1, 10).marks == Mark.SPURIOUS_RETRANSMISSION


def test_a_connection_from_the_middle_counts_from_one() -> None:
    wire = Wire()
    said = wire.sends(CLIENT, "P.", 1000, 2000, 10)
    assert (said.sequence, said.acknowledgement) == (1, 1)
    assert wire.sends(SERVER, ".", 2000, 1010).sequence == 1


def test_sent_again_after_a_timeout_fast_or_too_late() -> None:
    wire = Wire().opens()
    wire.sends(CLIENT, "P.", 1, 1, 10)
    assert wire.sends(CLIENT, "P.", 1, 1, 10, after=200 * MILLISECOND).words() == ["retransmission"]
    wire.sends(CLIENT, "P.", 11, 1, 10)
    wire.sends(SERVER, ".", 1, 11)
    assert wire.sends(SERVER, ".", 1, 11).words() == ["duplicate ACK 1"]
    assert wire.sends(SERVER, ".", 1, 11).words() == ["duplicate ACK 2"]
    again = wire.sends(CLIENT, "P.", 11, 1, 10, after=MILLISECOND)
    assert again.marks == Mark.FAST_RETRANSMISSION
    wire.sends(SERVER, ".", 1, 21)
    assert wire.sends(CLIENT, "P.", 11, 1, 10).marks == Mark.SPURIOUS_RETRANSMISSION


def test_what_was_overtaken_is_out_of_order_and_what_is_missing_is_said() -> None:
    wire = Wire().opens()
    assert wire.sends(CLIENT, "P.", 11, 1, 10).marks == Mark.LOST_SEGMENT
    late = wire.sends(CLIENT, "P.", 1, 1, 5, after=MILLISECOND)
    assert late.marks == Mark.OUT_OF_ORDER
    assert wire.sends(SERVER, ".", 1, 99).marks == Mark.ACK_LOST_SEGMENT


def test_a_keep_alive_and_its_answer() -> None:
    wire = Wire().opens()
    wire.sends(CLIENT, "P.", 1, 1, 10)
    wire.sends(SERVER, ".", 1, 11)
    assert wire.sends(CLIENT, ".", 10, 1).marks == Mark.KEEP_ALIVE
    assert wire.sends(SERVER, ".", 1, 11).marks == Mark.KEEP_ALIVE_ACK


def test_a_window_that_fills_closes_is_probed_and_opens() -> None:
    wire = Wire().opens(scale=2)
    wire.sends(SERVER, ".", 1, 1, window=25)
    assert wire.sends(CLIENT, "P.", 1, 1, 100).marks == Mark.WINDOW_FULL
    assert wire.sends(SERVER, ".", 1, 101, window=0).marks == Mark.ZERO_WINDOW
    assert wire.sends(CLIENT, ".", 101, 1, 1).marks == Mark.ZERO_WINDOW_PROBE
    answer = wire.sends(SERVER, ".", 1, 101, window=0)
    assert answer.marks == Mark.ZERO_WINDOW | Mark.ZERO_WINDOW_PROBE_ACK
    assert wire.sends(SERVER, ".", 1, 101, window=25).marks == Mark.WINDOW_UPDATE
    assert not wire.sends(CLIENT, "P.", 101, 1, 99).marks


def test_a_syn_with_another_number_is_another_connection() -> None:
    wire = Wire().opens()
    wire.base[CLIENT] = 7777
    again = wire.sends(CLIENT, "S", 0)
    assert (again.connection.number, again.connection.reused) == (1, True)
    assert again.marks == Mark.REUSED_PORTS
    assert wire.sends(CLIENT, "S", 0, after=1000 * MILLISECOND).marks == Mark.RETRANSMISSION
    assert [each.segments for each in wire.following.connections] == [3, 2]


def test_every_mark_has_words() -> None:
    assert set(WORDS) == set(Mark)


def test_counts_are_kept() -> None:
    wire = Wire().opens()
    wire.sends(CLIENT, "P.", 1, 1, 10)
    wire.sends(CLIENT, "P.", 1, 1, 10)
    (connection,) = wire.following.connections
    assert connection.count(Mark.RETRANSMISSION | Mark.ZERO_WINDOW) == 1
    assert (connection.first.octets, connection.second.octets) == (20, 0)
    assert connection.ended - connection.began == 102 * MILLISECOND


def both_ways(path: Path) -> tuple[Following, list[Connection], dict[int, list[Segment]]]:
    """A capture followed segment by segment, the quick way, and its segments by connection."""
    capture, following = CaptureFile(path), Following()
    segments: dict[int, list[Segment]] = {}
    for time, interface, data, _, _ in capture.records():
        segment = read_segment(data, time, capture.found.interfaces[interface].link_type)
        if segment is not None:
            number = following.of(segment).connection.number
            segments.setdefault(number, []).append(segment)
    return following, survey(CaptureFile(path)).connections, segments


def facts(connection: Connection) -> tuple[object, ...]:
    ends = connection.source, connection.destination, connection.began, connection.ended
    directions = [
        (each.segments, each.octets, each.next, each.contiguous, each.acknowledged, each.shift)
        for each in (connection.first, connection.second)
    ]
    return *ends, directions, connection.marked, connection.telling, connection.reused


def final(segments: list[Segment]) -> dict[Address, State]:
    return {each.local: each.after for each in infer_states(segments)}


@pytest.mark.parametrize("seed", [11, 12])
def test_the_quick_survey_finds_what_following_finds(tmp_path: Path, seed: int) -> None:
    write_pcap(tmp_path / "made", made(seed))
    write(tmp_path / "large", 3000, seed)
    for name in ("made", "large"):
        following, surveyed, _ = both_ways(tmp_path / name)
        assert [facts(each) for each in surveyed] == [facts(each) for each in following.connections]


def test_few_segments_tell_the_states(tmp_path: Path) -> None:
    write(tmp_path / "large", 30_000)
    following, _, segments = both_ways(tmp_path / "large")
    for connection in following.connections:
        telling = telling_segments(connection)
        assert len(telling) < 20
        assert final(telling) == final(segments[connection.number])


@over_real_captures
def test_few_segments_tell_the_states_in_real_captures() -> None:
    paths = [path for path in real_captures() if path.stem != "all_hosts"]
    assert paths
    for path in paths:
        following, surveyed, segments = both_ways(path)
        assert [facts(each) for each in surveyed] == [facts(each) for each in following.connections]
        for connection in following.connections:
            told = final(telling_segments(connection))
            assert told == final(segments[connection.number]), path
