"""A client in as few lines: connects and closes. Argument: ipv4 or ipv6."""

import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
connection = socket.socket(family, socket.SOCK_STREAM)
connection.connect(("localhost", 8080))
connection.close()
