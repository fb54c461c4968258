"""The server in ten lines without its last one: it never closes. Argument: ipv4 or ipv6."""

import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
listener = socket.socket(family, socket.SOCK_STREAM)
listener.bind(("", 8080))
listener.listen(3)
kept = []
while True:
    connection, _ = listener.accept()
    print(connection.recv(1024))
    kept.append(connection)
