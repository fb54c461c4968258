"""A crowd: so many clients of the host "server", port 80, each in a thread of its own.

Each connects, sends a request, and waits for the answer. When all have theirs, it says so.
"""

import socket
import sys
import threading


def ask() -> None:
    """One client, with the patience of its kernel."""
    with socket.create_connection(("server", 80)) as connection:
        connection.sendall(b"request")
        if connection.recv(100) == b"answer":
            answered.release()


count = int(sys.argv[1])
answered = threading.Semaphore(0)
for _ in range(count):
    threading.Thread(target=ask).start()
for _ in range(count):
    answered.acquire()
print("all", count, "have an answer")
