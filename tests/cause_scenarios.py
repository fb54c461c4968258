"""Scenarios that name their cause, as texts: one for each verb, and two that differ in proof."""

DROPPED = """
@pytest.mark.cause("client.iptables")
def test_dropped(lab, client, server):
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.stays(SYN_SENT, seconds=0.2)
    rule.delete()
"""
"""A scenario that depends on its cause."""

INDIFFERENT = """
@pytest.mark.cause("server.close")
def test_indifferent(lab, client, server):
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)
    connection.server.close()
"""
"""A scenario that passes with its cause and without."""

EVERY_VERB = """
import errno, signal, socket, sys
from sockstates import CLOSE_WAIT, FIN_WAIT2, LISTEN

SPEAKS = "import socket; c = socket.create_connection(('server', 80)); input()"

@pytest.fixture
def soon(request):
    '''What is withheld never comes; else a busy machine takes as long as ever it needs.'''
    return 0.5 if request.config.getoption("lab_without_cause") else None

def connected(client, server):
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    return connection

@pytest.mark.cause("client.iptables")
def test_iptables(lab, client, server, soon):
    rule = client.iptables("-A INPUT -s server -j DROP")
    client.connect(server.listen(port=80))
    lab.wait_until(lambda: rule.packets > 0, "the rule to drop a SYN,ACK", soon)
    assert rule.packets > 0

@pytest.mark.cause("client.sysctl")
def test_sysctl(lab, client):
    assert client.sysctl("net.ipv4.tcp_fin_timeout")
    client.sysctl("net.ipv4.tcp_fin_timeout", value=7)
    assert client.sysctl("net.ipv4.tcp_fin_timeout") == "7"

@pytest.mark.cause("client.mtu")
def test_mtu(lab, client, server):
    client.mtu(1300)
    client.connect(server.listen(port=80))
    lab.sees("client > server: Flags [S], options [mss 1260]")

@pytest.mark.cause("client.route")
def test_route(lab, client, server):
    client.route("add prohibit server")
    client.connect(server.listen(port=80)).client.connecting.fails(errno.EACCES)

@pytest.mark.cause("client.ip_address")
def test_ip_address(lab, client, server):
    client.ip_address("del dev eth0")
    client.connect(server.listen(port=80), bound=False).client.connecting.fails(errno.ENETUNREACH)

@pytest.mark.cause("client.ask_neighbours")
def test_ask_neighbours(lab, client, server):
    server.iptables("-A INPUT -p icmpv6 -j DROP")
    client.ask_neighbours()
    client.connect(server.listen(port=80)).client.stays(SYN_SENT, seconds=0.2)

@pytest.mark.kernel("netem")
@pytest.mark.cause("lab.link")
def test_link(lab, client, server):
    lab.link(delay=0.1)
    client.connect(server.listen(port=80)).client.connecting.lasts(at_least=0.2)

@pytest.mark.kernel("netem")
@pytest.mark.cause("lab.link.delete")
def test_link_delete(lab, client, server):
    lab.link(delay=0.1).delete()
    client.connect(server.listen(port=80)).client.connecting.lasts(at_most=0.1)

@pytest.mark.cause("server.listen")
def test_listen(lab, client, server):
    client.connect(server.listen(port=80)).client.connecting.returns()

@pytest.mark.cause("server.listen", without="backlog", instead=9)
def test_listen_part(lab, client, server):
    server.listen(port=80, backlog=3).reaches(LISTEN, send_queue=3, seconds=2)

@pytest.mark.cause("server.bind", occurrence=1)
def test_bind(lab, server):
    server.bind(80)
    server.bind(80).fails(errno.EADDRINUSE)

@pytest.mark.cause("client.connect")
def test_connect(lab, client, server, soon):
    listener = server.listen(port=80)
    client.connect(listener)
    listener.reaches(LISTEN, receive_queue=1, seconds=soon)

@pytest.mark.cause("client.connect", without="source_port")
def test_connect_part(lab, client, server):
    client.connect(server.listen(port=80)).client.reaches(ESTABLISHED)
    assert client.connect(server.listen(port=81), source_port=7001).client.local.port == 7001

@pytest.mark.cause("server.start")
def test_start(lab, client, server, soon):
    listener = server.listen(port=80)
    client.start([sys.executable, "-c", SPEAKS])
    server.start([sys.executable, "-c", SPEAKS]).type("")
    listener.reaches(LISTEN, receive_queue=2, seconds=None if soon is None else 20)

@pytest.mark.cause("server.start", without="hello", instead="good bye")
def test_start_part(lab, server):
    program = server.start([sys.executable, "-c", "print('hello')"])
    program.ends(0)
    program.prints("hello")

@pytest.mark.cause("client.send")
def test_send(lab, client, server, soon):
    connection = connected(client, server)
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=5, seconds=soon)

@pytest.mark.cause("server.receive")
def test_receive(lab, client, server, soon):
    connection = connected(client, server)
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=5)
    connection.server.receive()
    connection.server.reaches(ESTABLISHED, receive_queue=0, seconds=soon)

@pytest.mark.cause("client.shutdown")
def test_shutdown(lab, client, server, soon):
    connection = connected(client, server)
    connection.client.shutdown()
    connection.server.reaches(CLOSE_WAIT, seconds=soon)

@pytest.mark.cause("client.close")
def test_close(lab, client, server, soon):
    connection = connected(client, server)
    connection.client.close()
    connection.client.reaches(FIN_WAIT2, seconds=soon)

@pytest.mark.cause("client.abort")
def test_abort(lab, client, server, soon):
    connection = connected(client, server)
    connection.client.abort()
    connection.server.reaches(CLOSED, seconds=soon)

@pytest.mark.cause("client.set_option")
def test_set_option(lab, client, server):
    endpoint = connected(client, server).client
    endpoint.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert endpoint.get_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

@pytest.mark.cause("client.connect.options")
def test_connect_options(lab, client, server):
    option = socket.SOL_SOCKET, socket.SO_KEEPALIVE
    made = client.connect(server.listen(port=80), options=[(*option, 1)])
    made.client.connecting.returns()
    assert made.client.get_option(*option) == 1

@pytest.mark.cause("server.listen.options")
def test_listen_options(lab, client, server):
    option = socket.SOL_SOCKET, socket.SO_KEEPALIVE
    listener = server.listen(port=80, options=[(*option, 1)])
    assert listener.get_option(*option) == 1

@pytest.mark.cause("server.bind.options")
def test_bind_options(lab, client, server):
    shared = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
    server.listen(port=80, options=shared)
    server.bind(80, options=shared).returns()

@pytest.mark.cause("client.rule.delete")
def test_rule_delete(lab, client, server, soon):
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT)
    rule.delete()
    connection.client.connecting.returns(seconds=soon)

@pytest.mark.cause("client.rule.suspend")
def test_rule_suspend(lab, client, server, soon):
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(SYN_SENT)
    rule.suspend()
    connection.client.connecting.returns(seconds=soon)

@pytest.mark.cause("client.rule.resume")
def test_rule_resume(lab, client, server):
    rule = client.iptables("-A INPUT -s server -j DROP")
    rule.suspend()
    rule.resume()
    connection = client.connect(server.listen(port=80))
    connection.client.stays(SYN_SENT, seconds=0.2)

@pytest.mark.cause("server.crafts")
def test_crafts(lab, client, server, soon):
    server.crafts(port=80, to=client)
    client.connect(server, port=80).client.stays(SYN_SENT, seconds=0.2)

@pytest.mark.cause("client.sends", without="[S]", instead="[F]")
def test_sends(lab, client, server):
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends("Flags [S], seq 1")
    lab.sees("server > client: Flags [S.], seq K, ack 2")

@pytest.mark.cause("wire.hold")
def test_hold(lab, client, server, wire):
    held = wire.hold("client > server: Flags [S]")
    connection = client.connect(server.listen(port=80))
    held.meets()
    connection.server.stays(CLOSED, seconds=0.2)

@pytest.mark.cause("wire.delay")
def test_delay(lab, client, server, wire):
    delayed = wire.delay("client > server: Flags [S]", seconds=0.2)
    connection = client.connect(server.listen(port=80))
    delayed.meets()
    connection.client.connecting.lasts(at_least=0.2)

@pytest.mark.cause("wire.duplicate")
def test_duplicate(lab, client, server, wire):
    twice = wire.duplicate("client > server: Flags [P.]", copies=3)
    again = server.counter("TcpExtTCPDSACKOldSent")
    connected(client, server).client.send(b"hello")
    twice.meets()
    again.grows(by=3)

@pytest.mark.cause("wire.corrupt")
def test_corrupt(lab, client, server, wire):
    damaged = wire.corrupt("client > server: Flags [S]")
    wrong = server.counter("TcpInCsumErrors")
    client.connect(server.listen(port=80))
    damaged.meets()
    wrong.grows(by=1)

@pytest.mark.cause("wire.drop")
def test_drop(lab, client, server, wire):
    dropped = wire.drop("client > server: Flags [S]")
    connection = client.connect(server.listen(port=80))
    dropped.meets()
    connection.server.stays(CLOSED, seconds=0.2)

@pytest.mark.cause("wire.rewrite")
def test_rewrite(lab, client, server, wire, soon):
    altered = wire.rewrite("client > server: Flags [S]", mss=500)
    connection = client.connect(server.listen(port=80))
    altered.meets()
    connection.server.send(600)
    lab.wait_until(lambda: any(each.length == 488 for each in lab.timeline.wire), '488', soon)
    assert 488 in [each.length for each in lab.timeline.wire]

@pytest.mark.cause("wire.fault.release")
def test_fault_release(lab, client, server, wire, soon):
    held = wire.hold("client > server: Flags [S]")
    connection = client.connect(server.listen(port=80))
    held.meets()
    held.release()
    connection.client.reaches(ESTABLISHED, seconds=soon)

@pytest.mark.cause("wire.fault.delete")
def test_fault_delete(lab, client, server, wire, soon):
    dropped = wire.drop("client > server: Flags [S]")
    connection = client.connect(server.listen(port=80))
    dropped.meets()
    dropped.delete()
    connection.client.reaches(ESTABLISHED, seconds=soon)

@pytest.mark.cause("server.type")
def test_type(lab, server, soon):
    program = server.start([sys.executable, "-c", "print(input())"])
    program.type("hello\\n")
    program.ends(0, seconds=soon)

@pytest.mark.cause("server.close_input")
def test_close_input(lab, server, soon):
    program = server.start([sys.executable, "-c", "import sys; sys.stdin.read()"])
    program.close_input()
    program.ends(0, seconds=soon)

@pytest.mark.cause("server.interrupt")
def test_interrupt(lab, server, soon):
    program = server.start("sleep 60")
    program.interrupt()
    program.ends(-signal.SIGINT, seconds=soon)

@pytest.mark.cause("server.kill")
def test_kill(lab, server, soon):
    program = server.start("sleep 60")
    program.kill()
    program.ends(-signal.SIGKILL, seconds=soon)

@pytest.mark.cause("server.send_signal")
def test_send_signal(lab, server, soon):
    program = server.start("sleep 60")
    program.send_signal(signal.SIGTERM)
    program.ends(-signal.SIGTERM, seconds=soon)
"""
"""A scenario for each verb that can be a cause."""

NOTHING_THERE = """
import sys
from sockstates import LISTEN

@pytest.mark.cause("client.start")
def test_no_program(lab, client):
    client.start([sys.executable, "-c", "print('hello')"]).prints("hello")

@pytest.mark.cause("client.start")
def test_no_end(lab, client):
    client.start([sys.executable, "-c", "pass"]).ends(0)

@pytest.mark.cause("client.connect")
def test_no_connection(lab, client, server):
    client.connect(server.listen(port=80)).client.reaches(ESTABLISHED, seconds=0.2)

@pytest.mark.cause("client.connect")
def test_no_other_end(lab, client, server):
    client.connect(server.listen(port=80)).server.reaches(ESTABLISHED, seconds=0.2)

@pytest.mark.cause("client.connect")
def test_no_call(lab, client, server):
    client.connect(server.listen(port=80)).client.connecting.returns()

@pytest.mark.cause("client.connect")
def test_no_segments(lab, client, server):
    client.connect(server.listen(port=80))
    lab.sees("client > server: Flags [S]")

@pytest.mark.cause("server.listen")
def test_no_listener(lab, server):
    server.listen(port=80).reaches(LISTEN, seconds=0.2)

@pytest.mark.cause("client.sends")
def test_no_crafted_segment(lab, client, server):
    client.crafts(port=40000, to=server.listen(port=80)).sends("Flags [S], seq 1")
    lab.sees("server > client: Flags [S.], seq K, ack 2")

@pytest.mark.cause("client.start")
def test_no_output(lab, client):
    program = client.start([sys.executable, "-c", "print('hello')"])
    assert program.output == b"hello"

@pytest.mark.cause("client.receive")
def test_no_call_of_a_socket(lab, client, server):
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.send(b"hello")
    connection.client.receives(b"hello")
"""
"""Scenarios whose expectation fails without the cause only because nothing is there at all."""
