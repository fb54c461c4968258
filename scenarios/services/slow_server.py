"""A slow server on port 80: it serves one client after the other, and is held up by the first one.

Arguments: ipv4 or ipv6, backlog. It goes on when it reads a line.
"""

import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
with socket.create_server(("", 80), family=family, backlog=int(sys.argv[2])) as listener:
    first, _ = listener.accept()
    print("busy with the first client")
    sys.stdin.readline()
    connection = first
    while True:
        with connection:
            connection.recv(100)
            connection.sendall(b"answer")
        connection, _ = listener.accept()
