"""A connection whose client is written by hand, for what an honest client would never send."""

import pytest

from sockstates import ESTABLISHED, CraftedPeer, Host, Lab


@pytest.fixture
def crafted(lab: Lab, client: Host, server: Host) -> CraftedPeer:
    """Its next number is 1001, the server's K+1; nothing but the handshake has been sent."""
    lab.step("A client that is no kernel opens a connection: its segments are written by hand.")
    made = client.crafts(port=40000, to=server.listen(port=80))
    made.sends("Flags [S], seq 1000, win 64240, options [mss 1460]")
    lab.sees("server > client: Flags [S.], seq K, ack 1001")
    made.sends("Flags [.], seq 1001, ack K+1")
    made.peer.reaches(ESTABLISHED, receive_queue=0)
    lab.sees("client > server: Flags [.], ack K+1")
    return made
