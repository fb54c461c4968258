"""A program's own timeout: it ends a call, and the connection does not notice."""

import sys

import pytest

from sockstates import ESTABLISHED, Host, Lab

IMPATIENT = """
import errno, socket, struct
connection = socket.create_connection(("server", 80))
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 300_000))
try:
    connection.recv(100)
except OSError as error:
    print("recv:", errno.errorcode[error.errno])
input()
print("recv:", connection.recv(100))
input()
"""
"""Waits 0.3 seconds for an answer. For a line of input waits once more."""


@pytest.mark.phenomenon(
    41,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    errno="EAGAIN",
    lasts="as long as the program has said",
    settings=("SO_RCVTIMEO", "SO_SNDTIMEO"),
)
@pytest.mark.cause("client.start", without="SO_RCVTIMEO", instead="SO_SNDTIMEO")
def test_a_program_gives_up_waiting(lab: Lab, client: Host, server: Host) -> None:
    """SO_RCVTIMEO ends recv(2) with EAGAIN; the connection goes on, and the answer comes later.

    Who then asks something else on the same connection reads the answer to the first question.
    """
    lab.step("A program connects, and waits for an answer, but not long.")
    listener = server.listen(port=80)
    program = client.start([sys.executable, "-c", IMPATIENT])
    connection = program.connects(listener)
    connection.client.reaches(ESTABLISHED, owner=program)
    connection.server.reaches(ESTABLISHED)
    (*_, handshake) = lab.sees("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("Its call fails. Nothing was sent because of it: both ends are as they were.")
    program.prints("recv: EAGAIN")
    connection.client.stays(ESTABLISHED, owner=program, seconds=0.2)
    connection.server.stays(ESTABLISHED, seconds=0.2)
    lab.never_sees("client > server: Flags [_]", since=handshake)

    lab.step("The answer comes after all. It waits for the program's next call.")
    connection.server.send(b"the first answer")
    late = connection.client.reaches(ESTABLISHED, owner=program, receive_queue=16)
    program.type("\n")
    program.prints("the first answer")
    lab.figure(late)
