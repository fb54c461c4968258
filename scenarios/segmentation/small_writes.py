"""Connects to a host's port 80; for a line of input writes three letters, with a call for each."""

import socket
import sys

connection = socket.create_connection((sys.argv[1], 80))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(sys.argv[2]))
input()
for letter in (b"a", b"b", b"c"):
    connection.send(letter)
connection.recv(1)
