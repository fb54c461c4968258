"""A hundred clients, one after the other: each connects, reads the answer, and closes."""

import socket

for _ in range(100):
    with socket.create_connection(("server", 8080)) as connection:
        connection.recv(5)
