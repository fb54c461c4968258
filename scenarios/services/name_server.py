"""A name server on port 53 that knows one answer to every question: the address in its argument."""

import ipaddress
import socket
import struct
import sys

address = ipaddress.ip_address(sys.argv[1])
family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
KINDS = {4: 1, 6: 28}
with socket.socket(family, socket.SOCK_DGRAM) as answering:
    answering.bind(("", 53))
    print("ready")
    while True:
        query, peer = answering.recvfrom(512)
        end = query.index(0, 12) + 5  # the name's last byte, type and class
        kind = struct.unpack("!H", query[end - 4 : end - 2])[0]
        known = kind == KINDS[address.version]
        header = query[:2] + struct.pack("!HHHHH", 0x8180, 1, known, 0, 0)
        record = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(address.packed)) + address.packed
        answering.sendto(header + query[12:end] + record * known, peer)
