"""An open that is taken back before there is a connection: nothing is sent to say so."""

import errno

import pytest

from sockstates import CLOSED, LISTEN, SYN_SENT, Host, Lab


@pytest.mark.cause("client.close")
def test_closing_in_syn_sent(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A firewall on the server swallows the SYN; the client waits in SYN_SENT.")
    server.iptables("-A INPUT -s client -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The client closes. The socket is gone at once, and connect comes to nothing.")
    connection.client.close()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.connecting.fails(errno.EBADF)
    lab.sees("client > server: Flags [S], seq J")
    lab.never_sees("client > server: Flags [F]")
    lab.never_sees("client > server: Flags [R]")
    lab.stays_quiet(seconds=0.3)


@pytest.mark.cause("client.abort")
def test_aborting_in_syn_sent(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A firewall on the server swallows the SYN; the client waits in SYN_SENT.")
    server.iptables("-A INPUT -s client -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The client aborts. There is nobody yet to whom an RST could be sent.")
    connection.client.abort()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.connecting.fails(errno.EBADF)
    lab.sees("client > server: Flags [S], seq J")
    lab.never_sees("client > server: Flags [F]")
    lab.never_sees("client > server: Flags [R]")
    lab.stays_quiet(seconds=0.3)


@pytest.mark.cause("server.iptables", occurrence=2)
def test_an_icmp_error_ends_syn_sent(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A firewall on the server swallows the first SYN; the client waits in SYN_SENT.")
    rule = server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("From now on it rejects with an ICMP error. The next SYN meets that.")
    server.iptables("-A INPUT -p tcp --dport 80 -j REJECT")
    rule.delete()
    connection.client.connecting.fails(errno.ECONNREFUSED)
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        client > server.80: Flags [S], seq J
    """)
    lab.never_sees("server.80 > client: Flags [_]")


@pytest.mark.cause("server.abort")
def test_aborting_a_listener(lab: Lab, server: Host) -> None:
    lab.step("The server listens.")
    listener = server.listen(port=80)
    listener.reaches(LISTEN, owner=server)

    lab.step("It aborts. A listener has no peer: it is closed, and nothing is sent.")
    listener.abort()
    listener.reaches(CLOSED)
    lab.stays_quiet(seconds=0.2)
