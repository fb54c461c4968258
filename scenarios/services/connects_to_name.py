"""A client that connects to port 80 of the host "service.test", and keeps the connection.

Argument: ipv4 or ipv6.
"""

import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
try:
    address = socket.getaddrinfo("service.test", 80, family, socket.SOCK_STREAM)[0][4]
except socket.gaierror as error:
    names = {socket.EAI_AGAIN: "EAI_AGAIN", socket.EAI_NONAME: "EAI_NONAME"}
    sys.exit(names.get(error.errno or 0, str(error)))
with socket.socket(family) as connection:
    connection.connect(address)
    print("connected")
    connection.recv(1)
