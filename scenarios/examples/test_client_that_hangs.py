"""Your own program on the desk: a client that hangs because its request never arrives.

Copy this, put your command in the place of the client's, and the fault that you suspect in the
place of the rule. The lab's hosts have their names: the client asks for http://server:8080.
"""

import sys

import pytest

from sockstates import ESTABLISHED, Host, Lab

pytestmark = pytest.mark.cause("server.iptables")
CLIENT = "import urllib.request; urllib.request.urlopen('http://server:8080', timeout={})"


def test_a_client_without_a_timeout_hangs(lab: Lab, client: Host, server: Host) -> None:
    """A request that is swallowed on its way: the connection looks well, and the read hangs."""
    lab.step("A service listens. Something before it lets a handshake pass, but no data.")
    listener = server.listen(port=8080)
    rule = server.iptables("-A INPUT -p tcp --tcp-flags PSH PSH -j DROP")

    lab.step("The program connects, sends its request, and waits for an answer, for ever.")
    program = client.start([sys.executable, "-c", CLIENT.format(None)])
    connection = program.connects(listener)
    lab.sees("""
        client > server.8080: Flags [P.], seq J
        client > server.8080: Flags [P.], seq J
    """)
    connection.client.stays(ESTABLISHED, owner=program, seconds=1)
    assert rule.packets >= 2


def test_a_client_with_a_timeout_of_its_own_ends(lab: Lab, client: Host, server: Host) -> None:
    """The same with a timeout in the program: it says so, and closes."""
    lab.step("The same service, the same fault.")
    listener = server.listen(port=8080)
    server.iptables("-A INPUT -p tcp --tcp-flags PSH PSH -j DROP")

    lab.step("This client waits for an answer one second only.")
    program = client.start([sys.executable, "-c", CLIENT.format(1)])
    connection = program.connects(listener)
    program.ends(1)
    program.prints("timed out")

    lab.step("The kernel goes on: the request and the FIN behind it are still unacknowledged.")
    connection.client.reaches("FIN_WAIT1", owner=None)
    connection.client.stays("FIN_WAIT1", owner=None, seconds=0.5)
