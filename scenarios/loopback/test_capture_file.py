"""A capture of the loopback interface in a file: opened with Wireshark, its numbers begin at 0.

tcpdump ends by itself after six packets (-c), the fewest that the connection can have. tshark is
Wireshark without its window.
"""

import sys
from pathlib import Path

import pytest

from sockstates import Host, Lab

pytestmark = [
    pytest.mark.claims("H11"),
    pytest.mark.cause(
        "server.start",
        without="tshark",
        instead="tshark -o tcp.relative_sequence_numbers:FALSE",
    ),
    pytest.mark.topology(loopback=True),
    pytest.mark.programs("tcpdump", "tshark"),
]

SERVER = Path(__file__).parent / "server.py"
CLIENT = Path(__file__).parent / "client.py"


def test_wireshark_shows_relative_numbers(lab: Lab, server: Host, tmp_path: Path) -> None:
    lab.step("The server listens; tcpdump captures what concerns its port on the loopback.")
    program = server.start([sys.executable, str(SERVER), lab.family])
    program.listens(8080)
    capture = tmp_path / "tcphandshake.pcap"
    tcpdump = server.start(f"tcpdump -Z root -i lo -c 6 -w {capture} port 8080")
    tcpdump.prints("listening on lo")

    lab.step("The client connects and closes; tcpdump writes it all to the file.")
    server.start([sys.executable, str(CLIENT), lab.family]).ends(0)
    syn, syn_ack, *_ = lab.sees("""
        localhost > localhost.8080: Flags [S], seq J
        localhost.8080 > localhost: Flags [S.], seq K, ack J+1
        localhost > localhost.8080: Flags [.], ack K+1
        ...
        localhost > localhost.8080: Flags [.], ack K+2
    """)
    tcpdump.ends(0)

    lab.step("Opened with tshark, the handshake's numbers are 0 and 1, whatever J and K are.")
    tshark = server.start(f"tshark -n -r {capture} -T fields -e tcp.seq -e tcp.ack")
    tshark.ends(0, seconds=30)
    tshark.prints("0\t0\n0\t1\n1\t1\n")
    lab.figure(f"on the wire {syn.sequence} and {syn_ack.sequence}; shown as 0 and 0")
