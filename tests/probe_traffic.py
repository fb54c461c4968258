"""Traffic with a little of everything that a filter can tell apart, sent by a host of a lab."""

from __future__ import annotations

import sys
from typing import Any

from sockstates import Host, Lab

CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
SEND = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind(("eth0", 0))
for line in sys.stdin:
    raw.send(bytes.fromhex(line))
print("sent", flush=True)
"""


def crafted(client: Host, server: Host) -> list[bytes]:
    """Frames from the client that no program of its own would send, as well as some that would."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
    from scapy.layers.l2 import ARP, Ether
    from scapy.packet import Raw

    four = {"src": client.address_of("ipv4"), "dst": server.address_of("ipv4")}
    six = {"src": client.address_of("ipv6"), "dst": server.address_of("ipv6")}
    there = Ether(src=CLIENT_MAC, dst=SERVER_MAC)
    everybody = Ether(src=CLIENT_MAC, dst="ff:ff:ff:ff:ff:ff")
    several = Ether(src=CLIENT_MAC, dst="01:00:5e:00:00:fb")
    packets: list[Any] = [
        everybody / ARP(op=1, hwsrc=CLIENT_MAC, psrc=four["src"], pdst=four["dst"]),
        there / ARP(op=2, hwsrc=CLIENT_MAC, psrc=four["src"], hwdst=SERVER_MAC, pdst=four["dst"]),
        everybody / IP(src=four["src"], dst="255.255.255.255") / UDP(sport=68, dport=67),
        several / IP(src=four["src"], dst="224.0.0.251") / UDP(sport=5353, dport=5353),
        there / IP(**four) / UDP(sport=1234, dport=53) / Raw(b"question"),
        there / IP(**four, ttl=3) / UDP(sport=1234, dport=9999) / Raw(bytes(900)),
        there / IP(**four, flags="MF") / UDP(sport=1234, dport=9999, len=200) / Raw(bytes(64)),
        there / IP(**four, frag=9) / Raw(bytes(64)),
        there / IP(**four, tos=0xB8) / ICMP(type=13),
        there / IP(**four, proto=47) / Raw(bytes(20)),
        there / IP(src=four["src"], dst="192.168.7.7") / TCP(sport=99, dport=8080, flags="S"),
        there / IPv6(**six) / ICMPv6EchoRequest(id=7, seq=1),
        there / IPv6(**six) / UDP(sport=1234, dport=53) / Raw(b"question"),
        there / IPv6(**six) / TCP(sport=98, dport=8080, flags="S"),
        there / Raw(b"\x88\xb5" + bytes(50)),
    ]
    for flags in ("S", "F", "R", "PA", "A", "U", "UA", "FSRPAU", "", "EC"):
        packets.append(there / IP(**four) / TCP(sport=97, dport=81, flags=flags) / Raw(b"x"))
    return [bytes(each) for each in packets]


def send(lab: Lab, client: Host, server: Host) -> None:
    """Send it all, and wait until all that is answered is answered.

    But for one: after 30 s the server would tell that the rest of a fragment has not come.
    """
    server.sysctl("net.ipv4.ipfrag_time", 3600)
    connection = client.connect(server.listen(port=80))
    connection.client.connecting.returns()
    connection.server.accept()
    connection.client.send(b"GET / HTTP/1.1\r\n\r\n")
    connection.server.receives(b"GET / HTTP/1.1\r\n\r\n")
    connection.server.send(bytes(3000))
    connection.client.receives(bytes(3000))
    connection.client.close()
    connection.server.receives_end()
    connection.server.close()
    sender = client.start([sys.executable, "-c", SEND])
    sender.type("".join(f"{frame.hex()}\n" for frame in crafted(client, server)))
    sender.close_input()
    sender.ends(0)
    client.connect(client.listen(port=8000)).client.connecting.returns()
    for address in (server.address_of("ipv4"), server.address_of("ipv6")):
        client.start(f"ping -n -c 2 -i 0.01 -s 100 {address}").ends(0)
    lab.settle()
