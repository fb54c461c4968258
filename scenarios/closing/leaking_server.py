"""A server with a leak: it accepts, answers, and never closes. Arguments: ipv4 or ipv6, "forgets".

With "closes" in its place it closes each connection once it has answered.

So that it does not take long, it may have few files open.
"""

import os
import resource
import socket
import sys

FILES = 110

resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
listener = socket.socket(family, socket.SOCK_STREAM)
listener.bind(("", 8080))
listener.listen(1000)
forgotten = []
while True:
    try:
        connection, _ = listener.accept()
    except OSError as error:
        print("accept:", os.strerror(error.errno or 0), flush=True)
        break
    connection.sendall(b"hello")
    if sys.argv[2] == "forgets":
        forgotten.append(connection)
    else:
        connection.close()
sys.stdin.read()
