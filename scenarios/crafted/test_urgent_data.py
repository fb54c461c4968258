"""URG: one byte of the stream is marked, and the program reads it apart from the others."""

import errno

import pytest

from sockstates import CraftedPeer, Lab


@pytest.mark.claims("T15", holds=False)
@pytest.mark.cause("client.sends")
def test_one_octet_is_urgent(lab: Lab, crafted: CraftedPeer) -> None:
    lab.step("Five bytes; the urgent pointer says 3, which tcpdump prints beside a U.")
    crafted.sends("Flags [P.U], seq 1001, ack K+1, urg 3", payload=b"ab!cd")
    marked, _ = lab.sees_only("""
        client > server: Flags [P.U], seq 1001:1006, ack K+1, urg 3, length 5
        server > client: Flags [.], ack 1006
    """)

    lab.step("The byte before the pointer is read out of band, the others in two parts.")
    crafted.peer.receive(urgent=True).returns(b"!")
    crafted.peer.receive().returns(b"ab")
    crafted.peer.receive().returns(b"cd")
    crafted.peer.receive(urgent=True).fails(errno.EINVAL)
    lab.figure(marked)
