"""A capture of the loopback interface in a file: tcpdump writes it, Wireshark's numbers begin at 0.

tcpdump is given the article's words (interface lo, filter `port 8080`), stays the lab's root (-Z),
and ends by itself after six packets (-c), the fewest that the connection can have: an interrupted
tcpdump loses what it has not read yet. tshark is Wireshark without its window.
"""

import sys
from pathlib import Path

import pytest

from harness.lab import Host, Lab

pytestmark = [
    pytest.mark.claims("H11"),
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
    tcpdump = server.start(f"tcpdump -i lo -c 6 -Z root -w {capture} port 8080")
    tcpdump.prints("listening on lo")

    lab.step("The client connects and closes; tcpdump writes it all to the file.")
    server.start([sys.executable, str(CLIENT), lab.family]).ends(0)
    lab.sees("""
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
