"""What is sent and not acknowledged starts a timer, and is sent again when that has run out."""

import pytest

from sockstates import ESTABLISHED, Host, Lab, Wire


@pytest.mark.claims("T10")
@pytest.mark.cause("wire.drop")
def test_data_starts_a_timer(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    lab.step("A connection is established. Nothing is under way: no timer runs.")
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.reaches(ESTABLISHED, send_queue=0)
    connection.client.runs_timer(None)

    lab.step("The wire loses what the client sends. Its timer runs, and it sends the same again.")
    loss = wire.drop("client > server: Flags [P.]")
    connection.client.send(b"hello")
    connection.client.reaches(ESTABLISHED, send_queue=5)
    connection.client.runs_timer("retransmit")
    (first,) = lab.sees("client > server: Flags [P.], seq J+1:J+6")
    again = connection.client.retransmits(2)
    assert {each.sequence for each in again} == {first.sequence}

    lab.step("The wire works again. The next one arrives, is acknowledged, and the timer stops.")
    loss.delete()
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, send_queue=0)
    connection.client.runs_timer(None)
    lab.figure([first, *again])


@pytest.mark.claims("T10", holds=False)
@pytest.mark.cause("wire.drop")
def test_a_bare_acknowledgement_starts_none(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.server.accept()

    lab.step("The wire loses the client's first acknowledgement of what the server sends.")
    loss = wire.drop("client > server: Flags [.]", number=1)
    connection.server.send(b"hello")
    (lost,) = loss.meets(1)
    connection.client.reaches(ESTABLISHED, send_queue=0, receive_queue=5)
    connection.client.runs_timer(None)

    lab.step("It is the data that is sent again; that is acknowledged once more.")
    first, *_, again, acknowledged = lab.sees("""
        ...
        server > client: Flags [P.], seq K:K+5
        ...
        server > client: Flags [P.], seq K:K+5
        ...
        client > server: Flags [.], ack K+5
    """)
    assert acknowledged.acknowledgement == lost.acknowledgement
    lab.figure([first, again, acknowledged])
