"""What the evidence lacks is said under a failure."""

from sockstates.plugin.reports import holes
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import Timeline

ETHERNET = bytes(12) + b"\x08\x00"
IPV4_SAYS_TCP = b"\x45\x00\x00\x28" + bytes(5) + b"\x06" + bytes(10)


def _recorded(data: bytes) -> Timeline:
    timeline = Timeline()
    timeline.add_frames("client", [CapturedFrame(1, "client:eth0", "out", data, len(data))])
    return timeline


def test_a_frame_that_breaks_off_in_its_header_is_counted() -> None:
    assert holes(_recorded(ETHERNET + IPV4_SAYS_TCP + bytes(4))) == [
        "frames that could not be read as the TCP they say they are: 1"
    ]


def test_a_frame_of_another_protocol_is_no_hole() -> None:
    assert holes(_recorded(bytes(12) + b"\x88\xb5" + bytes(50))) == []
