"""A server is restarted: what becomes of connections that come before, meanwhile and afterwards.

A listener is more than a port: its queue has connections that are complete for their clients. When
it is closed the kernel resets those, and refuses what comes until somebody listens again.
"""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab


@pytest.mark.phenomenon(
    78,
    symptom="refused",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET, ECONNREFUSED",
    lasts="until somebody listens again",
    settings=("SO_REUSEADDR", "handing the listening socket on (systemd, nginx's USR2)"),
)
@pytest.mark.cause("server.close", occurrence=1)
def test_a_listener_is_closed_and_opened_again(lab: Lab, client: Host, server: Host) -> None:
    """Four clients at a restart: one goes on, one is reset, one is refused, one is served."""
    lab.step("The first client is served.")
    listener = server.listen(port=80)
    served = client.connect(listener)
    served.client.send(b"request")
    served.server.receives(b"request")

    lab.step("The second one has connected and asked, but the program has not accepted it yet.")
    queued = client.connect(listener)
    queued.client.send(b"request")
    queued.reaches(client=ESTABLISHED, server=ESTABLISHED)
    queued.server.reaches(ESTABLISHED, owner=None, receive_queue=len(b"request"))

    lab.step("The program closes its listener. What waited in the queue is reset.")
    listener.close()
    queued.client.receive().fails(errno.ECONNRESET)
    queued.client.reaches(CLOSED)
    queued.server.reaches(CLOSED)

    lab.step("The third one comes while nobody listens: refused at once.")
    refused = client.connect(server, 80)
    refused.client.connecting.fails(errno.ECONNREFUSED)
    lab.sees("""
        ...
        server.80 > client: Flags [R.]
        ...
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [R.], seq 0, ack J+1
    """)

    lab.step("A new listener on the same port, which SO_REUSEADDR lets it have at once.")
    again = server.listen(port=80)
    late = client.connect(again)
    late.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("The first one has noticed nothing: an accepted connection needs no listener.")
    served.server.send(b"answer")
    served.client.receives(b"answer")
    served.reaches(client=ESTABLISHED, server=ESTABLISHED)
