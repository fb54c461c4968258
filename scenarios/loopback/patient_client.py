"""The same client fifty times over: each time it sends its FIN, and waits for the server's.

A client that only closed would connect again before the server has accepted: four such connections
overfill a backlog of three, and the next SYN is dropped. Argument: ipv4 or ipv6.
"""

import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
for _ in range(50):
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.connect(("localhost", 8080))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    connection.close()
