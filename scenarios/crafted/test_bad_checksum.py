"""A segment whose checksum is wrong: dropped without a word, and counted."""

import pytest

from sockstates import ESTABLISHED, CraftedPeer, Host, Lab

pytestmark = pytest.mark.claims("T13")


@pytest.mark.cause("client.sends", occurrence=1)
def test_damaged_data_is_dropped(lab: Lab, server: Host, crafted: CraftedPeer) -> None:
    damaged = server.counter("TcpInCsumErrors")

    lab.step("Five bytes whose checksum does not fit: not acknowledged, not for the program.")
    crafted.sends("Flags [P.], seq 1001, ack K+1", payload=b"hello", checksum=0xDEAD)
    damaged.grows(by=1)
    crafted.peer.reaches(ESTABLISHED, receive_queue=0)
    lab.sees_only("client > server: Flags [P.], seq 1001:1006, ack K+1, length 5")

    lab.step("The same segment with the right checksum is taken.")
    crafted.sends("Flags [P.], seq 1001, ack K+1", payload=b"hello")
    lab.sees("server > client: Flags [.], ack 1006")
    crafted.peer.receives(b"hello")
    assert damaged.grown == 1
    lab.figure(f"data with a wrong checksum: {damaged}; not acknowledged")


@pytest.mark.cause("client.sends", occurrence=1)
def test_damaged_syn_is_dropped(lab: Lab, client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    damaged = server.counter("TcpInCsumErrors")

    lab.step("A SYN whose checksum does not fit: the listening socket never sees it.")
    crafted.sends("Flags [S], seq 1000", checksum=0xDEAD)
    damaged.grows(by=1)
    lab.sees_only("client > server: Flags [S], seq 1000")

    lab.step("The next one fits, and is answered.")
    crafted.sends("Flags [S], seq 1000")
    lab.sees("server > client: Flags [S.], seq K, ack 1001")
    assert damaged.grown == 1
    lab.figure(f"a SYN with a wrong checksum: {damaged}; not answered")
