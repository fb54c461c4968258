"""perf_event_open's rings and the tracepoints' formats: read whole, wrapped, lost; and by whom."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockstates.sandbox.witnesses.event_format import FormatError, parse_format
from sockstates.sandbox.witnesses.perf_events import (
    Ring,
    WallClock,
    Wanted,
    online_processors,
    open_events,
    ring_size,
    take_out,
)
from sockstates.sandbox.witnesses.perf_records import (
    RECORD_LOST,
    RECORD_NAMESPACES,
    RECORD_SAMPLE,
    Lost,
    Record,
    Sample,
    TaskPlaced,
    split_records,
)
from sockstates.sandbox.witnesses.tracepoints import NEEDED, SightingReader, What, choose
from sockstates.sandbox.witnesses.tracing import look_for, refusal
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from tests.formats_of_6_1 import TEXTS, drop_record, reset_record, state_record
from tests.passages_shown import MACHINES_ROOT, NOT_ROOT
from tests.rule_twins import pin_to_one_processor

PAGE = 4096
TRAILER = struct.pack("=iiQII", 1, 2, 30, 4, 0)


def _sample(raw: bytes, task: int = 2, time: int = 30, processor: int = 4) -> bytes:
    body = struct.pack("=iiQIII", 1, task, time, processor, 0, len(raw)) + raw
    return struct.pack("=IHH", RECORD_SAMPLE, 0, 8 + len(body)) + body


def _other(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHH", kind, 0, 8 + len(body) + len(TRAILER)) + body + TRAILER


def test_records_are_told_apart() -> None:
    placed = struct.pack("=iiQQQQQ", 7, 7, 2, 3, 4026532000, 3, 99)
    data = (
        _sample(b"one")
        + _other(RECORD_NAMESPACES, placed)
        + _other(3, b"a name, which nobody asked for..")
        + _other(RECORD_LOST, struct.pack("=QQ", 1, 12))
        + _sample(b"two", task=-1)
    )
    assert list(split_records(data)) == [
        Sample(30, 2, 4, b"one"),
        TaskPlaced(30, 7, 4026532000),
        Lost(30, 12),
        Sample(30, -1, 4, b"two"),
    ]


@settings(database=None)
@given(st.lists(st.binary(min_size=1, max_size=200)), st.integers(0, 5 * 1024))
def test_what_is_read_from_a_ring_is_what_was_written_wherever_it_wraps(
    raws: list[bytes], start: int
) -> None:
    size = 1024
    memory = bytearray(PAGE + size)
    head = tail = start
    found: list[Record] = []
    for raw in raws:
        record = _sample(raw)
        if head + len(record) - tail > size:
            found += split_records(take_out(bytes(memory), PAGE, size, tail, head))
            tail = head
        for octet in record:
            memory[PAGE + head % size] = octet
            head += 1
    if head != tail:
        found += split_records(take_out(bytes(memory), PAGE, size, tail, head))
    assert [each.raw for each in found if isinstance(each, Sample)] == raws


def test_a_full_ring_is_read_whole() -> None:
    assert take_out(b"cdab", 0, 4, 2, 6) == b"abcd"


@pytest.mark.parametrize("processors", [1, 2, 64, 250, 1000])
def test_rings_are_whole_pages_and_together_no_burden(processors: int) -> None:
    size = ring_size(processors)
    assert size % PAGE == 0
    assert size & (size - 1) == 0, "the kernel takes powers of two only"
    assert size * processors <= max(16 << 20, processors * (64 << 10))


def test_the_wall_clock_is_known_between_two_looks_of_our_own() -> None:

    clock = WallClock()
    before = time.time_ns()
    moment = clock.look()
    after = time.time_ns()
    assert before - 20_000 <= clock.at(moment) <= after + 20_000


def _formats() -> dict[What, str]:
    return {what: TEXTS[what.value] for what in What}


def _reader() -> SightingReader:
    return choose({what: parse_format(text) for what, text in _formats().items()}).reader()


def test_an_older_kernels_change_of_state_is_read() -> None:
    raw = state_record(0xFFFF888000001234, (7, 2), ("10.0.1.1", 0), ("10.0.1.2", 80))
    sighting = _reader().read(Sample(5, 77, 1, raw))
    assert sighting is not None
    assert (sighting.what, sighting.time, sighting.task, sighting.in_task) == (
        *(What.STATE, 5, 77, True),
    )
    assert sighting.socket == 0xFFFF888000001234
    assert (sighting.local, sighting.remote) == (Address("10.0.1.1", 0), Address("10.0.1.2", 80))
    assert (sighting.before, sighting.after) == (State.CLOSED, State.SYN_SENT)


def test_an_older_kernels_reset_and_drop_are_read() -> None:
    reader = _reader()
    reset = reader.read(Sample(5, 77, 1, reset_record(9, ("10.0.1.1", 80), ("10.0.1.2", 4000))))
    assert reset is not None
    assert (reset.what, reset.in_task, reset.reason) == (What.RESET_SENT, False, "")
    assert (reset.local, reset.remote) == (Address("10.0.1.1", 80), Address("10.0.1.2", 4000))
    drop = reader.read(Sample(6, 77, 1, drop_record(5, 2)))
    assert drop is not None
    assert (drop.what, drop.reason, drop.socket, drop.packet) == (What.DROP, "NO_SOCKET", 0, 5)


def test_a_reason_without_a_name_is_told_by_its_number() -> None:
    drop = _reader().read(Sample(6, 77, 1, drop_record(5, 71)))
    assert drop is not None
    assert drop.reason == "71"


def test_a_record_that_nobody_asked_for_is_none_of_ours() -> None:
    assert _reader().read(Sample(1, 1, 1, struct.pack("=HBBi", 4711, 0, 0, 1))) is None


def test_the_kernel_is_told_what_not_to_record() -> None:
    wanted = choose({what: parse_format(text) for what, text in _formats().items()}).wanted()
    filters = {each.number: each.filter for each in wanted}
    assert filters[1000] == f"protocol == {socket.IPPROTO_TCP}"
    assert filters[1005] == (
        "(protocol == 2048 || protocol == 34525) && reason != 1 && reason != 36"
    )


@pytest.mark.parametrize(
    ("what", "line", "said"),
    [
        (What.DROP, "__print_symbolic(REC->reason", "does not name its reasons"),
        (What.STATE, "field:const void * skaddr", "has no field skaddr"),
        (What.RESET_SENT, "", "this kernel has no tracepoint tcp:tcp_send_reset"),
    ],
)
def test_what_a_kernel_lacks_is_said(what: What, line: str, said: str) -> None:
    formats = {each: parse_format(text) for each, text in _formats().items()}
    lacking = parse_format(TEXTS[what.value].replace(line, "gone")) if line else None
    chosen = choose({**formats, what: lacking})
    assert list(chosen.missing) == [what]
    assert said in chosen.missing[what]
    assert set(chosen.formats) == set(What) - {what}


def test_a_text_that_is_no_format_is_refused() -> None:
    with pytest.raises(FormatError, match="no format of a tracepoint"):
        parse_format("Permission denied")


@NOT_ROOT
def test_who_may_not_is_told_what_is_missing() -> None:
    with pytest.raises(OSError, match="fsopen") as caught:
        look_for()
    assert "CAP_PERFMON" in refusal(caught.value)
    assert "run as root" in refusal(caught.value)


@MACHINES_ROOT
def test_this_kernel_has_every_event_and_every_field() -> None:
    found = look_for()
    assert not found.missing
    assert set(found.formats) == set(NEEDED)


@MACHINES_ROOT
def test_looking_for_tracepoints_mounts_nothing() -> None:
    def mounts() -> list[str]:
        """Of the file system that is looked into: others may mount whatever they run meanwhile."""
        with open("/proc/self/mountinfo") as file:
            return [line for line in file if " - tracefs " in line]

    before, descriptors = mounts(), os.listdir("/proc/self/fd")
    look_for()
    assert mounts() == before
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)


@contextmanager
def _rings(events: list[Wanted], size: int) -> Iterator[list[Ring]]:
    opened = open_events(events, size)
    rings = [Ring(os.dup(each), size) for each in opened.rings]
    try:
        yield rings
    finally:
        for ring in rings:
            ring.close()
        opened.close()


def _connect_on_loopback(times: int) -> None:
    """In the machine's own namespace, between two sockets of ours: each connect is refused.

    On the processor that the caller is bound to: what its ring lost is told with its next record.
    """
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        for _ in range(times):
            with socket.socket() as asking:
                assert asking.connect_ex(bound.getsockname()) != 0


@pytest.fixture
def one_processor() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    pin_to_one_processor()
    yield
    os.sched_setaffinity(0, before)


@MACHINES_ROOT
@pytest.mark.usefixtures("one_processor")
def test_the_kernel_says_when_records_were_lost() -> None:
    form = look_for().formats[What.STATE]
    with _rings([Wanted(form.number)], PAGE) as rings:
        assert len(rings) == len(online_processors())
        _connect_on_loopback(200)
        first = [each for ring in rings for each in split_records(ring.read())]
        samples = [each for each in first if isinstance(each, Sample)]
        assert samples
        assert len(samples) <= PAGE // len(samples[0].raw) * len(rings), "no more than fit"
        _connect_on_loopback(1)
        here = [each for ring in rings for each in split_records(ring.read())]
    lost = sum(each.number for each in [*first, *here] if isinstance(each, Lost))
    kept = sum(isinstance(each, Sample) for each in [*first, *here])
    assert lost > 0
    assert lost + kept >= 2 * 201, "each connect is two changes: to SYN_SENT and back"
